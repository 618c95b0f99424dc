package signet_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// store is a source that a test steers.
type store struct {
	ring  atomic.Pointer[signet.Keyring]
	err   atomic.Pointer[error]
	takes atomic.Int64 // how long a load takes, in ns
	deaf  atomic.Bool  // to the end of its context
	early atomic.Bool  // it brings what was there when it began
	loads atomic.Int64
	mu    sync.Mutex
	at    []time.Time
}

func (s *store) load(ctx context.Context) (*signet.Keyring, error) {
	s.loads.Add(1)
	s.mu.Lock()
	s.at = append(s.at, time.Now())
	s.mu.Unlock()
	ring := s.ring.Load()
	done := ctx.Done()
	if s.deaf.Load() {
		done = nil
	}
	select {
	case <-time.After(time.Duration(s.takes.Load())):
	case <-done:
		return nil, ctx.Err()
	}
	if err := s.err.Load(); err != nil {
		return nil, *err
	}
	if s.early.Load() {
		return ring, nil
	}
	return s.ring.Load(), nil
}

// freeze makes a load end after that time only, and bring what was there at its begin, as one does that was frozen
// after it had read. Those begun after thaw are not.
func (s *store) freeze(d time.Duration) {
	s.takes.Store(int64(d))
	s.deaf.Store(true)
	s.early.Store(true)
}

// begun is when load n began.
func (s *store) begun(n int) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[n]
}

func (s *store) thaw() { s.takes.Store(0) }

func (s *store) fail(err error) { s.err.Store(&err) }

// told keeps what a ring's observer was told.
type told struct {
	mu    sync.Mutex
	kinds []string
}

func (o *told) Observe(_ context.Context, e signet.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kinds = append(o.kinds, e.Kind)
}

func (o *told) count(kind string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, k := range o.kinds {
		if k == kind {
			n++
		}
	}
	return n
}

// watched is a ring of two keys under Watch.
type watched struct {
	*testing.T
	keys *signet.Keyring
	store
	told
}

// watch runs f in a bubble in which time is a fake, beside a Watch of that interval. Zero is a frozen Watch of one minute.
func watch(t *testing.T, every time.Duration, f func(*testing.T, *watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		w := &watched{T: t, keys: next(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))), time.Now())}
		w.keys.SetObserver(&w.told)
		w.ring.Store(copied(t, w.keys))
		ended := make(chan error, 1)
		if every == 0 {
			signet.Freeze(ctx, w.keys, time.Minute, w.load)
			ended <- context.Canceled
		} else {
			go func() { ended <- w.keys.Watch(ctx, every, w.load) }()
		}
		synctest.Wait()
		f(t, w)
		cancel()
		w.takes.Store(0)
		require.ErrorIs(t, <-ended, context.Canceled)
		time.Sleep(time.Hour) // whatever hangs comes to its end
	})
}

// publish gives the source a ring with one key more, and returns what seals with that key alone.
func (w *watched) publish() *signet.Keyring {
	key := signet.GenerateKey(time.Time{})
	w.ring.Store(edited(w, w.ring.Load(), func(e *signet.RingEdit) {
		e.Keys = append(e.Keys, signet.KeyTimes{Key: key, Issued: time.Now().Unix(), NotBefore: time.Now().Unix() + 1e6})
	}))
	return signet.Must(signet.NewKeyring(key))
}

func (w *watched) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestWatchTakesOverWhatTheSourceHolds(t *testing.T) {
	watch(t, time.Minute, func(t *testing.T, w *watched) {
		require.EqualValues(t, 1, w.loads.Load(), "the first load is at once")
		w.publish()
		w.sleep(time.Minute)
		require.Len(t, w.keys.Keys(), 3)
		require.Equal(t, 1, w.count("reloaded"))
		w.sleep(time.Hour)
		require.Equal(t, 1, w.count("reloaded"), "the same again is no reload")
		age, err := w.keys.Staleness()
		require.NoError(t, err)
		require.LessOrEqual(t, age, time.Minute)
	})
}

func TestWatchVariesItsIntervalsByATenth(t *testing.T) {
	watch(t, time.Minute, func(t *testing.T, w *watched) {
		w.sleep(3 * time.Hour)
		gaps := map[time.Duration]bool{}
		for i := 1; i < len(w.at); i++ {
			gap := w.at[i].Sub(w.at[i-1])
			require.GreaterOrEqual(t, gap, 54*time.Second)
			require.LessOrEqual(t, gap, time.Minute)
			gaps[gap] = true
		}
		require.Greater(t, len(gaps), 100)
	})
}

func TestWatchKeepsThePromiseOfPropagation(t *testing.T) {
	watch(t, 100*time.Hour, func(t *testing.T, w *watched) {
		w.publish()
		w.sleep(30 * time.Minute) // half of the default propagation
		require.Len(t, w.keys.Keys(), 3)
	})
}

func TestABadSourceChangesNothing(t *testing.T) {
	rows := []struct {
		name string
		make func(*watched)
	}{
		{"an error", func(w *watched) { w.fail(errors.New("gone")) }},
		{"no ring and no error", func(w *watched) { w.ring.Store(nil) }},
		{"the zero Keyring", func(w *watched) { w.ring.Store(new(signet.Keyring)) }},
		{"one that hangs until its context ends", func(w *watched) { w.takes.Store(int64(time.Hour)) }},
		{"one that hangs and does not heed its context", func(w *watched) { w.takes.Store(int64(50 * time.Minute)); w.deaf.Store(true) }},
		{"an older generation", func(w *watched) {
			w.ring.Store(signet.Must(signet.Edit(w.ring.Load(), time.Now().Unix(), func(e *signet.RingEdit) { e.Generation = 0; e.Keys = e.Keys[1:] })))
		}},
		{"the same generation with other contents", func(w *watched) {
			w.ring.Store(signet.Must(signet.Edit(w.ring.Load(), time.Now().Unix(), func(e *signet.RingEdit) { e.Keys = e.Keys[1:] })))
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			watch(t, time.Minute, func(t *testing.T, w *watched) {
				before, token := w.keys.Keys(), seal(t, w.keys)
				row.make(w)
				w.sleep(30 * time.Minute)
				require.Equal(t, before, w.keys.Keys())
				_, err := w.keys.Open("test", token)
				require.NoError(t, err)
				age, err := w.keys.Staleness()
				require.Error(t, err)
				require.GreaterOrEqual(t, age, 29*time.Minute)
				require.Positive(t, w.count("reload-failed"))
			})
		})
	}
}

func TestWatchTriesAgainSoonAfterAFailure(t *testing.T) {
	watch(t, time.Minute, func(t *testing.T, w *watched) {
		w.fail(errors.New("half-written"))
		for w.count("reload-failed") == 0 {
			w.sleep(time.Second / 10)
		}
		w.err.Store(nil)
		w.publish()
		w.sleep(time.Second + time.Millisecond)
		require.Len(t, w.keys.Keys(), 3)
		_, err := w.keys.Staleness()
		require.NoError(t, err)
	})
}

func TestOneLoadAtATimeEvenIfItHangs(t *testing.T) {
	watch(t, time.Minute, func(t *testing.T, w *watched) {
		w.takes.Store(int64(20 * time.Minute))
		w.deaf.Store(true)
		w.sleep(15 * time.Minute)
		require.EqualValues(t, 2, w.loads.Load())
		w.publish()
		w.sleep(10 * time.Minute)
		require.Len(t, w.keys.Keys(), 3, "what it brings at last is taken")
	})
}

func TestAnUnknownKeyMakesTheRingLoadAtOnce(t *testing.T) {
	watch(t, time.Minute, func(t *testing.T, w *watched) {
		w.sleep(10 * time.Second)
		token := seal(t, w.publish())
		got, err := w.keys.Open("test", token)
		require.NoError(t, err)
		require.Equal(t, "x", string(got))
		require.EqualValues(t, 2, w.loads.Load())
	})
}

func TestASlowSourceHoldsARequestFor200Milliseconds(t *testing.T) {
	watch(t, time.Minute, func(t *testing.T, w *watched) {
		w.sleep(10 * time.Second)
		token := seal(t, w.publish())
		w.takes.Store(int64(3 * time.Second))
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond) // over one second
				start := time.Now()
				_, err := w.keys.Open("test", token)
				if err != signet.ErrUnknownKey || time.Since(start) > max(0, 200*time.Millisecond-time.Duration(i)*10*time.Millisecond) {
					t.Errorf("request %d: %v after %v", i, err, time.Since(start))
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 2, w.loads.Load(), "single flight")
		w.sleep(3 * time.Second)
		_, err := w.keys.Open("test", token)
		require.NoError(t, err)
	})
}

func TestAStrangerCannotDriveTheSource(t *testing.T) {
	stranger := func() string { return seal(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))) }
	watch(t, time.Minute, func(t *testing.T, w *watched) {
		w.sleep(10 * time.Second)
		for range 400 { // over four seconds, each of another key
			_, err := w.keys.Open("test", stranger())
			require.ErrorIs(t, err, signet.ErrUnknownKey)
			time.Sleep(10 * time.Millisecond)
		}
		require.EqualValues(t, 2, w.loads.Load(), "5 seconds lie between two loads")
		require.Equal(t, 1, w.count("stale-ring"))
	})
	watch(t, 20*time.Minute, func(t *testing.T, w *watched) {
		w.sleep(10 * time.Second)
		token := stranger()
		for range 100 { // over ten minutes, of one key
			_, _ = w.keys.Open("test", token)
			time.Sleep(6 * time.Second)
		}
		require.EqualValues(t, 2, w.loads.Load(), "an id is asked for once an interval")
	})
	watch(t, 20*time.Minute, func(t *testing.T, w *watched) {
		token := stranger()
		w.sleep(66 * time.Minute)
		loads := w.loads.Load()
		_, err := w.keys.Open("test", token)
		require.ErrorIs(t, err, signet.ErrUnknownKey)
		require.Equal(t, loads, w.loads.Load(), "sealed before P + S: its key was known everywhere, and is gone")
	})
}

func TestAFrozenFunctionLoadsAtItsFirstRequest(t *testing.T) {
	watch(t, 0, func(t *testing.T, w *watched) {
		require.EqualValues(t, 1, w.loads.Load())
		w.sleep(50 * time.Second)
		_ = seal(t, w.keys)
		require.EqualValues(t, 1, w.loads.Load(), "it is not overdue")

		w.sleep(5 * time.Hour)
		w.publish()
		_ = seal(t, w.keys)
		require.Len(t, w.keys.Keys(), 3, "the first request after the thaw seals with the new ring")
		require.EqualValues(t, 2, w.loads.Load())
		_ = seal(t, w.keys)
		require.EqualValues(t, 2, w.loads.Load())

		w.sleep(5 * time.Hour)
		w.takes.Store(int64(time.Hour))
		start := time.Now()
		_ = seal(t, w.keys)
		_ = seal(t, w.keys)
		require.Equal(t, 200*time.Millisecond, time.Since(start), "a source that hangs costs one wait, not one each")
	})
}

func TestAFunctionFrozenInTheMiddleOfALoad(t *testing.T) {
	const frozen = 5 * time.Hour
	seals := func(w *watched) (int, time.Duration) {
		start := time.Now()
		_ = seal(w.T, w.keys)
		return len(w.keys.Keys()), time.Since(start)
	}
	t.Run("its first request comes after the load, which brings what was true hours ago", func(t *testing.T) {
		watch(t, 0, func(t *testing.T, w *watched) {
			w.sleep(time.Hour)
			w.freeze(frozen)
			_, _ = seals(w) // begins it
			w.thaw()
			w.publish()
			w.sleep(time.Until(w.begun(1).Add(frozen)))
			age, err := w.keys.Staleness()
			require.NoError(t, err)
			require.Equal(t, frozen, age)
			require.EqualValues(t, 2, w.loads.Load())
			n, took := seals(w)
			require.Equal(t, 3, n)
			require.Zero(t, took)
		})
	})
	t.Run("it was the first load", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			w := &watched{T: t, keys: next(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))), time.Now())}
			w.ring.Store(copied(t, w.keys))
			w.freeze(frozen)
			signet.Freeze(ctx, w.keys, time.Minute, w.load)
			w.sleep(100 * time.Millisecond)
			_, took := seals(w)
			require.Zero(t, took, "the ring that the program began with is not overdue")
			w.thaw()
			w.publish()
			w.sleep(time.Until(w.begun(0).Add(frozen - 50*time.Millisecond)))
			age, err := w.keys.Staleness()
			require.NoError(t, err)
			require.Equal(t, frozen-50*time.Millisecond, age)
			n, took := seals(w)
			require.Equal(t, 3, n)
			require.Equal(t, 50*time.Millisecond, took)
			cancel()
		})
	})
	t.Run("its first request comes before the end of the load", func(t *testing.T) {
		watch(t, time.Minute, func(t *testing.T, w *watched) {
			w.freeze(frozen)
			w.sleep(time.Minute) // the second load has begun
			w.thaw()
			w.publish()
			w.sleep(time.Until(w.begun(1).Add(frozen - 50*time.Millisecond)))
			n, took := seals(w)
			require.Equal(t, 3, n)
			require.Equal(t, 50*time.Millisecond, took)
		})
	})
	t.Run("a request had waited for the load in vain before the freeze", func(t *testing.T) {
		watch(t, 0, func(t *testing.T, w *watched) {
			w.sleep(time.Hour)
			w.freeze(frozen)
			_, took := seals(w)
			require.Equal(t, 200*time.Millisecond, took)
			w.thaw()
			w.publish()
			w.sleep(time.Until(w.begun(1).Add(frozen - 50*time.Millisecond)))
			n, took := seals(w)
			require.Equal(t, 3, n)
			require.Equal(t, 50*time.Millisecond, took)
		})
	})
	t.Run("the load fails at the thaw", func(t *testing.T) {
		watch(t, time.Minute, func(t *testing.T, w *watched) {
			w.freeze(frozen)
			w.sleep(time.Minute)
			w.thaw()
			w.publish()
			w.fail(errors.New("connection reset"))
			w.sleep(time.Until(w.begun(1).Add(frozen)))
			w.err.Store(nil)
			n, took := seals(w)
			require.Equal(t, 3, n)
			require.Zero(t, took)
		})
	})
	t.Run("the ring is not overdue, and the token's key is in the source only", func(t *testing.T) {
		watch(t, 20*time.Minute, func(t *testing.T, w *watched) {
			w.freeze(30 * time.Second)
			w.sleep(20 * time.Minute)
			w.thaw()
			token := seal(t, w.publish())
			w.sleep(time.Until(w.begun(1).Add(30*time.Second - 50*time.Millisecond)))
			got, err := w.keys.Open("test", token)
			require.NoError(t, err)
			require.Equal(t, "x", string(got))
			require.EqualValues(t, 3, w.loads.Load())
			require.Zero(t, w.count("stale-ring"))
		})
	})
	t.Run("the second load takes longer than the request waits for both", func(t *testing.T) {
		watch(t, time.Minute, func(t *testing.T, w *watched) {
			w.freeze(frozen)
			w.sleep(time.Minute)
			w.takes.Store(int64(time.Second))
			w.publish()
			w.sleep(time.Until(w.begun(1).Add(frozen - 50*time.Millisecond)))
			n, took := seals(w)
			require.Equal(t, 2, n)
			require.Equal(t, 200*time.Millisecond, took)
			n, took = seals(w)
			require.Equal(t, 2, n)
			require.LessOrEqual(t, took, 150*time.Millisecond, "in the first 200 ms of a load, which Watch may have begun")
			w.sleep(time.Second)
			n, took = seals(w)
			require.Equal(t, 3, n)
			require.Zero(t, took)
		})
	})
}

func TestARequestWaitsFor200MillisecondsInAll(t *testing.T) {
	watch(t, 0, func(t *testing.T, w *watched) {
		w.sleep(time.Hour)
		w.freeze(time.Hour)
		_ = seal(t, w.keys) // begins it
		w.takes.Store(int64(time.Second))
		token := seal(t, w.publish())
		w.sleep(time.Until(w.begun(1).Add(time.Hour - 150*time.Millisecond)))
		start := time.Now()
		_, err := w.keys.Open("test", token) // overdue, and of an unknown key
		require.ErrorIs(t, err, signet.ErrUnknownKey)
		_ = seal(t, w.keys)
		require.Equal(t, 200*time.Millisecond, time.Since(start), "of two loads")
		require.EqualValues(t, 3, w.loads.Load())
	})
}

// held is how long requests waited that came every 10 ms.
func (w *watched) held(during time.Duration) (all time.Duration) {
	for start := time.Now(); time.Since(start) < during; time.Sleep(10 * time.Millisecond) {
		begin := time.Now()
		_ = seal(w, w.keys)
		all += time.Since(begin)
	}
	return all
}

func TestASlowSourceHoldsNoRequest(t *testing.T) {
	for _, row := range []struct {
		every, takes time.Duration
		err          error
	}{
		{10 * time.Second, 4 * time.Second, nil},
		{20 * time.Second, 9 * time.Second, nil},
		{30 * time.Second, 9 * time.Second, nil},
		{time.Second, time.Second / 2, nil},
		{time.Second / 10, time.Second / 2, nil},
		{time.Second / 10, 900 * time.Millisecond, nil},
		{time.Minute, 9 * time.Second, errors.New("gone")},
		{time.Minute, time.Hour, nil}, // until its context ends
	} {
		t.Run(fmt.Sprintf("every %v, a load of %v, %v", row.every, row.takes, row.err), func(t *testing.T) {
			watch(t, row.every, func(t *testing.T, w *watched) {
				w.takes.Store(int64(row.takes))
				if row.err != nil {
					w.fail(row.err)
				}
				require.Zero(t, w.held(10*time.Minute))
			})
		})
	}
}

func TestAClockSetBackHoldsRequestsOnce(t *testing.T) {
	watch(t, 0, func(t *testing.T, w *watched) {
		w.sleep(time.Hour)
		w.takes.Store(int64(time.Hour))
		w.deaf.Store(true)
		require.Equal(t, 200*time.Millisecond, w.held(time.Second))
		signet.SetBack(w.keys, 5*time.Second)
		require.LessOrEqual(t, w.held(10*time.Second), 400*time.Millisecond)
	})
}

func TestAfterTheEndOfItsContextNoLoadBegins(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
			keys.SetObserver(new(told))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- keys.Watch(ctx, time.Second/10, func(loading context.Context) (*signet.Keyring, error) {
					if ctx.Err() != nil {
						t.Error("a load has begun")
					}
					select { // longer than the interval, so that the next one is due at once
					case <-time.After(time.Second / 2):
						return keys, nil
					case <-loading.Done():
						return nil, loading.Err()
					}
				})
			}()
			time.Sleep(5300 * time.Millisecond)
			cancel()
			require.ErrorIs(t, <-done, context.Canceled)
			synctest.Wait()
		})
	}
}

func TestASourceThatHangsCostsOneWaitWhileALoadMayLast(t *testing.T) {
	watch(t, time.Minute, func(t *testing.T, w *watched) {
		w.sleep(10 * time.Second)
		w.takes.Store(int64(time.Hour))
		w.deaf.Store(true)
		w.sleep(10 * time.Minute)
		start, waited := time.Now(), time.Duration(0)
		for time.Since(start) < 10*time.Minute {
			before := time.Now()
			_ = seal(t, w.keys)
			waited += time.Since(before)
			time.Sleep(10 * time.Millisecond)
		}
		require.LessOrEqual(t, waited, 55*200*time.Millisecond, "200 ms in 11 s")
		require.EqualValues(t, 2, w.loads.Load())
	})
}

func TestIntervalsAreFromBeginToBegin(t *testing.T) {
	watch(t, time.Minute, func(t *testing.T, w *watched) {
		w.takes.Store(int64(9 * time.Second))
		w.sleep(time.Hour)
		require.Greater(t, len(w.at), 60)
		for i := 2; i < len(w.at); i++ {
			gap := w.at[i].Sub(w.at[i-1])
			require.GreaterOrEqual(t, gap, 54*time.Second)
			require.LessOrEqual(t, gap, time.Minute)
		}
	})
}

func TestWatchRefusesWhatCannotBe(t *testing.T) {
	watch(t, time.Minute, func(t *testing.T, w *watched) {
		require.ErrorContains(t, w.keys.Watch(t.Context(), time.Minute, w.load), "watched already")
	})
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	load := func(context.Context) (*signet.Keyring, error) { return keys, nil }
	require.Error(t, new(signet.Keyring).Watch(t.Context(), time.Minute, load))
	require.Panics(t, func() { _ = keys.Watch(t.Context(), time.Minute, nil) })
	require.Panics(t, func() { _ = keys.Watch(t.Context(), -1, load) })
	age, err := keys.Staleness()
	require.NoError(t, err)
	require.Zero(t, age)
}

func TestWatchCanBeEndedAndBegunAgain(t *testing.T) {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		load := func(context.Context) (*signet.Keyring, error) { cancel(); return keys, nil }
		require.ErrorIs(t, keys.Watch(ctx, time.Minute, load), context.Canceled)
	}
}

func TestAfterItsEndWatchChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
		later := next(t, keys, time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Second); cancel() }()
		err := keys.Watch(ctx, time.Minute, func(context.Context) (*signet.Keyring, error) {
			time.Sleep(2 * time.Second)
			return later, nil
		})
		require.ErrorIs(t, err, context.Canceled)
		time.Sleep(time.Minute)
		require.Len(t, keys.Keys(), 1)
	})
}

func TestConcurrentRequestsAndReloads(t *testing.T) {
	keys := next(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))), time.Now())
	keys.SetObserver(new(told))
	current := new(atomic.Pointer[signet.Keyring])
	current.Store(copied(t, keys))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = keys.Watch(ctx, time.Millisecond, func(context.Context) (*signet.Keyring, error) { return current.Load(), nil })
	})
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := keys.Open("test", seal(t, keys)); err != nil {
					t.Errorf("a request saw half a ring: %v", err)
					return
				}
			}
		})
	}
	for range 50 {
		r := current.Load()
		current.Store(edited(t, r, func(e *signet.RingEdit) {
			e.Keys = append(e.Keys[max(0, len(e.Keys)-3):], signet.KeyTimes{Key: signet.GenerateKey(time.Time{}), NotBefore: time.Now().Unix() - 10})
		}))
		time.Sleep(2 * time.Millisecond)
	}
	cancel()
	wg.Wait()
}

// fileWatched watches a real file, as fast as it can.
func fileWatched(t *testing.T, path string) (*signet.Keyring, *told) {
	t.Helper()
	load := signet.FromFile(path)
	keys, err := load(t.Context())
	require.NoError(t, err)
	seen := new(told)
	keys.SetObserver(seen)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- keys.Watch(ctx, 5*time.Millisecond, load) }()
	t.Cleanup(func() { cancel(); <-ended })
	return keys, seen
}

func written(t testing.TB, path string, r *signet.Keyring) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, signet.Must(r.SecretJWKS()), 0o600))
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, 20*time.Second, 2*time.Millisecond, what)
}

func TestAFileIsFollowedThroughEveryWayToReplaceIt(t *testing.T) {
	dir := t.TempDir()
	ring := next(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))), time.Now())
	grow := func() *signet.Keyring {
		ring = edited(t, ring, func(e *signet.RingEdit) {
			e.Keys = append(e.Keys, signet.KeyTimes{Key: signet.GenerateKey(time.Time{}), NotBefore: time.Now().Unix() + 1e6})
		})
		return ring
	}
	path := filepath.Join(dir, "keys.json")
	// As the kubelet does it: keys.json → ..data/keys.json, ..data → ..2026_11_24.
	mount := func(name string, r *signet.Keyring) {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		written(t, filepath.Join(dir, name, "keys.json"), r)
		require.NoError(t, os.Symlink(name, filepath.Join(dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	mount("..1", ring)
	require.NoError(t, os.Symlink("..data/keys.json", path))
	keys, seen := fileWatched(t, path)
	has := func(n int) func() bool { return func() bool { return len(keys.Keys()) == n } }

	for i := range 10 {
		mount(fmt.Sprintf("..%d", i+2), grow())
		eventually(t, "a symlink swapped, as a Kubernetes Secret is", has(3+i))
	}
	require.NoError(t, os.Remove(path))
	eventually(t, "the file is missing", func() bool { return seen.count("reload-failed") > 0 })
	written(t, path+".new", grow())
	require.NoError(t, os.Rename(path+".new", path))
	eventually(t, "a rename", has(13))
	text := signet.Must(grow().SecretJWKS())
	require.NoError(t, os.WriteFile(path, text[:len(text)/2], 0o600))
	failed := seen.count("reload-failed")
	eventually(t, "half of it is written", func() bool { return seen.count("reload-failed") > failed })
	require.Len(t, keys.Keys(), 13)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	eventually(t, "and then the rest", has(14))
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	failed = seen.count("reload-failed")
	eventually(t, "a folder in its place", func() bool { return seen.count("reload-failed") > failed })
	require.Len(t, keys.Keys(), 14)
}

func TestPermissionLostKeepsTheRing(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read every file; the folder in the file's place is this case for root")
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	written(t, path, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))))
	keys, seen := fileWatched(t, path)
	require.NoError(t, os.Chmod(path, 0))
	eventually(t, "permission lost", func() bool { return seen.count("reload-failed") > 0 })
	require.Len(t, keys.Keys(), 1)
}

func TestAFileCutAnywhereIsNoRing(t *testing.T) {
	text := signet.Must(next(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))), time.Now()).SecretJWKS())
	whole := bytes.TrimSpace(text)
	for n := range len(whole) {
		_, err := signet.ParseKeyring(whole[:n])
		require.Error(t, err, "cut after %d bytes", n)
	}
}

func TestAProgramWithABrokenSourceEndsAtItsStart(t *testing.T) {
	dir := t.TempDir()
	secret := signet.Must(signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))).SecretEnv())
	file := func(text string) func(context.Context) (*signet.Keyring, error) {
		path := filepath.Join(t.TempDir(), "keys.json")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return signet.FromFile(path)
	}
	t.Setenv("EMPTY", "")
	t.Setenv("CUT", secret[:30])
	rows := []struct {
		name string
		load func(context.Context) (*signet.Keyring, error)
		want string
	}{
		{"no file", signet.FromFile(filepath.Join(dir, "none.json")), "such file"}, // GOOS=js says "No such file"
		{"a folder", signet.FromFile(dir), "cannot read the key file"},
		{"an empty file", file(""), "the text is empty"},
		{"a cut file", file(`{"keys": [`), "line 1"},
		{"a file far too large", file(strings.Repeat(" ", 2<<20)), "over the limit"},
		{"no variable", signet.FromEnv("SIGNET_NONE"), "SIGNET_NONE is not set; set it to the output of: signet keys new -env"},
		{"an empty variable", signet.FromEnv("EMPTY"), "(in EMPTY)"},
		{"a cut variable", signet.FromEnv("CUT"), "was the paste cut short?"},
		{"keys in place of a path", signet.FromFile(secret), "use ParseKeyring"},
		{"keys in place of a variable's name", signet.FromEnv(secret), "use ParseKeyring"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := row.load(t.Context())
			require.ErrorContains(t, err, row.want)
			require.NotContains(t, err.Error(), secret[11:30])
		})
	}
	t.Setenv("GOOD", secret)
	require.NotNil(t, signet.Must(signet.FromEnv("GOOD")(t.Context())))
}

// malformed are key files that are none. S is 32 random bytes in base64url, and I their id.
var malformed = []struct{ name, file, want string }{
	{"blanks alone", " \n\t ", "empty"},
	{"a bare value", `42`, "not a signet key"},
	{"an array", `[]`, `put it into {"keys"`},
	{"a string", `"S"`, "not a signet key"},
	{"an object without keys", `{}`, "empty"},
	{"no keys", `{"keys": []}`, "empty"},
	{"keys that are null", `{"keys": null}`, `"keys"`},
	{"keys that are an object", `{"keys": {}}`, `"keys"`},
	{"a key that is text", `{"keys": ["S"]}`, "key 1: not a JWK"},
	{"a key that is null", `{"keys": [null]}`, "key 1"},
	{"an empty key", `{"keys": [{}]}`, "key 1"},
	{"no kty", `{"keys": [{"k": "S", "alg": "signet-v1"}]}`, "kty"},
	{"an RSA key", `{"keys": [{"kty": "RSA", "n": "S"}]}`, "key 1"},
	{"no k", `{"keys": [{"kty": "oct", "alg": "signet-v1"}]}`, "key 1"},
	{"a k that is a number", `{"keys": [{"kty": "oct", "k": 5, "alg": "signet-v1"}]}`, `"k" must be text`},
	{"no alg", `{"keys": [{"kty": "oct", "k": "S"}]}`, "alg must be"},
	{"JOSE's alg", `{"keys": [{"kty": "oct", "k": "S", "alg": "A256GCM"}]}`, "alg must be"},
	{"a padded k", `{"keys": [{"kty": "oct", "k": "S=", "alg": "signet-v1"}]}`, "without padding"},
	{"a k with a blank", `{"keys": [{"kty": "oct", "k": " S", "alg": "signet-v1"}]}`, "without padding"},
	{"a k that was cut", `{"keys": [{"kty": "oct", "k": "Q0FGRUJBQkU", "alg": "signet-v1"}]}`, "not 32"},
	{"two secrets in one", `{"keys": [{"kty": "oct", "k": "SS", "alg": "signet-v1"}]}`, "key 1"},
	{"a passphrase", `{"keys": [{"kty": "oct", "k": "correct horse battery staple", "alg": "signet-v1"}]}`, "key 1"},
	{"zeroes", `{"keys": [{"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "alg": "signet-v1"}]}`, "signet keys new"},
	{"another key's kid", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "kid": "0badc0de"}]}`, "kid 0badc0de"},
	{"a kid that is none", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "kid": "main"}]}`, "8 lower-case hexadecimal"},
	{"a kid in capitals", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "kid": "0BADC0DE"}]}`, "8 lower-case hexadecimal"},
	{"a key twice", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}, {"kty": "oct", "k": "S", "alg": "signet-v1"}]}`, "I) is in the ring twice"},
	{"a misspelt member", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "expires": 1}]}`, `unknown member "expires"`},
	{"a member in capitals", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "EXP": 1}]}`, `unknown member "EXP"`},
	{"a secret as a member's name", `{"keys": [{"S": 1}]}`, "a long name"},
	{"a member twice", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "nbf": 1, "nbf": 2}]}`, `"nbf" is there twice`},
	{"a time as text", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "nbf": "1790000000"}]}`, `"nbf" must be a time`},
	{"a time in milliseconds", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "nbf": 1790000000000}]}`, `"nbf" must be a time`},
	{"a negative time", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "iat": -1}]}`, `"iat" must be a time`},
	{"a time with a fraction", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "exp": 1.5}]}`, `"exp" must be a time`},
	{"an exp of 0", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "exp": 0}]}`, "without end"},
	{"an exp before nbf", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "nbf": 9, "exp": 8}]}`, "I: exp (8) is not after nbf (9)"},
	{"every key expired", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1", "exp": 9}]}`, "expired or is revoked"},
	{"every key revoked", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "revoked": ["I"]}`, "expired or is revoked"},
	{"a revoked id that is none", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "revoked": ["leaked"]}`, `"revoked"`},
	{"revoked as text", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "revoked": "0badc0de"}`, `"revoked": must be an array`},
	{"a policy of numbers", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "policy": {"life": 24}}`, `"life": write a duration as text`},
	{"a policy of an unknown word", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "policy": {"lifetime": "24h"}}`, `unknown policy member "lifetime"`},
	{"a policy in days", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "policy": {"period": "30d"}}`, "policy period"},
	{"a negative policy", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "policy": {"skew": "-5m"}}`, "policy skew"},
	{"a period below propagation", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "policy": {"period": "10m"}}`, "shorter than propagation"},
	{"a rate as text", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "policy": {"rate": "9"}}`, "policy rate"},
	{"a rate beyond the budget", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "policy": {"rate": 5000}}`, "2^32"},
	{"a generation as text", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "generation": "7"}`, `"generation": must be a whole number`},
	{"a negative generation", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "generation": -7}`, `"generation": must be a whole number`},
	{"an unknown member of the set", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}], "comment": "x"}`, `"comment"`},
	{"a single JWK", `{"kty": "oct", "k": "S", "alg": "signet-v1"}`, "this is a single JWK"},
	{"two sets", `{"keys": [{"kty": "oct", "k": "S", "alg": "signet-v1"}]} {"keys": []}`, "something follows"},
	{"a comma too many", "{\"keys\": [\n{\"kty\": \"oct\", \"k\": \"S\",\n\"alg\": \"signet-v1\",}]}", "line "},
	{"a quote that does not end", "{\"keys\": [\n{\"kty\": \"oct\", \"k\": \"S", "broken JSON near line"},
	{"a comment", "// keys\n{\"keys\": []}", "not a signet key"},
	{"YAML", "keys:\n- S\n", "not a signet key"},
	{"PEM", "-----BEGIN PRIVATE KEY-----\nS\n-----END PRIVATE KEY-----\n", "not a signet key"},
	{"a merge conflict", "<<<<<<< HEAD\n{\"keys\": []}\n", "not a signet key"},
	{"bare bytes in base64", "S", "it looks like 32 bytes in base64"},
	{"a short key that was cut", "signetkey1_S", "was the paste cut short?"},
	{"a short key of no version", "signetkey9_S", "not a signet key"},
	{"an end of a key that is not there", "signetkey exp=0badc0de:1790000000", "not a signet key"},
	{"binary", "\x00\x01\x02\xff", "not a signet key"},
}

func TestAMalformedFileLeavesTheRunningRingUntouched(t *testing.T) {
	require.Greater(t, len(malformed), 40)
	key := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	jwks := string(signet.Must(key.SecretJWKS()))
	_, rest, _ := strings.Cut(jwks, `"k": "`)
	secret := rest[:43]
	path := filepath.Join(t.TempDir(), "keys.json")
	watch(t, time.Minute, func(t *testing.T, w *watched) {
		before := w.keys.Keys()
		for _, row := range malformed {
			file := strings.NewReplacer("S", secret, "I", key.Keys()[0].ID).Replace(row.file)
			file = strings.ReplaceAll(file, "R"+secret+"A", "RSA") // the one word with an S
			require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
			next, err := signet.FromFile(path)(t.Context())
			require.Nil(t, next, row.name)
			want := strings.ReplaceAll(row.want, "I)", key.Keys()[0].ID+")")
			want = strings.ReplaceAll(want, "I:", key.Keys()[0].ID+":")
			assert.ErrorContains(t, err, want, row.name)
			require.NotContains(t, err.Error(), secret[:12], row.name)
			raw := signet.Must(base64.RawURLEncoding.DecodeString(secret))
			require.NotContains(t, err.Error(), fmt.Sprintf("%x", raw[:6]), row.name)

			failed := w.count("reload-failed")
			w.fail(err)
			w.sleep(time.Minute)
			require.Greater(t, w.count("reload-failed"), failed, row.name)
			require.Equal(t, before, w.keys.Keys(), row.name)
		}
	})
}
