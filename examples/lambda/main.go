// A shop's log-in as an AWS Lambda function, behind any of its triggers.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/contrib/awskeys"
	"github.com/signet-go/signet/contrib/lambda"
)

// Visitor is the session.
type Visitor struct {
	Name  string `json:"name,omitempty"`
	Pages int    `json:"pages,omitempty"`
}

func main() {
	ctx := context.Background()
	keys := signet.Must(ring(ctx))
	sessions := signet.Must(signet.New[Visitor](keys, signet.Config{}))
	lambda.Start(sessions.Handler(routes(sessions)))
}

// ring comes from Secrets Manager where SIGNET_SECRET names a secret, and from the environment otherwise.
func ring(ctx context.Context) (*signet.Keyring, error) {
	secret := os.Getenv("SIGNET_SECRET")
	if secret == "" {
		return signet.ParseKeyring([]byte(os.Getenv("SIGNET_KEYS")))
	}
	load := awskeys.SecretsManager(secret)
	keys, err := load(ctx)
	if err != nil {
		return nil, err
	}
	go keys.Watch(ctx, 0, load) // also after a freeze: the first request finds the ring overdue and reloads it
	return keys, nil
}

func routes(sessions *signet.Manager[Visitor]) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		s.Data = Visitor{Name: r.FormValue("name")}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Data.Pages++
		fmt.Fprintf(w, "Hello, %s! This is your page %d.\n", s.Data.Name, s.Data.Pages)
	})
	return mux
}
