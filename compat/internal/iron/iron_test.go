package iron_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/iron"
	"github.com/stretchr/testify/require"
)

const password = "test-only-iron-password-number-1"

var now = time.Unix(1790000000, 0)

// fields are those of a seal, before anything is encoded, with what a friend would write.
type fields struct {
	prefix, id, salt, macSalt, expires string
	padded                             string // whole blocks
}

func friend() fields {
	return fields{"Fe26.2", "1", strings.Repeat("ab", 32), strings.Repeat("cd", 32), "1790000001000", `{"a":1}` + strings.Repeat("\x09", 9)}
}

// seal is authentic, whatever the fields say.
func (f fields) seal(t *testing.T) string {
	derive := func(salt string) []byte {
		key, err := pbkdf2.Key(sha1.New, password, []byte(salt), 1, 32)
		require.NoError(t, err)
		return key
	}
	block, err := aes.NewCipher(derive(f.salt))
	require.NoError(t, err)
	iv := make([]byte, aes.BlockSize)
	ciphertext := []byte(f.padded)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(ciphertext, ciphertext)
	encode := base64.RawURLEncoding.EncodeToString
	signed := strings.Join([]string{f.prefix, f.id, f.salt, encode(iv), encode(ciphertext), f.expires}, "*")
	h := hmac.New(sha256.New, derive(f.macSalt))
	h.Write([]byte(signed))
	return signed + "*" + f.macSalt + "*" + encode(h.Sum(nil))
}

func open(seal string) (iron.Opened, error) {
	return iron.Open(seal, now, func(string) []iron.Password { return []iron.Password{{Secret: password}} })
}

func TestAnAuthenticSealOfAnotherShapeIsRefused(t *testing.T) {
	if fips.Only() {
		t.Skip("no seals under fips140=only")
	}
	o, err := open(friend().seal(t))
	require.NoError(t, err)
	require.Equal(t, `{"a":1}`, string(o.Payload))
	for name, change := range map[string]func(*fields){
		"another version":              func(f *fields) { f.prefix = "Fe26.3" },
		"an id that is no word":        func(f *fields) { f.id = "1-2" },
		"an id of 33 characters":       func(f *fields) { f.id = strings.Repeat("1", 33) },
		"a short salt":                 func(f *fields) { f.salt = f.salt[:62] },
		"a salt in capitals":           func(f *fields) { f.salt = strings.ToUpper(f.salt) },
		"a short salt of the MAC":      func(f *fields) { f.macSalt = "" },
		"an end that begins with zero": func(f *fields) { f.expires = "0" + f.expires },
		"an end that is no number":     func(f *fields) { f.expires = "1e15" },
		"an end of 16 digits":          func(f *fields) { f.expires = strings.Repeat("9", 16) },
		"a negative end":               func(f *fields) { f.expires = "-1" },
		"padding of zero bytes":        func(f *fields) { f.padded = `{"a":1}         `[:15] + "\x00" },
		"padding of 17 bytes":          func(f *fields) { f.padded = strings.Repeat("\x11", 32) },
		"padding whose bytes differ":   func(f *fields) { f.padded = `{"a":1}` + strings.Repeat("\x09", 7) + "\x08\x09" },
		"nothing, not even a block":    func(f *fields) { f.padded = "" },
	} {
		t.Run(name, func(t *testing.T) {
			f := friend()
			change(&f)
			_, err := open(f.seal(t))
			require.ErrorIs(t, err, signet.ErrInvalid)
		})
	}
}

func TestAForgedSealThatIsExpiredIsForged(t *testing.T) {
	if fips.Only() {
		t.Skip("no seals under fips140=only")
	}
	f := friend()
	f.expires = "1600000000000"
	_, err := open(f.seal(t))
	require.ErrorIs(t, err, signet.ErrExpired)
	_, err = open(strings.Replace(f.seal(t), "*1600000000000*", "*1600000000001*", 1))
	require.ErrorIs(t, err, signet.ErrInvalid)
}
