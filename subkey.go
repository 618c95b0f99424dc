package signet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/signet-go/signet/internal/compact"
)

const derivationLabel = "signet/v1"

// The formats that have keys of their own.
const (
	formatCompact1  = "compact1"
	formatCompact2  = "compact2"
	formatJWEDir    = "jwe-dir"
	formatJWEA256KW = "jwe-a256kw"
)

// The kinds of purpose. What an application seals on a stranger's behalf is of kind
// token, so that it never opens as a session.
const (
	kindSession = "session"
	kindTouch   = "touch"
	kindToken   = "token"
)

// purpose is what a key is derived for. Two that differ anywhere share no key.
type purpose struct{ kind, name, tenant string }

// lp appends s with a length of two bytes, big-endian, before it.
func lp(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

// expand is HKDF-Expand with SHA-256 (RFC 5869 §2.3). For up to 32 bytes that is
// one HMAC: HMAC-SHA-256(key, info ‖ 0x01).
func expand(key []byte, info string, size int) []byte {
	out, err := hkdf.Expand(sha256.New, key, info, size)
	if err != nil {
		panic("signet: HKDF-Expand: " + err.Error()) // unreachable: fixed sizes, approved hash
	}
	return out
}

// purposeKey is what `signet keys export` may hand out in place of the master.
func (k *key) purposeKey(format string, p purpose) []byte {
	info := lp(make([]byte, 0, 128), derivationLabel)
	for _, part := range [...]string{format, p.kind, p.name, p.tenant} {
		info = lp(info, part)
	}
	return expand(k.prk, string(info), keySize)
}

func hourKey(purposeKey []byte, hour uint32) []byte {
	return expand(purposeKey, string(binary.BigEndian.AppendUint32(lp(nil, "hour"), hour)), keySize)
}

// aead seals nonce ‖ ciphertext ‖ tag and opens the same, drawing the nonce itself.
type aead interface {
	Seal(dst, nonce, plaintext, additional []byte) []byte
	Open(dst, nonce, sealed, additional []byte) ([]byte, error)
}

// newAEAD makes the AEAD of a format: for a compact one of that hour, for a JWE of
// the content key.
func (k *key) newAEAD(format string, p purpose, hour uint32) (aead, error) {
	secret := k.purposeKey(format, p)
	switch format {
	case formatCompact1:
		return newGCM(hourKey(secret, hour))
	case formatCompact2:
		return newChaCha(hourKey(secret, hour))
	case formatJWEA256KW:
		return newKeyWrapper(secret)
	}
	return newGCM(secret)
}

// newGCM is AES-256-GCM that draws its own nonce, the only form of it that Go allows
// under GODEBUG=fips140=only.
func newGCM(key []byte) (aead, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

var errChaChaFIPS = errors.New("signet: keys of alg signet-v1-chacha cannot be used under GODEBUG=fips140=only; make one of alg signet-v1: run: signet keys new")

func newChaCha(key []byte) (aead, error) {
	if fipsOnly() {
		return nil, errChaChaFIPS
	}
	inner, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, err
	}
	return randomNonce{inner}, nil
}

// fipsOnly asks the standard library rather than GODEBUG, which can be set in
// several ways: a GCM with a nonce of the caller's is refused just then.
func fipsOnly() bool {
	block, err := aes.NewCipher(make([]byte, keySize))
	if err != nil {
		return true
	}
	_, err = cipher.NewGCM(block)
	return err != nil
}

// randomNonce gives ChaCha20-Poly1305 the form of cipher.NewGCMWithRandomNonce.
type randomNonce struct{ cipher.AEAD }

func (a randomNonce) Seal(dst, _, plaintext, additional []byte) []byte {
	const nonceSize = compact.NonceSize
	start := len(dst)
	dst = grown(dst, nonceSize+len(plaintext)+compact.TagSize)
	out := dst[start : start+nonceSize+len(plaintext)]
	copy(out[nonceSize:], plaintext) // first: plaintext may begin where the nonce goes
	rand.Read(out[:nonceSize])
	return a.AEAD.Seal(dst[:start+nonceSize], out[:nonceSize], out[nonceSize:], additional)
}

func (a randomNonce) Open(dst, _, sealed, additional []byte) ([]byte, error) {
	if len(sealed) < compact.NonceSize {
		return nil, ErrInvalid
	}
	// In place, then moved to where the caller wants it, which may be over the nonce.
	nonce, ciphertext := sealed[:compact.NonceSize], sealed[compact.NonceSize:]
	plain, err := a.AEAD.Open(ciphertext[:0], nonce, ciphertext, additional)
	if err != nil {
		return nil, err
	}
	return append(dst, plain...), nil
}

// subkeyCache keeps the AEADs in use: 32 sets of 4, found by hash and compared in
// full. It takes no lock and a hit writes nothing, so that cores share it freely. It
// is an optimisation only: a miss costs about two HKDF-Expands and an AES key schedule.
type subkeyCache struct {
	slots [cacheSets * cacheWays]atomic.Pointer[subkey]
}

const (
	cacheSets = 32
	cacheWays = 4
)

type subkey struct {
	key     *key // identity, not id: a replaced key never answers for its successor
	format  string
	purpose purpose
	hour    uint32
	aead    aead
}

var cacheSeed = maphash.MakeSeed()

// set spreads (key, purpose) by hash and lets consecutive hours follow each other,
// so that the hours of one session cookie never collide before there are 128 of them.
func (c *subkeyCache) set(k *key, p purpose, hour uint32) []atomic.Pointer[subkey] {
	i := (uint32(k.id) + uint32(maphash.String(cacheSeed, p.name)) + hour) % cacheSets * cacheWays
	return c.slots[i : i+cacheWays]
}

func (c *subkeyCache) get(k *key, format string, p purpose, hour uint32) aead {
	set := c.set(k, p, hour)
	for i := range set {
		if s := set[i].Load(); s != nil && s.key == k && s.hour == hour && s.format == format && s.purpose == p {
			return s.aead
		}
	}
	return nil
}

// put keeps an AEAD in an empty place, or in that of the oldest hour. Two that race for a place
// overwrite each other, which costs one of them a miss.
func (c *subkeyCache) put(s *subkey) {
	set := c.set(s.key, s.purpose, s.hour)
	oldest := 0
	for i := range set {
		held := set[i].Load()
		if held == nil {
			oldest = i
			break
		}
		if held.hour < set[oldest].Load().hour {
			oldest = i
		}
	}
	set[oldest].Store(s)
}
