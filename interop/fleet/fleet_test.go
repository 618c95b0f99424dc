// Package fleet_test rotates the keys of a real fleet under load: nginx in front of five
// processes, each with a copy of the key file that arrives late, a clock of its own, and a life
// that is ended without warning; and two hundred clients with cookie jars.
package fleet_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
)

// policy is scaled down: with the fleet's clock at twenty times the real speed, a ring must
// reach every instance within 1.5 real seconds, and a session lives for 12.
var policy = signet.Policy{
	Period: 38 * time.Second, Propagation: 30 * time.Second, Skew: 5 * time.Second,
	Life: 240 * time.Second, Leeway: 10 * time.Second,
}

const (
	instances = 5
	clients   = 200
	// A copy of the file arrives after at most this; the rest of the propagation is for the poll, and for a
	// machine that is busy.
	longestDelay = 600 * time.Millisecond
)

// fleet is the instances, and what delivers their key files.
type fleet struct {
	t      *testing.T
	url    string
	dir    string
	epoch  int64
	clock  func() time.Time
	naive  bool
	http   *http.Transport
	copies sync.WaitGroup // deliveries on their way

	mu      sync.Mutex
	running []*real.Process
	address []string
}

func start(t *testing.T, ring *signet.Keyring, epoch int64, naive bool) *fleet {
	front := real.FreeAddress(t)
	f := &fleet{t: t, url: "http://" + front, dir: real.Dir(t), epoch: epoch, clock: fleetClock(epoch), naive: naive,
		running: make([]*real.Process, instances)}
	var upstream strings.Builder
	for i := range instances {
		f.address = append(f.address, real.FreeAddress(t))
		f.write(i, file(t, ring))
		f.launch(i)
		fmt.Fprintf(&upstream, "server %s max_fails=1 fail_timeout=1s;\n", f.address[i])
	}
	real.Nginx(t, front, fmt.Sprintf(`
		proxy_buffer_size 16k; proxy_buffers 8 16k; large_client_header_buffers 4 16k;
		upstream fleet { %s keepalive 64; }
		server { listen %s; location / {
			proxy_pass http://fleet; proxy_http_version 1.1; proxy_set_header Connection "";
			proxy_next_upstream error timeout; proxy_connect_timeout 1s;
		} }`, &upstream, front))
	f.http = &http.Transport{MaxIdleConnsPerHost: clients, MaxConnsPerHost: clients}
	t.Cleanup(f.http.CloseIdleConnections)
	return f
}

func (f *fleet) path(i int) string { return filepath.Join(f.dir, fmt.Sprintf("keys%d.json", i)) }

// write replaces an instance's copy, as a mounted secret is: whole, by a rename.
func (f *fleet) write(i int, text []byte) {
	if err := os.WriteFile(f.path(i)+".new", text, 0o600); err != nil {
		f.t.Error(err)
	}
	if err := os.Rename(f.path(i)+".new", f.path(i)); err != nil {
		f.t.Error(err)
	}
}

// deliver brings a new file to every instance, to each after a delay of its own.
func (f *fleet) deliver(text []byte) {
	for i := range instances {
		delay := time.Duration(rand.Int64N(int64(longestDelay)))
		if i == 0 {
			delay = 0 // somebody always has it at once
		}
		f.copies.Go(func() {
			time.Sleep(delay)
			f.write(i, text)
		})
	}
}

// launch starts an instance, again and again if its key file is broken just then.
func (f *fleet) launch(i int) {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envKeys+"="+f.path(i), envAddress+"="+f.address[i],
			fmt.Sprintf("%s=%d", envEpoch, f.epoch), fmt.Sprintf("%s=%d", envSkew, i*5/(instances-1)))
		if f.naive {
			cmd.Env = append(cmd.Env, envNaive+"=1")
		}
		p := real.Start(f.t, cmd)
		for {
			select {
			case <-p.Ended():
			default:
				conn, err := net.DialTimeout("tcp", f.address[i], time.Second)
				if err != nil {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				_ = conn.Close()
				f.mu.Lock()
				f.running[i] = p
				f.mu.Unlock()
				return
			}
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	f.t.Errorf("instance %d does not start", i)
}

func (f *fleet) kill(i int) {
	f.mu.Lock()
	p := f.running[i]
	f.mu.Unlock()
	p.Kill()
}

// totals are what the clients saw.
type totals struct {
	requests, sessions, lost, failed, chunked atomic.Int64
	first                                     sync.Once
	story                                     string // of the first loss
}

// client is one browser: a jar, and what it knows of its session.
type client struct {
	f     *fleet
	sum   *totals
	name  string
	bulk  int
	jar   map[string]string
	n     int
	until time.Time // before which the session must be known everywhere
}

func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		if c.until.Before(c.f.clock()) {
			c.login(ctx)
			continue
		}
		next, path := c.n, "/read"
		if rand.IntN(3) == 0 {
			next = c.n + 1
			path = fmt.Sprintf("/write?n=%d", next)
		}
		answer, ok := c.get(ctx, path)
		if !ok {
			return
		}
		// The session may have ended while the request was on its way.
		if want := fmt.Sprintf("%s %d %d ", c.name, c.n, c.bulk); !strings.HasPrefix(answer, want) && c.f.clock().Before(c.until) {
			c.sum.lost.Add(1)
			c.sum.first.Do(func() { c.sum.story = fmt.Sprintf("%s wanted %q, got %q", path, want, answer) })
			c.until = time.Time{}
			continue
		}
		c.n = next
		time.Sleep(time.Duration(100+rand.IntN(200)) * time.Millisecond)
	}
}

func (c *client) login(ctx context.Context) {
	answer, ok := c.get(ctx, fmt.Sprintf("/login?name=%s&bulk=%d", c.name, c.bulk))
	if !ok {
		return
	}
	var name string
	var n, size, expires int64
	if _, err := fmt.Sscan(answer, &name, &n, &size, &expires); err != nil {
		c.sum.failed.Add(1)
		return
	}
	c.n = 0
	// By the fastest clock, and with a second for the rounding to whole seconds.
	c.until = time.Unix(expires, 0).Add(-policy.Skew - time.Second)
	c.sum.sessions.Add(1)
	if c.bulk > 0 {
		c.sum.chunked.Add(1)
	}
}

func (c *client) get(ctx context.Context, path string) (string, bool) {
	r, err := http.NewRequestWithContext(ctx, "GET", c.f.url+path, nil)
	if err != nil {
		return "", false
	}
	var pairs []string
	for name, value := range c.jar {
		pairs = append(pairs, name+"="+value)
	}
	r.Header.Set("Cookie", strings.Join(pairs, "; "))
	res, err := c.f.http.RoundTrip(r)
	if err != nil {
		if ctx.Err() == nil {
			c.sum.failed.Add(1)
		}
		return "", ctx.Err() == nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if ctx.Err() != nil {
		return "", false
	}
	c.sum.requests.Add(1)
	if err != nil || res.StatusCode >= 500 {
		c.sum.failed.Add(1)
		return "", true
	}
	for _, cookie := range res.Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.jar, cookie.Name)
		} else {
			c.jar[cookie.Name] = cookie.Value
		}
	}
	return string(body), true
}

// load starts the clients, and returns what ends them.
func (f *fleet) load(sum *totals) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := range clients {
		c := &client{f: f, sum: sum, name: fmt.Sprintf("visitor%d", i), jar: map[string]string{}}
		if i%4 == 0 {
			c.bulk = 5000 // two cookies
		}
		all.Go(func() { c.run(ctx) })
	}
	return func() {
		cancel()
		all.Wait()
	}
}

func file(t *testing.T, ring *signet.Keyring) []byte {
	text, err := ring.SecretJWKS()
	require.NoError(t, err)
	return text
}

// firstRing is what the fleet starts with.
func firstRing(t *testing.T, clock func() time.Time) *signet.Keyring {
	ring := signet.Must(signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))).WithPolicy(policy))
	ring.SetClock(clock)
	return ring
}

func (s *totals) row(name string, rotations int) string {
	return fmt.Sprintf("%-12s %9d %9d %8d %10d %14d %6d", name, s.requests.Load(), s.sessions.Load(), s.chunked.Load(), rotations, s.lost.Load(), s.failed.Load())
}

const head = "fleet         requests  sessions  chunked  rotations  sessions lost    5xx"

func TestRotatingTheKeysOfAFleetUnderLoadLosesNoSession(t *testing.T) {
	real.Binary(t, "nginx")
	rotations := 12
	if os.Getenv("SIGNET_REQUIRE_ALL") == "1" {
		rotations = 50
	}
	epoch := time.Now().UnixMilli()
	clock := fleetClock(epoch)
	ring := firstRing(t, clock)
	f := start(t, ring, epoch, false)
	var sum totals
	stop := f.load(&sum)

	var previous []byte
	turn := 0
	for done := 0; done < rotations; turn++ {
		time.Sleep(100 * time.Millisecond)
		next, err := ring.Policy().Next(ring, signet.GenerateKey(time.Time{}), clock())
		require.NoError(t, err)
		if next == ring {
			continue
		}
		require.NoError(t, ring.Policy().Check(ring, next, clock()), "the check agrees")
		previous = file(t, ring)
		grew := len(next.Keys()) > len(ring.Keys()) || next.Keys()[len(next.Keys())-1].ID != ring.Keys()[len(ring.Keys())-1].ID
		ring = next
		ring.SetClock(clock)
		f.copies.Wait() // one delivery at a time, as one Secret has one content
		f.deliver(file(t, ring))
		if !grew {
			continue
		}
		done++
		victim := rand.IntN(instances)
		switch done % 5 {
		case 1, 3: // killed without warning, and back with whatever file is there
			f.kill(victim)
			f.launch(victim)
		case 2: // a roll-back of one instance's config, for a while
			f.copies.Wait()
			f.write(victim, previous)
			time.Sleep(300 * time.Millisecond)
			f.write(victim, file(t, ring))
		case 4: // a file that was written half
			f.copies.Wait()
			whole := file(t, ring)
			f.write(victim, whole[:len(whole)/2])
			time.Sleep(300 * time.Millisecond)
			f.write(victim, whole)
		}
	}
	stop()
	f.copies.Wait()
	t.Logf("\n%s\n%s", head, sum.row("signet", rotations))
	require.Zero(t, sum.lost.Load(), sum.story)
	require.Zero(t, sum.failed.Load())
	require.Greater(t, sum.sessions.Load(), int64(clients))
	require.Greater(t, sum.chunked.Load(), int64(clients/4))
}

// The same fleet with the habit of others: the new key replaces the old one at once. It loses sessions, so
// the test above is able to fail.
func TestSwappingTheKeyAtOnceLosesSessions(t *testing.T) {
	real.Binary(t, "nginx")
	epoch := time.Now().UnixMilli()
	clock := fleetClock(epoch)
	ring := firstRing(t, clock)
	f := start(t, ring, epoch, true)
	var sum totals
	stop := f.load(&sum)
	const rotations = 4
	for range rotations {
		time.Sleep(1500 * time.Millisecond)
		f.copies.Wait()
		f.deliver(file(t, firstRing(t, clock)))
	}
	time.Sleep(time.Second)
	stop()
	f.copies.Wait()
	t.Logf("\n%s\n%s", head, sum.row("naive swap", rotations))
	require.Positive(t, sum.lost.Load())
}
