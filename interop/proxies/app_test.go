package proxies_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

var nobody = log.New(io.Discard, "", 0)
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// app is a real application whose sessions are as large as the request asks for.
type app struct {
	address  string
	sessions *signet.Manager[map[string]string]
	large    atomic.Int64 // large-response events
	log      bytes.Buffer
}

func (a *app) Observe(_ context.Context, e signet.Event) {
	if e.Kind == "large-response" {
		a.large.Add(1)
	}
}

func startApp(t *testing.T) *app {
	t.Helper()
	a := new(app)
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	a.sessions = signet.Must(signet.New[map[string]string](keys, signet.Config{
		Cookie: signet.Cookie{Budget: 24 << 10}, Observer: a, Logger: slog.New(slog.NewTextHandler(&a.log, nil)),
	}))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /write", func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Query().Get("wire"))
		a.sessions.Get(r.Context()).Data = data(size)
		fmt.Fprint(w, "written")
	})
	mux.HandleFunc("GET /read", func(w http.ResponseWriter, r *http.Request) {
		s := a.sessions.Get(r.Context())
		fmt.Fprintf(w, "%d %v", len(s.Data["fill"]), s.Err())
	})
	server := httptest.NewServer(a.sessions.Handler(mux))
	t.Cleanup(server.Close)
	a.address = strings.TrimPrefix(server.URL, "http://")
	return a
}

const name = "__Host-Http-session"

// data is a session whose cookies take wire bytes of a Cookie field, or a few fewer where no session has just that size.
func data(wire int) map[string]string {
	const room = 4096 - len(name) - len("2.wwww.")
	token := wire - len(name) - len("=")
	if token > 4096-len(name) {
		for count := 2; ; count++ {
			token = wire - count*(len(name)+10) + 2
			if token <= count*room {
				break
			}
		}
	}
	const other = 37 + 4 + 21 + len(`{"fill":""}`) // what a token holds besides
	return map[string]string{"fill": strings.Repeat("f", max(0, token*3/4-other))}
}

// cookies is the session of that size as a browser sends it, one "NAME=value" each, and its Set-Cookie lines.
func (a *app) cookies(t *testing.T, wire int) (pairs, lines []string) {
	t.Helper()
	r, rec := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	s := a.sessions.Load(r)
	s.Data = data(wire)
	require.NoError(t, a.sessions.Save(rec, r, s))
	lines = rec.Header()["Set-Cookie"]
	for _, line := range lines {
		pair, _, _ := strings.Cut(line, ";")
		pairs = append(pairs, pair)
	}
	require.InDelta(t, wire, len(strings.Join(pairs, "; ")), 40)
	return pairs, lines
}

// other cookies of the site, as analytics and preferences set them.
const other = "_ga=GA1.1.1033501218.1790000000; theme=dark; consent=necessary%2Canalytics; lang=de-DE"

var client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8, MaxResponseHeaderBytes: 1 << 20}}

// read sends Cookie fields through a proxy and returns the status, or 0 for a connection that was cut, and whether the application saw
// the whole session.
func read(base string, fields []string, wire int) (status int, whole bool) {
	r, _ := http.NewRequest("GET", base+"/read", nil)
	r.Header["Cookie"] = fields
	status, body := do(r)
	return status, body == fmt.Sprintf("%d <nil>", len(data(wire)["fill"]))
}

// written lets the application write a session of that size through a proxy, and returns the status and how many Set-Cookie lines came.
func written(base string, wire int) (status, lines int) {
	r, _ := http.NewRequest("POST", base+"/write?wire="+strconv.Itoa(wire), nil)
	r.Header["Cookie"] = []string{other}
	res, err := client.Do(r)
	if err != nil {
		return 0, 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, len(res.Header["Set-Cookie"])
}

func do(r *http.Request) (int, string) {
	res, err := client.Do(r)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}
