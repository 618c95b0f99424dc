package signet_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"

	"github.com/signet-go/signet"
	"github.com/stretchr/testify/require"
)

// site is a real server over TLS and a client with a jar, as a browser has.
type site struct {
	t      testing.TB
	server *httptest.Server
	client *http.Client
}

func newSite(t testing.TB, h http.Handler) *site {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	client := server.Client()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &site{t, server, client}
}

func (s *site) get(path string) (*http.Response, string) {
	s.t.Helper()
	res, err := s.client.Get(s.server.URL + path)
	require.NoError(s.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return res, string(body)
}

func TestHello(t *testing.T) {
	sessions := signet.Must(signet.New[map[string]string](newRing(t), signet.Config{}))
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		s.Data["username"] = r.FormValue("username")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!\n", sessions.Get(r.Context()).Data["username"])
	})
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) { sessions.Get(r.Context()).Destroy() })
	site := newSite(t, sessions.Handler(mux))

	res, body := site.get("/")
	require.Equal(t, "Hello, !\n", body)
	require.Empty(t, res.Header["Set-Cookie"], "a visit alone writes nothing")

	res, _ = site.get("/login?username=ada")
	require.Len(t, res.Header["Set-Cookie"], 1)
	require.Regexp(t, `^__Host-Http-session=A[\w-]+; Path=/; HttpOnly; Secure; SameSite=Lax$`, res.Header.Get("Set-Cookie"))
	require.Equal(t, `private, no-cache="Set-Cookie"`, res.Header.Get("Cache-Control"))

	res, body = site.get("/")
	require.Equal(t, "Hello, ada!\n", body)
	require.Empty(t, res.Header["Set-Cookie"], "a read writes nothing")
	require.Equal(t, "Cookie", res.Header.Get("Vary"))
	require.Equal(t, "private", res.Header.Get("Cache-Control"))

	res, _ = site.get("/logout")
	require.Equal(t, "__Host-Http-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax", res.Header.Get("Set-Cookie"))
	_, body = site.get("/")
	require.Equal(t, "Hello, !\n", body)
}

func TestAnUntouchedSessionCostsOneAllocation(t *testing.T) {
	sessions := signet.Must(signet.New[map[string]string](newRing(t), signet.Config{}))
	empty := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	r := httptest.NewRequest("GET", "/", nil)
	w := httptest.NewRecorder()
	bare := testing.AllocsPerRun(100, func() { empty.ServeHTTP(w, r) })
	wrapped := sessions.Handler(empty)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { wrapped.ServeHTTP(w, r) }), bare+1)
	require.Empty(t, w.Header())
}
