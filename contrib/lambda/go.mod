module github.com/signet-go/signet/contrib/lambda

go 1.25.0

require github.com/aws/aws-lambda-go v1.54.0

require github.com/stretchr/testify v1.12.1 // indirect

replace github.com/signet-go/signet => ../../
