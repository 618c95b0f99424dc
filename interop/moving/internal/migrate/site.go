package migrate

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
	"github.com/stretchr/testify/require"
)

type object = map[string]any

const origin = "https://app.test"

// site is both applications behind one nginx.
type site struct {
	Stack
	version string
	address string // of the old application
	process *real.Process
	proxy   string
	roots   *x509.CertPool
	app     atomic.Pointer[application]

	mu     sync.Mutex
	events []signet.Event
}

func begin(t *testing.T, s Stack) *site {
	real.Binary(t, "nginx")
	site := &site{Stack: s, address: real.FreeAddress(t), proxy: real.FreeAddress(t)}
	site.restart(t, s.Secrets[0])
	current := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { site.app.Load().ServeHTTP(w, r) }))
	t.Cleanup(current.Close)
	cert := site.certificate(t)
	real.Nginx(t, site.proxy, fmt.Sprintf(`
		server {
			listen %s ssl;
			server_name app.test;
			ssl_certificate %s; ssl_certificate_key %s;
			large_client_header_buffers 8 32k;
			proxy_buffer_size 32k; proxy_buffers 8 32k;
			proxy_http_version 1.1;
			proxy_set_header Host $host;
			proxy_set_header X-Forwarded-Proto https;
			proxy_set_header X-Forwarded-For $remote_addr;
			location /old/ { proxy_pass http://%s; }
			location / { proxy_pass %s; }
		}`, site.proxy, filepath.Join(cert, "cert.pem"), filepath.Join(cert, "key.pem"), site.address, current.URL))
	if site.version = s.Version; s.Version == "" {
		status, body := site.visitor(t).call(http.MethodGet, "/old/version", nil)
		require.Equal(t, http.StatusOK, status, "%s", body)
		site.version = string(bytes.TrimSpace(body))
	}
	return site
}

// restart runs both applications with these secrets, the newest first.
func (s *site) restart(t *testing.T, secrets ...string) {
	t.Helper()
	if s.process != nil {
		s.process.Kill()
	}
	s.process = s.Start(t, s.address, secrets)
	s.process.Dial(t, "tcp", s.address)
	format, err := s.Format(secrets)
	require.NoError(t, err)
	s.app.Store(s.newApplication(t, format))
}

func (s *site) writes() bool {
	_, ok := s.app.Load().format.(Writer)
	return ok
}

// certificate writes one for app.test and returns its folder.
func (s *site) certificate(t *testing.T) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app.test"}, DNSNames: []string{"app.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	s.roots = x509.NewCertPool()
	s.roots.AddCert(cert)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir := real.Dir(t)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	return dir
}

// Observe collects what the signet application reports.
func (s *site) Observe(_ context.Context, e signet.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *site) count(kind string) int { return s.countKey(kind, "") }

func (s *site) countKey(kind, keyID string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == kind && (keyID == "" || e.KeyID == keyID) {
			n++
		}
	}
	return n
}

// application is the new one: /new/ keeps its own sessions and takes the old ones over; /share/
// works on the old cookie.
type application struct {
	*http.ServeMux
	format signet.ForeignFormat
	plain  func(json.RawMessage) (json.RawMessage, error)
}

func (s *site) newApplication(t *testing.T, format signet.ForeignFormat) *application {
	keys, err := signet.NewKeyring(signet.GenerateKey(time.Time{}))
	require.NoError(t, err)
	a := &application{ServeMux: http.NewServeMux(), format: format, plain: s.Plain}
	if a.plain == nil {
		a.plain = func(claims json.RawMessage) (json.RawMessage, error) { return claims, nil }
	}
	sessions, err := signet.New[object](keys, signet.Config{
		Observer: s,
		Logger:   slog.New(slog.DiscardHandler),
		Legacy: []signet.Legacy{signet.Migrate(format, func(f *signet.Foreign) (data object, err error) {
			plain, err := a.plain(f.Claims)
			if err == nil {
				err = json.Unmarshal(plain, &data)
			}
			return data, err
		})},
	})
	require.NoError(t, err)
	a.own(sessions)
	if w, ok := format.(Writer); ok {
		a.share(w)
	}
	return a
}

func (a *application) own(sessions *signet.Manager[object]) {
	handle := func(pattern string, do func(s *signet.Session[object], r *http.Request) error) {
		a.Handle(pattern, sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := sessions.Get(r.Context())
			if err := do(s, r); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_ = json.NewEncoder(w).Encode(s.Data)
		})))
	}
	handle("GET /new/get", func(*signet.Session[object], *http.Request) error { return nil })
	handle("POST /new/set", func(s *signet.Session[object], r *http.Request) error {
		return json.NewDecoder(r.Body).Decode(&s.Data)
	})
	handle("POST /new/logout", func(s *signet.Session[object], _ *http.Request) error {
		s.Destroy()
		return nil
	})
}

func (a *application) share(w Writer) {
	answer := func(rw http.ResponseWriter, set []*http.Cookie, body any, err error) {
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		for _, c := range set {
			http.SetCookie(rw, c)
		}
		_ = json.NewEncoder(rw).Encode(body)
	}
	claims := func(r *http.Request) json.RawMessage {
		if f, err := w.Open(r.Cookies(), time.Now()); err == nil {
			return f.Claims
		}
		return json.RawMessage("{}")
	}
	a.HandleFunc("GET /share/get", func(rw http.ResponseWriter, r *http.Request) {
		plain, err := a.plain(claims(r))
		answer(rw, nil, plain, err)
	})
	a.HandleFunc("POST /share/set", func(rw http.ResponseWriter, r *http.Request) {
		// Member by member, so that what this program does not know stays as it is.
		members := map[string]json.RawMessage{}
		err := json.Unmarshal(claims(r), &members)
		if err == nil {
			err = json.NewDecoder(r.Body).Decode(&members)
		}
		text, _ := json.Marshal(members)
		var set []*http.Cookie
		if err == nil {
			set, err = w.Update(r.Cookies(), text, time.Now())
		}
		answer(rw, set, object{}, err)
	})
	a.HandleFunc("POST /share/logout", func(rw http.ResponseWriter, r *http.Request) {
		answer(rw, w.Clear(r.Cookies()), object{}, nil)
	})
}

// visitor is a browser: a jar, and TLS.
type visitor struct {
	t      testing.TB
	client *http.Client
	home   *url.URL
}

func (s *site) visitor(t testing.TB) *visitor {
	home, err := url.Parse(origin + "/")
	require.NoError(t, err)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.proxy)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	v := &visitor{t, &http.Client{Transport: transport, Timeout: 20 * time.Second}, home}
	v.forget()
	return v
}

// forget empties the jar.
func (v *visitor) forget() {
	jar, err := cookiejar.New(nil)
	require.NoError(v.t, err)
	v.client.Jar = jar
}

func (v *visitor) call(method, path string, body any, names ...string) (int, []byte) {
	v.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(v.t, err)
	r, err := http.NewRequest(method, origin+path, bytes.NewReader(text))
	require.NoError(v.t, err)
	if body == nil {
		r.Body = http.NoBody
	}
	r.Header.Set("Content-Type", "application/json")
	list, err := json.Marshal(names)
	require.NoError(v.t, err)
	r.Header.Set("X-Names", base64.StdEncoding.EncodeToString(list))
	res, err := v.client.Do(r)
	require.NoError(v.t, err)
	answer, err := io.ReadAll(res.Body)
	require.NoError(v.t, err)
	require.NoError(v.t, res.Body.Close())
	return res.StatusCode, answer
}

func (v *visitor) set(side string, members object) {
	v.t.Helper()
	status, body := v.call(http.MethodPost, side+"set", members)
	require.Equal(v.t, http.StatusOK, status, "%s", body)
}

func (v *visitor) logOut(side string) {
	v.t.Helper()
	status, body := v.call(http.MethodPost, side+"logout", object{})
	require.Equal(v.t, http.StatusOK, status, "%s", body)
}

// logIn puts members into the session, and returns them.
func (v *visitor) logIn(side string, members object) object {
	v.t.Helper()
	v.set(side, members)
	v.sees(side, members)
	return members
}

func (v *visitor) get(side string, names ...string) object {
	v.t.Helper()
	status, body := v.call(http.MethodGet, side+"get", nil, names...)
	require.Equal(v.t, http.StatusOK, status, "%s", body)
	var got object
	require.NoError(v.t, json.Unmarshal(body, &got), "%s", body)
	return got
}

// sees requires these members; a framework adds some of its own.
func (v *visitor) sees(side string, want object) {
	v.t.Helper()
	got := v.get(side, slices.Collect(maps.Keys(want))...)
	for name, value := range want {
		require.Equal(v.t, value, got[name], "%s: member %q", side, name)
	}
}

// isNew requires that a side does not know the visitor.
func (v *visitor) isNew(side string) {
	v.t.Helper()
	names := []string{"user", "blob", "more"}
	got := v.get(side, names...)
	for _, name := range names {
		require.NotContains(v.t, got, name, "%s knows him", side)
	}
}

func (v *visitor) cookies() []*http.Cookie { return v.client.Jar.Cookies(v.home) }

func (v *visitor) names() (all []string) {
	for _, c := range v.cookies() {
		all = append(all, c.Name)
	}
	return all
}

func (v *visitor) hold(cookies []*http.Cookie) {
	for _, c := range cookies {
		c.Path = "/"
	}
	v.client.Jar.SetCookies(v.home, cookies)
}

// text is size random letters, which no compression shortens much.
func text(size int) string {
	b := make([]byte, size)
	_, _ = rand.Read(b)
	for i, c := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[c&63]
	}
	return string(b)
}
