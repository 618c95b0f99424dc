// Package jwedir opens and makes JWEs (RFC 7516, compact serialisation) whose content key is a shared
// secret (alg dir), with the encryptions A256GCM and A256CBC-HS512. It parses no header: the
// packages that use it compare the header with those that the originals write.
package jwedir

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/internal/base64url"
)

// Sizes, in bytes.
const (
	GCMKey = 32
	CBCKey = 64

	maxHeader  = 512
	maxToken   = 16 << 10
	gcmNonce   = 12
	gcmTag     = 16
	cbcTag     = 32
	halfCBCKey = CBCKey / 2
)

// Derive is HKDF-SHA-256 of a secret. Secrets below 14 bytes are refused under GODEBUG=fips140=only.
func Derive(secret, salt, info string, size int) ([]byte, error) {
	if fips.Only() && len(secret) < fips.MinKey {
		return nil, fmt.Errorf("a secret of fewer than %d bytes cannot be used under GODEBUG=fips140=only", fips.MinKey)
	}
	return hkdf.Key(sha256.New, []byte(secret), []byte(salt), info, size)
}

// Token is a JWE of the right shape. Nothing of it is trusted.
type Token struct {
	Header                string // as it stands, base64url
	nonce, sealed, tagged string
}

// Split cuts a token at its four dots. It reports false if there are more or fewer, if the part of the
// encrypted key is not empty, or if a part is longer than any that is written.
func Split(token string) (Token, bool) {
	parts := strings.Split(token[:min(len(token), maxToken+1)], ".")
	if len(token) > maxToken || len(parts) != 5 || parts[1] != "" || len(parts[0]) > base64url.EncodedLen(maxHeader) {
		return Token{}, false
	}
	return Token{Header: parts[0], nonce: parts[2], sealed: parts[3], tagged: parts[4]}, true
}

// Complete is for cookieset.Set: whether joined is a whole token with a tag of that many bytes.
func Complete(tag int) func(joined string) bool {
	return func(joined string) bool {
		last := strings.LastIndexByte(joined, '.')
		return strings.Count(joined, ".") == 4 && len(joined)-last-1 == base64url.EncodedLen(tag)
	}
}

// CompleteGCM and CompleteCBC are Complete for the two encryptions.
var CompleteGCM, CompleteCBC = Complete(gcmTag), Complete(cbcTag)

// Key opens and seals with one content key. It shows nothing of it when printed.
type Key struct {
	open func(nonce, sealed, tag, additional []byte) ([]byte, bool)
	seal func(plaintext, additional []byte) (nonce, sealed, tag []byte)
}

// Open authenticates and decrypts.
func (k Key) Open(t Token) ([]byte, bool) {
	nonce, ok1 := base64url.AppendDecode(nil, t.nonce)
	sealed, ok2 := base64url.AppendDecode(nil, t.sealed)
	tag, ok3 := base64url.AppendDecode(nil, t.tagged)
	if !ok1 || !ok2 || !ok3 {
		return nil, false
	}
	return k.open(nonce, sealed, tag, []byte(t.Header))
}

// Seal makes the token of a header, given as JSON.
func (k Key) Seal(header string, plaintext []byte) string {
	first := Header(header)
	nonce, sealed, tag := k.seal(plaintext, []byte(first))
	return strings.Join([]string{first, "", encode(nonce), encode(sealed), encode(tag)}, ".")
}

// Header is a header's JSON as it stands in a token.
func Header(json string) string { return encode([]byte(json)) }

func encode(b []byte) string { return string(base64url.Append(nil, b)) }

// NewGCM is A256GCM. The AEAD draws its own nonces: the only form that Go allows under
// GODEBUG=fips140=only.
func NewGCM(key []byte) (Key, error) {
	if len(key) != GCMKey {
		return Key{}, errors.New("jwedir: A256GCM needs 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return Key{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Key{}, err
	}
	return Key{
		open: func(nonce, sealed, tag, additional []byte) ([]byte, bool) {
			if len(nonce) != gcmNonce || len(tag) != gcmTag {
				return nil, false
			}
			plaintext, err := aead.Open(nil, nil, append(append(nonce, sealed...), tag...), additional)
			return plaintext, err == nil
		},
		seal: func(plaintext, additional []byte) (nonce, sealed, tag []byte) {
			all := aead.Seal(nil, nil, plaintext, additional)
			return all[:gcmNonce], all[gcmNonce : len(all)-gcmTag], all[len(all)-gcmTag:]
		},
	}, nil
}

// NewCBC is A256CBC-HS512 (RFC 7518 §5.2.5): the first half of the key authenticates.
func NewCBC(key []byte) (Key, error) {
	if len(key) != CBCKey {
		return Key{}, errors.New("jwedir: A256CBC-HS512 needs 64 bytes")
	}
	macKey := append([]byte{}, key[:halfCBCKey]...)
	block, err := aes.NewCipher(key[halfCBCKey:])
	if err != nil {
		return Key{}, err
	}
	tagOf := func(nonce, sealed, additional []byte) []byte {
		h := hmac.New(sha512.New, macKey)
		h.Write(additional)
		h.Write(nonce)
		h.Write(sealed)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(additional))*8))
		return h.Sum(nil)[:cbcTag]
	}
	return Key{
		open: func(nonce, sealed, tag, additional []byte) ([]byte, bool) {
			if len(nonce) != aes.BlockSize || len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 ||
				subtle.ConstantTimeCompare(tagOf(nonce, sealed, additional), tag) != 1 {
				return nil, false
			}
			cipher.NewCBCDecrypter(block, nonce).CryptBlocks(sealed, sealed)
			return unpad(sealed)
		},
		seal: func(plaintext, additional []byte) (nonce, sealed, tag []byte) {
			nonce = make([]byte, aes.BlockSize)
			rand.Read(nonce)
			n := aes.BlockSize - len(plaintext)%aes.BlockSize
			sealed = append(append(sealed, plaintext...), strings.Repeat(string(rune(n)), n)...)
			cipher.NewCBCEncrypter(block, nonce).CryptBlocks(sealed, sealed)
			return nonce, sealed, tagOf(nonce, sealed, additional)
		},
	}, nil
}

// unpad takes PKCS #7 padding off what has authenticated.
func unpad(b []byte) ([]byte, bool) {
	n := int(b[len(b)-1])
	if n == 0 || n > aes.BlockSize {
		return nil, false
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, false
		}
	}
	return b[:len(b)-n], true
}
