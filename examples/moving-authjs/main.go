// Moving-authjs takes over the visitors of an application with Auth.js; see docs/moving/authjs.md.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/authjs"
)

// Visitor is the session. Its name is that of the old token's claim, so that one is read as the other.
type Visitor struct {
	Username string `json:"name,omitempty"`
}

func fromOld(f *signet.Foreign) (Visitor, error) {
	var v Visitor
	err := json.Unmarshal(f.Claims, &v)
	return v, err
}

func main() {
	keys := signet.Must(signet.ParseKeyring([]byte(os.Getenv("SIGNET_KEYS"))))
	old := signet.Must(authjs.New(authjs.Config{
		Secrets:              []string{os.Getenv("AUTH_SECRET")},
		DangerouslyAllowHTTP: true, // on https leave this out: the cookie has another name there
	}))
	sessions := signet.Must(signet.New[Visitor](keys, signet.Config{
		Legacy: []signet.Legacy{signet.Migrate(old, fromOld)},
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
