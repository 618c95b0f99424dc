// Moving-golangcollege takes over the visitors of a golangcollege/sessions application; see docs/moving/golangcollege.md.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/golangcollege"
)

// Visitor is the session. Its name is that of the old session, so that one is read as the other.
type Visitor struct {
	Username string `json:"username,omitempty"`
}

func fromGolangcollege(f *signet.Foreign) (v Visitor, err error) {
	return v, json.Unmarshal(f.Claims, &v)
}

func main() {
	keys := signet.Must(signet.ParseKeyring([]byte(os.Getenv("SIGNET_KEYS"))))
	old := signet.Must(golangcollege.New(golangcollege.Config{Key: []byte(os.Getenv("SESSION_KEY"))}))
	sessions := signet.Must(signet.New[Visitor](keys, signet.Config{
		Legacy: []signet.Legacy{signet.Migrate(old, fromGolangcollege)},
	}))

	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		if s.Data.Username == "" {
			fmt.Fprintln(w, "signet knows nobody.")
			return
		}
		fmt.Fprintf(w, "signet knows %s.\n", s.Data.Username)
	})
	http.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		sessions.Get(r.Context()).Destroy()
	})
	log.Fatal(http.ListenAndServe("localhost:8080", sessions.Handler(http.DefaultServeMux)))
}
