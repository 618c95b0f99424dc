package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/golangcollege/sessions"
)

func main() {
	session := sessions.New([]byte(os.Getenv("SESSION_KEY")))

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		session.Put(r, "username", r.FormValue("name"))
		fmt.Fprintln(w, "Welcome to golangcollege.")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		name := session.GetString(r, "username")
		if name == "" {
			name = "nobody"
		}
		fmt.Fprintf(w, "golangcollege knows %s.\n", name)
	})
	log.Fatal(http.ListenAndServe("localhost:5000", session.Enable(mux)))
}
