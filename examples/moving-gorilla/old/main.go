package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/gorilla/sessions"
)

func main() {
	store := sessions.NewCookieStore([]byte(os.Getenv("HASH_KEY")), []byte(os.Getenv("BLOCK_KEY")))

	http.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "app")
		s.Values["username"] = r.FormValue("name")
		if err := s.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "Welcome to gorilla.")
	})
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "app")
		name, ok := s.Values["username"].(string)
		if !ok {
			name = "nobody"
		}
		fmt.Fprintf(w, "gorilla knows %s.\n", name)
	})
	log.Fatal(http.ListenAndServe("localhost:5000", nil))
}
