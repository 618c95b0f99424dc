package signet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// next is what the ring's policy makes of it at now.
func next(t testing.TB, ring *signet.Keyring, now time.Time) *signet.Keyring {
	t.Helper()
	got, err := ring.Policy().Next(ring, signet.GenerateKey(time.Time{}), now)
	require.NoError(t, err)
	return got
}

// The times of the zero Policy.
const (
	spread = time.Hour + 5*time.Minute  // P + S
	tail   = 24*time.Hour + time.Minute // L + ε
	period = 30 * 24 * time.Hour
	skew   = 5 * time.Minute
)

// ringOf is a ring made at now, rotated once.
func ringOf(t testing.TB, now time.Time) (one, two *signet.Keyring) {
	t.Helper()
	first := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	one, err := signet.Edit(first, now.Unix(), func(e *signet.RingEdit) { e.Keys[0].Issued = now.Unix() })
	require.NoError(t, err)
	return one, next(t, one, now)
}

func TestNextKeepsOneKeyAhead(t *testing.T) {
	now := time.Now().Truncate(time.Second).UTC()
	_, two := ringOf(t, now)
	keys := two.Keys()
	require.Len(t, keys, 2)
	require.True(t, keys[0].Sealing)
	require.Equal(t, now.Add(period), keys[1].NotBefore, "the next one seals when the period is over")
	require.Equal(t, now, keys[1].Issued)
	require.Equal(t, now.Add(period+tail+skew), keys[0].Expires, "and this one lives for period + L + ε + S")
	require.True(t, keys[1].Expires.IsZero())
	require.EqualValues(t, 1, two.Generation())
}

func TestNextOverALifeOfKeys(t *testing.T) {
	now := time.Now().Truncate(time.Second).UTC()
	_, ring := ringOf(t, now)
	steps := []struct {
		name  string
		after time.Duration
		keys  int
	}{
		{"a minute later there is nothing to do", time.Minute, 0},
		{"the day before the second seals, neither", period - 24*time.Hour, 0},
		{"when it seals, a third is published", period, 3},
		{"a second before the first has ended everywhere it stays", period + tail + skew - time.Second, 0},
		{"then it is dropped", period + tail + skew, 2},
		{"after a year without cron the next one is published, and what ended is dropped", 12 * period, 2},
	}
	for _, step := range steps {
		at := now.Add(step.after)
		got := next(t, ring, at)
		require.NoError(t, got.Policy().Check(ring, got, at), step.name)
		if step.keys == 0 {
			require.Same(t, ring, got, step.name)
			continue
		}
		require.Len(t, got.Keys(), step.keys, step.name)
		require.Equal(t, ring.Generation()+1, got.Generation(), step.name)
		ring = got
	}
	last := ring.Keys()[1]
	require.Equal(t, now.Add(12*period+spread), last.NotBefore, "late, it seals no sooner than everybody knows it")
}

func TestHastenBringsTheNextKeyForward(t *testing.T) {
	now := time.Now().Truncate(time.Second).UTC()
	one, two := ringOf(t, now)
	hasten := func(r *signet.Keyring, at time.Time) *signet.Keyring {
		got := signet.Must(r.Policy().Hasten(r, signet.GenerateKey(time.Time{}), at))
		require.NoError(t, got.Policy().Check(r, got, at))
		return got
	}
	require.Equal(t, now.Add(spread), hasten(one, now).Keys()[1].NotBefore)
	require.Equal(t, now.Add(spread), hasten(two, now.Add(time.Minute)).Keys()[1].NotBefore, "from its publication on")
	require.Equal(t, now.Add(48*time.Hour), hasten(two, now.Add(48*time.Hour)).Keys()[1].NotBefore, "which is now, if that was long ago")
}

func TestNextRefuses(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	fresh := signet.GenerateKey(time.Time{})
	_, err := signet.Policy{}.Next(ring, signet.Key{}, time.Now())
	require.ErrorContains(t, err, "GenerateKey")
	_, err = signet.Policy{}.Next(new(signet.Keyring), fresh, time.Now())
	require.Error(t, err)
	_, err = signet.Policy{Period: time.Minute}.Next(ring, fresh, time.Now())
	require.ErrorContains(t, err, "shorter than propagation and skew")
	two := signet.Must(signet.Policy{}.Next(ring, fresh, time.Now()))
	_, err = signet.Policy{}.Next(two, fresh, time.Now())
	require.ErrorContains(t, err, "in the ring already")
	_, err = signet.Policy{}.Revoke(ring, fresh, time.Now(), "main")
	require.ErrorContains(t, err, "8 lower-case hexadecimal digits")
}

func TestRevoke(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	one, two := ringOf(t, now)
	later := now.Add(2 * time.Hour) // everybody knows the second
	rows := []struct {
		name   string
		ring   *signet.Keyring
		ids    []string
		seals  string // "" is a fresh one
		silent bool
	}{
		{"of the key that seals: the one that waits takes over", two, []string{two.Keys()[0].ID}, two.Keys()[1].ID, true},
		{"of the key that waits: another one waits", two, []string{two.Keys()[1].ID}, two.Keys()[0].ID, true},
		{"of a key that is gone", two, []string{"0badc0de"}, two.Keys()[0].ID, true},
		{"of the only key: a fresh one, which nobody knows yet", one, []string{one.Keys()[0].ID}, "", false},
		{"of all", two, []string{two.Keys()[0].ID, two.Keys()[1].ID}, "", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			fresh := signet.GenerateKey(time.Time{})
			got, err := row.ring.Policy().Revoke(row.ring, fresh, later, row.ids...)
			require.NoError(t, err)
			got.SetClock(func() time.Time { return later })
			if row.seals == "" {
				row.seals = fresh.ID()
			}
			require.Equal(t, row.seals, sealingKey(got))
			require.Equal(t, row.silent, got.Policy().Check(row.ring, got, later) == nil)
			require.Equal(t, row.ring.Generation()+1, got.Generation())
			text := string(signet.Must(got.SecretJWKS()))
			for _, id := range row.ids {
				require.Contains(t, text, `"`+id+`"`, "the id stays")
				require.NotContains(t, text, `"kid": "`+id+`"`, "the key does not")
			}
		})
	}
}

func TestCheckNamesTheKeyTheBoundAndTheCure(t *testing.T) {
	now := time.Now().Truncate(time.Second).UTC()
	one, two := ringOf(t, now)
	second := next(t, two, now.Add(period)) // three keys; the second seals
	hastened := signet.Must(two.Policy().Hasten(two, signet.GenerateKey(time.Time{}), now.Add(48*time.Hour)))
	rows := []struct {
		name  string
		old   *signet.Keyring
		after time.Duration
		edit  func(*signet.RingEdit)
		kind  string // empty: nothing is found
		by    time.Duration
		text  string
	}{
		{"nothing changed", two, 0, func(e *signet.RingEdit) { e.Generation-- }, "", 0, ""},
		{"a key that seals in P + S", one, 0, func(e *signet.RingEdit) {
			e.Keys = append(e.Keys, signet.KeyTimes{Key: signet.GenerateKey(time.Time{}), NotBefore: now.Add(spread).Unix()})
			e.Keys[0].NotAfter = now.Add(spread + tail).Unix()
		}, "", 0, ""},
		{"a key that seals a second sooner", one, 0, func(e *signet.RingEdit) {
			e.Keys = append(e.Keys, signet.KeyTimes{Key: signet.GenerateKey(time.Time{}), NotBefore: now.Add(spread).Unix() - 1})
		}, "early", time.Second, "1s before every instance knows it; let it seal from"},
		{"a key dropped when the last token of it has ended, by any clock", second, period + tail + skew, func(e *signet.RingEdit) { e.Keys = e.Keys[1:] }, "", 0, ""},
		{"a key dropped a second sooner", second, period + tail + skew - time.Second, func(e *signet.RingEdit) { e.Keys = e.Keys[1:] }, "dropped", time.Second, "drop it 1s later"},
		{"a key dropped before the end that the file gave it, since an instance may still seal as before the next was hastened", hastened, 48*time.Hour + tail + skew,
			func(e *signet.RingEdit) { e.Keys = e.Keys[1:] }, "dropped", period - 48*time.Hour, "tokens of it live until"},
		{"the key that seals dropped", one, 0, func(e *signet.RingEdit) {
			e.Keys = []signet.KeyTimes{{Key: signet.GenerateKey(time.Time{}), NotBefore: now.Add(spread).Unix()}}
		}, "early", spread + skew, "before every instance knows it"},
		{"an end a second too soon", one, 0, func(e *signet.RingEdit) {
			e.Keys = append(e.Keys, signet.KeyTimes{Key: signet.GenerateKey(time.Time{}), NotBefore: now.Add(spread).Unix()})
			e.Keys[0].NotAfter = now.Add(spread+tail).Unix() - 1
		}, "short", time.Second, "let it end 1s later (exp"},
		{"an end sooner than the file said", two, 0, func(e *signet.RingEdit) { e.Keys[0].NotAfter = now.Add(period+tail).Unix() - 1 }, "short", skew + time.Second, "let it end 5m1s later (exp"},
		{"an end and no successor", one, 0, func(e *signet.RingEdit) { e.Keys[0].NotAfter = now.Add(period).Unix() }, "short", tail, "signet keys rotate FILE does"},
		{"a lone key that is to seal later", one, 0, func(e *signet.RingEdit) { e.Keys[0].NotBefore = now.Add(period).Unix() }, "ahead", 0, "is a key missing from the file?"},
		{"another alg", two, 0, func(e *signet.RingEdit) { e.Keys[0].ChaCha = true }, "algorithm", 0, "add a new key of the other alg instead"},
		{"a lower life", two, 0, func(e *signet.RingEdit) { e.Policy.Life = time.Hour }, "policy", 23 * time.Hour, "policy life goes from 24h to 1h"},
		{"a lower skew", two, 0, func(e *signet.RingEdit) { e.Policy.Skew = time.Minute }, "policy", 4 * time.Minute, "policy skew goes from 5m to 1m"},
		{"a lower leeway", two, 0, func(e *signet.RingEdit) { e.Policy.Leeway = time.Second }, "policy", 59 * time.Second, "policy leeway goes from 1m to 1s"},
		{"a higher life", two, 0, func(e *signet.RingEdit) { e.Policy.Life = 25 * time.Hour; e.Keys[0].NotAfter += 3600 }, "", 0, ""},
		{"an older generation", two, 0, func(e *signet.RingEdit) { e.Generation -= 2 }, "generation", 0, "set it to 2"},
		{"the same generation, changed", two, 0, func(e *signet.RingEdit) { e.Generation--; e.Policy.Life = 48 * time.Hour; e.Keys[0].NotAfter += 90000 }, "generation", 0, "set it to 2"},
		{"17 keys", two, 0, func(e *signet.RingEdit) {
			for i := range int64(15) {
				e.Keys = append(e.Keys, signet.KeyTimes{Key: signet.GenerateKey(time.Time{}), NotBefore: now.Add(period).Unix() - 1 - i, NotAfter: now.Add(3 * period).Unix()})
			}
		}, "crowded", 0, "17 keys"},
		{"a key that seals more JWEs than it may", two, 0, func(e *signet.RingEdit) {
			e.Policy.Rate = 1500
			e.Keys[1].NotBefore += 20 * 24 * 3600
			e.Keys[0].NotAfter += 20 * 24 * 3600
		}, "budget", 0, "at 1500 JWEs a second"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			at := now.Add(row.after)
			changed, err := signet.Edit(row.old, at.Unix(), func(e *signet.RingEdit) { e.Generation++; row.edit(e) })
			require.NoError(t, err)
			err = changed.Policy().Check(row.old, changed, at)
			if row.kind == "" {
				require.NoError(t, err)
				return
			}
			f := found(t, err).Findings[0]
			require.Equal(t, row.kind, f.Kind, f.Text)
			require.Contains(t, f.String(), row.text)
			if row.by != 0 {
				require.Equal(t, row.by, f.By, f.Text)
			}
			if f.KeyID != "" {
				require.Contains(t, err.Error(), "key "+f.KeyID)
			}
		})
	}
}

func TestCheckOfOneRing(t *testing.T) {
	now := time.Now()
	one, two := ringOf(t, now)
	require.NoError(t, signet.Policy{}.Check(nil, two, now))
	require.NoError(t, signet.Policy{}.Check(one, one, now))
	gone, err := signet.Edit(two, now.Unix(), func(e *signet.RingEdit) {
		e.Keys[0].NotAfter = now.Add(time.Hour).Unix()
		e.Keys[1].NotBefore = now.Add(time.Minute).Unix()
		e.Keys[1].NotAfter = now.Add(2 * time.Hour).Unix()
	})
	require.NoError(t, err)
	kinds := map[string]bool{}
	for _, f := range found(t, signet.Policy{}.Check(nil, gone, now)).Findings {
		kinds[f.Kind] = true
	}
	require.Equal(t, map[string]bool{"gap": true, "short": true}, kinds)
	require.Error(t, signet.Policy{}.Check(nil, new(signet.Keyring), now))
	require.Error(t, signet.Policy{Life: -1}.Check(nil, one, now))
}

func TestAnUnrevokedKeyIsFound(t *testing.T) {
	now := time.Now()
	_, two := ringOf(t, now)
	revoked := signet.Must(two.Policy().Revoke(two, signet.GenerateKey(time.Time{}), now, "0badc0de"))
	again := signet.Must(signet.Edit(revoked, now.Unix(), func(e *signet.RingEdit) { e.Generation++; e.Revoked = nil }))
	f := found(t, again.Policy().Check(revoked, again, now)).Findings
	require.Equal(t, "unrevoked", f[0].Kind)
	require.Equal(t, "0badc0de", f[0].KeyID)
}

func TestThePolicyAndTheConfigCannotDisagree(t *testing.T) {
	for _, life := range []time.Duration{0, time.Minute, 24 * time.Hour, 90*24*time.Hour + time.Nanosecond} {
		cfg := signet.Config{Lifetime: life}
		keys := signet.Must(signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))).WithPolicy(cfg.Policy()))
		_, err := signet.New[map[string]string](keys, cfg)
		require.NoError(t, err)
		require.Zero(t, cfg.Policy().Life%time.Second)
	}
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	_, err := signet.New[map[string]string](keys, signet.Config{Lifetime: 720 * time.Hour})
	require.ErrorContains(t, err, `set "policy": {"life": "720h"} in the key file`)
}

func TestTheSealBudgetOfJWE(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	rows := []struct {
		name   string
		policy signet.Policy
		format signet.Format
		fails  bool
	}{
		{"the default period is within it", signet.Policy{}, signet.JWE, false},
		{"90 days at the default rate are not", signet.Policy{Period: 90 * 24 * time.Hour}, signet.JWE, true},
		{"at a lower rate they are", signet.Policy{Period: 90 * 24 * time.Hour, Rate: 500}, signet.JWE, false},
		{"the compact format has none", signet.Policy{Period: 90 * 24 * time.Hour}, signet.Compact, false},
		{"nor has key wrap", signet.Policy{Period: 90 * 24 * time.Hour}, signet.JWEKeyWrap, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			keys := signet.Must(ring.WithPolicy(row.policy))
			_, err := signet.New[map[string]string](keys, signet.Config{Format: row.format})
			if !row.fails {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, `"period": "1193h"`)
		})
	}
	_, err := ring.WithPolicy(signet.Policy{Rate: 5000})
	require.ErrorContains(t, err, "2^32", "a rate that the file states is held to, whatever the format")
}

func TestTheShortFormSaysEverythingThatTheFileSays(t *testing.T) {
	_, two := ringOf(t, time.Now())
	two = signet.Must(two.WithPolicy(signet.Policy{Life: time.Hour, Rate: 7}))
	two = signet.Must(two.Policy().Revoke(two, signet.GenerateKey(time.Time{}), time.Now(), "0badc0de"))
	short := signet.Must(two.SecretEnv())
	back := signet.Must(signet.ParseKeyring([]byte(short)))
	require.Equal(t, string(signet.Must(two.SecretJWKS())), string(signet.Must(back.SecretJWKS())))
	id := two.Keys()[0].ID
	for _, row := range []struct{ name, more, want string }{
		{"an end of a key that is not there", "exp=0badc0d1:1790000000", "which is not there"},
		{"an end twice", "exp=" + id + ":1990000000", "exp of key " + id + " is there twice"},
		{"a publication twice", "iat=" + id + ":1790000000", "iat of key " + id + " is there twice"},
		{"an end that is no time", "exp=" + id + ":soon", "whole Unix seconds"},
		{"an end of no key", "exp=1790000000", "8 lower-case hexadecimal"},
	} {
		_, err := signet.ParseKeyring([]byte(short + " " + row.more))
		require.ErrorContains(t, err, row.want, row.name)
	}
}
