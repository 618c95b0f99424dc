package flask_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
	"github.com/stretchr/testify/require"
)

// visitor is the session of the Go side.
type visitor struct {
	Username *string        `json:"username,omitempty"`
	Items    []string       `json:"items,omitempty"`
	Flashes  signet.Flashes `json:"flashes,omitempty"`
}

func python(ok bool) string {
	if ok {
		return "True"
	}
	return "False"
}

func orNone(s *string) string {
	if s == nil {
		return "None"
	}
	return *s
}

// goSide has the routes of calls.py.
func goSide(sessions *signet.Manager[visitor], lifetime time.Duration) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(s *signet.Session[visitor], r *http.Request) string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, answer(sessions.Get(r.Context()), r))
		})
	}
	handle("POST /set", func(s *signet.Session[visitor], r *http.Request) string {
		name := r.FormValue("name")
		s.Data.Username = &name
		return ""
	})
	handle("GET /item", func(s *signet.Session[visitor], r *http.Request) string {
		if s.Data.Username == nil {
			return "KeyError"
		}
		return *s.Data.Username
	})
	handle("GET /get", func(s *signet.Session[visitor], r *http.Request) string { return orNone(s.Data.Username) })
	handle("POST /pop", func(s *signet.Session[visitor], r *http.Request) string {
		was := orNone(s.Data.Username)
		s.Data.Username = nil
		return was
	})
	handle("GET /in", func(s *signet.Session[visitor], r *http.Request) string { return python(s.Data.Username != nil) })
	handle("POST /clear", func(s *signet.Session[visitor], r *http.Request) string { s.Destroy(); return "" })
	handle("POST /permanent", func(s *signet.Session[visitor], r *http.Request) string {
		name := "ada"
		s.Data.Username = &name
		if err := s.SetLifetime(lifetime); err != nil {
			return err.Error()
		}
		s.SetPersistent(true)
		return ""
	})
	handle("GET /new", func(s *signet.Session[visitor], r *http.Request) string { return python(s.IsNew()) })
	handle("POST /append", func(s *signet.Session[visitor], r *http.Request) string {
		s.Data.Items = append(s.Data.Items, r.FormValue("item"))
		return ""
	})
	handle("GET /items", func(s *signet.Session[visitor], r *http.Request) string { return strings.Join(s.Data.Items, ",") })
	handle("POST /flash", func(s *signet.Session[visitor], r *http.Request) string {
		s.Data.Flashes.Add("info", r.FormValue("text"))
		return ""
	})
	handle("GET /flashes", func(s *signet.Session[visitor], r *http.Request) string {
		var all []string
		for _, f := range s.Data.Flashes.Take() {
			all = append(all, f.Category+":"+f.Text)
		}
		return strings.Join(all, ";")
	})
	handle("GET /theme", func(s *signet.Session[visitor], r *http.Request) string {
		c, err := r.Cookie("theme")
		if err != nil {
			return "None"
		}
		return c.Value
	})
	mux.HandleFunc("POST /theme", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark", Path: "/"})
	})
	mux.HandleFunc("POST /untheme", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "theme", Path: "/", MaxAge: -1})
	})
	return sessions.Handler(mux)
}

// row is one row of the table: what is done on both sides, and what both must answer.
type row struct {
	flask, signet string
	settings      map[string]any // of Flask
	config        signet.Config  // of signet
	do            string         // requests, each "METHOD /path -> answer", or Flask's answer/signet's
	// then looks at the Set-Cookie of the last request, on each side.
	then func(t *testing.T, flask, signet string)
	// rotate gives both sides the second secret before the last request; keep leaves the first as a fallback.
	rotate, keep bool
	wait         time.Duration // before the last request
}

func has(part string) func(*testing.T, string, string) {
	return func(t *testing.T, flask, signet string) {
		require.Contains(t, flask, part)
		require.Contains(t, signet, part)
	}
}

var calls = []row{
	{flask: "`app.secret_key = \"…\"`, `SECRET_KEY`", signet: "`signet.ParseKeyring(…)`, with keys from `signet keys new`",
		do: "POST /set?name=ada -> | GET /get -> None", rotate: true},
	{flask: "`SECRET_KEY_FALLBACKS`", signet: "the other keys of the ring; `signet keys rotate FILE`",
		do: "POST /set?name=ada -> | GET /get -> ada", rotate: true, keep: true},
	{flask: "`session[\"username\"] = name`", signet: "`s.Data[\"username\"] = name`, or a field: `s.Data.Username = name`",
		do: "POST /set?name=Zo%C3%AB -> | GET /get -> Zoë | POST /set?name=eve -> | GET /get -> eve"},
	{flask: "`session[\"username\"]`", signet: "`s.Data[\"username\"]`; where Flask raises KeyError, the zero value",
		do: "GET /item -> KeyError | POST /set?name=ada -> | GET /item -> ada"},
	{flask: "`session.get(\"username\")`", signet: "`name, ok := s.Data[\"username\"]`",
		do: "GET /get -> None | POST /set?name=ada -> | GET /get -> ada"},
	{flask: "`session.pop(\"username\", None)`", signet: "`delete(s.Data, \"username\")`",
		do: "POST /set?name=ada -> | POST /pop -> ada | POST /pop -> None | GET /get -> None"},
	{flask: "`\"username\" in session`", signet: "`_, ok := s.Data[\"username\"]`",
		do: "GET /in -> False | POST /set?name=ada -> | GET /in -> True"},
	{flask: "`session.clear()`", signet: "`s.Destroy()`",
		do: "POST /set?name=ada -> | POST /clear ->", then: func(t *testing.T, flask, signet string) {
			require.Contains(t, flask, "session=; Expires=Thu, 01 Jan 1970")
			require.Contains(t, signet, "__Host-Http-session=; Max-Age=0")
		}},
	{flask: "`session.permanent = True`", signet: "`s.SetPersistent(true)`",
		settings: map[string]any{"PERMANENT_SESSION_LIFETIME": 7200},
		do:       "POST /permanent ->", then: func(t *testing.T, flask, signet string) {
			require.Contains(t, flask, "Expires=")
			require.Contains(t, signet, "Max-Age=7200")
		}},
	{flask: "`PERMANENT_SESSION_LIFETIME`", signet: "`Config.Lifetime`, or `s.SetLifetime(d)` for one session; a minute of leeway for clocks that differ",
		settings: map[string]any{"PERMANENT_SESSION_LIFETIME": 1}, config: signet.Config{Lifetime: time.Second},
		do: "POST /set?name=ada -> | GET /get -> None", wait: 2100 * time.Millisecond},
	{flask: "`session.new`", signet: "`s.IsNew()`; Flask's cookie sessions say False always",
		do: "GET /new -> False/True | POST /set?name=ada -> | GET /new -> False"},
	{flask: "`session.modified = True`", signet: "not needed: a change at any depth is seen",
		do: "POST /append?item=a -> | POST /append?item=b -> | GET /items -> a,b"},
	{flask: "`flash(\"saved\", \"info\")`", signet: "`s.Data.Flashes.Add(\"info\", \"saved\")`",
		do: "POST /flash?text=saved -> | POST /flash?text=twice -> | GET /flashes -> info:saved;info:twice"},
	{flask: "`get_flashed_messages(with_categories=True)`", signet: "`s.Data.Flashes.Take()`",
		do: "POST /flash?text=saved -> | GET /flashes -> info:saved | GET /flashes ->"},
	{flask: "`request.cookies.get(\"theme\")`", signet: "`r.Cookie(\"theme\")`",
		do: "GET /theme -> None | POST /theme -> | GET /theme -> dark"},
	{flask: "`response.set_cookie(\"theme\", \"dark\")`", signet: "`http.SetCookie(w, &http.Cookie{Name: \"theme\", Value: \"dark\", Path: \"/\"})`",
		do: "POST /theme ->", then: has("theme=dark; Path=/")},
	{flask: "`response.delete_cookie(\"theme\")`", signet: "`http.SetCookie(w, &http.Cookie{Name: \"theme\", Path: \"/\", MaxAge: -1})`",
		do: "POST /theme -> | POST /untheme -> | GET /theme -> None"},
	{flask: "`SESSION_COOKIE_NAME`", signet: "`Config.Cookie.Name`",
		settings: map[string]any{"SESSION_COOKIE_NAME": "sid"}, config: signet.Config{Cookie: signet.Cookie{Name: "sid"}},
		do: "POST /set?name=ada ->", then: has("sid=")},
	{flask: "`SESSION_COOKIE_DOMAIN`", signet: "`Config.Cookie.Domain`",
		settings: map[string]any{"SESSION_COOKIE_DOMAIN": "app.test"}, config: signet.Config{Cookie: signet.Cookie{Domain: "app.test"}},
		do: "POST /set?name=ada ->", then: has("Domain=app.test")},
	{flask: "`SESSION_COOKIE_PATH`", signet: "`Config.Cookie.Path`",
		settings: map[string]any{"SESSION_COOKIE_PATH": "/app"}, config: signet.Config{Cookie: signet.Cookie{Path: "/app"}},
		do: "POST /set?name=ada ->", then: has("Path=/app")},
	{flask: "`SESSION_COOKIE_SAMESITE`", signet: "`Config.Cookie.SameSite`; Lax unless you say otherwise, where Flask sends none",
		settings: map[string]any{"SESSION_COOKIE_SAMESITE": "Strict"}, config: signet.Config{Cookie: signet.Cookie{SameSite: http.SameSiteStrictMode}},
		do: "POST /set?name=ada ->", then: has("SameSite=Strict")},
	{flask: "`SESSION_COOKIE_PARTITIONED`", signet: "`Config.Cookie.Partitioned`",
		settings: map[string]any{"SESSION_COOKIE_PARTITIONED": true, "SESSION_COOKIE_SECURE": true}, config: signet.Config{Cookie: signet.Cookie{Partitioned: true}},
		do: "POST /set?name=ada ->", then: func(t *testing.T, flask, signet string) {
			require.Contains(t, signet, "Partitioned")
			// Flask knows it since 3.1, and sends nothing of it before.
			if strings.Contains(flask, "Partitioned") {
				require.Contains(t, flask, "Secure")
			}
		}},
	{flask: "`SESSION_COOKIE_SECURE`", signet: "always on; `Cookie.DangerouslyAllowHTTP` is the only way to lose it",
		settings: map[string]any{"SESSION_COOKIE_SECURE": true}, do: "POST /set?name=ada ->", then: has("Secure")},
	{flask: "`SESSION_COOKIE_HTTPONLY`", signet: "always on", do: "POST /set?name=ada ->", then: has("HttpOnly")},
	{flask: "`SESSION_REFRESH_EACH_REQUEST`", signet: "`Config.IdleTimeout`: a small cookie of its own, written now and then and not each time",
		config: signet.Config{IdleTimeout: time.Hour, Lifetime: 24 * time.Hour},
		do:     "POST /permanent ->", then: func(t *testing.T, flask, signet string) {
			require.Contains(t, flask, "session=")
			require.Contains(t, signet, "__Host-Http-session.t=")
		}},
}

const firstSecret, secondSecret = "test-only-flask-secret-first", "test-only-flask-secret-second"

func TestEveryCallOfTheTable(t *testing.T) {
	for version, binary := range pythons(t) {
		t.Run(version, func(t *testing.T) {
			address := startCalls(t, binary)
			for i, row := range calls {
				t.Run(row.flask, func(t *testing.T) { row.run(t, address, 2*i) })
			}
		})
	}
}

// startCalls runs calls.py with two applications for each row: before the rotation of its secret, and after.
func startCalls(t *testing.T, binary string) string {
	var apps []map[string]any
	for _, row := range calls {
		before, after := map[string]any{"SECRET_KEY": firstSecret}, map[string]any{"SECRET_KEY": secondSecret}
		maps.Copy(before, row.settings)
		maps.Copy(after, row.settings)
		if row.keep {
			after["SECRET_KEY_FALLBACKS"] = []string{firstSecret}
		}
		apps = append(apps, before, after)
	}
	text, err := json.Marshal(apps)
	require.NoError(t, err)
	address := real.FreeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	real.Start(t, exec.Command(binary, "calls.py", port, string(text))).Dial(t, "tcp", address)
	return address
}

func (row row) run(t *testing.T, address string, app int) {
	keys := []signet.Key{signet.GenerateKey(time.Time{}), signet.GenerateKey(time.Time{})}
	ring, err := signet.NewKeyring(keys[0])
	require.NoError(t, err)
	row.config.Logger = slog.New(slog.DiscardHandler)
	sessions, err := signet.New[visitor](ring, row.config)
	require.NoError(t, err)
	server := httptest.NewTLSServer(goSide(sessions, 2*time.Hour))
	defer server.Close()

	old := client(t, http.DefaultTransport)
	young := client(t, server.Client().Transport)
	requests := strings.Split(row.do, " | ")
	for i, request := range requests {
		last := i == len(requests)-1
		if last && row.rotate {
			app++
			next := keys[1:]
			if row.keep {
				next = keys
			}
			rotated, err := signet.NewKeyring(next...)
			require.NoError(t, err)
			ring.Replace(rotated)
		}
		if last && row.wait > 0 {
			time.Sleep(row.wait)
			ring.SetClock(func() time.Time { return time.Now().Add(time.Minute) }) // its leeway
		}
		request, want, ok := strings.Cut(request, " ->")
		require.True(t, ok, request)
		flaskWant, signetWant, differ := strings.Cut(strings.TrimSpace(want), "/")
		if !differ {
			signetWant = flaskWant
		}
		method, path, _ := strings.Cut(request, " ")
		flask, flaskSet := call(t, old, method, "http://"+address+path, app)
		signet, signetSet := call(t, young, method, server.URL+path, app)
		require.Equal(t, flaskWant, flask, "Flask: %s", request)
		require.Equal(t, signetWant, signet, "signet: %s", request)
		if last && row.then != nil {
			row.then(t, flaskSet, signetSet)
		}
	}
}

func client(t *testing.T, transport http.RoundTripper) *http.Client {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &http.Client{Jar: jar, Transport: transport, Timeout: 20 * time.Second}
}

func call(t *testing.T, c *http.Client, method, url string, app int) (body, set string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	require.NoError(t, err)
	r.Header.Set("X-App", strconv.Itoa(app))
	res, err := c.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", text)
	return string(text), strings.Join(res.Header["Set-Cookie"], "\n")
}

// The page has the rows of the test, word for word.
func TestThePageHasEveryRow(t *testing.T) {
	page, err := os.ReadFile("../../../docs/moving/flask.md")
	require.NoError(t, err)
	var want strings.Builder
	for _, row := range calls {
		fmt.Fprintf(&want, "| %s | %s |\n", row.flask, row.signet)
	}
	require.Contains(t, string(page), "| Flask | signet |\n|---|---|\n"+want.String()+"\n")
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile("(?m)^\\| `[^|]*\\|").FindAllString(between(string(readme), "## Coming from Flask", "\n## "), -1) {
		for _, call := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(m, -1) {
			name := strings.TrimPrefix(call[1], "_")
			require.Contains(t, want.String(), name, "a row of the README that is not tested")
		}
	}
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}
