// Moving-h3 takes over the visitors of an application with h3's useSession; see docs/moving/h3.md.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/h3"
)

// Visitor is the session. Its name is that of the old session, so that one is read as the other.
type Visitor struct {
	Username string `json:"username,omitempty"`
}

func fromOld(f *signet.Foreign) (Visitor, error) {
	var v Visitor
	err := json.Unmarshal(f.Claims, &v)
	return v, err
}

func main() {
	keys := signet.Must(signet.ParseKeyring([]byte(os.Getenv("SIGNET_KEYS"))))
	old := signet.Must(h3.New(h3.Config{
		Passwords: []string{os.Getenv("NUXT_SESSION_PASSWORD")},
		Name:      "nuxt-session",
		MaxAge:    7 * 24 * time.Hour,
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
