module github.com/signet-go/signet/examples

go 1.25.0

require (
	github.com/golangcollege/sessions v1.2.0
	github.com/gorilla/sessions v1.4.0
	github.com/signet-go/signet v0.0.0
	go.yaml.in/yaml/v3 v3.0.5
)

require (
	github.com/aws/aws-lambda-go v1.54.0 // indirect
	github.com/gorilla/securecookie v1.1.2 // indirect
)

require (
	github.com/signet-go/signet/contrib/awskeys v0.0.0
	github.com/signet-go/signet/contrib/lambda v0.0.0
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/signet-go/signet => ../

replace github.com/signet-go/signet/contrib/lambda => ../contrib/lambda

replace github.com/signet-go/signet/contrib/awskeys => ../contrib/awskeys
