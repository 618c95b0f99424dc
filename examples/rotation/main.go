// A server whose keys rotate while it runs, with a health check that says how old they are, and counters
// that say which of them are still in use. The files beside it rotate the keys in its place: from cron, a systemd timer, a pipeline,
// a Kubernetes CronJob, or by deploys where keys are in an environment variable.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/signet-go/signet"
)

func main() {
	ctx := context.Background()
	load := signet.FromFile(os.Getenv("SIGNET_KEY_FILE"))
	keys := signet.Must(load(ctx)) // a broken file ends the program here, with the reason
	go keys.Watch(ctx, time.Minute, load)

	use := newKeyUse()
	go use.write(ctx, os.Getenv("SIGNET_SEEN_FILE"), time.Minute)
	sessions := signet.Must(signet.New[map[string]string](keys, signet.Config{Observer: use}))
	log.Fatal(http.ListenAndServe("localhost:8080", handler(keys, sessions)))
}

func handler(keys *signet.Keyring, sessions *signet.Manager[map[string]string]) http.Handler {
	shop := http.NewServeMux()
	shop.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		s.Data["username"] = r.FormValue("username")
	})
	shop.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!\n", sessions.Get(r.Context()).Data["username"])
	})
	mux := http.NewServeMux()
	mux.Handle("/", sessions.Handler(shop))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		age, err := keys.Staleness()
		if age > 30*time.Minute { // half of the policy's propagation
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, "keys of generation %d, read %v ago; %v\n", keys.Generation(), age.Round(time.Second), err)
	})
	return mux
}
