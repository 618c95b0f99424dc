// Package etcd keeps the keyring of a fleet in etcd: one key of etcd holds the whole key file,
// each instance follows it by a watch, and a rotation is a compare-and-swap.
//
//	source := etcd.Source{Client: client, Key: "/shop/signet-keys"}
//	keys, err := source.Load(ctx) // at start-up: fails with the reason
//	…
//	go source.Follow(ctx, keys)
//
// It is a module of its own, so that etcd's client reaches only those who use it.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/signet-go/signet"
)

// Source is a key file in etcd. Its methods are safe for concurrent use.
//
// Whoever can read Key has the master keys: give the instances read permission on it alone, and
// write permission to what rotates.
type Source struct {
	Client *clientv3.Client
	Key    string       // its value is a key file, as `signet keys new` prints it
	Logger *slog.Logger // nil is slog.Default
}

// The longest that one request to etcd may take, and the pause after one that failed.
const (
	requestTimeout = 5 * time.Second
	firstPause     = 100 * time.Millisecond
	longestPause   = 5 * time.Second
)

// Load reads the ring. It fails if etcd does not answer within five seconds, if the key is missing and
// if its value is no key file; the error never holds a part of that. It is for start-up, and for
// [signet.Keyring.Watch] as a slow poll beside Follow, which sees what a half-open connection hides.
func (s Source) Load(ctx context.Context) (*signet.Keyring, error) {
	ring, _, err := s.load(ctx)
	return ring, err
}

// load also returns the revision of the answer.
func (s Source) load(ctx context.Context) (*signet.Keyring, revisions, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	got, err := s.Client.Get(ctx, s.Key)
	if err != nil {
		return nil, revisions{}, fmt.Errorf("etcd: reading %s: %w", s.Key, err)
	}
	if len(got.Kvs) == 0 {
		return nil, revisions{store: got.Header.Revision}, fmt.Errorf("etcd: %s is not there; create it: signet keys new | etcdctl put %s", s.Key, s.Key)
	}
	ring, err := signet.ParseKeyring(got.Kvs[0].Value)
	if err != nil {
		err = fmt.Errorf("etcd: %s: %w", s.Key, err)
	}
	return ring, revisions{store: got.Header.Revision, key: got.Kvs[0].ModRevision}, err
}

// revisions are those of the whole store and of the last change of the key.
type revisions struct{ store, key int64 }

// Follow brings keys up to date at each change, within milliseconds, until ctx is done, whose error it
// returns. It survives what etcd does: a lost connection, a restart, a change of leader, a
// compaction; after each it reads the key anew and misses nothing.
//
// A change goes through [signet.Keyring.Update]: a value that is damaged, older, or lacks live keys
// logs nobody out, and a deleted key changes nothing. Each is logged.
func (s Source) Follow(ctx context.Context, keys *signet.Keyring) error {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := s.follow(ctx, keys)
		if ctx.Err() != nil {
			break
		}
		s.logger().WarnContext(ctx, "signet: following the keys in etcd was interrupted; reading them again", "key", s.Key, "error", err)
		if time.Since(began) > longestPause {
			pause = firstPause
		}
		// A fleet that lost its server must not come back all at once.
		wait(ctx, pause/2+rand.N(pause))
		pause = min(2*pause, longestPause)
	}
	return ctx.Err()
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// follow reads once and then watches from the next revision on: a watch alone would not show what
// happened before it.
func (s Source) follow(ctx context.Context, keys *signet.Keyring) error {
	ring, at, err := s.load(ctx)
	switch {
	case err != nil && at.store == 0:
		return err // no answer
	case err != nil:
		s.logger().ErrorContext(ctx, "signet: the keys in etcd cannot be used; the ring stays as it is", "key", s.Key, "error", err)
	default:
		s.update(ctx, keys, ring)
	}
	// Without a leader a member would go on serving an old state in silence.
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for changes := range s.Client.Watch(ctx, s.Key, clientv3.WithRev(at.store+1), clientv3.WithProgressNotify()) {
		if err := changes.Err(); err != nil {
			return err // compacted, or no leader
		}
		for _, e := range changes.Events {
			s.apply(ctx, keys, e)
		}
	}
	return errors.New("etcd: the watch ended")
}

func (s Source) apply(ctx context.Context, keys *signet.Keyring, e *clientv3.Event) {
	if e.Type == clientv3.EventTypeDelete {
		s.logger().ErrorContext(ctx, "signet: the keys were deleted from etcd; the ring stays as it is", "key", s.Key)
		return
	}
	ring, err := signet.ParseKeyring(e.Kv.Value)
	if err != nil {
		s.logger().ErrorContext(ctx, "signet: the keys in etcd cannot be used; the ring stays as it is", "key", s.Key, "error", err)
		return
	}
	s.update(ctx, keys, ring)
}

func (s Source) update(ctx context.Context, keys, ring *signet.Keyring) {
	if err := keys.Update(ring); err != nil {
		s.logger().ErrorContext(ctx, "signet: the new keys in etcd would have lost sessions", "key", s.Key, "error", err)
	}
}

// Create puts ring at the key if nothing is there, and reports whether it did.
func (s Source) Create(ctx context.Context, ring *signet.Keyring) (bool, error) {
	return s.swap(ctx, ring, 0)
}

// The most times that a rotation starts again because somebody else wrote in between.
const maxTries = 16

// Rotate is `signet keys rotate` on the key in etcd: it writes what [signet.Policy.Next] says, if the key is still
// as it was read. It reports whether there was something to do. Any number of machines may
// call it, at once and as often as they like: they never end with two futures.
func (s Source) Rotate(ctx context.Context, now time.Time) (bool, error) {
	for range maxTries {
		ring, at, err := s.load(ctx)
		if err != nil {
			return false, err
		}
		next, err := ring.Policy().Next(ring, ring.FreshKey(), now)
		if err != nil || next == ring {
			return false, err
		}
		if done, err := s.swap(ctx, next, at.key); done || err != nil {
			return done, err
		}
	}
	return false, fmt.Errorf("etcd: %s changed %d times while it was being rotated; who writes it?", s.Key, maxTries)
}

// swap writes ring if the key was last changed at revision, 0 for never.
func (s Source) swap(ctx context.Context, ring *signet.Keyring, revision int64) (bool, error) {
	text, err := ring.SecretJWKS()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	done, err := s.Client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(s.Key), "=", revision)).
		Then(clientv3.OpPut(s.Key, string(text))).
		Commit()
	if err != nil {
		return false, fmt.Errorf("etcd: writing %s: %w", s.Key, err)
	}
	return done.Succeeded, nil
}

func (s Source) logger() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
}
