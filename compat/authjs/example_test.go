package authjs_test

import (
	"encoding/json"
	"net/http"
	"os"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/authjs"
)

// A page of a site whose other pages stay in Node: both work on one session.
func ExampleCookies_Update() {
	old := signet.Must(authjs.New(authjs.Config{Secrets: []string{os.Getenv("AUTH_SECRET")}}))
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

// The upgrade from next-auth 4 to Auth.js 5, without logging anyone out.
func ExampleNew_upgrade() {
	old, err := authjs.New(authjs.Config{Secrets: []string{os.Getenv("AUTH_SECRET")}, AcceptV4: true})
	if err != nil {
		panic(err)
	}
	http.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		f, err := old.Open(r.Cookies(), time.Now())
		if err != nil {
			return // nobody
		}
		set, err := old.Update(r.Cookies(), f.Claims, time.Now())
		if err != nil {
			return
		}
		for _, c := range set {
			http.SetCookie(w, c) // version 5's, and version 4's is expired
		}
	})
}
