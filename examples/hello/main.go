// Hello remembers who you are. Run it with
//
//	SIGNET_KEYS="$(signet keys new -env)" go run ./examples/hello
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/signet-go/signet"
)

func main() {
	keys := signet.Must(signet.ParseKeyring([]byte(os.Getenv("SIGNET_KEYS"))))
	sessions := signet.Must(signet.New[map[string]string](keys, signet.Config{}))

	http.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		s.Data["username"] = r.FormValue("username")
	})
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!\n", sessions.Get(r.Context()).Data["username"])
	})
	log.Fatal(http.ListenAndServe("localhost:8080", sessions.Handler(http.DefaultServeMux)))
}
