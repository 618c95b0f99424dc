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
	requestWait   = 200 * time.Millisecond // at most, from the begin of a load
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
// up that was frozen. Such a request waits 200 ms at most. These loads are never two at once, 5 seconds after the
// last one began or later, and at most one for each unknown id in an interval, so a stranger cannot drive the source.
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
	s := &source{ring: r, ctx: ctx, every: every, load: load}
	if !r.source.CompareAndSwap(nil, s) {
		return errors.New("signet: the Keyring is watched already; end the other Watch first")
	}
	defer r.source.Store(nil)
	for {
		s.round()
		pause := time.NewTimer(s.pause())
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
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

// Staleness is for health checks: how long ago the ring agreed with its source, and what is wrong since, or
// nil. An [*UnsafeError] with a small age says that the ring holds keys which the source lacks. While
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
	if s.agreed.IsZero() {
		return 0, err
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
	agreed   time.Time // when source and ring last agreed
	err      error     // of the last load
	kept     error     // what Update kept, while that lasts
	failures int
	unknown  map[keyID]bool // asked for in vain since the last round
}

// flight is one load.
type flight struct {
	began time.Time
	done  chan struct{}
	err   error // set before done is closed
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

// round is one scheduled load, and waits for its end or the timeout.
func (s *source) round() {
	s.mu.Lock()
	clear(s.unknown)
	f := s.begin()
	s.mu.Unlock()
	hung := time.NewTimer(s.timeout() + time.Second) // a load that heeds its context ends by itself
	defer hung.Stop()
	select {
	case <-f.done:
	case <-s.ctx.Done():
	case <-hung.C:
		s.failed(fmt.Errorf("signet: the source of keys has not answered since %s", f.began.UTC().Format(time.RFC3339)))
	}
}

// begin starts a load, or returns the one that runs. It needs the lock.
func (s *source) begin() *flight {
	if f := s.running.Load(); f != nil {
		return f
	}
	f := &flight{began: now(), done: make(chan struct{})}
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
		s.succeeded(err, changed)
	default:
		s.failed(err)
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

func (s *source) succeeded(kept error, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agreed, s.err, s.failures = now(), nil, 0
	if changed {
		s.kept = kept
		clear(s.unknown)
	}
	s.overdueAfter(s.interval())
}

func (s *source) failed(err error) {
	if s.ctx.Err() != nil {
		return // Watch is ending; that is no failure of the source
	}
	s.mu.Lock()
	s.err = err
	s.failures++
	s.overdueAfter(max(s.retry(), demandGap))
	s.mu.Unlock()
	s.ring.observe(s.ctx, Event{Kind: "reload-failed", Err: err})
}

// overdueAfter says when a request finds that the next load should have been.
func (s *source) overdueAfter(d time.Duration) {
	s.due.Store(now().Add(d + d/lateTolerance).UnixNano())
}

func (s *source) retry() time.Duration {
	return min(firstRetry<<min(s.failures-1, 20), s.interval())
}

// pause is until the next round.
func (s *source) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.interval()
	if s.failures > 0 {
		d = s.retry()
	}
	return d - rand.N(d/10+1)
}

// current is the ring for a request. It costs one atomic load where no Watch runs.
func (r *Keyring) current() (*ring, error) {
	if s := r.source.Load(); s != nil {
		s.refresh()
	}
	return r.state()
}

// refresh loads if the last load is overdue: the goroutine of Watch was frozen with the process.
func (s *source) refresh() {
	t := time.Now().UnixNano()
	if due := s.due.Load(); due == 0 || t < due && t >= s.began.Load() {
		return
	}
	f := s.running.Load()
	if f == nil {
		s.mu.Lock()
		f = s.begin()
		s.mu.Unlock()
	}
	s.await(f)
}

// await waits for a load, but no longer than 200 ms from its begin, however many requests do.
func (s *source) await(f *flight) {
	left := requestWait - now().Sub(f.began)
	if left <= 0 || left > requestWait {
		return
	}
	limit := time.NewTimer(left)
	defer limit.Stop()
	select {
	case <-f.done:
	case <-limit.C:
	case <-s.ctx.Done():
	}
}

// learn loads because of a token of an unknown key, and returns the ring then in force.
func (r *Keyring) learn(g *ring, token string) *ring {
	s := r.source.Load()
	id, issued, ok := peek(token)
	if s == nil || !ok {
		return g
	}
	t, p := r.now().Unix(), g.policy
	if issued != 0 && (issued < t-p.spread() || issued > t+seconds(p.skew())) {
		return g // the key was known everywhere when this was sealed, and is gone
	}
	f := s.ask(id)
	if f == nil {
		return g
	}
	s.await(f)
	newer := r.ring.Load()
	select {
	case <-f.done:
		if _, known := newer.byID[id]; !known && f.err == nil {
			r.observe(s.ctx, Event{Kind: "stale-ring", KeyID: id.String()})
		}
	default:
	}
	return newer
}

// ask begins a load for an unknown id, or joins the one that runs, or returns nil if the id was asked for in vain or
// the last load is too recent.
func (s *source) ask(id keyID) *flight {
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
	return s.begin()
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
