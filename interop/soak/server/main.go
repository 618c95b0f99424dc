// Server is one instance of the soak: TLS and HTTP/2, a ring that follows its file, and pages that write and
// show a session.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet"
)

// visitor is what a client writes, and what every page shows.
type visitor struct {
	User string `json:"user,omitempty"`
	N    int    `json:"n,omitempty"`
	Pad  string `json:"pad,omitempty"`
}

func main() {
	address := flag.String("address", "", "where to listen")
	keys := flag.String("keys", "", "the key file")
	cert := flag.String("cert", "", "certificate")
	key := flag.String("key", "", "its key")
	flag.Parse()
	load := signet.FromFile(*keys)
	ring, err := load(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Print(ring.Watch(context.Background(), 200*time.Millisecond, load)) }()
	sessions := signet.Must(signet.New[visitor](ring, signet.Config{
		Cookie: signet.Cookie{Budget: 24 << 10}, Lifetime: 30 * time.Second, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}))
	server := &http.Server{
		Addr: *address, Handler: pages(sessions), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second,
		MaxHeaderBytes: 64 << 10, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ErrorLog: log.New(io.Discard, "", 0),
	}
	log.Fatal(server.ListenAndServeTLS(*cert, *key))
}

func pages(sessions *signet.Manager[visitor]) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		s.Data = visitor{User: r.URL.Query().Get("user")}
		show(w, &s.Data)
	})
	mux.HandleFunc("POST /write", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		size, err := strconv.Atoi(r.URL.Query().Get("size"))
		if err != nil || size > 16000 || s.Data.User == "" {
			w.WriteHeader(http.StatusConflict)
			return
		}
		s.Data.N++
		s.Data.Pad = strings.Repeat(strconv.Itoa(s.Data.N%10), size)
		show(w, &s.Data)
	})
	mux.HandleFunc("GET /read", func(w http.ResponseWriter, r *http.Request) { show(w, &sessions.Get(r.Context()).Data) })
	outer := http.NewServeMux()
	outer.Handle("/", sessions.Handler(mux))
	outer.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		_ = json.NewEncoder(w).Encode(map[string]uint64{"heap": m.HeapAlloc, "sys": m.Sys, "goroutines": uint64(runtime.NumGoroutine())})
	})
	return outer
}

// show answers with what the session holds, the padding as its length and hash.
func show(w http.ResponseWriter, v *visitor) {
	h := fnv.New64a()
	_, _ = io.WriteString(h, v.Pad)
	fmt.Fprintf(w, "%s %d %d %x", v.User, v.N, len(v.Pad), h.Sum64())
}
