// The application behind the Worker of this folder. It is an ordinary one: that some requests never
// reach it, and that the Worker writes a field of the session, needs nothing here.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/signet-go/signet"
)

// Visitor is the session.
type Visitor struct {
	Name    string `json:"name,omitempty"`
	Country string `json:"country,omitempty"` // the Worker's
}

func main() {
	text, err := os.ReadFile("keys.json")
	if err != nil {
		log.Fatal(err)
	}
	keys := signet.Must(signet.ParseKeyring(text))
	sessions := signet.Must(signet.New[Visitor](keys, signet.Config{}))

	mux := http.NewServeMux()
	mux.HandleFunc("POST /public/login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		s.Data.Name = r.FormValue("name")
	})
	mux.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		fmt.Fprintf(w, "%s from %s\n", s.Data.Name, s.Data.Country)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8081", sessions.Handler(mux)))
}
