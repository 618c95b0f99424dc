package fastify_test

import (
	"encoding/json"
	"net/http"
	"os"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/fastify"
)

// A page of a site whose other pages stay in Node: both work on one session.
func ExampleCookies_Update() {
	old := signet.Must(fastify.New(fastify.Config{Keys: [][]byte{[]byte(os.Getenv("SESSION_KEY"))}, Path: "/"}))
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

// The key of the plugin's options secret and salt, derived once.
func ExampleDeriveKey() {
	key, err := fastify.DeriveKey(os.Getenv("SECRET"), nil)
	if err != nil {
		return // the secret is too short
	}
	signet.Must(fastify.New(fastify.Config{Keys: [][]byte{key}, Path: "/"}))
}
