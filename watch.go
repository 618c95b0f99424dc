package signet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signet-go/signet/internal/compact"
	"github.com/signet-go/signet/internal/jwe"
)

// FromFile returns a function that reads a ring from a key file, for the start of a program and for
// [Keyring.Watch]. The path is resolved anew each time, so the file may be replaced by rename, as "signet keys rotate"
// does, or by a symbolic link, as a mounted Kubernetes Secret is.
func FromFile(path string) func(context.Context) (*Keyring, error) {
	return func(context.Context) (*Keyring, error) {
		text, err := readKeyFile(path)
		if err != nil {
			return nil, fmt.Errorf("signet: cannot read the key file %s: %w", nameOnly(path), err)
		}
		r, err := ParseKeyring(text)
		if err != nil {
			return nil, fmt.Errorf("%w (in %s)", err, nameOnly(path))
		}
		return r, nil
	}
}

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return nil, pathErr.Err
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return nil, pathErr.Err
	}
	return text, err
}

// nameOnly shows a path or a variable's name, but not keys that somebody gave in its place.
func nameOnly(name string) string {
	if strings.Contains(name, "signetkey") || strings.ContainsAny(name, "{\n") || len(name) > 255 {
		return "(keys, given where their place belongs: use ParseKeyring)"
	}
	return name
}

// FromEnv returns a function that reads a ring from an environment variable, in either form. A process keeps
// the environment that it was started with, so there is nothing to watch: deploy anew to rotate.
func FromEnv(name string) func(context.Context) (*Keyring, error) {
	return func(context.Context) (*Keyring, error) {
		text, set := os.LookupEnv(name)
		if !set {
			return nil, fmt.Errorf("signet: the environment variable %s is not set; set it to the output of: signet keys new -env", nameOnly(name))
		}
		r, err := ParseKeyring([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("%w (in %s)", err, nameOnly(name))
		}
		return r, nil
	}
}

// Bounds of Watch.
const (
	requestWait   = 200 * time.Millisecond // at most, and that long in all for one load
	demandGap     = 5 * time.Second        // between a load and one that a request asks for
	longestLoad   = 10 * time.Second
	firstRetry    = time.Second // then twice as long each time
	maxNegative   = 1024        // ids
	lateTolerance = 5           // a request reloads if the last load is late by a fifth
)

// Watch keeps the ring up to date: it calls load at once and then at intervals of at most every, and gives what
// it returns to [Keyring.Update]. It returns ctx.Err() when ctx is done; run it in a goroutine of its own:
//
//	load := signet.FromFile("/etc/shop/keys.json")
//	keys := signet.Must(load(ctx)) // a broken file ends the program here, with the reason
//	go keys.Watch(ctx, time.Minute, load)
//
// Zero for every is a tenth of the policy's Propagation. An interval of more than half of Propagation is
// shortened to that, so that the policy's promise holds. Intervals vary by a tenth, so that a fleet spreads its loads.
//
// A source that fails, hangs, or gives a ring that Update refuses changes nothing: the last good ring stays
// in use, an event tells of it (see [Keyring.SetObserver]), [Keyring.Staleness] grows, and the next try comes after one second, then two,
// then four, up to the interval. A load is given a context that ends after 10 seconds, or after the interval if that
// is less; one that does not heed it is left alone, and no second one is begun beside it.
//
// Requests help. While Watch runs, a token of an unknown key that was sealed within Propagation + Skew makes the
// ring load at once, and so does a request that finds the last load overdue, which is how a function wakes
// up that was frozen, in the middle of a load too. Such a request waits 200 ms at most, or 400 ms after a freeze in
// the middle of a load. These loads are never two at once. For an unknown id there is one in an interval at most, and
// 5 seconds after the last one began or later, so a stranger cannot drive the source.
//
// Before ctx is done, Watch returns an error only if the ring is the zero Keyring or watched already. A nil
// load or a negative interval panics.
func (r *Keyring) Watch(ctx context.Context, every time.Duration, load func(context.Context) (*Keyring, error)) error {
	if load == nil || every < 0 {
		panic("signet: Watch needs a load function and an interval that is not negative")
	}
	if _, err := r.state(); err != nil {
		return err
	}
	s := newSource(r, ctx, every, load)
	if !r.source.CompareAndSwap(nil, s) {
		return errors.New("signet: the Keyring is watched already; end the other Watch first")
	}
	defer r.source.Store(nil)
	for ctx.Err() == nil {
		pause := time.NewTimer(s.pause(s.round()))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
	return ctx.Err()
}

// SetObserver sets who is told of reloads by Watch; nil restores the default, a
// [LogObserver] of [slog.Default].
func (r *Keyring) SetObserver(o Observer) {
	if o == nil {
		r.watcher.Store(nil)
		return
	}
	r.watcher.Store(&o)
}

func (r *Keyring) observe(ctx context.Context, e Event) {
	if o := r.watcher.Load(); o != nil {
		(*o).Observe(ctx, e)
		return
	}
	LogObserver(slog.Default()).Observe(ctx, e)
}

// Staleness is for health checks: how long ago the load began after which ring and source last agreed, or Watch
// began, and what is wrong since, or nil. An [*UnsafeError] with a small age says that the ring holds keys which the source lacks. While
// Watch does not run it is 0 and nil. Alarm well before the age reaches the policy's Propagation: past it an
// instance may not know the key that others seal with.
func (r *Keyring) Staleness() (age time.Duration, err error) {
	s := r.source.Load()
	if s == nil {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = s.err; err == nil {
		err = s.kept
	}
	return max(0, now().Sub(s.agreed)), err
}

// source is what a running Watch lends to the request path.
type source struct {
	ring  *Keyring
	ctx   context.Context
	every time.Duration
	load  func(context.Context) (*Keyring, error)

	// Between these, in Unix nanoseconds, a request need not load by age. The lower one is for
	// clocks that were set back.
	began, due atomic.Int64
	running    atomic.Pointer[flight]

	mu       sync.Mutex
	agreed   time.Time // begin of the load after which source and ring last agreed, or of Watch
	err      error     // of the last load
	kept     error     // what Update kept, while that lasts
	failures int
	unknown  map[keyID]bool // asked for in vain since the last round
}

// flight is one load. What it brings is as old as its begin: the process may have been frozen in the middle.
type flight struct {
	began   time.Time
	awaited atomic.Int64 // when 200 ms began in which requests wait for it, in Unix nanoseconds
	done    chan struct{}
	err     error // set before done is closed
}

func newSource(r *Keyring, ctx context.Context, every time.Duration, load func(context.Context) (*Keyring, error)) *source {
	s := &source{ring: r, ctx: ctx, every: every, load: load, agreed: now()}
	s.overdue(s.agreed)
	return s
}

// now is by the wall clock, since the monotonic one may stand still in a frozen machine.
func now() time.Time { return time.Now().Round(0) }

// interval is the longest time between two loads.
func (s *source) interval() time.Duration {
	p := s.ring.Policy()
	if s.every == 0 {
		return p.propagation() / 10
	}
	return min(s.every, p.propagation()/2)
}

func (s *source) timeout() time.Duration { return min(longestLoad, max(s.interval(), time.Second)) }

// heeded is how long a load takes that heeds its context. One that took longer does not, or was frozen.
func (s *source) heeded() time.Duration { return s.timeout() + time.Second }

// round is one scheduled load, and waits for its end or for as long as one takes that heeds its context.
func (s *source) round() *flight {
	s.mu.Lock()
	clear(s.unknown)
	f := s.begin(now())
	s.mu.Unlock()
	hung := time.NewTimer(s.heeded())
	defer hung.Stop()
	select {
	case <-f.done:
	case <-s.ctx.Done():
	case <-hung.C:
		s.failed(f, fmt.Errorf("signet: the source of keys has not answered since %s", f.began.UTC().Format(time.RFC3339)))
	}
	return f
}

// begin starts a load for which requests wait since then, or returns the one that runs. It needs the lock.
func (s *source) begin(since time.Time) *flight {
	if f := s.running.Load(); f != nil {
		return f
	}
	f := &flight{began: now(), done: make(chan struct{})}
	f.awaited.Store(since.UnixNano())
	s.running.Store(f)
	s.began.Store(f.began.UnixNano())
	go func() {
		ctx, cancel := context.WithTimeout(s.ctx, s.timeout())
		defer cancel()
		next, err := s.load(ctx)
		s.end(f, next, err)
	}()
	return f
}

// end takes over what a load brought.
func (s *source) end(f *flight, next *Keyring, err error) {
	if err == nil && next == nil {
		err = errors.New("signet: the source of keys gave no ring and no error")
	}
	if err == nil {
		err = s.ctx.Err() // when Watch has ended, nothing changes any more
	}
	before := s.ring.ring.Load()
	if err == nil {
		err = s.ring.Update(next)
	}
	changed := s.ring.ring.Load() != before
	var unsafe *UnsafeError
	switch partly := errors.As(err, &unsafe) && !unsafe.Refused; {
	case err == nil || partly:
		s.succeeded(f, err, changed)
	default:
		s.failed(f, err)
	}
	f.err = err
	s.running.Store(nil)
	close(f.done)
	if changed {
		s.ring.observe(s.ctx, Event{Kind: "reloaded"})
	}
	if unsafe != nil && !unsafe.Refused {
		s.ring.observe(s.ctx, Event{Kind: "reload-failed", Err: err})
	}
}

func (s *source) succeeded(f *flight, kept error, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agreed, s.err, s.failures = f.began, nil, 0
	if changed {
		s.kept = kept
		clear(s.unknown)
	}
	s.overdue(f.began)
}

func (s *source) failed(f *flight, err error) {
	if s.ctx.Err() != nil {
		return // Watch is ending; that is no failure of the source
	}
	s.mu.Lock()
	s.err = err
	s.failures++
	from := now()
	if from.Sub(f.began) > s.heeded() {
		from = f.began // what ended it was perhaps the thaw, and the next try may succeed
	}
	s.due.Store(late(from, max(s.retry(), demandGap)))
	s.mu.Unlock()
	s.ring.observe(s.ctx, Event{Kind: "reload-failed", Err: err})
}

// overdue says when a request finds that the load after one at t should have been. No load that heeds its context
// is overdue at its end.
func (s *source) overdue(t time.Time) { s.due.Store(late(t, max(s.interval(), s.heeded()))) }

func late(from time.Time, d time.Duration) int64 { return from.Add(d + d/lateTolerance).UnixNano() }

func (s *source) retry() time.Duration {
	return min(firstRetry<<min(s.failures-1, 20), s.interval())
}

// pause is until the next round: an interval from the begin of the last one, or from a failure the time until the
// next try.
func (s *source) pause(last *flight) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures > 0 {
		return varied(s.retry())
	}
	d := varied(s.interval())
	return min(d-now().Sub(last.began), d) // the clock may have been set back
}

// varied is d or up to a tenth less.
func varied(d time.Duration) time.Duration { return d - rand.N(d/10+1) }

// current is the ring for a request. It costs one atomic load where no Watch runs. A request that loaded may wait for
// other loads until that time.
func (r *Keyring) current() (g *ring, until time.Time, err error) {
	if s := r.source.Load(); s != nil && s.late() {
		until = now().Add(requestWait)
		s.refresh(until)
	}
	g, err = r.state()
	return g, until, err
}

// late is whether the last load is overdue: the goroutine of Watch was frozen with the process.
func (s *source) late() bool {
	began, due := s.began.Load(), s.due.Load() // before the time, or a load could seem to have begun in the future
	t := time.Now().UnixNano()
	return t >= due || t < began
}

// refresh loads. A load that was frozen too may bring what is overdue already.
func (s *source) refresh(until time.Time) {
	for range 2 {
		f := s.running.Load()
		if f == nil {
			s.mu.Lock()
			if s.late() { // still
				f = s.begin(until.Add(-requestWait))
			}
			s.mu.Unlock()
		}
		if f == nil || !s.await(f, until) || !s.late() {
			return
		}
	}
}

// await waits for a load, and reports whether it has ended. All requests wait for it in its first 200 ms only, so that
// a source which is slow or hangs does not hold each of them; and once more each time it has gone on for longer than a load
// can that heeds its context, since the process may have been frozen meanwhile.
func (s *source) await(f *flight, until time.Time) bool {
	t := now()
	first := f.awaited.Load()
	if d := t.Sub(time.Unix(0, first)); d < 0 || d > s.heeded() { // below 0 the clock was set back
		f.awaited.CompareAndSwap(first, t.UnixNano())
		first = f.awaited.Load()
	}
	left := min(until.Sub(t), time.Unix(0, first).Add(requestWait).Sub(t), requestWait)
	if left <= 0 {
		return f.ended()
	}
	limit := time.NewTimer(left)
	defer limit.Stop()
	select {
	case <-f.done:
	case <-limit.C:
	case <-s.ctx.Done():
	}
	return f.ended()
}

func (f *flight) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// learn loads because of a token of an unknown key, and returns the ring then in force. It does so a second time if
// what it found running had begun too long ago to know the key.
func (r *Keyring) learn(g *ring, token string, until time.Time) *ring {
	s := r.source.Load()
	id, issued, ok := peek(token)
	if s == nil || !ok {
		return g
	}
	t, p := r.now().Unix(), g.policy
	if issued != 0 && (issued < t-p.spread() || issued > t+seconds(p.skew())) {
		return g // the key was known everywhere when this was sealed, and is gone
	}
	if until.IsZero() {
		until = now().Add(requestWait)
	}
	var last *flight
	for range 2 {
		f := s.ask(id, until.Add(-requestWait))
		if f == nil {
			break
		}
		if last = f; !s.await(f, until) {
			return r.ring.Load()
		}
		if newer := r.ring.Load(); newer.byID[id] != nil {
			return newer
		}
	}
	if last != nil && last.err == nil {
		r.observe(s.ctx, Event{Kind: "stale-ring", KeyID: id.String()})
	}
	return r.ring.Load()
}

// ask begins a load for an unknown id, or joins the one that runs, or returns nil if the id was asked for in vain or
// the last load is too recent.
func (s *source) ask(id keyID, since time.Time) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unknown[id] {
		return nil
	}
	if f := s.running.Load(); f != nil {
		return f
	}
	if since := now().UnixNano() - s.began.Load(); since >= 0 && since < int64(demandGap) || len(s.unknown) >= maxNegative {
		return nil
	}
	if s.unknown == nil {
		s.unknown = map[keyID]bool{}
	}
	s.unknown[id] = true
	return s.begin(since)
}

// peek reads a token's key id and issue time, 0 if it does not say, as it is: unauthenticated.
func peek(token string) (keyID, int64, bool) {
	if head, ok := compact.Peek(token); ok {
		return keyID(head.KeyID), int64(head.IssuedAt), true
	}
	part, _, _ := strings.Cut(token, ".")
	head, ok := jwe.ParseHeader(part)
	return keyID(head.KeyID), int64(head.IssuedAt), ok
}
