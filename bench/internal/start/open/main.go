// Command open reads a ring from SIGNET_KEYS, opens the cookie in its first argument and ends.
package main

import (
	"net/http"
	"os"

	"github.com/signet-go/signet"
)

func main() {
	keys := signet.Must(signet.ParseKeyring([]byte(os.Getenv("SIGNET_KEYS"))))
	sessions := signet.Must(signet.New[map[string]string](keys, signet.Config{}))
	s := sessions.Load(&http.Request{Header: http.Header{"Cookie": {os.Args[1]}}})
	if s.IsNew() {
		os.Exit(1)
	}
}
