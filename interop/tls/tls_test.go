// Package tls_test has TLS end at a real nginx that speaks HTTP/2 to a real Chromium and plain HTTP to the application.
package tls_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
)

// seen is what the application makes of a request.
type seen struct {
	Name      string
	Fill      int
	Err       string
	TLS       bool   // whether the connection to the application was encrypted
	Proto     string // of that connection
	Forwarded string
}

// startApp is an application that knows nothing of TLS and sets nothing for it.
func startApp(t *testing.T) string {
	t.Helper()
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	sessions := signet.Must(signet.New[map[string]string](keys, signet.Config{}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<!doctype html><title>shop</title>") })
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		s.Data["name"] = "Ada"
		http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark", Path: "/"})
	})
	mux.HandleFunc("POST /fill", func(w http.ResponseWriter, r *http.Request) {
		sessions.Get(r.Context()).Data["fill"] = strings.Repeat("f", 4000)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) { sessions.Get(r.Context()).Destroy() })
	mux.HandleFunc("GET /read", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		_ = json.NewEncoder(w).Encode(seen{s.Data["name"], len(s.Data["fill"]), fmt.Sprint(s.Err()), r.TLS != nil, r.Proto, r.Header.Get("X-Forwarded-Proto")})
	})
	server := httptest.NewServer(sessions.Handler(mux))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// startFront is nginx with TLS and HTTP/2, and returns its origin.
func startFront(t *testing.T, app string) string {
	t.Helper()
	dir, address := real.Dir(t), real.FreeAddress(t)
	certificate(t, dir)
	_, port, _ := strings.Cut(address, ":")
	real.Nginx(t, address, fmt.Sprintf(`server {
	listen %s ssl http2;
	server_name localhost;
	ssl_certificate %s/cert.pem;
	ssl_certificate_key %s/key.pem;
	proxy_buffer_size 16k; proxy_buffers 8 16k; # the session is above 4 KB
	location / {
		proxy_pass http://%s;
		proxy_set_header Host $http_host;
		proxy_set_header X-Forwarded-Proto $scheme;
	}
}`, address, dir, dir, app))
	return "https://localhost:" + port
}

// certificate writes a self-signed one for localhost.
func certificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: der}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
}

// TestChromiumBehindNginxWithTLS: Secure cookies with the __Host- prefix are set and come back, though no
// request that the application sees is encrypted and nothing is configured for it.
func TestChromiumBehindNginxWithTLS(t *testing.T) {
	origin := startFront(t, startApp(t))
	ctx := chromium(t)
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(origin+"/")))

	post(t, ctx, "/login")
	require.Equal(t, seen{Name: "Ada", Err: "<nil>", Proto: "HTTP/1.0", Forwarded: "https"}, see(t, ctx))
	require.ElementsMatch(t, []string{"__Host-Http-session", "theme"}, cookies(t, ctx, origin))
	post(t, ctx, "/fill")
	require.Equal(t, 4000, see(t, ctx).Fill)
	require.ElementsMatch(t, []string{"__Host-Http-session", "__Host-Http-session.1", "theme"}, cookies(t, ctx, origin))
	require.Equal(t, "theme=dark", evaluate[string](t, ctx, `document.cookie`), "no script sees the session")
	require.Equal(t, "h2", evaluate[string](t, ctx, `performance.getEntriesByType("resource").at(-1).nextHopProtocol`), "HTTP/2 at the front")
	post(t, ctx, "/logout")
	require.Equal(t, []string{"theme"}, cookies(t, ctx, origin))
	require.Empty(t, see(t, ctx).Name)
}

// TestSplitCookieFields: a client of HTTP/2 sends a field for each cookie (RFC 9113 §8.2.3). Go's does; what nginx makes of
// them reaches the application whole.
func TestSplitCookieFields(t *testing.T) {
	origin := startFront(t, startApp(t))
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // our own certificate, on loopback
	defer client.CloseIdleConnections()
	jar := map[string]string{"a": "b", "c": "d"}
	send := func(method, path string) string {
		r, err := http.NewRequest(method, origin+path, nil)
		require.NoError(t, err)
		for name, value := range jar {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		res, err := client.Do(r)
		require.NoError(t, err)
		defer res.Body.Close()
		require.Equal(t, "HTTP/2.0", res.Proto)
		for _, c := range res.Cookies() {
			jar[c.Name] = c.Value
		}
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(body)
	}
	send("POST", "/login")
	send("POST", "/fill")
	require.Len(t, jar, 5)
	for range 20 { // a map's order: the cookies come in another each time
		var got seen
		require.NoError(t, json.Unmarshal([]byte(send("GET", "/read")), &got))
		require.Equal(t, seen{Name: "Ada", Fill: 4000, Err: "<nil>", Proto: "HTTP/1.0", Forwarded: "https"}, got)
	}
}

func chromium(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(real.Binary(t, "chromium", "chromium-browser", "google-chrome")), chromedp.UserDataDir(real.Dir(t)),
		chromedp.Headless, chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("ignore-certificate-errors", true))
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(func(format string, args ...any) {
		// A browser newer than the protocol's definitions sends events that they do not know.
		if text := fmt.Sprintf(format, args...); !strings.Contains(text, "could not unmarshal event") {
			t.Log(text)
		}
	}))
	t.Cleanup(cancel)
	return ctx
}

func evaluate[T any](t *testing.T, ctx context.Context, script string) (v T) {
	t.Helper()
	wait := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(script, &v, wait)))
	return v
}

func post(t *testing.T, ctx context.Context, path string) {
	t.Helper()
	require.Equal(t, 200, evaluate[int](t, ctx, fmt.Sprintf(`fetch(%q, {method: "POST"}).then(r => r.status)`, path)))
}

func see(t *testing.T, ctx context.Context) (s seen) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(evaluate[string](t, ctx, `fetch("/read").then(r => r.text())`)), &s))
	return s
}

// cookies are the names of what the browser holds. All but theme must be Secure, HttpOnly and of this host alone.
func cookies(t *testing.T, ctx context.Context, origin string) (names []string) {
	t.Helper()
	var held []*network.Cookie
	require.NoError(t, chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		held, err = network.GetCookies().WithURLs([]string{origin + "/"}).Do(ctx)
		return err
	})))
	for _, c := range held {
		names = append(names, c.Name)
		if c.Name != "theme" {
			require.True(t, c.Secure && c.HTTPOnly && c.Path == "/" && c.Domain == "localhost", "%s", c.Name)
		}
	}
	return names
}
