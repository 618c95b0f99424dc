package signet_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

func next(t testing.TB, ring *signet.Keyring, now time.Time) *signet.Keyring {
	t.Helper()
	got, err := ring.Policy().Next(ring, signet.GenerateKey(time.Time{}), now)
	require.NoError(t, err)
	return got
}

func TestNextKeepsOneKeyAhead(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	now := time.Now()
	second := next(t, ring, now)
	require.Len(t, second.Keys(), 2)
	require.EqualValues(t, 1, second.Generation())
	require.Same(t, second, next(t, second, now.Add(time.Minute)), "too early: nothing changes")
	require.NoError(t, second.Policy().Check(ring, second, now))
}

func TestCheckRefusesASwap(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	swapped := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	err := signet.Policy{}.Check(ring, swapped, time.Now())
	var unsafe *signet.UnsafeError
	require.True(t, errors.As(err, &unsafe))
	t.Log(err)
	require.Len(t, unsafe.Findings, 2)
}
