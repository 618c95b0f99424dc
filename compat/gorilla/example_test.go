package gorilla_test

import (
	"encoding/json"
	"net/http"
	"os"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/gorilla"
)

// A page of a site whose other pages stay in gorilla: both work on one session.
func ExampleCookies_Update() {
	old := signet.Must(gorilla.New(gorilla.Config{
		KeyPairs: [][]byte{[]byte(os.Getenv("HASH_KEY")), []byte(os.Getenv("BLOCK_KEY"))},
		Name:     "app",
	}))
	http.HandleFunc("POST /seen", func(w http.ResponseWriter, r *http.Request) {
		var claims map[string]json.RawMessage
		f, err := old.Open(r.Cookies(), time.Now())
		if err != nil || json.Unmarshal(f.Claims, &claims) != nil {
			claims = map[string]json.RawMessage{} // a new visitor
		}
		claims["seen"] = json.RawMessage("true")
		text, err := json.Marshal(claims)
		if err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		set, err := old.Update(r.Cookies(), text, time.Now())
		if err != nil {
			http.Error(w, "too much in the session", http.StatusInternalServerError)
			return
		}
		for _, c := range set {
			http.SetCookie(w, c)
		}
	})
}
