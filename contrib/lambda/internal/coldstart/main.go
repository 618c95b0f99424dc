// Coldstart opens one cookie with a ring from the environment and ends. It prints how long that took since main.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/signet-go/signet"
)

func main() {
	start := time.Now()
	keys := signet.Must(signet.ParseKeyring([]byte(os.Getenv("SIGNET_KEYS"))))
	sessions := signet.Must(signet.New[map[string]string](keys, signet.Config{}))
	r := &http.Request{Header: http.Header{"Cookie": {os.Getenv("COOKIE")}}}
	if s := sessions.Load(r); s.Data["name"] != "elsewhere" {
		fmt.Fprintln(os.Stderr, "the cookie did not open:", s.Err())
		os.Exit(1)
	}
	fmt.Println(time.Since(start).Microseconds())
}
