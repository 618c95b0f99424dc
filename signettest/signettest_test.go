package signettest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/signettest"
)

// app is the handler of the README, as an application's tests meet it.
func app(sessions *signet.Manager[map[string]string]) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		s.Data["username"] = r.FormValue("username")
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) { sessions.Get(r.Context()).Destroy() })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!\n", sessions.Get(r.Context()).Data["username"])
	})
	return sessions.Handler(mux)
}

func Example() {
	t := new(testing.T) // a test has one

	sessions := signet.Must(signet.New[map[string]string](signettest.Ring(t), signet.Config{}))
	h := app(sessions)

	// A visitor who has been here before.
	r := httptest.NewRequest("GET", "/", nil)
	signettest.Put(t, sessions, r, map[string]string{"username": "ada"})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Print(w.Body)

	// What a browser holds after the log-in.
	r = httptest.NewRequest("POST", "/login?username=grace", nil)
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(signettest.Read(t, sessions, r, w.Result()).Data["username"])
	// Output:
	// Hello, ada!
	// grace
}

func TestWhatABrowserHolds(t *testing.T) {
	sessions := signet.Must(signet.New[map[string]string](signettest.Ring(t), signet.Config{IdleTimeout: time.Hour}))
	h := app(sessions)
	visit := func(method, target string, data map[string]string) *signet.Session[map[string]string] {
		r := httptest.NewRequest(method, target, nil)
		if data != nil {
			signettest.Put(t, sessions, r, data)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return signettest.Read(t, sessions, r, w.Result())
	}
	for _, row := range []struct {
		name, method, target string
		data                 map[string]string
		want                 string
		isNew                bool
	}{
		{"a visit without a session leaves none", "GET", "/", nil, "", true},
		{"a read leaves what was put", "GET", "/", map[string]string{"username": "ada"}, "ada", false},
		{"a log-in replaces it", "POST", "/login?username=grace", map[string]string{"username": "ada"}, "grace", false},
		{"a log-out clears it", "POST", "/logout", map[string]string{"username": "ada"}, "", true},
		{"an empty session is a session", "GET", "/", map[string]string{}, "", false},
		{"one of several cookies is put whole", "GET", "/", map[string]string{"username": "ada", "basket": strings.Repeat("x", 4000)}, "ada", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := visit(row.method, row.target, row.data)
			require.Equal(t, row.want, s.Data["username"])
			require.Equal(t, row.isNew, s.IsNew())
		})
	}
}

func TestPutSessionKeepsWhatIsMoreThanData(t *testing.T) {
	sessions := signet.Must(signet.New[map[string]string](signettest.Ring(t), signet.Config{}))
	r := httptest.NewRequest("GET", "/", nil)
	signettest.PutSession(t, sessions, r, func(s *signet.Session[map[string]string]) {
		s.SetPersistent(true)
		require.NoError(t, s.SetLifetime(time.Hour))
	})
	s := sessions.Load(r)
	require.True(t, s.Persistent())
	require.Equal(t, time.Hour, s.Expires().Sub(s.Created()))
}

// failure is a testing.TB that remembers that it failed.
type failure struct {
	testing.TB
	message string
}

func (f *failure) Helper() {}

func (f *failure) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	panic(f)
}

func TestHelpersFailTheTest(t *testing.T) {
	sessions := signet.Must(signet.New[map[string]string](signettest.Ring(t), signet.Config{}))
	failing := func(f *failure, do func()) {
		defer func() { require.Equal(t, any(f), recover()) }()
		do()
	}
	r := httptest.NewRequest("GET", "/", nil)
	f := &failure{TB: t}
	failing(f, func() { signettest.Put(f, sessions, r, map[string]string{"v": strings.Repeat("x", 9000)}) })
	require.Contains(t, f.message, "session too large")
	r.Header.Set("Cookie", "__Host-Http-session=forged")
	failing(f, func() { signettest.Read(f, sessions, r, &http.Response{}) })
	require.Contains(t, f.message, "does not open")
}
