package proxies_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
)

// clearOversized is the handler of docs/limits.md, word for word; TestTheDocumentedHandler compares.
func clearOversized(sessions *signet.Manager[map[string]string], next http.Handler) http.Handler {
	return sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(strings.Join(r.Header["Cookie"], "; ")) < 7000 { // a stock nginx or httpd refuses above 8,182
			next.ServeHTTP(w, r)
			return
		}
		sessions.Get(r.Context()).Destroy()            // every cookie of ours that came
		w.Header().Set("Clear-Site-Data", `"cookies"`) // everybody's, where the browser knows how
		http.Error(w, "Your browser held too many cookies for this site. They were cleared: please log in again.", http.StatusRequestHeaderFieldsTooLarge)
	}))
}

func TestTheDocumentedHandler(t *testing.T) {
	doc, err := os.ReadFile("../../docs/limits.md")
	require.NoError(t, err)
	code, err := os.ReadFile("jar_test.go")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```go\n(func clearOversized.*?)```").FindSubmatch(doc)
	require.NotNil(t, block)
	squeeze := func(b []byte) string { return strings.Join(strings.Fields(string(b)), " ") }
	require.Contains(t, squeeze(code), squeeze(block[1]))
}

// TestAnOversizedJarHasAWayOut: behind a stock nginx a jar grows until the application clears it, by itself and before nginx would refuse
// every page for good.
func TestAnOversizedJarHasAWayOut(t *testing.T) {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	sessions := signet.Must(signet.New[map[string]string](keys, signet.Config{Logger: quiet}))
	server := httptest.NewServer(clearOversized(sessions, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Data["page"] = s.Data["page"] + strings.Repeat("p", 200)
		http.SetCookie(w, &http.Cookie{Name: fmt.Sprint("other", len(s.Data["page"])), Value: strings.Repeat("o", 300), Path: "/"})
	})))
	defer server.Close()
	base := startNginx(t, strings.TrimPrefix(server.URL, "http://"), false)
	jar := map[string]string{}
	cleared := 0
	for visit := range 80 {
		var pairs []string
		for name, value := range jar {
			pairs = append(pairs, name+"="+value)
		}
		r, _ := http.NewRequest("GET", base+"/", nil)
		r.Header.Set("Cookie", strings.Join(pairs, "; "))
		res, err := client.Do(r)
		require.NoError(t, err)
		res.Body.Close()
		require.Contains(t, []int{200, 431}, res.StatusCode, "visit %d with %d bytes", visit, len(r.Header.Get("Cookie")))
		for _, c := range res.Cookies() {
			if c.MaxAge < 0 {
				delete(jar, c.Name)
			} else {
				jar[c.Name] = c.Value
			}
		}
		if res.StatusCode == 431 {
			cleared++
			for name := range jar {
				require.False(t, strings.HasPrefix(name, "__Host-Http-session"), "ours are expired one by one")
			}
			require.Equal(t, `"cookies"`, res.Header.Get("Clear-Site-Data"))
			clear(jar) // what Clear-Site-Data does
		}
	}
	require.Greater(t, cleared, 1, "and again, each time it is full")
	t.Logf("80 visits behind a stock nginx, the jar was cleared %d times, nginx refused none", cleared)
}

// TestTheProxyCanClearWhatItRefuses: where the jar was oversized before, only the proxy still sees the request. The configuration is that of docs/limits.md.
func TestTheProxyCanClearWhatItRefuses(t *testing.T) {
	a := startApp(t)
	doc, err := os.ReadFile("../../docs/limits.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(doc)
	require.NotNil(t, block)
	address := real.FreeAddress(t)
	real.Nginx(t, address, fmt.Sprintf("server { listen %s;\n%s\nlocation / { proxy_pass http://%s; } }", address, block[1], a.address))
	pairs, _ := a.cookies(t, 9<<10)
	r, _ := http.NewRequest("GET", "http://"+address+"/read", nil)
	r.Header.Set("Cookie", strings.Join(pairs, "; "))
	res, err := client.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, 431, res.StatusCode)
	require.Equal(t, `"cookies"`, res.Header.Get("Clear-Site-Data"))
	gone := map[string]bool{}
	for _, c := range res.Cookies() {
		require.Less(t, c.MaxAge, 0)
		require.True(t, c.Secure && c.Path == "/" && c.HttpOnly, "or the browser would keep the old one")
		gone[c.Name] = true
	}
	for _, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		require.True(t, gone[name], name)
	}
	status, whole := read("http://"+address, []string{other}, 0)
	require.Equal(t, 200, status, "%v", whole)
}
