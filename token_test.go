package signet_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet"
	"github.com/stretchr/testify/require"
)

var formats = []signet.Format{signet.Compact, signet.JWE, signet.JWEKeyWrap}

func newRing(t testing.TB) *signet.Keyring {
	t.Helper()
	ring, err := signet.NewKeyring(signet.GenerateKey(time.Time{}))
	require.NoError(t, err)
	return ring
}

// chachaRing is a ring whose one key is of alg signet-v1-chacha.
func chachaRing(t testing.TB) *signet.Keyring {
	t.Helper()
	text, err := newRing(t).SecretJWKS()
	require.NoError(t, err)
	text = bytes.Replace(text, []byte(`"signet-v1"`), []byte(`"signet-v1-chacha"`), 1)
	ring, err := signet.ParseKeyring(text)
	require.NoError(t, err)
	return ring
}

func TestWhatIsSealedOpens(t *testing.T) {
	rings := map[string]*signet.Keyring{"AES-256-GCM": newRing(t), "ChaCha20-Poly1305": chachaRing(t)}
	for name, ring := range rings {
		for _, format := range formats {
			t.Run(name+" "+format.String(), func(t *testing.T) {
				if fipsOnly() && name == "ChaCha20-Poly1305" && format == signet.Compact {
					_, err := ring.SealAs(format, "reset-link", nil, time.Hour)
					require.EqualError(t, err, "signet: keys of alg signet-v1-chacha cannot be used under GODEBUG=fips140=only; make one of alg signet-v1: run: signet keys new")
					return
				}
				for _, size := range []int{0, 1, 2, 3, 64, 255, 1000, 4096, 15000} {
					plain := bytes.Repeat([]byte{0xa7}, size)
					token, err := ring.SealAs(format, "reset-link", plain, time.Hour)
					require.NoError(t, err)
					require.NotContains(t, token, "=")
					got, err := ring.Open("reset-link", token)
					require.NoError(t, err)
					require.True(t, bytes.Equal(plain, got))
				}
			})
		}
	}
}

func TestSealingDoesNotWriteToItsInput(t *testing.T) {
	ring := newRing(t)
	for _, format := range formats {
		backing := []byte("plaintext and what follows it in memory")
		before := bytes.Clone(backing)
		_, err := ring.SealAs(format, "p", backing[:9], time.Hour)
		require.NoError(t, err)
		require.Equal(t, before, backing, format)
	}
}

func TestATokenOfOnePurposeNeverOpensForAnother(t *testing.T) {
	ring := newRing(t)
	for _, format := range formats {
		token, err := ring.SealAs(format, "reset", []byte("x"), time.Hour)
		require.NoError(t, err)
		for _, other := range []string{"reset2", "rese", "Reset", "reset\x00", "", "csrf"} {
			_, err := ring.Open(other, token)
			require.Equal(t, signet.ErrInvalid, err, "%v for %q", format, other)
		}
	}
}

func TestEveryFlippedBitAndEveryCutIsRefused(t *testing.T) {
	ring := newRing(t)
	for _, format := range formats {
		token, err := ring.SealAs(format, "p", []byte("some plaintext"), time.Hour)
		require.NoError(t, err)
		for i := range token {
			for bit := range 8 {
				damaged := token[:i] + string(token[i]^1<<bit) + token[i+1:]
				_, err := ring.Open("p", damaged)
				require.Error(t, err, "%v: bit %d of character %d", format, bit, i)
			}
			_, err := ring.Open("p", token[:i])
			require.Error(t, err, "%v: cut to %d", format, i)
		}
	}
}

func TestOneTextPerToken(t *testing.T) {
	ring := newRing(t)
	for _, format := range formats {
		token, err := ring.SealAs(format, "p", []byte("12345"), time.Hour)
		require.NoError(t, err)
		for name, respelled := range map[string]string{
			"trailing newline": token + "\n", "carriage return inside": token[:20] + "\r" + token[20:],
			"padding": token + "=", "trailing dot": token + ".", "leading blank": " " + token,
			"trailing data": token + "AAAA", "twice": token + token, "empty": "",
			"standard alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(token) + "+",
		} {
			_, err := ring.Open("p", respelled)
			require.Error(t, err, "%v: %s", format, name)
		}
	}
}

func TestLifeAndClocks(t *testing.T) {
	const life, leeway, skew = time.Hour, time.Minute, 5 * time.Minute
	for _, format := range formats {
		for _, row := range []struct {
			name string
			at   time.Duration
			want error
		}{
			{"a token opens at once", 0, nil},
			{"a token opens at the end of its life and leeway", life + leeway, nil},
			{"a second later it has expired", life + leeway + time.Second, signet.ErrExpired},
			{"past the policy's life it has expired too", 25 * time.Hour, signet.ErrExpired},
			{"a clock that is behind by the skew opens it", -skew, nil},
			{"one that is a second further behind does not", -skew - time.Second, signet.ErrClockSkew},
		} {
			t.Run(format.String()+": "+row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ring := newRing(t)
					// Hour 12 of the bubble's day, so that the skew crosses no year.
					time.Sleep(12 * time.Hour)
					token, err := ring.SealAs(format, "p", []byte("x"), life)
					require.NoError(t, err)
					sealed := time.Now()
					ring.SetClock(func() time.Time { return sealed.Add(row.at) })
					_, err = ring.Open("p", token)
					require.Equal(t, row.want, err)
				})
			})
		}
	}
}

func TestSealRefusesWhatCouldNotOpen(t *testing.T) {
	ring := newRing(t)
	for _, row := range []struct {
		name, purpose string
		size          int
		life          time.Duration
		want          string
	}{
		{"an empty purpose", "", 1, time.Hour, "1 to 256 bytes"},
		{"a purpose over 256 bytes", strings.Repeat("p", 257), 1, time.Hour, "has 257"},
		{"no life", "p", 1, 0, "must be positive"},
		{"a negative life", "p", 1, -1, "must be positive"},
		{"a life above the policy's", "p", 1, 25 * time.Hour, `"life": "25h"`},
		{"more than a token holds", "p", 24600, time.Hour, "at most 32768 characters"},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, format := range formats {
				_, err := ring.SealAs(format, row.purpose, make([]byte, row.size), row.life)
				require.ErrorContains(t, err, row.want)
			}
		})
	}
	_, err := ring.SealAs(9, "p", nil, time.Hour)
	require.ErrorContains(t, err, "Format(9)")
	_, err = new(signet.Keyring).Seal("p", nil, time.Hour)
	require.ErrorContains(t, err, "ParseKeyring")
}

func TestAnUnknownKeyIsNotForgery(t *testing.T) {
	ours, theirs := newRing(t), newRing(t)
	for _, format := range formats {
		token, err := theirs.SealAs(format, "p", []byte("x"), time.Hour)
		require.NoError(t, err)
		_, err = ours.Open("p", token)
		require.Equal(t, signet.ErrUnknownKey, err)
	}
}

func TestRequestPathAllocations(t *testing.T) {
	ring := newRing(t)
	plain := make([]byte, 512)
	token, err := ring.Seal("p", plain, time.Hour)
	require.NoError(t, err)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = ring.Seal("p", plain, time.Hour) }), 3.0)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = ring.Open("p", token) }), 2.0)
}

func TestTheVersionOfATokenMustBeThatOfItsKey(t *testing.T) {
	ring := newRing(t)
	token, err := ring.Seal("p", []byte("x"), time.Hour)
	require.NoError(t, err)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(t, err)
	for _, version := range []byte{0, 2, 3, 0x81, 0xff} {
		raw[0] = version
		_, err := ring.Open("p", base64.RawURLEncoding.EncodeToString(raw))
		require.Equal(t, signet.ErrInvalid, err, "version %d", version)
	}
}
