package etcd_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/contrib/etcd"
)

const path = "/shop/signet-keys"

// log is what was logged so far.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// follower is an instance that follows the keys.
type follower struct {
	t    testing.TB
	keys *signet.Keyring
	log  *log
}

func follow(t testing.TB, client *clientv3.Client) follower {
	t.Helper()
	f := follower{t: t, log: new(log)}
	s := etcd.Source{Client: client, Key: path, Logger: slog.New(slog.NewTextHandler(f.log, nil))}
	keys, err := s.Load(t.Context())
	require.NoError(t, err)
	f.keys = keys
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Follow(ctx, keys) }()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
	return f
}

// reaches waits until the instance opens what the newest ring seals.
func (f follower) reaches(ring *signet.Keyring) {
	f.t.Helper()
	token, err := ring.Seal("p", []byte("x"), time.Hour)
	require.NoError(f.t, err)
	require.Eventually(f.t, func() bool {
		_, err := f.keys.Open("p", token)
		return err == nil
	}, 30*time.Second, 5*time.Millisecond, "log: %s", f.log)
}

// newRing is a file of generation 1.
func newRing(t testing.TB) *signet.Keyring {
	text, err := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))).SecretJWKS()
	require.NoError(t, err)
	return signet.Must(signet.ParseKeyring([]byte(strings.Replace(string(text), "\n}", ",\n  \"generation\": 1\n}", 1))))
}

func put(t testing.TB, client *clientv3.Client, value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := client.Put(ctx, path, value)
	require.NoError(t, err)
}

func text(t testing.TB, ring *signet.Keyring) string {
	b, err := ring.SecretJWKS()
	require.NoError(t, err)
	return string(b)
}

// waitForKeys waits until the instance holds n keys.
func waitForKeys(t testing.TB, f follower, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(f.keys.Keys()) == n }, 30*time.Second, 5*time.Millisecond, "log: %s", f.log)
}

func TestAChangeReachesEveryInstance(t *testing.T) {
	m := cluster(t, 1)[0]
	client := m.connect()
	source := etcd.Source{Client: client, Key: path}

	_, err := source.Load(t.Context())
	require.ErrorContains(t, err, "is not there; create it: signet keys new")
	ring := newRing(t)
	done, err := source.Create(t.Context(), ring)
	require.NoError(t, err)
	require.True(t, done)
	done, err = source.Create(t.Context(), newRing(t))
	require.NoError(t, err)
	require.False(t, done, "what is there is not overwritten")

	cut := newCable(t, m.client)
	direct, wired := follow(t, client), follow(t, connect(t, cut.url()))
	direct.reaches(ring)
	wired.reaches(ring)

	second := grown(t, ring, 2)
	put(t, client, text(t, second))
	waitForKeys(t, direct, 2)
	waitForKeys(t, wired, 2)

	t.Run("damaged, older and deleted values change nothing", func(t *testing.T) {
		before := fmt.Sprint(direct.keys)
		for _, bad := range []struct{ value, logged string }{
			{"", "the text is empty"},
			{text(t, second)[:300], "broken JSON"},
			{`{"keys": []}`, "the ring is empty"},
			{text(t, ring), "generation 1 follows 2"},
		} {
			put(t, client, bad.value)
			require.Eventually(t, func() bool { return strings.Contains(direct.log.String(), bad.logged) }, 10*time.Second, 5*time.Millisecond, bad.logged)
			require.Equal(t, before, fmt.Sprint(direct.keys))
		}
		_, err := client.Delete(t.Context(), path)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return strings.Contains(direct.log.String(), "deleted from etcd") }, 10*time.Second, 5*time.Millisecond)
		require.Equal(t, before, fmt.Sprint(direct.keys))
		k := strings.Split(text(t, second), `"k": "`)
		for _, part := range k[1:] {
			require.NotContains(t, direct.log.String(), part[:20], "no key in a log")
		}
	})

	t.Run("a disconnection is survived", func(t *testing.T) {
		cut.set(true)
		third := grown(t, second, 3)
		put(t, client, text(t, third))
		waitForKeys(t, direct, 3)
		require.Len(t, wired.keys.Keys(), 2)
		cut.set(false)
		waitForKeys(t, wired, 3)
		second = third
	})

	t.Run("a compaction meanwhile is survived", func(t *testing.T) {
		cut.set(true)
		fourth := grown(t, second, 4)
		put(t, client, text(t, second))
		put(t, client, text(t, fourth))
		got, err := client.Get(t.Context(), path)
		require.NoError(t, err)
		_, err = client.Compact(t.Context(), got.Header.Revision)
		require.NoError(t, err)
		cut.set(false)
		waitForKeys(t, wired, 4)
		second = fourth
	})

	t.Run("a server that is killed and started again is survived", func(t *testing.T) {
		m.kill()
		m.start(binary(t))
		m.ready()
		put(t, client, text(t, grown(t, second, 5)))
		waitForKeys(t, direct, 5)
		waitForKeys(t, wired, 5)
	})
}

// grown adds a key and counts the generation up, as an operator does by hand.
func grown(t testing.TB, ring *signet.Keyring, generation int) *signet.Keyring {
	file := text(t, ring)
	extra := text(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Now().Add(40*24*time.Hour)))))
	key := extra[strings.Index(extra, "[")+1 : strings.LastIndex(extra, "]")]
	file = strings.Replace(file, `"keys": [`, `"keys": [`+key+",", 1)
	at := strings.Index(file, `"generation": `)
	require.Positive(t, at, file)
	end := at + strings.IndexAny(file[at:], "\n,}")
	return signet.Must(signet.ParseKeyring([]byte(file[:at] + fmt.Sprintf(`"generation": %d`, generation) + file[end:])))
}

func TestAChangeOfLeaderIsSurvived(t *testing.T) {
	members := cluster(t, 3)
	var endpoints []string
	for _, m := range members {
		endpoints = append(endpoints, m.client)
	}
	client := connect(t, endpoints...)
	source := etcd.Source{Client: client, Key: path}
	ring := newRing(t)
	_, err := source.Create(t.Context(), ring)
	require.NoError(t, err)
	f := follow(t, connect(t, endpoints...))

	status, err := client.Status(t.Context(), members[0].client)
	require.NoError(t, err)
	var leader, other *member
	for _, m := range members {
		own, err := client.Status(t.Context(), m.client)
		require.NoError(t, err)
		if own.Header.MemberId == status.Leader {
			leader = m
		} else {
			other = m
		}
	}
	leader.kill()
	rest := connect(t, other.client)
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := rest.Put(ctx, path, text(t, grown(t, ring, 2)))
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)
	waitForKeys(t, f, 2)
}

func TestEightRotationsAtOnceNeverEndWithTwoFutures(t *testing.T) {
	m := cluster(t, 1)[0]
	ring := newRing(t)
	source := etcd.Source{Client: m.connect(), Key: path}
	_, err := source.Create(t.Context(), ring)
	require.NoError(t, err)
	now := time.Now()
	for step := range 6 {
		now = now.Add(29*24*time.Hour + 22*time.Hour) // when the next one must be published
		var all sync.WaitGroup
		wrote := make([]bool, 8)
		for i := range wrote {
			all.Go(func() {
				own := etcd.Source{Client: m.connect(), Key: path}
				done, err := own.Rotate(t.Context(), now)
				if err != nil {
					t.Error(err)
				}
				wrote[i] = done
			})
		}
		all.Wait()
		winners := 0
		for _, w := range wrote {
			if w {
				winners++
			}
		}
		require.Equal(t, 1, winners, "step %d", step)
		got, err := source.Load(t.Context())
		require.NoError(t, err)
		future := 0
		for _, k := range got.Keys() {
			if k.NotBefore.After(now) {
				future++
			}
		}
		require.LessOrEqual(t, future, 1, "step %d", step)
	}
}

func TestASourceThatDoesNotAnswerFailsWithTheReason(t *testing.T) {
	binary(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	s := etcd.Source{Client: connect(t, freeURL(t)), Key: path}
	_, err := s.Load(ctx)
	require.ErrorContains(t, err, "etcd: reading "+path)
	_, err = s.Rotate(ctx, time.Now())
	require.ErrorContains(t, err, "etcd: reading "+path)
}
