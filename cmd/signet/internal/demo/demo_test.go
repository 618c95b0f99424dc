package demo_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/cmd/signet/internal/demo"
)

const cookieName = "__Host-Http-demo"

func newRing(t *testing.T) *signet.Keyring {
	t.Helper()
	ring, err := signet.NewKeyring(signet.GenerateKey(time.Time{}))
	require.NoError(t, err)
	return ring
}

// browser is a client with a jar, at a demo over HTTPS.
type browser struct {
	t      *testing.T
	server *httptest.Server
	client *http.Client
}

func open(t *testing.T) *browser {
	t.Helper()
	handler, err := demo.New(newRing(t), "made for this test", true)
	require.NoError(t, err)
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return another(t, server)
}

func another(t *testing.T, server *httptest.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := *server.Client()
	client.Jar = jar
	return &browser{t, server, &client}
}

func (b *browser) get(path string) string {
	b.t.Helper()
	res, err := b.client.Get(b.server.URL + path)
	return b.read(res, err)
}

// post sends a form, given as name and value in turn, and follows to the page.
func (b *browser) post(path string, form ...string) string {
	b.t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	res, err := b.client.PostForm(b.server.URL+path, values)
	return b.read(res, err)
}

func (b *browser) read(res *http.Response, err error) string {
	b.t.Helper()
	require.NoError(b.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	require.Equal(b.t, http.StatusOK, res.StatusCode, string(text))
	return string(text)
}

func (b *browser) cookies() map[string]string {
	b.t.Helper()
	u, err := url.Parse(b.server.URL)
	require.NoError(b.t, err)
	held := map[string]string{}
	for _, c := range b.client.Jar.Cookies(u) {
		if strings.HasPrefix(c.Name, cookieName) {
			held[c.Name] = c.Value
		}
	}
	return held
}

func TestEveryAnswerAllowsItsOwnFilesAlone(t *testing.T) {
	b := open(t)
	for _, path := range []string{"/", "/lab", "/style.css", "/page.js", "/seal.svg", "/nothing"} {
		res, err := b.client.Get(b.server.URL + path)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", res.Header.Get("Content-Security-Policy"), path)
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"), path)
	}
	page := b.get("/")
	require.NotRegexp(t, `(?i)<script[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=|https?://[^l]`, page, "what the policy would block")
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	b := open(t)
	for _, path := range []string{"/login", "/basket", "/basket/remove", "/logout", "/lab/rotate", "/lab/damage", "/lab/drop", "/lab/replay", "/lab/restore", "/lab/refuse"} {
		req, err := http.NewRequest("POST", b.server.URL+path, strings.NewReader("name=Ada"))
		require.NoError(t, err)
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		res, err := b.client.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, http.StatusForbidden, res.StatusCode, path)
		require.Empty(t, b.cookies())
	}
}

func TestWhatAVisitorWritesIsEscaped(t *testing.T) {
	b := open(t)
	b.post("/login", "name", `<img src=x>"`)
	page := b.post("/basket", "text", `</pre><script>x()</script>`)
	require.NotContains(t, page, "<img src=x>")
	require.NotContains(t, page, "<script>x()")
	require.Contains(t, page, "&lt;script&gt;x()")
}

func TestEveryExperimentSaysWhyItIsNotDone(t *testing.T) {
	for _, row := range []struct{ name, path, want string }{
		{"damage without a session", "/lab/damage", "There is no whole session to damage. Log in first."},
		{"drop without a session", "/lab/drop", "The session is in one cookie."},
		{"replay before log-out", "/lab/replay", "Nobody has logged out yet."},
		{"restore before damage", "/lab/restore", "Nothing was damaged."},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Contains(t, open(t).post(row.path, "part", "tag"), row.want)
		})
	}
	b := open(t)
	b.post("/login", "name", "Ada")
	require.Contains(t, b.post("/lab/damage", "part", "crown"), "That part is not in this token.")
	require.Contains(t, b.post("/lab/drop"), "The session is in one cookie.")
	b.post("/lab/rotate")
	require.Contains(t, b.post("/lab/rotate"), "A key waits already")
	require.Contains(t, b.get("/"), "Signed in as <strong>Ada</strong>")
}

func TestTheReasonIsThatOfTheDamage(t *testing.T) {
	for part, reason := range map[string]string{
		"version": "invalid", "key id": "unknown key", "time": "invalid", "nonce": "invalid", "ciphertext": "invalid", "tag": "invalid",
	} {
		t.Run(part, func(t *testing.T) {
			b := open(t)
			b.post("/login", "name", "Ada")
			good := b.cookies()
			page := b.post("/lab/damage", "part", part)
			require.Contains(t, page, `<span class="pill bad" id="reason">`+reason+`</span>`)
			require.Contains(t, page, "<strong>1</strong> failed: "+reason)
			require.NotContains(t, page, "Signed in")
			require.Contains(t, b.post("/lab/restore"), "Signed in as <strong>Ada</strong>")
			require.Equal(t, good, b.cookies())
		})
	}
}

func TestALostCookieTearsTheSessionUntilItIsPutBack(t *testing.T) {
	b := open(t)
	b.post("/login", "name", "Ada")
	for len(b.cookies()) < 3 {
		b.post("/basket", "five", "1")
	}
	good := b.cookies()
	page := b.post("/lab/drop")
	require.Contains(t, page, "The session is torn")
	require.Contains(t, page, `id="reason">torn</span>`)
	require.Len(t, b.cookies(), 2)
	require.NotContains(t, b.cookies(), cookieName+".1")
	require.Contains(t, b.post("/lab/restore"), "Signed in as <strong>Ada</strong>")
	require.Equal(t, good, b.cookies())
}

func TestACopyOutlivesLogOutUnlessItsIDIsRefused(t *testing.T) {
	b := open(t)
	b.post("/login", "name", "Ada")
	b.post("/logout")
	require.Empty(t, b.cookies())
	page := b.post("/lab/replay")
	require.Contains(t, page, "It still opens")
	require.Contains(t, page, "Signed in as <strong>Ada</strong>")
	require.Contains(t, b.post("/lab/refuse", "refuse", "1"), "refused by Validate")
	require.Contains(t, b.post("/lab/refuse"), "Signed in as <strong>Ada</strong>")
}

func TestWhatTheLaboratoryKeepsOfABrowserIsBounded(t *testing.T) {
	for _, row := range []struct {
		name   string
		pieces int // stale ones of 4,000 bytes beside the session
		want   string
	}{
		{"32,000 bytes of stale pieces are kept", 8, "It still opens"},
		{"36,000 are not", 9, "Nobody has logged out yet."},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := open(t)
			b.post("/login", "name", "Ada")
			req, err := http.NewRequest("POST", b.server.URL+"/logout", nil)
			require.NoError(t, err)
			for range row.pieces {
				req.AddCookie(&http.Cookie{Name: cookieName + ".7", Value: strings.Repeat("A", 4000)})
			}
			res, err := b.client.Do(req)
			require.NotContains(t, b.read(res, err), "Signed in as", "it is logged out in any case")
			require.Contains(t, b.post("/lab/replay"), row.want)
		})
	}
}

func TestOneVisitorsLaboratoryIsNotAnothers(t *testing.T) {
	ada := open(t)
	ada.post("/login", "name", "Ada")
	ada.post("/logout")
	ada.post("/lab/refuse", "refuse", "1")
	grace := another(t, ada.server)
	page := grace.get("/")
	require.Contains(t, page, "Nothing yet: a request that does not touch")
	require.Contains(t, grace.post("/lab/replay"), "Nobody has logged out yet.")
	require.Empty(t, grace.cookies())
	require.NotContains(t, page, `id="refuse" checked`)
}

// A stranger without cookies makes the laboratory forget, and never grow.
func TestManyStrangersLeaveRoomForTheLatestAlone(t *testing.T) {
	handler, err := demo.New(newRing(t), "made for this test", false)
	require.NoError(t, err)
	visit := func(cookie string) string {
		r := httptest.NewRequest("GET", "/", nil)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		return cookie
	}
	first := visit("")
	require.NotEmpty(t, first)
	require.Empty(t, visit(first), "it is known")
	for range 63 {
		visit("")
	}
	require.Empty(t, visit(first), "it came before, and the last of the others after that")
	for range 64 {
		visit("")
	}
	require.NotEmpty(t, visit(first), "it was forgotten")
}

func TestNoCookieMakesItFail(t *testing.T) {
	b := open(t)
	for _, value := range []string{"", "x", "2.", "8.abcd.", "2.abcd.AQ", "A", strings.Repeat("A", 5000), "AQ" + strings.Repeat("A", 100), "eyJ9.a.b.c.d", "ey", `"`, "%"} {
		for _, name := range []string{cookieName, cookieName + ".1", cookieName + ".9", cookieName + ".t", "demo-lab"} {
			for _, path := range []string{"/", "/lab", "/?set", "/?full"} {
				req, err := http.NewRequest("GET", b.server.URL+path, nil)
				require.NoError(t, err)
				req.Header.Set("Cookie", name+"="+value)
				res, err := b.server.Client().Do(req)
				require.NoError(t, err)
				text, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				res.Body.Close()
				require.Equal(t, 200, res.StatusCode, "%s=%q: %s", name, value, text)
			}
			for _, path := range []string{"/lab/damage", "/lab/drop", "/lab/restore", "/lab/replay"} {
				req, err := http.NewRequest("POST", b.server.URL+path, strings.NewReader("part=tag"))
				require.NoError(t, err)
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Cookie", name+"="+value)
				res, err := b.server.Client().Do(req)
				require.NoError(t, err)
				res.Body.Close()
				require.Equal(t, 200, res.StatusCode, "%s=%q", name, value)
			}
		}
	}
}

func TestWhatAFormBringsIsBounded(t *testing.T) {
	b := open(t)
	page := b.post("/login", "name", strings.Repeat("é", 100))
	require.Contains(t, page, "Signed in as <strong>"+strings.Repeat("é", 40)+"</strong>")
	require.Contains(t, b.post("/login", "name", "  "), "Please tell us a name.")
	b.post("/basket", "text", strings.Repeat("x", 1000), "wax", "plutonium")
	page = b.get("/")
	require.Contains(t, page, strings.Repeat("x", 400))
	require.NotContains(t, page, strings.Repeat("x", 401))
	require.NotContains(t, page, "plutonium")
	for _, letter := range []string{"-1", "1", "99999999999999999999", "x", ""} {
		require.Contains(t, b.post("/basket/remove", "letter", letter), strings.Repeat("x", 400))
	}
	page = b.post("/basket", "text", strings.Repeat("y", 100<<10)) // above what a body may have
	require.NotContains(t, page, "yyy")
	require.Contains(t, page, "An empty letter needs no seal.")
}

func TestThePageSaysWhenTheCookieDoesNotComeBack(t *testing.T) {
	for https, want := range map[bool]string{false: "signet demo -tls", true: "It may be set to refuse cookies."} {
		handler, err := demo.New(newRing(t), "made for this test", https)
		require.NoError(t, err)
		for path, lost := range map[string]bool{"/?set": true, "/": false} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			require.Equal(t, lost, strings.Contains(w.Body.String(), "Your browser did not send the cookie back."))
			require.Equal(t, lost, strings.Contains(w.Body.String(), want))
		}
	}
}

func TestTheBasketIsFullAtTheBudgetAndWhatWasHeldStays(t *testing.T) {
	b := open(t)
	b.post("/login", "name", "Ada")
	for range 20 {
		before := b.cookies()
		if page := b.post("/basket", "five", "1"); strings.Contains(page, "Your basket is full.") {
			require.Len(t, before, 3)
			require.Equal(t, before, b.cookies())
			require.Regexp(t, regexp.MustCompile(`session too large: its cookies take \d+ bytes of at most 10240; largest fields: basket \(\d+\)`), page)
			return
		}
	}
	t.Fatal("never full")
}

func TestTheLaboratorysOwnLooksAreNotCounted(t *testing.T) {
	b := open(t)
	b.post("/login", "name", "Ada")
	before := regexp.MustCompile(`<strong>\d+</strong> opened`).FindString(b.get("/lab"))
	require.NotEmpty(t, before)
	for range 5 {
		require.Contains(t, b.get("/lab"), before)
	}
	b.get("/")
	require.NotContains(t, b.get("/lab"), before)
}

func TestTheLatestEventsAloneAreKept(t *testing.T) {
	b := open(t)
	b.post("/login", "name", "Ada")
	for range 40 {
		b.get("/")
	}
	page := b.get("/lab")
	require.Equal(t, 24, strings.Count(page, "<time>"))
	require.Regexp(t, `<strong>4\d</strong> opened`, page)
}

func TestTheRingCannotBeRotatedWithoutEnd(t *testing.T) {
	keys := make([]signet.Key, 12)
	for i := range keys {
		keys[i] = signet.GenerateKey(time.Unix(int64(i), 0))
	}
	ring, err := signet.NewKeyring(keys...)
	require.NoError(t, err)
	handler, err := demo.New(ring, "made for this test", true)
	require.NoError(t, err)
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	page := another(t, server).post("/lab/rotate")
	require.Contains(t, page, "The ring has twelve keys")
	require.Equal(t, 12, strings.Count(page, "</code>\n      <span class=\"pill"))
}

func TestTheLatestSixteenLogOutsAreRefused(t *testing.T) {
	b := open(t)
	u, err := url.Parse(b.server.URL)
	require.NoError(t, err)
	var copies [][]*http.Cookie
	for range 17 {
		b.post("/login", "name", "Ada")
		copies = append(copies, b.client.Jar.Cookies(u))
		b.post("/logout")
	}
	b.post("/lab/refuse", "refuse", "1")
	for i, signedIn := range map[int]bool{0: true, 1: false, 16: false} {
		for _, c := range copies[i] {
			b.client.Jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/", Secure: true}})
		}
		require.Equal(t, signedIn, strings.Contains(b.get("/"), "Signed in as"), "log-out %d of 17", i+1)
	}
}

// Run ends when its context does, with requests under way, and leaves no goroutine behind.
func TestRunLeavesNothingBehind(t *testing.T) {
	for _, useTLS := range []bool{false, true} {
		before := runtime.NumGoroutine()
		ctx, cancel := context.WithCancel(t.Context())
		out := newLines()
		ended := make(chan error, 1)
		ring := newRing(t)
		go func() {
			ended <- demo.Run(ctx, demo.Options{Addr: "127.0.0.1:0", TLS: useTLS, Keys: ring, Out: out, Err: io.Discard})
		}()
		address := strings.Fields(<-out.first)[4]
		transport := &http.Transport{TLSClientConfig: insecure()}
		client := &http.Client{Transport: transport}
		var visitors sync.WaitGroup
		for range 8 {
			visitors.Go(func() {
				for ctx.Err() == nil {
					res, err := client.Get(address)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			})
		}
		time.Sleep(20 * time.Millisecond) // so that some are under way
		cancel()
		require.NoError(t, <-ended)
		visitors.Wait()
		transport.CloseIdleConnections()
		for range 1000 { // connections take a moment to notice
			if runtime.NumGoroutine() <= before {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if got := runtime.NumGoroutine(); got > before {
			buf := make([]byte, 64<<10)
			t.Fatalf("%d goroutines are left:\n%s", got-before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// lines hands over the first line that is written.
type lines struct {
	buf   bytes.Buffer
	first chan string
}

func newLines() *lines { return &lines{first: make(chan string, 1)} }

func (l *lines) Write(b []byte) (int, error) {
	l.buf.Write(b)
	if text, _, ok := strings.Cut(l.buf.String(), "\n"); ok {
		select {
		case l.first <- text:
		default:
		}
	}
	return len(b), nil
}

func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }
