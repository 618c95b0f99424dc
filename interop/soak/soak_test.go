// Package soak_test holds a real fleet under load while everything goes wrong beside it: nginx with TLS and
// HTTP/2 in front of three instances, keys that rotate each second, instances that are killed, and a flood of
// hostile cookies with slow readers beside five hundred honest clients.
package soak_test

import (
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
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
)

var forFlag = flag.Duration("for", 0, "how long; 0 is 60 s with SIGNET_REQUIRE_ALL=1 and 10 s without; by hand: -for 10m")

const (
	clients   = 500
	instances = 3
	life      = 30 * time.Second
	relogin   = 20 * time.Second // well before the session's end
)

var policy = signet.Policy{Period: 5 * time.Second, Propagation: 3 * time.Second, Skew: time.Second, Life: life, Leeway: time.Second}

func duration() time.Duration {
	switch {
	case *forFlag != 0:
		return *forFlag
	case os.Getenv("SIGNET_REQUIRE_ALL") == "1":
		return 60 * time.Second
	}
	return 10 * time.Second
}

// soak is the fleet and what was counted.
type soak struct {
	t      *testing.T
	front  string
	dir    string
	binary string
	roots  *x509.CertPool

	addresses []string
	running   [instances]*real.Process

	requests, broken, wrong, lost, failed, hostile, rotations, kills atomic.Int64
	flooding                                                         atomic.Bool
	mu                                                               sync.Mutex
	calm, flooded                                                    []time.Duration // of honest requests
	first                                                            string          // of what went wrong
}

func TestSoak(t *testing.T) {
	real.Binary(t, "nginx")
	s := &soak{t: t, front: real.FreeAddress(t), dir: real.Dir(t)}
	s.certify()
	s.binary = filepath.Join(s.dir, "server")
	if out, err := exec.Command("go", "build", "-o", s.binary, "./server").CombinedOutput(); err != nil {
		t.Fatalf("building the server: %v\n%s", err, out)
	}
	keys := s.newKeys()
	for i := range instances {
		s.addresses = append(s.addresses, real.FreeAddress(t))
		s.launch(i)
	}
	s.nginx()
	before := s.stats()

	ctx, cancel := context.WithTimeout(context.Background(), duration())
	defer cancel()
	start := time.Now()
	time.AfterFunc(duration()/2, func() { s.flooding.Store(true) })
	var all sync.WaitGroup
	all.Go(func() { s.rotate(ctx, keys) })
	all.Go(func() { s.kill(ctx) })
	for i := range clients {
		all.Go(func() { s.client(ctx, i) })
	}
	for i := range 8 {
		all.Go(func() { s.flood(ctx, i) })
	}
	for range 40 {
		all.Go(func() { s.slow(ctx) })
	}
	all.Wait()
	took := time.Since(start)
	time.Sleep(2 * time.Second) // connections end
	s.report(took, before, s.stats())
}

// report prints the figures and fails for any answer that was wrong.
func (s *soak) report(took time.Duration, before, after map[string]uint64) {
	line := fmt.Sprintf("soak: %d clients, %d instances, %v: %d honest requests, %.0f a second; %d of the flood; %d rotations, %d kills\n",
		clients, instances, took.Round(time.Second), s.requests.Load(), float64(s.requests.Load())/took.Seconds(), s.hostile.Load(), s.rotations.Load(), s.kills.Load())
	line += fmt.Sprintf("  honest, without the flood: p50 %v, p99 %v; with it: p50 %v, p99 %v\n", at(s.calm, 50), at(s.calm, 99), at(s.flooded, 50), at(s.flooded, 99))
	line += fmt.Sprintf("  an instance that was never killed: heap %d KB at the start, %d KB at the end; goroutines %d, %d\n",
		before["heap"]>>10, after["heap"]>>10, before["goroutines"], after["goroutines"])
	line += fmt.Sprintf("  wrong answers %d, sessions lost %d, 5xx %d; connections broken by a kill %d\n", s.wrong.Load(), s.lost.Load(), s.failed.Load(), s.broken.Load())
	fmt.Print(line)
	if name := os.Getenv("SIGNET_REPORT"); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, _ = f.WriteString(line)
			_ = f.Close()
		}
	}
	if s.wrong.Load()+s.lost.Load()+s.failed.Load() > 0 {
		s.t.Errorf("first of what went wrong: %s", s.first)
	}
	if s.requests.Load() < clients || s.rotations.Load() == 0 || s.kills.Load() == 0 || s.hostile.Load() == 0 {
		s.t.Error("not everything took place")
	}
	if after["goroutines"] > before["goroutines"]+100 || after["heap"] > before["heap"]+64<<20 {
		s.t.Error("an instance grew")
	}
}

func at(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)*percent/100, len(all)-1)].Round(100 * time.Microsecond)
}

// wentWrong counts, and keeps the first in words.
func (s *soak) wentWrong(n *atomic.Int64, format string, args ...any) {
	n.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == "" {
		s.first = fmt.Sprintf(format, args...)
	}
}

func (s *soak) launch(i int) {
	s.running[i] = real.Start(s.t, exec.Command(s.binary, "-address", s.addresses[i], "-keys", s.path("keys.json"), "-cert", s.path("cert.pem"), "-key", s.path("key.pem")))
	s.running[i].Dial(s.t, "tcp", s.addresses[i])
}

func (s *soak) path(name string) string { return filepath.Join(s.dir, name) }

func (s *soak) nginx() {
	var upstream strings.Builder
	for _, a := range s.addresses {
		fmt.Fprintf(&upstream, "server %s max_fails=0;\n", a)
	}
	real.Nginx(s.t, s.front, fmt.Sprintf(`
		upstream fleet { %s keepalive 64; }
		large_client_header_buffers 8 32k; http2_max_field_size 32k; http2_max_header_size 64k; http2_max_requests 100000000;
		client_header_timeout 5s;
		proxy_buffer_size 64k; proxy_buffers 4 64k;
		server {
			listen %s ssl http2; ssl_certificate %s; ssl_certificate_key %s; ssl_session_cache shared:s:1m;
			location / {
				proxy_pass https://fleet; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
				proxy_next_upstream error timeout non_idempotent; proxy_connect_timeout 2s; proxy_next_upstream_tries 3;
			}
		}`, &upstream, s.front, s.path("cert.pem"), s.path("key.pem")))
}

// stats asks the first instance, which is never killed.
func (s *soak) stats() (m map[string]uint64) {
	s.t.Helper()
	res, err := s.newClient(s.transport()).Get("https://" + s.addresses[0] + "/stats")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (s *soak) transport() *http.Transport {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}, ForceAttemptHTTP2: true}
	s.t.Cleanup(t.CloseIdleConnections)
	return t
}

func (s *soak) newClient(t *http.Transport) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &http.Client{Transport: t, Jar: jar, Timeout: 30 * time.Second}
}

// certify makes a certificate for the loopback address.
func (s *soak) certify() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "soak"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.write("cert.pem", cert)
	s.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(cert)
}

// write replaces a file by rename.
func (s *soak) write(name string, text []byte) {
	if err := os.WriteFile(s.path(name+".new"), text, 0o600); err != nil {
		s.t.Error(err)
		return
	}
	if err := os.Rename(s.path(name+".new"), s.path(name)); err != nil {
		s.t.Error(err)
	}
}

// keyFile is the operator's file. With a new key each second several wait at a time, which is more
// haste than Policy.Next allows, so the file is written by hand, after the same rule.
type keyFile struct {
	Keys       []jwk             `json:"keys"`
	Policy     map[string]string `json:"policy"`
	Generation int               `json:"generation"`
}

type jwk struct {
	Kty string `json:"kty"`
	K   string `json:"k"`
	Alg string `json:"alg"`
	Iat int64  `json:"iat"`
	Nbf int64  `json:"nbf"`
	Exp int64  `json:"exp,omitempty"`
}

func newKey(issued, nbf int64) jwk {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	return jwk{Kty: "oct", K: base64.RawURLEncoding.EncodeToString(secret), Alg: "signet-v1", Iat: issued, Nbf: nbf}
}

func (s *soak) newKeys() *keyFile {
	f := &keyFile{Generation: 1, Policy: map[string]string{"period": policy.Period.String(), "propagation": policy.Propagation.String(),
		"skew": policy.Skew.String(), "life": policy.Life.String(), "leeway": policy.Leeway.String()}}
	f.Keys = append(f.Keys, newKey(time.Now().Unix(), 0))
	s.publish(f)
	return f
}

func (s *soak) publish(f *keyFile) *signet.Keyring {
	text, err := json.Marshal(f)
	if err != nil {
		s.t.Error(err)
		return nil
	}
	ring, err := signet.ParseKeyring(text)
	if err != nil {
		s.t.Error(err)
		return nil
	}
	s.write("keys.json", text)
	return ring
}

// rotate publishes a key each second. Policy.Check may find the ring crowded, and nothing else.
func (s *soak) rotate(ctx context.Context, f *keyFile) {
	last := s.publish(f)
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		now := time.Now().Unix()
		next := newKey(now, now+int64((policy.Propagation+policy.Skew)/time.Second))
		f.Keys[len(f.Keys)-1].Exp = next.Nbf + int64((policy.Life+policy.Leeway+policy.Skew)/time.Second)
		f.Keys = slices.DeleteFunc(f.Keys, func(k jwk) bool { return k.Exp != 0 && k.Exp < now })
		f.Keys = append(f.Keys, next)
		f.Generation++
		ring := s.publish(f)
		if ring == nil {
			return
		}
		if unsafe, ok := policy.Check(last, ring, time.Unix(now, 0)).(*signet.UnsafeError); ok {
			for _, finding := range unsafe.Findings {
				if finding.Kind != "crowded" {
					s.t.Error(finding)
				}
			}
		}
		last = ring
		s.rotations.Add(1)
	}
}

// kill ends one instance after the other by SIGKILL, and starts it again at the same address.
func (s *soak) kill(ctx context.Context) {
	for i := 1; ; i = 1 + i%(instances-1) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(3 * time.Second):
		}
		s.running[i].Kill()
		s.kills.Add(1)
		time.Sleep(300 * time.Millisecond)
		s.launch(i)
	}
}

var transports sync.Map // one HTTP/2 connection for each ten clients

// client is one honest visitor: it logs in, reads and writes, and knows what it must see.
func (s *soak) client(ctx context.Context, number int) {
	t, _ := transports.LoadOrStore(number/10, s.transport())
	c := s.newClient(t.(*http.Transport))
	r := mrand.New(mrand.NewPCG(uint64(number), 1))
	me := &visitor{s: s, http: c, user: fmt.Sprint("visitor-", number)}
	for wait := time.Duration(r.IntN(1000)) * time.Millisecond; ; wait = time.Duration(500+r.IntN(2000)) * time.Millisecond {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		switch n := r.IntN(10); {
		case time.Since(me.began) > relogin:
			me.login()
		case n < 6:
			me.read()
		case n < 9:
			me.write(r.IntN(300))
		default:
			me.write(3000 + r.IntN(8000)) // two cookies to four
		}
	}
}

// visitor is what a client knows of its own session.
type visitor struct {
	s     *soak
	http  *http.Client
	user  string
	n     int
	size  int
	began time.Time
}

func (v *visitor) login() {
	began := time.Now()
	if v.ask("POST", "/login?user="+v.user, expected(v.user, 0, 0)) {
		v.began, v.n, v.size = began, 0, 0
	}
}

func (v *visitor) read() { v.ask("GET", "/read", expected(v.user, v.n, v.size)) }

func (v *visitor) write(size int) {
	if v.ask("POST", fmt.Sprint("/write?size=", size), expected(v.user, v.n+1, size)) {
		v.n, v.size = v.n+1, size
	}
}

func expected(user string, n, size int) string {
	h := fnv.New64a()
	_, _ = io.WriteString(h, strings.Repeat(fmt.Sprint(n%10), size))
	return fmt.Sprintf("%s %d %d %x", user, n, size, h.Sum64())
}

// ask makes one request, and reports whether the response came and was right. A response that a kill cut
// off leaves the jar, and so the session, as it was.
func (v *visitor) ask(method, path, want string) bool {
	s := v.s
	r, err := http.NewRequest(method, "https://"+s.front+path, nil)
	if err != nil {
		s.t.Error(err)
		return false
	}
	flooding, start := s.flooding.Load(), time.Now()
	res, err := v.http.Do(r)
	if err != nil {
		s.broken.Add(1)
		return false
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	took := time.Since(start)
	s.requests.Add(1)
	s.mu.Lock()
	if flooding {
		s.flooded = append(s.flooded, took)
	} else {
		s.calm = append(s.calm, took)
	}
	s.mu.Unlock()
	switch {
	case res.StatusCode >= 500:
		s.wentWrong(&s.failed, "%s %s: %d", method, path, res.StatusCode)
	case res.ProtoMajor != 2:
		s.wentWrong(&s.wrong, "answered over %s", res.Proto)
	case err != nil:
		s.broken.Add(1)
		return len(res.Cookies()) > 0 // the header came, and with it the session
	case string(body) == want:
		return true
	case res.StatusCode == http.StatusConflict || strings.HasPrefix(string(body), " "):
		s.wentWrong(&s.lost, "%s %s of %s, %v after its login: it is a new visitor", method, path, v.user, time.Since(v.began))
		v.began = time.Time{}
	default:
		s.wentWrong(&s.wrong, "%s %s of %s: got %q, want %q", method, path, v.user, body, want)
		v.began = time.Time{}
	}
	return false
}

// flood sends cookies that no browser would, as fast as they are answered, in the second half.
func (s *soak) flood(ctx context.Context, number int) {
	c := &http.Client{Transport: s.transport(), Timeout: 30 * time.Second}
	const name = "__Host-Http-session"
	junk := strings.Repeat("QUFB", 6000)
	fields := []string{
		name + "=" + junk,
		name + "=8.AAAA." + junk[:3900] + "; " + name + ".1=AAAA." + junk[:3900],
		name + "=ey" + junk[:2000] + "." + junk[:2000] + ".AAAAAAAAAAAAAAAA." + junk[:8000] + ".AAAAAAAAAAAAAAAAAAAAAA",
		strings.Repeat(name+"=A; ", 900),
		strings.Repeat("x=y; ", 5000),
	}
	for i := number; ctx.Err() == nil; i++ {
		if !s.flooding.Load() {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		r, err := http.NewRequestWithContext(ctx, "GET", "https://"+s.front+"/read", nil)
		if err != nil {
			s.t.Error(err)
			return
		}
		r.Header.Set("Cookie", fields[i%len(fields)])
		res, err := c.Do(r)
		if err != nil {
			continue
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		s.hostile.Add(1)
		if res.StatusCode >= 500 {
			s.wentWrong(&s.failed, "the flood's request %d: %d", i%len(fields), res.StatusCode)
		}
		if res.StatusCode == http.StatusOK && !strings.HasPrefix(string(body), " 0 0 ") {
			s.wentWrong(&s.wrong, "a forged cookie opened: %q", body)
		}
	}
}

// slow is a slow loris at an instance itself: a header that never ends.
func (s *soak) slow(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", s.addresses[0], &tls.Config{RootCAs: s.roots})
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		_, err = io.WriteString(conn, "GET /read HTTP/1.1\r\nHost: x\r\nCookie: __Host-Http-session=")
		for err == nil && ctx.Err() == nil {
			time.Sleep(300 * time.Millisecond)
			_, err = io.WriteString(conn, "A")
		}
		conn.Close()
	}
}
