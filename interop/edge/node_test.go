package edge_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
)

// TestNodeBehindTheApplication: Go logs a visitor in and passes /node/ on to an application in Node, which knows him, writes the session, grows and shrinks it
// and logs him out; each sees what the other wrote.
func TestNodeBehindTheApplication(t *testing.T) {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	sessions := signet.Must(signet.New[map[string]string](keys, signet.Config{Logger: quiet}))
	cmd := exec.Command(real.Binary(t, "node"), filepath.Join(real.NodeModules(t, "."), "node-app.mjs"))
	cmd.Env = append(os.Environ(), "SIGNET_EDGE_KEYS="+string(signet.Must(keys.ExportPurpose(signet.Compact, "session", cookieName, ""))))
	node := real.Start(t, cmd)
	listening := regexp.MustCompile(`listening on (\d+)`)
	for start := time.Now(); !listening.MatchString(node.Output()); time.Sleep(10 * time.Millisecond) {
		require.Less(t, time.Since(start), 30*time.Second, node.Output())
	}
	behind, err := url.Parse("http://127.0.0.1:" + listening.FindStringSubmatch(node.Output())[1])
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/node/", httputil.NewSingleHostReverseProxy(behind))
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		s.Data["name"] = "Ada"
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		fmt.Fprintf(w, "%s %s %d", s.Data["name"], s.Data["visits"], len(s.Data["fill"]))
	})
	front := httptest.NewTLSServer(sessions.Handler(mux)) // the jar keeps Secure cookies for HTTPS alone
	t.Cleanup(front.Close)
	browser := front.Client()
	browser.Jar = signet.Must(cookiejar.New(nil))
	ask := func(method, path string) (int, string) {
		r, err := http.NewRequest(method, front.URL+path, nil)
		require.NoError(t, err)
		res, err := browser.Do(r)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(body)
	}
	for i, step := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/node/", 401, "none"},
		{"POST", "/login", 200, ""},
		{"GET", "/node/", 200, "Ada"},
		{"GET", "/", 200, "Ada 1 0"},
		{"GET", "/node/grow", 200, "Ada"},
		{"GET", "/", 200, "Ada 2 4000"},
		{"GET", "/node/shrink", 200, "Ada"},
		{"GET", "/", 200, "Ada 3 0"},
		{"GET", "/node/logout", 200, "gone"},
		{"GET", "/", 200, "  0"},
		{"GET", "/node/", 401, "none"},
	} {
		status, body := ask(step.method, step.path)
		require.Equal(t, step.status, status, "step %d", i)
		require.Equal(t, step.body, body, "step %d", i)
	}
}
