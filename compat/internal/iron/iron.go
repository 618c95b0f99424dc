// Package iron opens and makes the seals of @hapi/iron, version Fe26.2, with its default
// algorithms: AES-256-CBC, then HMAC-SHA-256, under keys of PBKDF2-HMAC-SHA-1 with one iteration.
//
// One iteration and a random salt for each seal: the password is the key, and nothing can be
// derived beforehand. A seal does not say its algorithms, so none but the defaults exist here.
package iron

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/internal/base64url"
)

const (
	prefix  = "Fe26.2"
	keySize = 32
	saltLen = 64 // hexadecimal digits
	maxSeal = 16 << 10
	maxID   = 32
	// Skew is how much longer than it says a seal opens.
	Skew = 60 * time.Second
	// MinPassword is the least length of a password, in UTF-16 units.
	MinPassword = 32
)

// ErrFIPS is why no seal can be made or opened under GODEBUG=fips140=only; nil otherwise.
func ErrFIPS() error {
	if fips.Only() {
		return errors.New("iron seals need PBKDF2 with HMAC-SHA-1, which GODEBUG=fips140=only refuses")
	}
	return nil
}

// Long reports whether password has the least length.
func Long(password string) bool {
	units := 0
	for _, r := range password {
		if units++; r > 0xffff {
			units++
		}
	}
	return units >= MinPassword
}

// Password is a secret and where it stands in the configuration.
type Password struct {
	Secret string
	Index  int // 0 seals
}

// Opened is what a seal held.
type Opened struct {
	Payload []byte
	Expires time.Time // the first instant at which it does not open; zero is never
	Index   int       // of the password
}

// Open opens a seal. The passwords for its id are tried in order. The MAC is checked before
// the end, which is checked before anything is decrypted.
func Open(seal string, now time.Time, passwords func(id string) []Password) (Opened, error) {
	s, ok := parse(seal)
	if !ok {
		return Opened{}, signet.ErrInvalid
	}
	candidates := passwords(s.id)
	if len(candidates) == 0 {
		return Opened{}, signet.ErrUnknownKey
	}
	for _, p := range candidates {
		if !s.authentic(p.Secret) {
			continue
		}
		o := Opened{Index: p.Index}
		if s.expires != "" {
			ms, _ := strconv.ParseInt(s.expires, 10, 64) // at most 15 digits
			o.Expires = time.UnixMilli(ms).Add(Skew)
			if !now.Before(o.Expires) {
				return Opened{}, signet.ErrExpired
			}
		}
		if o.Payload, ok = s.decrypt(p.Secret); !ok {
			return Opened{}, signet.ErrInvalid
		}
		return o, nil
	}
	return Opened{}, signet.ErrInvalid
}

// parsed is a seal of the right shape. Nothing of it is trusted.
type parsed struct {
	signed            string // the first six fields
	id, salt, expires string
	iv, ciphertext    []byte
	macSalt           string
	mac               []byte
}

func parse(seal string) (parsed, bool) {
	var s parsed
	if len(seal) > maxSeal || strings.Count(seal, "*") != 7 {
		return s, false
	}
	f := strings.Split(seal, "*")
	s.signed = strings.Join(f[:6], "*")
	s.id, s.salt, s.expires, s.macSalt = f[1], f[2], f[5], f[6]
	var ok [3]bool
	s.iv, ok[0] = base64url.AppendDecode(nil, f[3])
	s.ciphertext, ok[1] = base64url.AppendDecode(nil, f[4])
	s.mac, ok[2] = base64url.AppendDecode(nil, f[7])
	return s, ok == [3]bool{true, true, true} && f[0] == prefix &&
		isID(s.id) && isSalt(s.salt) && isSalt(s.macSalt) && isTime(s.expires) &&
		len(s.iv) == aes.BlockSize && len(s.mac) == sha256.Size &&
		len(s.ciphertext) > 0 && len(s.ciphertext)%aes.BlockSize == 0
}

func isID(id string) bool {
	if len(id) > maxID {
		return false
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return true
}

func isSalt(salt string) bool {
	if len(salt) != saltLen {
		return false
	}
	for _, c := range salt {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isTime(ms string) bool {
	if len(ms) > 15 || ms != "" && ms[0] == '0' {
		return false
	}
	for _, c := range ms {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func (s parsed) authentic(password string) bool {
	key, err := derive(password, s.macSalt)
	return err == nil && subtle.ConstantTimeCompare(mac(key, s.signed), s.mac) == 1
}

// decrypt takes the padding off a ciphertext that has authenticated.
func (s parsed) decrypt(password string) ([]byte, bool) {
	key, err := derive(password, s.salt)
	if err != nil {
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	cipher.NewCBCDecrypter(block, s.iv).CryptBlocks(s.ciphertext, s.ciphertext)
	return unpad(s.ciphertext)
}

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

func derive(password, salt string) ([]byte, error) {
	return pbkdf2.Key(sha1.New, password, []byte(salt), 1, keySize)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Seal seals payload under a password and its id, until expires, or for ever if that is zero.
func Seal(payload []byte, id, password string, expires time.Time) (string, error) {
	salt, macSalt := newSalt(), newSalt()
	key, err := derive(password, salt)
	if err != nil {
		return "", err
	}
	macKey, err := derive(password, macSalt)
	if err != nil {
		return "", err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	iv := make([]byte, aes.BlockSize)
	rand.Read(iv)
	n := aes.BlockSize - len(payload)%aes.BlockSize
	padded := append(append(make([]byte, 0, len(payload)+n), payload...), strings.Repeat(string(rune(n)), n)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	end := ""
	if !expires.IsZero() {
		end = strconv.FormatInt(expires.UnixMilli(), 10)
	}
	signed := strings.Join([]string{prefix, id, salt, text(iv), text(padded), end}, "*")
	return signed + "*" + macSalt + "*" + text(mac(macKey, signed)), nil
}

func text(b []byte) string { return string(base64url.Append(nil, b)) }

func newSalt() string {
	var b [saltLen / 2]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
