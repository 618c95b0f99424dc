// Moving-auth0 takes over the visitors of an application with express-openid-connect; see docs/moving/auth0.md.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/auth0"
)

// Visitor is the session.
type Visitor struct {
	Username string `json:"username,omitempty"`
}

// fromOld reads the claims of the ID token. Who signed it need not be asked again: the cookie that it came in has
// authenticated.
func fromOld(f *signet.Foreign) (Visitor, error) {
	var session struct {
		IDToken string `json:"id_token"`
	}
	if err := json.Unmarshal(f.Claims, &session); err != nil {
		return Visitor{}, err
	}
	parts := strings.Split(session.IDToken, ".")
	if len(parts) != 3 {
		return Visitor{}, errors.New("no ID token")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Visitor{}, err
	}
	var user struct{ Name string }
	err = json.Unmarshal(text, &user)
	return Visitor{Username: user.Name}, err
}

func main() {
	keys := signet.Must(signet.ParseKeyring([]byte(os.Getenv("SIGNET_KEYS"))))
	old := signet.Must(auth0.New(auth0.Config{Secrets: []string{os.Getenv("SECRET")}}))
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
