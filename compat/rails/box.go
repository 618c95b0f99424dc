package rails

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/signet-go/signet/compat/internal/fips"
)

// box encrypts and decrypts as ActiveSupport::MessageEncryptor does. open takes a cookie's value after its
// percent-decoding, and reports whether it was sealed with this key.
type box interface {
	open(value string) (plain []byte, ok bool)
	seal(plain []byte) (value string)
}

const rounds = 1000

func newBox(r Rotation) (box, error) {
	switch {
	case r.SecretKeyBase == "":
		return nil, errors.New("secret_key_base is empty")
	case r.HashDigest != "SHA1" && r.HashDigest != "SHA256":
		return nil, fmt.Errorf("HashDigest %q is neither SHA1 nor SHA256", r.HashDigest)
	case fips.Only() && (r.CBC || r.HashDigest == "SHA1"):
		return nil, errors.New("SHA-1 and HMAC-SHA1 (CBC) cannot be used under GODEBUG=fips140=only; write sessions again under load_defaults 7.0 one release earlier")
	case r.CBC:
		return newCBC(r)
	}
	key, err := r.key("authenticated encrypted cookie", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block) // the one form that fips140=only allows
	return gcm{aead}, err
}

// key is ActiveSupport::KeyGenerator's.
func (r Rotation) key(salt string, size int) ([]byte, error) {
	if r.HashDigest == "SHA1" {
		return pbkdf2.Key(sha1.New, r.SecretKeyBase, []byte(salt), rounds, size)
	}
	return pbkdf2.Key(sha256.New, r.SecretKeyBase, []byte(salt), rounds, size)
}

const (
	nonceSize = 12
	tagSize   = 16
)

// gcm is AES-256-GCM: base64(ciphertext)--base64(nonce)--base64(tag).
type gcm struct{ cipher.AEAD }

func (g gcm) open(value string) ([]byte, bool) {
	parts := strings.Split(value, "--")
	if len(parts) != 3 {
		return nil, false
	}
	var raw [3][]byte
	for i, part := range parts {
		var ok bool
		if raw[i], ok = strictBase64(part); !ok {
			return nil, false
		}
	}
	ciphertext, nonce, tag := raw[0], raw[1], raw[2]
	if len(nonce) != nonceSize || len(tag) != tagSize {
		return nil, false
	}
	plain, err := g.Open(nil, nil, bytes.Join([][]byte{nonce, ciphertext, tag}, nil), nil)
	return plain, err == nil
}

func (g gcm) seal(plain []byte) string {
	sealed := g.Seal(nil, nil, plain, nil)
	at := len(sealed) - tagSize
	encode := base64.StdEncoding.EncodeToString
	return encode(sealed[nonceSize:at]) + "--" + encode(sealed[:nonceSize]) + "--" + encode(sealed[at:])
}

// cbc is AES-256-CBC and HMAC-SHA1: with data = base64(base64(ciphertext)--base64(iv)), it is
// data--hex(mac of data).
type cbc struct {
	block cipher.Block
	mac   []byte // its key
}

func newCBC(r Rotation) (box, error) {
	key, err := r.key("encrypted cookie", 32)
	if err != nil {
		return nil, err
	}
	macKey, err := r.key("signed encrypted cookie", 64)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	return cbc{block, macKey}, err
}

func (c cbc) sum(data string) []byte {
	m := hmac.New(sha1.New, c.mac)
	m.Write([]byte(data))
	return m.Sum(nil)
}

func (c cbc) open(value string) ([]byte, bool) {
	data, digits, ok := strings.Cut(value, "--")
	if !ok {
		return nil, false
	}
	sum, err := hex.DecodeString(digits)
	if err != nil || strings.ToLower(digits) != digits || !hmac.Equal(sum, c.sum(data)) {
		return nil, false
	}
	inner, ok := strictBase64(data)
	if !ok {
		return nil, false
	}
	first, second, _ := strings.Cut(string(inner), "--")
	ciphertext, ok1 := strictBase64(first)
	iv, ok2 := strictBase64(second)
	if !ok1 || !ok2 || len(iv) != aes.BlockSize || len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		return nil, false
	}
	cipher.NewCBCDecrypter(c.block, iv).CryptBlocks(ciphertext, ciphertext)
	return unpad(ciphertext)
}

// unpad takes PKCS #7 padding off. The MAC has held, so that its failure tells a stranger nothing.
func unpad(b []byte) ([]byte, bool) {
	n := int(b[len(b)-1])
	if n == 0 || n > aes.BlockSize || !bytes.Equal(b[len(b)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, false
	}
	return b[:len(b)-n], true
}

func (c cbc) seal(plain []byte) string {
	var iv [aes.BlockSize]byte
	rand.Read(iv[:])
	n := aes.BlockSize - len(plain)%aes.BlockSize
	padded := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(c.block, iv[:]).CryptBlocks(padded, padded)
	encode := base64.StdEncoding.EncodeToString
	data := encode([]byte(encode(padded) + "--" + encode(iv[:])))
	return data + "--" + hex.EncodeToString(c.sum(data))
}
