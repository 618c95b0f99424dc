package jwedir_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/signet-go/signet/compat/internal/jwedir"
	"github.com/stretchr/testify/require"
)

const header = `{"alg":"dir"}`

func TestKeysHaveOneSize(t *testing.T) {
	for _, size := range []int{0, 16, 31, 33, 64} {
		_, err := jwedir.NewGCM(make([]byte, size))
		require.Error(t, err)
	}
	for _, size := range []int{0, 32, 63, 65} {
		_, err := jwedir.NewCBC(make([]byte, size))
		require.Error(t, err)
	}
}

func keys(t *testing.T) map[string]jwedir.Key {
	gcm, err := jwedir.NewGCM(bytes.Repeat([]byte{1}, jwedir.GCMKey))
	require.NoError(t, err)
	cbc, err := jwedir.NewCBC(bytes.Repeat([]byte{1}, jwedir.CBCKey))
	require.NoError(t, err)
	return map[string]jwedir.Key{"A256GCM": gcm, "A256CBC-HS512": cbc}
}

func opens(k jwedir.Key, token string) bool {
	t, ok := jwedir.Split(token)
	if !ok {
		return false
	}
	_, ok = k.Open(t)
	return ok
}

func TestATokenHasOneSpelling(t *testing.T) {
	for name, k := range keys(t) {
		for size := range 40 {
			token := k.Seal(header, bytes.Repeat([]byte("x"), size))
			require.True(t, opens(k, token))
			parts := strings.Split(token, ".")
			with := func(i int, part string) string {
				changed := append([]string{}, parts...)
				changed[i] = part
				return strings.Join(changed, ".")
			}
			bytesOf := func(i int) []byte {
				b, err := base64.RawURLEncoding.DecodeString(parts[i])
				require.NoError(t, err)
				return b
			}
			nonce, sealed, tag := bytesOf(2), bytesOf(3), bytesOf(4)
			join := func(nonce, sealed, tag []byte) string {
				encode := base64.RawURLEncoding.EncodeToString
				return strings.Join([]string{parts[0], "", encode(nonce), encode(sealed), encode(tag)}, ".")
			}
			for what, other := range map[string]string{
				"with an encrypted key":             with(1, "AA"),
				"with another header":               with(0, jwedir.Header(`{"alg":"dir" }`)),
				"with six parts":                    token + ".",
				"with four parts":                   strings.Join(parts[:4], "."),
				"with padding":                      token + "=",
				"with a line break":                 with(2, parts[2]+"\n"),
				"with a byte of the nonce moved":    join(nonce[:len(nonce)-1], append(nonce[len(nonce)-1:len(nonce):len(nonce)], sealed...), tag),
				"with a byte of the tag moved":      join(nonce, append(sealed[:len(sealed):len(sealed)], tag[0]), tag[1:]),
				"without a tag":                     join(nonce, sealed, nil),
				"with half a tag":                   join(nonce, sealed, tag[:len(tag)/2]),
				"with a longer tag":                 join(nonce, sealed, append(tag[:len(tag):len(tag)], 0)),
				"with a ciphertext that is shorter": join(nonce, sealed[:max(len(sealed)-1, 0)], tag[:len(tag)-1]),
			} {
				require.False(t, opens(k, other), "%s, %d bytes: %s", name, size, what)
			}
		}
	}
}

func TestBoundsOfAToken(t *testing.T) {
	_, ok := jwedir.Split(strings.Repeat("A", 683) + "....")
	require.True(t, ok)
	_, ok = jwedir.Split(strings.Repeat("A", 684) + "....")
	require.False(t, ok, "a header over 512 bytes")
	_, ok = jwedir.Split("A..A." + strings.Repeat("A", 16<<10) + ".A")
	require.False(t, ok, "a token over 16 KiB")
	_, ok = jwedir.Split(strings.Repeat(".", 1<<20))
	require.False(t, ok)
}
