package signet_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
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

// What a damaged token answers depends on where the damage is: the key id and the time are read before
// anything is authenticated, and all else is the one sentinel.
func TestEveryFlippedBitOfACompactTokenIsRefused(t *testing.T) {
	ring := newRing(t)
	token, err := ring.Seal("p", []byte("some plaintext"), time.Hour)
	require.NoError(t, err)
	raw := unb64(token)
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			_, err := ring.Open("p", b64(raw))
			raw[i] ^= 1 << bit
			where := fmt.Sprintf("bit %d of byte %d", bit, i)
			switch {
			case i >= 1 && i < 5:
				require.Equal(t, signet.ErrUnknownKey, err, where)
			case i >= 5 && i < 9:
				require.Contains(t, []error{signet.ErrInvalid, signet.ErrExpired, signet.ErrClockSkew}, err, where)
			default:
				require.Equal(t, signet.ErrInvalid, err, where)
			}
		}
	}
}

func TestEveryFlippedBitOfAJWEIsRefused(t *testing.T) {
	ring := newRing(t)
	for _, format := range []signet.Format{signet.JWE, signet.JWEKeyWrap} {
		token, err := ring.SealAs(format, "p", []byte("some plaintext"), time.Hour)
		require.NoError(t, err)
		parts := strings.Split(token, ".")
		for i := range parts {
			raw := unb64(parts[i])
			for at := range raw {
				for bit := range 8 {
					raw[at] ^= 1 << bit
					damaged := slices.Clone(parts)
					damaged[i] = b64(raw)
					raw[at] ^= 1 << bit
					_, err := ring.Open("p", strings.Join(damaged, "."))
					want := []error{signet.ErrInvalid}
					if i == 0 { // the key id or the time in the header
						want = append(want, signet.ErrUnknownKey, signet.ErrExpired, signet.ErrClockSkew)
					}
					require.Contains(t, want, err, "%v: bit %d of byte %d of part %d", format, bit, at, i)
				}
			}
		}
	}
}

func TestEveryCharacterChangedAndEveryCutIsRefused(t *testing.T) {
	ring := newRing(t)
	for _, format := range formats {
		token, err := ring.SealAs(format, "p", []byte("some plaintext"), time.Hour)
		require.NoError(t, err)
		for i := range token {
			for bit := range 8 {
				_, err := ring.Open("p", token[:i]+string(token[i]^1<<bit)+token[i+1:])
				require.Error(t, err, "%v: bit %d of character %d", format, bit, i)
			}
			for name, damaged := range map[string]string{
				"cut to its first": token[:i], "cut to its last": token[i+1:], "without": token[:i] + token[i+1:], "with twice": token[:i] + token[i:i+1] + token[i:],
			} {
				_, err := ring.Open("p", damaged)
				require.Error(t, err, "%v: %s %d", format, name, i)
			}
			if i >= 12 { // past the header of a compact token a cut is told from nothing else
				_, err = ring.Open("p", token[:i])
				require.Equal(t, signet.ErrInvalid, err, "%v: cut to %d", format, i)
			}
		}
	}
}

func TestPiecesOfTwoTokensNeverMakeAThird(t *testing.T) {
	ring := newRing(t)
	now := time.Now()
	ring.SetClock(func() time.Time { return now }) // one header, so that only the rest differs
	for _, format := range formats {
		a, err := ring.SealAs(format, "p", []byte("plaintext A"), time.Hour)
		require.NoError(t, err)
		b, err := ring.SealAs(format, "p", []byte("plaintext B"), time.Hour)
		require.NoError(t, err)
		require.Len(t, b, len(a))
		for i := 1; i < len(a); i++ {
			mixed := a[:i] + b[i:]
			if mixed == a || mixed == b {
				continue
			}
			_, err := ring.Open("p", mixed)
			require.Equal(t, signet.ErrInvalid, err, "%v: the two, joined at %d", format, i)
		}
		if format == signet.Compact {
			continue
		}
		partsA, partsB := strings.Split(a, "."), strings.Split(b, ".")
		for i := 1; i < 5; i++ {
			if partsA[i] == partsB[i] {
				continue // the empty key of dir
			}
			mixed := slices.Clone(partsA)
			mixed[i] = partsB[i]
			_, err := ring.Open("p", strings.Join(mixed, "."))
			require.Equal(t, signet.ErrInvalid, err, "%v: part %d of the other", format, i)
		}
		for _, order := range permutations(partsA)[1:] {
			if order[0] != partsA[0] || strings.Join(order, ".") == a {
				continue
			}
			_, err := ring.Open("p", strings.Join(order, "."))
			require.Equal(t, signet.ErrInvalid, err, "%v: parts in another order", format)
		}
	}
}

// One purpose seals, and of all twelve only it opens.
func TestATokenMovedToAnotherKindNameOrTenantDoesNotOpen(t *testing.T) {
	ring := signet.Must(signet.ParseKeyring([]byte(keyFile(jwk(keyA, "")))))
	now := time.Now().Unix()
	var purposes []refPurpose
	for _, kind := range []string{"session", "touch", "token"} {
		for _, name := range []string{"__Host-Http-session", "other"} {
			for _, tenant := range []string{"", "acme"} {
				purposes = append(purposes, refPurpose{kind, name, tenant})
			}
		}
	}
	opened := 0
	for _, sealed := range purposes {
		c := refContent{Issued: now, Expires: now + 60, Data: []byte(`{"a":1}`)}
		if sealed.Kind == "session" {
			c.Session = &refSession{ID: b64(make([]byte, 16)), Created: now}
		}
		nonce := make([]byte, 12)
		tokens := []string{
			refCompact(keyA, sealed, c, nonce).token,
			refJWEDir(keyA, sealed, keyA.header("dir", now), c.claims(sealed.Name), nonce),
			refJWEWrap(keyA, sealed, keyA.header("A256KW", now), c.claims(sealed.Name), make([]byte, 32), nonce),
		}
		for _, p := range purposes {
			for i, token := range tokens {
				_, err := signet.OpenAs(ring, p.Kind, p.Name, p.Tenant, token)
				if p == sealed {
					require.NoError(t, err)
					opened++
					continue
				}
				require.Equal(t, signet.ErrInvalid, err, "%v of %v for %v", formats[i], sealed, p)
			}
		}
	}
	require.Equal(t, len(purposes)*3, opened)
}

// The three formats of one purpose share no key: none of the exported ones opens another format.
func TestNoTwoDerivedKeysAreEqual(t *testing.T) {
	ring := signet.Must(signet.ParseKeyring([]byte(keyFile(jwk(keyA, ""), jwk(keyC, "")))))
	seen := map[string]string{b64(keyA.secret): "master", b64(keyA.prk): "PRK", b64(keyC.secret): "master"}
	for _, format := range formats {
		for _, kind := range []string{"session", "touch", "token"} {
			for _, name := range []string{"a", "ab", "b"} {
				for _, tenant := range []string{"", "a", "b", "bc"} {
					text, err := ring.ExportPurpose(format, kind, name, tenant)
					require.NoError(t, err)
					var set struct{ Keys []struct{ K, Kid string } }
					require.NoError(t, json.Unmarshal(text, &set))
					require.Len(t, set.Keys, 2)
					for _, k := range set.Keys {
						of := fmt.Sprint(format, kind, name, tenant, k.Kid)
						require.Empty(t, seen[k.K], of)
						seen[k.K] = of
					}
				}
			}
		}
	}
}

func TestWhatCannotOpenCostsNothing(t *testing.T) {
	ring, other := newRing(t), newRing(t)
	for _, format := range formats {
		token, err := other.SealAs(format, "p", make([]byte, 4096), time.Hour)
		require.NoError(t, err)
		ours, err := ring.SealAs(format, "p", make([]byte, 4096), time.Hour)
		require.NoError(t, err)
		version3 := "Aw" + ours[2:]
		for name, row := range map[string]struct {
			purpose, token string
			want           error
		}{
			"over the length": {"p", strings.Repeat(ours, 10), signet.ErrInvalid},
			"an unknown key":  {"p", token, signet.ErrUnknownKey},
			"another version": {"p", version3, signet.ErrInvalid},
			"no purpose":      {"", ours, signet.ErrInvalid},
			"a long purpose":  {strings.Repeat("p", 70000), ours, signet.ErrInvalid},
		} {
			var err error
			require.Zero(t, testing.AllocsPerRun(10, func() { _, err = ring.Open(row.purpose, row.token) }), "%v: %s", format, name)
			require.Equal(t, row.want, err, "%v: %s", format, name)
		}
	}
}

// The cache of AEADs is bounded, and only what has authenticated, or was sealed here, is kept in it.
func TestAStrangerCannotFillTheCache(t *testing.T) {
	ring := newRing(t)
	require.Zero(t, signet.CachedAEADs(ring))
	var ours []string
	for _, format := range formats {
		token, err := ring.SealAs(format, "p", []byte("x"), time.Hour)
		require.NoError(t, err)
		ours = append(ours, token)
	}
	held := signet.CachedAEADs(ring)
	require.Equal(t, 3, held)
	raw := unb64(ours[0])
	for i := range 1000 {
		// Another hour within the life of tokens, then another purpose, then a token of another ring under our id.
		forged := slices.Clone(raw)
		binary.BigEndian.PutUint32(forged[5:], uint32(time.Now().Unix())-uint32(i%23)*3600)
		forged[len(forged)-1] ^= 1
		_, err := ring.Open("p", b64(forged))
		require.Equal(t, signet.ErrInvalid, err)
		for _, token := range ours {
			_, err = ring.Open(fmt.Sprintf("purpose %d", i), token)
			require.Equal(t, signet.ErrInvalid, err)
		}
	}
	require.Equal(t, held, signet.CachedAEADs(ring), "nothing of a stranger's is kept")
	jwks, err := ring.SecretJWKS()
	require.NoError(t, err)
	again := signet.Must(signet.ParseKeyring(jwks))
	for i, token := range ours {
		_, err := again.Open("p", token)
		require.NoError(t, err)
		require.Equal(t, i+1, signet.CachedAEADs(again), "what has authenticated is kept")
	}
	for i := range 2000 {
		_, err := ring.SealAs(formats[i%3], fmt.Sprintf("purpose %d", i), nil, time.Hour)
		require.NoError(t, err)
	}
	require.LessOrEqual(t, signet.CachedAEADs(ring), signet.CacheCapacity)
	require.Equal(t, 128, signet.CacheCapacity)
}

// The memory of a seal is used again, and nothing that was sealed may be found in it.
func TestNoPlaintextStaysInTheMemoryOfASeal(t *testing.T) {
	for name, ring := range map[string]*signet.Keyring{"AES-256-GCM": newRing(t), "ChaCha20-Poly1305": chachaRing(t)} {
		for _, format := range formats {
			if fipsOnly() && name == "ChaCha20-Poly1305" && format == signet.Compact {
				continue
			}
			for _, size := range []int{8, 100, 900, 1024, 3000, 16000} {
				plain := bytes.Repeat([]byte("secret! "), size/8)
				memory, err := signet.MemoryOfSeal(ring, format, plain)
				require.NoError(t, err)
				require.NotContains(t, string(memory), "secret", "%s %v, %d bytes", name, format, size)
				require.NotContains(t, string(memory), b64(plain)[:10], "%s %v, %d bytes", name, format, size)
			}
		}
	}
}

func TestAClockOutsideWhatATokenCarriesIsRefused(t *testing.T) {
	ring := newRing(t)
	good, err := ring.Seal("p", nil, time.Hour)
	require.NoError(t, err)
	for _, now := range []int64{-1, 0, 1 << 32, 1 << 40} {
		ring.SetClock(func() time.Time { return time.Unix(now, 0) })
		for _, format := range formats {
			_, err := ring.SealAs(format, "p", nil, time.Hour)
			require.ErrorContains(t, err, "this machine's clock says", "%d", now)
		}
		_, err := ring.Open("p", good)
		require.Contains(t, []error{signet.ErrClockSkew, signet.ErrExpired}, err)
	}
	for _, now := range []int64{1, 1<<32 - 1} { // the last second of 2106 still works, with its end cut to it
		ring.SetClock(func() time.Time { return time.Unix(now, 0) })
		for _, format := range formats {
			token, err := ring.SealAs(format, "p", []byte("x"), time.Hour)
			require.NoError(t, err)
			_, err = ring.Open("p", token)
			require.NoError(t, err, "%v at %d", format, now)
		}
	}
}

func TestATokenEndsWithItsKey(t *testing.T) {
	now := time.Now().Unix()
	ring := signet.Must(signet.ParseKeyring([]byte(keyFile(jwk(keyA, fmt.Sprintf(`,"exp":%d`, now+1000))))))
	for _, format := range formats {
		token, err := ring.SealAs(format, "p", nil, time.Hour)
		require.NoError(t, err)
		o, err := signet.OpenAs(ring, "token", "p", "", token)
		require.NoError(t, err)
		require.Equal(t, now+1000, o.Expires)
	}
}

func TestExportPurposeRefusesWhatIsNoPurpose(t *testing.T) {
	ring := newRing(t)
	_, err := ring.ExportPurpose(signet.JWE, "session", "a", "\xff")
	require.NoError(t, err, "a tenant is bytes, as Config.Tenant is")
	for _, row := range []struct {
		name             string
		format           signet.Format
		kind, of, tenant string
		want             string
	}{
		{"another kind", signet.Compact, "cookie", "a", "", `the kind of a purpose is "session", "touch" or "token"`},
		{"no name", signet.Compact, "token", "", "", "1 to 256 bytes"},
		{"a name too long", signet.Compact, "token", strings.Repeat("a", 257), "", "has 257"},
		{"a tenant too long", signet.Compact, "token", "a", strings.Repeat("a", 257), "at most 256 bytes"},
		{"a name that is no UTF-8", signet.Compact, "token", "\xff", "", "UTF-8"},
		{"another format", 9, "token", "a", "", "unknown Format(9)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ring.ExportPurpose(row.format, row.kind, row.of, row.tenant)
			require.ErrorContains(t, err, row.want)
		})
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
		{"a purpose that is no UTF-8", "\xff", 1, time.Hour, "UTF-8"},
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
