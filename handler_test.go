package signet_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

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
	return serve(t, h, false)
}

func serve(t testing.TB, h http.Handler, http2 bool) *site {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = http2
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
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

// events is an Observer that remembers.
type events struct {
	mu  sync.Mutex
	all []signet.Event
}

func (e *events) Observe(_ context.Context, event signet.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) kinds() (kinds []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		kinds = append(kinds, event.Kind)
	}
	return kinds
}

func (e *events) count(kind string) (n int) {
	for _, k := range e.kinds() {
		if k == kind {
			n++
		}
	}
	return n
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

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

// The design's table "when the cookie is written", a row each, over real servers.
func TestWhenTheCookieIsWritten(t *testing.T) {
	type world struct {
		m *signet.Manager[bag]
		s *signet.Session[bag]
	}
	const change = "changed before"
	for _, row := range []struct {
		name    string
		handle  func(w http.ResponseWriter, r *http.Request, x world)
		method  string
		status  int    // 0: the connection breaks
		body    string // "*": any
		written bool
		lost    bool
		onlyOn  string // a protocol
	}{
		{name: "the handler returns without writing: saved",
			handle: func(_ http.ResponseWriter, _ *http.Request, x world) { x.s.Data["v"] = change }, status: 200, written: true},
		{name: "Write: saved",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				_, _ = w.Write([]byte("page"))
			}, status: 200, body: "page", written: true},
		{name: "WriteString: saved",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				_, _ = w.(io.StringWriter).WriteString("page")
			}, status: 200, body: "page", written: true},
		{name: "ReadFrom: saved, and does not call itself",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				n, err := io.Copy(w, strings.NewReader("page"))
				if n != 4 || err != nil {
					panic(fmt.Sprint(n, err))
				}
			}, status: 200, body: "page", written: true},
		{name: "WriteHeader of a redirect: saved",
			handle: func(w http.ResponseWriter, r *http.Request, x world) {
				x.s.Data["v"] = change
				http.Redirect(w, r, "/elsewhere", http.StatusSeeOther)
			}, status: 303, body: "*", written: true},
		{name: "304: saved",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				w.WriteHeader(http.StatusNotModified)
			}, status: 304, written: true},
		{name: "204: saved",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				w.WriteHeader(http.StatusNoContent)
			}, status: 204, written: true},
		{name: "404 and other errors: saved",
			handle: func(w http.ResponseWriter, r *http.Request, x world) { x.s.Data["v"] = change; http.NotFound(w, r) }, status: 404, body: "*", written: true},
		{name: "HEAD: saved", method: "HEAD",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				_, _ = w.Write([]byte("page"))
			}, status: 200, written: true},
		{name: "103 Early Hints leaves the final header open",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				w.Header().Set("Link", "</style.css>; rel=preload")
				w.WriteHeader(http.StatusEarlyHints)
				x.s.Data["v"] = change
				_, _ = w.Write([]byte("page"))
			}, status: 200, body: "page", written: true},
		{name: "Flush: saved, then flushed",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				w.(http.Flusher).Flush()
				_, _ = w.Write([]byte("page"))
			}, status: 200, body: "page", written: true},
		{name: "ResponseController.Flush: saved, then flushed",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				if err := http.NewResponseController(w).Flush(); err != nil {
					panic(err)
				}
			}, status: 200, written: true},
		{name: "server-sent events: saved with the first, a later change is lost and said so",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				w.Header().Set("Content-Type", "text/event-stream")
				x.s.Data["v"] = change
				for i := range 3 {
					fmt.Fprintf(w, "data: %d\n\n", i)
					_ = http.NewResponseController(w).Flush()
				}
				x.s.Data["v"] = "too late"
			}, status: 200, body: "*", written: true, lost: true},
		{name: "deadlines are set through the wrapper",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				c := http.NewResponseController(w)
				if err := errors.Join(c.SetWriteDeadline(time.Now().Add(time.Minute)), c.SetReadDeadline(time.Now().Add(time.Minute))); err != nil {
					panic(err)
				}
			}, status: 200, written: true},
		{name: "a change after Write is lost and said so",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				_, _ = w.Write([]byte("page"))
				x.s.Data["v"] = "too late"
			}, status: 200, body: "page", lost: true},
		{name: "a deep change after Write is lost and said so",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				w.WriteHeader(200)
				delete(x.s.Data, "v")
			}, status: 200, written: true, lost: true},
		{name: "Renew after Write is lost and said so",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) { w.WriteHeader(200); x.s.Renew() }, status: 200, lost: true},
		{name: "Destroy after Write is lost and said so",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) { w.WriteHeader(200); x.s.Destroy() }, status: 200, lost: true},
		{name: "SetPersistent after Write is lost and said so",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) { w.WriteHeader(200); x.s.SetPersistent(true) }, status: 200, lost: true},
		{name: "what is as it was after Write is not lost",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				w.WriteHeader(200)
				x.s.Data["v"] = "x"
				delete(x.s.Data, "v")
			}, status: 200},
		{name: "reading alone: nothing",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) { fmt.Fprint(w, "page", x.s.Data["v"]) }, status: 200, body: "page"},
		{name: "a change that is undone: nothing",
			handle: func(_ http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = "x"
				delete(x.s.Data, "v")
			}, status: 200},
		{name: "a panic: nothing",
			handle: func(_ http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				panic("the handler's own")
			}},
		{name: "http.ErrAbortHandler: nothing",
			handle: func(_ http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				panic(http.ErrAbortHandler)
			}},
		{name: "Hijack: not saved, and said so", onlyOn: "HTTP/1.1",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				answerRaw(w)
			}, status: 200, body: "raw", lost: true},
		{name: "Save by hand, then Hijack: the header is there to send", onlyOn: "HTTP/1.1",
			handle: func(w http.ResponseWriter, r *http.Request, x world) {
				x.s.Data["v"] = change
				if err := x.m.Save(w, r, x.s); err != nil {
					panic(err)
				}
				answerRaw(w)
			}, status: 200, body: "raw", written: true},
		{name: "Hijack on HTTP/2 fails as it does without us, and the session is saved", onlyOn: "HTTP/2.0",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http.ErrNotSupported) {
					panic(err)
				}
			}, status: 200, written: true},
		{name: "101 Switching Protocols: saved", onlyOn: "HTTP/1.1",
			handle: func(w http.ResponseWriter, _ *http.Request, x world) {
				x.s.Data["v"] = change
				w.Header().Set("Upgrade", "x")
				w.Header().Set("Connection", "Upgrade")
				w.WriteHeader(http.StatusSwitchingProtocols)
			}, status: 101, written: true},
	} {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
			if row.onlyOn != "" && row.onlyOn != protocol {
				continue
			}
			t.Run(protocol+" "+row.name, func(t *testing.T) {
				seen := new(events)
				var log bytes.Buffer
				m := newManager(t, signet.Config{Observer: seen, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				done := make(chan struct{})
				site := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(done)
					m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						row.handle(w, r, world{m, m.Get(r.Context())})
					})).ServeHTTP(w, r)
				}), protocol == "HTTP/2.0")
				method := row.method
				if method == "" {
					method = "GET"
				}
				req, err := http.NewRequest(method, site.server.URL+"/page", nil)
				require.NoError(t, err)
				res, err := site.client.Do(req)
				if row.status == 0 {
					require.Error(t, err)
					<-done
					require.NotContains(t, seen.kinds(), "sealed")
					return
				}
				require.NoError(t, err)
				defer res.Body.Close()
				require.Equal(t, protocol, res.Proto)
				require.Equal(t, row.status, res.StatusCode)
				if row.body != "*" && row.status != 101 {
					body, err := io.ReadAll(res.Body)
					require.NoError(t, err)
					require.Equal(t, row.body, string(body))
				}
				if row.written {
					require.Len(t, res.Cookies(), 1)
					require.Equal(t, change, loaded(m, res).Data["v"])
				} else {
					require.Empty(t, res.Header["Set-Cookie"])
				}
				<-done
				require.Equal(t, row.lost, seen.count("lost") == 1, "%v", seen.kinds())
				require.Equal(t, row.lost, strings.Contains(log.String(), "is lost"), log.String())
				if row.lost {
					require.Contains(t, log.String(), "path=/page")
				}
			})
		}
	}
}

// answerRaw takes the connection over and answers by itself, with the header that was set.
func answerRaw(w http.ResponseWriter) {
	header := w.Header().Clone()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n")
	_ = header.Write(conn)
	fmt.Fprint(conn, "\r\nraw")
}

// loaded is the session that a response's cookies carry.
func loaded[T any](m *signet.Manager[T], res *http.Response) *signet.Session[T] {
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	for _, c := range res.Cookies() {
		r.AddCookie(c)
	}
	return m.Load(r)
}

func TestEarlyHintsCarryNoCookie(t *testing.T) {
	m := newManager(t, signet.Config{})
	site := newSite(t, m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.Get(r.Context()).Data["v"] = "x"
		w.WriteHeader(http.StatusEarlyHints)
	})))
	var hints http.Header
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error { hints = http.Header(header); return nil },
	}), "GET", site.server.URL, nil)
	require.NoError(t, err)
	res, err := site.client.Do(req)
	require.NoError(t, err)
	res.Body.Close()
	require.NotNil(t, hints)
	require.Empty(t, hints["Set-Cookie"])
	require.Len(t, res.Cookies(), 1)
}

func TestAFailedSaveAnswersInPlaceOfTheHandler(t *testing.T) {
	for _, protocol := range []bool{false, true} {
		m := newManager(t, signet.Config{Logger: quiet()})
		var after error
		site := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Outer", "stays")
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				m.Get(r.Context()).Data["v"] = strings.Repeat("x", 10000)
				w.Header().Set("ETag", `"page"`)
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("Cache-Control", "public")
				w.Header().Set("Content-Length", "4")
				w.WriteHeader(http.StatusCreated)
				_, after = w.Write([]byte("page"))
			})).ServeHTTP(w, r)
		}), protocol)
		res, body := site.get("/")
		require.Equal(t, 500, res.StatusCode)
		require.Equal(t, "the session could not be saved\n", body)
		require.ErrorIs(t, after, signet.ErrTooLarge)
		require.Equal(t, "stays", res.Header.Get("X-Outer"))
		for _, gone := range []string{"ETag", "Location", "Cache-Control", "Set-Cookie"} {
			require.Empty(t, res.Header[gone], gone)
		}
	}
}

func TestABadCookieIsANewVisitorNeverA500(t *testing.T) {
	seen := new(events)
	m := newManager(t, signet.Config{Observer: seen})
	site := newSite(t, m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := m.Get(r.Context())
		fmt.Fprint(w, s.IsNew(), len(s.Data))
	})))
	for _, value := range []string{"x", "A", "eyJ", "3.abcd.x", "AQ" + strings.Repeat("A", 80), strings.Repeat("A", 4000), "ey....", "%00", "\"", "a b"} {
		req, err := http.NewRequest("GET", site.server.URL, nil)
		require.NoError(t, err)
		req.Header.Set("Cookie", "__Host-Http-session="+value)
		res, err := site.client.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		require.NoError(t, err)
		require.Equal(t, 200, res.StatusCode)
		require.Equal(t, "true 0", string(body))
		require.Empty(t, res.Header["Set-Cookie"], "loading alone writes nothing")
	}
	require.Equal(t, 10, seen.count("failed"))
}

func TestNestedManagers(t *testing.T) {
	ring := newRing(t)
	type cart struct{ Items []string }
	users := signet.Must(signet.New[bag](ring, signet.Config{Cookie: signet.Cookie{Name: "user"}}))
	carts := signet.Must(signet.New[cart](ring, signet.Config{Cookie: signet.Cookie{Name: "cart"}}))
	site := newSite(t, users.Handler(users.Handler(carts.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, cart := users.Get(r.Context()), carts.Get(r.Context())
		user.Data["n"] += "x"
		cart.Data.Items = append(cart.Data.Items, user.Data["n"])
		fmt.Fprint(w, cart.Data.Items)
	})))))
	res, _ := site.get("/")
	require.Len(t, res.Cookies(), 2, "one line each, also where a Handler of one Manager is there twice")
	_, body := site.get("/")
	require.Equal(t, "[x xx]", body)
}

func TestGetOutsideHandlerPanicsWithAdvice(t *testing.T) {
	m := newManager(t, signet.Config{})
	require.PanicsWithValue(t, "signet: Get outside Handler: wrap the server's handler with this Manager's Handler, and pass the request's context",
		func() { m.Get(context.Background()) })
}

func TestSaveRefusesWhatItCannotDo(t *testing.T) {
	m, other := newManager(t, signet.Config{}), newManager(t, signet.Config{})
	r := httptest.NewRequest("GET", "/", nil)
	require.ErrorContains(t, m.Save(httptest.NewRecorder(), r, nil), "not of this Manager")
	require.ErrorContains(t, m.Save(httptest.NewRecorder(), r, other.Load(r)), "not of this Manager")
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := m.Get(r.Context())
		w.WriteHeader(200)
		require.ErrorContains(t, m.Save(w, r, s), "header is already sent")
	})).ServeHTTP(httptest.NewRecorder(), r)
}

// http.TimeoutHandler inside: the handler that ran into the time-out goes on writing its map.
// Encoding that at the same time would end the whole process.
func TestATimedOutHandlerMayGoOnWriting(t *testing.T) {
	for _, row := range []struct {
		name  string
		outer time.Duration // a deadline of the whole request; 0 is none
	}{
		{"inside", 0},
		{"inside, under a deadline of the whole request that ends first", 20 * time.Millisecond},
	} {
		t.Run(row.name, func(t *testing.T) {
			seen := new(events)
			m := newManager(t, signet.Config{Observer: seen, Logger: quiet()})
			stop := make(chan struct{})
			writing := make(chan struct{})
			var busy sync.WaitGroup
			busy.Add(1)
			slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer busy.Done()
				s := m.Get(r.Context())
				close(writing)
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
						s.Data[fmt.Sprint(i%100)] = "x"
					}
				}
			})
			h := m.Handler(http.TimeoutHandler(slow, 40*time.Millisecond, "timed out"))
			if row.outer > 0 {
				inner := h
				h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					ctx, cancel := context.WithTimeout(r.Context(), row.outer)
					defer cancel()
					inner.ServeHTTP(w, r.WithContext(ctx))
				})
			}
			site := newSite(t, h)
			res, body := site.get("/")
			<-writing
			require.Equal(t, 503, res.StatusCode)
			require.Equal(t, "timed out", body)
			require.Empty(t, res.Header["Set-Cookie"])
			require.Equal(t, 1, seen.count("abandoned"))
			close(stop)
			busy.Wait()
		})
	}
}

func TestTimeoutHandlerOutside(t *testing.T) {
	m := newManager(t, signet.Config{})
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/fast", func(w http.ResponseWriter, r *http.Request) {
		m.Get(r.Context()).Data["v"] = "x"
		fmt.Fprint(w, "page")
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		m.Get(r.Context()).Data["v"] = "y"
		<-release
	})
	site := newSite(t, http.TimeoutHandler(m.Handler(mux), 300*time.Millisecond, "timed out"))
	res, body := site.get("/fast")
	require.Equal(t, "page", body)
	require.Equal(t, "x", loaded(m, res).Data["v"])
	res, body = site.get("/slow")
	require.Equal(t, "timed out", body)
	require.Empty(t, res.Header["Set-Cookie"])
	close(release)
}

func TestAHandlersOwnDeadlineThatDidNotPassIsNoTimeout(t *testing.T) {
	m := newManager(t, signet.Config{})
	site := newSite(t, m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
		defer cancel()
		m.Get(ctx).Data["v"] = "x"
	})))
	res, _ := site.get("/")
	require.Equal(t, "x", loaded(m, res).Data["v"])
}

func TestAnObserverMayAskForTheSession(t *testing.T) {
	var m *signet.Manager[bag]
	var id string
	m = newManager(t, signet.Config{Observer: observe(func(ctx context.Context, e signet.Event) {
		if e.Kind == "sealed" {
			id = m.Get(ctx).ID()
		}
	})})
	site := newSite(t, m.Handler(put(m, "v", "x")))
	res, _ := site.get("/")
	require.Equal(t, id, loaded(m, res).ID())
}

type observe func(context.Context, signet.Event)

func (o observe) Observe(ctx context.Context, e signet.Event) { o(ctx, e) }

func TestRequestsOfOneVisitorWhileTheRingIsReplaced(t *testing.T) {
	keys := []signet.Key{signet.GenerateKey(time.Unix(1, 0)), signet.GenerateKey(time.Unix(2, 0)), signet.GenerateKey(time.Unix(3, 0))}
	rings := []*signet.Keyring{signet.Must(signet.NewKeyring(keys...)), signet.Must(signet.NewKeyring(keys[2], keys[0], keys[1]))}
	ring := signet.Must(signet.NewKeyring(keys...))
	m := signet.Must(signet.New[bag](ring, signet.Config{Logger: quiet()}))
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := m.Get(r.Context())
		was := s.Data["n"]
		s.Data["n"] = r.FormValue("n")
		fmt.Fprint(w, was, s.Err())
	}))
	stop := make(chan struct{})
	var replacing, visiting sync.WaitGroup
	replacing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_ = ring.Replace(rings[i%2])
			}
		}
	})
	for g := range 64 {
		visiting.Go(func() {
			cookie, want := "", "<nil>"
			for i := range 40 {
				r := httptest.NewRequest("GET", fmt.Sprintf("https://app.example/?n=%d.%d", g, i), nil)
				if cookie != "" {
					r.Header.Set("Cookie", cookie)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Body.String() != want {
					t.Errorf("visitor %d saw %q, not %q", g, w.Body, want)
					return
				}
				cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
				want = fmt.Sprintf("%d.%d<nil>", g, i)
			}
		})
	}
	visiting.Wait()
	close(stop)
	replacing.Wait()
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

func TestAnUnreadSessionCostsNoDecryptionAndNoVary(t *testing.T) {
	seen := new(events)
	m := newManager(t, signet.Config{Observer: seen})
	site := newSite(t, m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			m.Get(r.Context()).Data["v"] = "x"
		}
	})))
	site.get("/login")
	res, _ := site.get("/style.css")
	require.Empty(t, res.Header["Vary"])
	require.Empty(t, res.Header["Cache-Control"])
	require.NotContains(t, seen.kinds(), "opened")
}

// A client that speaks HTTP/1.1 by hand, for what a real client would not send.
func TestSplitAndDoubledCookieFields(t *testing.T) {
	m := newManager(t, signet.Config{})
	site := newSite(t, m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := m.Get(r.Context())
		was := s.Data["v"]
		s.Data["v"] = "x"
		fmt.Fprint(w, was, s.Err())
	})))
	res, _ := site.get("/")
	cookie := res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
	for name, lines := range map[string]string{
		"one line":                "Cookie: a=1; " + cookie,
		"a line for each":         "Cookie: a=1\r\nCookie: " + cookie + "\r\nCookie: b=2",
		"doubled":                 "Cookie: " + cookie + "\r\nCookie: " + cookie,
		"joined by a comma":       "Cookie: a=1, " + cookie + ", b=2",
		"lower-case field name":   "cookie: " + cookie,
		"blanks around the value": "Cookie:   " + cookie + "   ",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", site.server.Listener.Addr().String(), site.client.Transport.(*http.Transport).TLSClientConfig)
			require.NoError(t, err)
			defer conn.Close()
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: example.com\r\n%s\r\nConnection: close\r\n\r\n", lines)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, "x<nil>", string(body))
		})
	}
}

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
