// Function is the binary that the tests run under the emulator: a small application with its keys in
// a file that it watches.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/contrib/lambda"
)

func main() {
	load := signet.FromFile(os.Getenv("KEYS_FILE"))
	keys := signet.Must(load(context.Background()))
	go keys.Watch(context.Background(), time.Second, load)
	sessions := signet.Must(signet.New[map[string]string](keys, signet.Config{Cookie: signet.Cookie{Budget: 20 << 10}, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}))
	h := sessions.Handler(routes(sessions))
	if os.Getenv("STREAM") != "" {
		lambda.StartStreaming(h)
	}
	lambda.Start(h)
}

func routes(sessions *signet.Manager[map[string]string]) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		s.Data["name"] = r.FormValue("name")
		http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark", Path: "/"})
	})
	mux.HandleFunc("POST /fill", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		sessions.Get(r.Context()).Data["fill"] = strings.Repeat("z", n)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) { sessions.Get(r.Context()).Destroy() })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		fmt.Fprintf(w, "name=%s fill=%d err=%v host=%s from=%s", s.Data["name"], len(s.Data["fill"]), s.Err(), r.Host, r.RemoteAddr)
	})
	mux.HandleFunc("GET /search/{what}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.PathValue("what"), r.URL.Query()["q"])
	})
	mux.HandleFunc("GET /bytes", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte{0xff, 0xfe, 0, 1}) })
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	mux.HandleFunc("GET /panic", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Left-Over", "yes")
		panic("on purpose")
	})
	return mux
}
