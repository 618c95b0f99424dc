package signet_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

func TestWhatIsAppendedIsWhatSealAndOpenGive(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	for _, format := range formats {
		for _, size := range []int{0, 1, 2, 3, 64, 256, 3000, 12000} {
			plain := bytes.Repeat([]byte{0xa5, 0, 'z'}, size/3+1)[:size]
			rows := []struct {
				name string
				dst  []byte
			}{
				{"no buffer", nil},
				{"a buffer without room", []byte("before")},
				{"a buffer with a little room", append(make([]byte, 0, 20), "before"...)},
				{"a buffer with room", append(make([]byte, 0, 64<<10), "before"...)},
			}
			for _, row := range rows {
				text, err := ring.AppendSeal(row.dst, format, "p", plain, time.Hour)
				require.NoError(t, err)
				require.True(t, bytes.HasPrefix(text, row.dst), row.name)
				token := string(text[len(row.dst):])
				got, err := ring.Open("p", token)
				require.NoError(t, err, "%v of %d bytes, %s", format, size, row.name)
				require.True(t, bytes.Equal(plain, got))

				got, err = ring.AppendOpen(row.dst, "p", token)
				require.NoError(t, err)
				require.Equal(t, string(row.dst)+string(plain), string(got), "%v of %d bytes, %s", format, size, row.name)
			}
		}
	}
}

func TestAppendingLeavesTheBufferAsItCameOnAnError(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	buffer := append(make([]byte, 0, 64<<10), "before"...)
	for _, format := range formats {
		token, err := ring.SealAs(format, "p", []byte("data"), time.Hour)
		require.NoError(t, err)
		changed := []byte(token)
		changed[len(changed)-3] ^= 'A' ^ 'B'
		for name, open := range map[string]struct{ purpose, token string }{
			"another purpose": {"q", token}, "no purpose": {"", token}, "no token": {"p", ""}, "a cut token": {"p", token[:len(token)-1]},
			"a changed tag": {"p", string(changed)}, "foreign text": {"p", token[:30] + "é" + token[32:]}, "over 32,768 characters": {"p", string(make([]byte, 32769))},
		} {
			_, want := ring.Open(open.purpose, open.token)
			require.Error(t, want)
			got, err := ring.AppendOpen(buffer, open.purpose, open.token)
			require.Equal(t, want, err, name)
			require.Equal(t, "before", string(got), name)
			require.Equal(t, cap(buffer), cap(got), name)
		}
	}
	for name, seal := range map[string]struct {
		format  signet.Format
		purpose string
		size    int
		life    time.Duration
	}{
		"no purpose": {0, "", 1, time.Hour}, "no life": {0, "p", 1, 0}, "an unknown format": {9, "p", 1, time.Hour}, "too much": {0, "p", 40000, time.Hour},
	} {
		_, want := ring.SealAs(seal.format, seal.purpose, make([]byte, seal.size), seal.life)
		require.Error(t, want)
		got, err := ring.AppendSeal(buffer, seal.format, seal.purpose, make([]byte, seal.size), seal.life)
		require.EqualError(t, err, want.Error(), name)
		require.Equal(t, "before", string(got), name)
	}
}

func TestAPlaintextMayStandWhereTheTokenGoes(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	for _, format := range formats {
		buffer := append(make([]byte, 0, 4096), "some plaintext"...)
		text, err := ring.AppendSeal(buffer[:0], format, "p", buffer, time.Hour)
		require.NoError(t, err)
		got, err := ring.Open("p", string(text))
		require.NoError(t, err)
		require.Equal(t, "some plaintext", string(got))
	}
}

// A buffer that is used again has the room from the second time on. That sealing allocates nothing at
// all is checked in bench: the race detector empties pools at random.
func TestAppendingToABufferThatIsKeptAllocatesNothing(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	plain := make([]byte, 512)
	for _, format := range []signet.Format{signet.Compact, signet.JWE} { // the other one makes a key for each token
		var text, data []byte
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { text, _ = ring.AppendSeal(text[:0], format, "reset-link", plain, time.Hour) }), 2.0, format)
		token := string(text)
		require.Zero(t, testing.AllocsPerRun(100, func() { data, _ = ring.AppendOpen(data[:0], "reset-link", token) }), format)
		require.Equal(t, plain, data)
	}
}
