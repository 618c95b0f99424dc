package signet_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// store is a source that a test steers.
type store struct {
	ring  atomic.Pointer[signet.Keyring]
	err   atomic.Pointer[error]
	hang  atomic.Bool
	loads atomic.Int64
}

func (s *store) load(ctx context.Context) (*signet.Keyring, error) {
	s.loads.Add(1)
	if s.hang.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := s.err.Load(); err != nil {
		return nil, *err
	}
	return s.ring.Load(), nil
}

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

func TestWatchTakesOverAndKeepsTheLastGoodRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
		keys.SetObserver(new(told))
		s := new(store)
		s.ring.Store(keys)
		ended := make(chan error)
		go func() { ended <- keys.Watch(ctx, time.Minute, s.load) }()
		synctest.Wait()
		require.EqualValues(t, 1, s.loads.Load())

		second := next(t, keys, time.Now())
		s.ring.Store(second)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, keys.Keys(), 2)

		broken := errors.New("gone")
		s.err.Store(&broken)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Len(t, keys.Keys(), 2)
		age, err := keys.Staleness()
		require.ErrorIs(t, err, broken)
		require.Greater(t, age, 9*time.Minute)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}
