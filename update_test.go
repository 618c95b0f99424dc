package signet_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// edited is r after an edit by hand, as a new generation.
func edited(t testing.TB, r *signet.Keyring, edit func(*signet.RingEdit)) *signet.Keyring {
	t.Helper()
	next, err := signet.Edit(r, time.Now().Unix(), func(e *signet.RingEdit) { e.Generation++; edit(e) })
	require.NoError(t, err)
	return next
}

// copied is another Keyring of the same contents, as a process has that loads the same file.
func copied(t testing.TB, r *signet.Keyring) *signet.Keyring {
	t.Helper()
	text, err := r.SecretJWKS()
	require.NoError(t, err)
	return signet.Must(signet.ParseKeyring(text))
}

func found(t testing.TB, err error) *signet.UnsafeError {
	t.Helper()
	var unsafe *signet.UnsafeError
	require.True(t, errors.As(err, &unsafe), "got %v, want an UnsafeError", err)
	return unsafe
}

func seal(t testing.TB, r *signet.Keyring) string {
	t.Helper()
	token, err := r.Seal("test", []byte("x"), time.Hour)
	require.NoError(t, err)
	return token
}

func TestUpdate(t *testing.T) {
	never := func(*signet.RingEdit) {}
	rows := []struct {
		name    string
		edit    func(*signet.RingEdit)
		kind    string // of the finding; empty for none
		refused bool
		open    error // what a token of before then gets
		keys    int   // in the ring then
	}{
		{"the same again changes nothing", func(e *signet.RingEdit) { e.Generation-- }, "", false, nil, 2},
		{"a newer generation of the same keys is taken", never, "", false, nil, 2},
		{"a new key is taken", func(e *signet.RingEdit) {
			e.Keys = append(e.Keys, signet.KeyTimes{Key: signet.GenerateKey(time.Time{}), NotBefore: time.Now().Unix() + 1e6})
		}, "", false, nil, 3},
		{"a revocation is obeyed", func(e *signet.RingEdit) { e.Revoked = []string{e.Keys[0].Key.ID()} }, "", false, signet.ErrRevoked, 2},
		{"a key that is missing but was revoked is gone", func(e *signet.RingEdit) {
			e.Revoked, e.Keys = []string{e.Keys[0].Key.ID()}, e.Keys[1:]
		}, "", false, signet.ErrRevoked, 1},
		{"a live key that is missing goes on opening", func(e *signet.RingEdit) { e.Keys = e.Keys[1:] }, "dropped", false, nil, 2},
		{"a live key that was ended by hand goes on opening", func(e *signet.RingEdit) { e.Keys[0].NotAfter = time.Now().Unix() - 10 }, "dropped", false, nil, 2},
		{"a whole other ring opens what was, too", func(e *signet.RingEdit) {
			e.Keys = []signet.KeyTimes{{Key: signet.GenerateKey(time.Time{})}}
		}, "dropped", false, nil, 3},
		{"an older generation is refused", func(e *signet.RingEdit) { e.Generation -= 2; e.Keys = e.Keys[1:] }, "generation", true, nil, 2},
		{"the same generation with other contents is refused", func(e *signet.RingEdit) { e.Generation--; e.Keys = e.Keys[1:] }, "generation", true, nil, 2},
		{"a generation of none after one is refused", func(e *signet.RingEdit) { e.Generation = 0 }, "generation", true, nil, 2},
		{"another alg of the same key is refused", func(e *signet.RingEdit) { e.Keys[0].ChaCha = true }, "algorithm", true, nil, 2},
		{"a lower life is taken later", func(e *signet.RingEdit) { e.Policy.Life = time.Minute }, "policy", false, nil, 2},
		{"a lower leeway is taken later", func(e *signet.RingEdit) { e.Policy.Leeway = time.Second }, "policy", false, nil, 2},
		{"a lower skew is taken later", func(e *signet.RingEdit) { e.Policy.Skew = time.Second }, "policy", false, nil, 2},
		{"a higher life is taken", func(e *signet.RingEdit) { e.Policy.Life = 48 * time.Hour }, "", false, nil, 2},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			keys := next(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))), time.Now())
			keys = edited(t, keys, never) // generation 2, so that there is an older one
			token, before := seal(t, keys), keys.Keys()
			err := keys.Update(edited(t, copied(t, keys), row.edit))
			if row.kind == "" {
				require.NoError(t, err)
			} else {
				unsafe := found(t, err)
				require.Equal(t, row.kind, unsafe.Findings[0].Kind)
				require.Equal(t, row.refused, unsafe.Refused)
			}
			if row.refused {
				require.Equal(t, before, keys.Keys())
			}
			require.Len(t, keys.Keys(), row.keys)
			_, err = keys.Open("test", token)
			require.ErrorIs(t, err, row.open)
			_, err = keys.Seal("test", nil, 24*time.Hour)
			require.NoError(t, err, "whatever came, sessions are as long as before")
		})
	}
}

func TestWhatUpdateKeptOpensUntilItsLastTokenHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
		token := signet.Must(keys.Seal("test", nil, 24*time.Hour))
		other := edited(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))), func(*signet.RingEdit) {})
		found(t, keys.Update(other))
		require.Equal(t, other.Keys()[0].ID, sealingKey(keys), "what the new set lacks seals no more")

		time.Sleep(24 * time.Hour)
		_, err := keys.Open("test", token)
		require.NoError(t, err)
		require.NoError(t, keys.Update(copied(t, other)), "said once")

		time.Sleep(24 * time.Hour)
		require.NoError(t, keys.Update(edited(t, other, func(*signet.RingEdit) {})))
		require.Len(t, keys.Keys(), 1, "past its end it is gone")
	})
}

func sealingKey(r *signet.Keyring) string {
	for _, k := range r.Keys() {
		if k.Sealing {
			return k.ID
		}
	}
	return ""
}

func TestAKeyThatComesBackSealsAgain(t *testing.T) {
	keys := next(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))), time.Now())
	whole := copied(t, keys)
	found(t, keys.Update(edited(t, keys, func(e *signet.RingEdit) { e.Keys = e.Keys[1:] })))
	require.NotEqual(t, sealingKey(whole), sealingKey(keys))
	require.NoError(t, keys.Update(edited(t, whole, func(e *signet.RingEdit) { e.Generation++ })))
	require.Equal(t, sealingKey(whole), sealingKey(keys))
}

func TestARevocationStays(t *testing.T) {
	keys := next(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))), time.Now())
	whole, token := copied(t, keys), seal(t, keys)
	require.NoError(t, keys.Update(edited(t, keys, func(e *signet.RingEdit) { e.Revoked = []string{e.Keys[0].Key.ID()} })))
	unsafe := found(t, keys.Update(edited(t, whole, func(e *signet.RingEdit) { e.Generation++ })))
	require.Equal(t, "unrevoked", unsafe.Findings[0].Kind)
	_, err := keys.Open("test", token)
	require.ErrorIs(t, err, signet.ErrRevoked)
}

func TestReplaceSetsExactlyWhatItIsGiven(t *testing.T) {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	token := seal(t, keys)
	other := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	require.NoError(t, keys.Replace(other))
	_, err := keys.Open("test", token)
	require.ErrorIs(t, err, signet.ErrUnknownKey)
	require.Error(t, keys.Replace(new(signet.Keyring)))
	require.Error(t, new(signet.Keyring).Update(other))
	require.Error(t, keys.Update(new(signet.Keyring)))
}

// A leaked key: after the instances have loaded the ring, none of its tokens opens anywhere, and all others do.
func TestARevokedKeysSessionsEndEverywhereAndNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
		file = next(t, file, time.Now())
		file = signet.Must(file.Policy().Hasten(file, signet.GenerateKey(time.Time{}), time.Now()))
		time.Sleep(30 * time.Minute)
		older := signet.Must(file.Seal("test", nil, 3*time.Hour))
		time.Sleep(40 * time.Minute) // past P + S: the second key seals
		leaked := sealingKey(file)
		stolen := seal(t, file)
		file = next(t, file, time.Now()) // a third waits

		fleet := []*signet.Keyring{copied(t, file), copied(t, file), copied(t, file)}
		time.Sleep(70 * time.Minute) // and is known everywhere
		revoked, err := file.Policy().Revoke(file, signet.GenerateKey(time.Time{}), time.Now(), leaked)
		require.NoError(t, err)
		require.NoError(t, revoked.Policy().Check(file, revoked, time.Now()))
		for _, instance := range fleet {
			require.NoError(t, instance.Update(copied(t, revoked)))
		}
		for _, instance := range fleet {
			_, err := instance.Open("test", stolen)
			require.ErrorIs(t, err, signet.ErrRevoked)
			_, err = instance.Open("test", older)
			require.NoError(t, err)
			for _, other := range fleet {
				_, err := other.Open("test", seal(t, instance))
				require.NoError(t, err)
			}
		}
	})
}
