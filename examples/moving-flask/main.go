// Moving-flask takes over the visitors of a Flask application; see docs/moving/flask.md.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/flask"
)

// Visitor is the session. Its names are those of the Flask session, so that one is read as the other.
type Visitor struct {
	Username string         `json:"username,omitempty"`
	Flashes  signet.Flashes `json:"flashes,omitempty"`
}

func fromFlask(f *signet.Foreign) (v Visitor, err error) {
	plain, err := flask.Untag(f.Claims) // tuples, dates and bytes become plain JSON
	if err != nil {
		return v, err
	}
	v.Flashes = flask.Flashes(f.Claims)
	return v, json.Unmarshal(plain, &v)
}

func main() {
	keys := signet.Must(signet.ParseKeyring([]byte(os.Getenv("SIGNET_KEYS"))))
	old := signet.Must(flask.New(flask.Config{SecretKey: os.Getenv("SECRET_KEY")}))
	sessions := signet.Must(signet.New[Visitor](keys, signet.Config{
		Legacy: []signet.Legacy{signet.Migrate(old, fromFlask)},
	}))

	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		if s.Data.Username == "" {
			fmt.Fprintln(w, "Go knows nobody.")
			return
		}
		fmt.Fprintf(w, "Go knows %s.\n", s.Data.Username)
	})
	http.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		sessions.Get(r.Context()).Destroy()
	})
	log.Fatal(http.ListenAndServe("localhost:8080", sessions.Handler(http.DefaultServeMux)))
}
