package signet_test

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
	"sync"
)

// The formats of SPEC.md written a second time, from the AES block and the hash up and
// without any code of the package: what the vectors are made with. Nonces are given.

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unb64(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func be32(n int64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// refStream is SHA-256(label ‖ uint32 0) ‖ SHA-256(label ‖ uint32 1) ‖ …, cut to n bytes.
func refStream(label string, n int) (out []byte) {
	for i := int64(0); len(out) < n; i++ {
		sum := sha256.Sum256(append([]byte(label), be32(i)...))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

func refHMAC(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(slices.Concat(parts...))
	return h.Sum(nil)
}

func refExtract(master []byte) []byte { return refHMAC(make([]byte, 32), master) }

func refExpand(key, info []byte) []byte { return refHMAC(key, info, []byte{1}) }

func refLP(parts ...string) (out []byte) {
	for _, p := range parts {
		out = append(out, byte(len(p)>>8), byte(len(p)))
		out = append(out, p...)
	}
	return out
}

// refKey is one master key of the vectors.
type refKey struct {
	secret, prk []byte
	kid         []byte
	chacha      bool
}

func newRefKey(secret []byte, chacha bool) refKey {
	prk := refExtract(secret)
	return refKey{secret, prk, refExpand(prk, refLP("signet/v1", "kid"))[:4], chacha}
}

func (k refKey) id() string { return hex.EncodeToString(k.kid) }

func (k refKey) alg() string {
	if k.chacha {
		return "signet-v1-chacha"
	}
	return "signet-v1"
}

func (k refKey) compactFormat() string {
	if k.chacha {
		return "compact2"
	}
	return "compact1"
}

type refPurpose struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Tenant string `json:"tenant"`
}

func (k refKey) purposeKey(format string, p refPurpose) []byte {
	return refExpand(k.prk, refLP("signet/v1", format, p.Kind, p.Name, p.Tenant))
}

func refHourKey(purposeKey []byte, hour int64) []byte {
	return refExpand(purposeKey, append(refLP("hour"), be32(hour)...))
}

// refGCM is AES-GCM with a 96-bit nonce (NIST SP 800-38D §7.1), a bit at a time.
func refGCM(key, nonce, plaintext, additional []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	encrypt := func(counter uint32) (out [16]byte) {
		in := append(slices.Clone(nonce), be32(int64(counter))...)
		block.Encrypt(out[:], in)
		return out
	}
	var h [16]byte
	block.Encrypt(h[:], h[:])
	text := slices.Clone(plaintext)
	for i := 0; i < len(text); i += 16 {
		pad := encrypt(uint32(2 + i/16))
		for j := i; j < min(i+16, len(text)); j++ {
			text[j] ^= pad[j-i]
		}
	}
	padded := func(b []byte) []byte { return append(slices.Clone(b), make([]byte, -len(b)&15)...) }
	lengths := binary.BigEndian.AppendUint64(nil, uint64(len(additional))*8)
	lengths = binary.BigEndian.AppendUint64(lengths, uint64(len(text))*8)
	tag := refGHASH(h, slices.Concat(padded(additional), padded(text), lengths))
	first := encrypt(1)
	for i := range tag {
		tag[i] ^= first[i]
	}
	return append(text, tag[:]...)
}

func refGHASH(h [16]byte, data []byte) (y [16]byte) {
	for ; len(data) > 0; data = data[16:] {
		for i := range y {
			y[i] ^= data[i]
		}
		y = refMultiply(y, h)
	}
	return y
}

// refMultiply is the product in GF(2^128) of SP 800-38D §6.3.
func refMultiply(x, v [16]byte) (z [16]byte) {
	for i := range 128 {
		if x[i/8]>>(7-i%8)&1 == 1 {
			for j := range z {
				z[j] ^= v[j]
			}
		}
		lsb := v[15] & 1
		for j := 15; j > 0; j-- {
			v[j] = v[j]>>1 | v[j-1]<<7
		}
		v[0] >>= 1
		if lsb == 1 {
			v[0] ^= 0xe1
		}
	}
	return z
}

// refChaCha is ChaCha20-Poly1305 (RFC 8439 §2.8).
func refChaCha(key, nonce, plaintext, additional []byte) []byte {
	text := slices.Clone(plaintext)
	for i := 0; i < len(text); i += 64 {
		pad := refChaChaBlock(key, nonce, uint32(1+i/64))
		for j := i; j < min(i+64, len(text)); j++ {
			text[j] ^= pad[j-i]
		}
	}
	padded := func(b []byte) []byte { return append(slices.Clone(b), make([]byte, -len(b)&15)...) }
	lengths := binary.LittleEndian.AppendUint64(nil, uint64(len(additional)))
	lengths = binary.LittleEndian.AppendUint64(lengths, uint64(len(text)))
	oneTime := refChaChaBlock(key, nonce, 0)
	return append(text, refPoly1305(oneTime[:32], slices.Concat(padded(additional), padded(text), lengths))...)
}

func refChaChaBlock(key, nonce []byte, counter uint32) []byte {
	var start [16]uint32
	words := slices.Concat([]byte("expand 32-byte k"), key, binary.LittleEndian.AppendUint32(nil, counter), nonce)
	for i := range start {
		start[i] = binary.LittleEndian.Uint32(words[4*i:])
	}
	s := start
	quarter := func(a, b, c, d int) {
		for _, step := range [][4]int{{a, b, d, 16}, {c, d, b, 12}, {a, b, d, 8}, {c, d, b, 7}} {
			s[step[0]] += s[step[1]]
			s[step[2]] = bits.RotateLeft32(s[step[2]]^s[step[0]], step[3])
		}
	}
	for range 10 {
		for i := range 4 {
			quarter(i, i+4, i+8, i+12)
		}
		for i := range 4 {
			quarter(i, (i+1)%4+4, (i+2)%4+8, (i+3)%4+12)
		}
	}
	var out []byte
	for i := range s {
		out = binary.LittleEndian.AppendUint32(out, s[i]+start[i])
	}
	return out
}

func refPoly1305(key, message []byte) []byte {
	number := func(little []byte) *big.Int {
		b := slices.Clone(little)
		slices.Reverse(b)
		return new(big.Int).SetBytes(b)
	}
	r := slices.Clone(key[:16])
	for _, i := range []int{3, 7, 11, 15} {
		r[i] &= 15
	}
	for _, i := range []int{4, 8, 12} {
		r[i] &= 252
	}
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 130), big.NewInt(5))
	sum := new(big.Int)
	for ; len(message) > 0; message = message[16:] { // padded to whole blocks by the AEAD
		sum.Add(sum, number(append(slices.Clone(message[:16]), 1)))
		sum.Mod(sum.Mul(sum, number(r)), prime)
	}
	sum.Add(sum, number(key[16:]))
	tag := new(big.Int).And(sum, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))).FillBytes(make([]byte, 16))
	slices.Reverse(tag)
	return tag
}

func refSeal(chacha bool, key, nonce, plaintext, additional []byte) []byte {
	if chacha {
		return refChaCha(key, nonce, plaintext, additional)
	}
	return refGCM(key, nonce, plaintext, additional)
}

// refSession is what a session carries before its data.
type refSession struct {
	Persistent bool   `json:"persistent"`
	ID         string `json:"jti"` // base64url
	Created    int64  `json:"created"`
}

// refContent is what a token carries.
type refContent struct {
	Issued, Expires int64
	Session         *refSession
	Data            []byte
}

func (c refContent) compactPlaintext() []byte {
	out := be32(c.Expires)
	if s := c.Session; s != nil {
		flags := byte(0)
		if s.Persistent {
			flags = 1
		}
		out = slices.Concat(out, []byte{flags}, unb64(s.ID), be32(s.Created))
	}
	return append(out, c.Data...)
}

// refCompactSteps are the intermediate values of one compact token.
type refCompactSteps struct {
	purposeKey, hourKey, additional, nonce, plaintext, sealed []byte
	hour                                                      int64
	token                                                     string
}

// refSealed holds every token that the reference has sealed, and for what: whatever else opens was forged.
var refSealed sync.Map // of string to refPurpose

func refCompactOf(k refKey, p refPurpose, issued int64, nonce, plaintext []byte) (s refCompactSteps) {
	version := byte(1)
	if k.chacha {
		version = 2
	}
	s.purposeKey = k.purposeKey(k.compactFormat(), p)
	s.hour = issued / 3600
	s.hourKey = refHourKey(s.purposeKey, s.hour)
	s.additional = slices.Concat([]byte{version}, k.kid, be32(issued))
	s.nonce, s.plaintext = nonce, plaintext
	s.sealed = refSeal(k.chacha, s.hourKey, nonce, plaintext, s.additional)
	s.token = b64(slices.Concat(s.additional, nonce, s.sealed))
	refSealed.Store(s.token, p)
	return s
}

func refCompact(k refKey, p refPurpose, c refContent, nonce []byte) refCompactSteps {
	return refCompactOf(k, p, c.Issued, nonce, c.compactPlaintext())
}

func (c refContent) claims(name string) string {
	out := `{"iat":` + strconv.FormatInt(c.Issued, 10) + `,"exp":` + strconv.FormatInt(c.Expires, 10) + `,"aud":"` + name + `",`
	if c.Session == nil {
		return out + `"p":"` + b64(c.Data) + `"}`
	}
	out += `"jti":"` + c.Session.ID + `","created":` + strconv.FormatInt(c.Session.Created, 10)
	if c.Session.Persistent {
		out += `,"persistent":true`
	}
	return out + `,"d":` + string(c.Data) + `}`
}

func (k refKey) header(alg string, issued int64) string {
	return `{"alg":"` + alg + `","enc":"A256GCM","kid":"` + k.id() + `","iat":` + strconv.FormatInt(issued, 10) + `}`
}

// refJWEDir is a JWE of alg dir with any header and claims.
func refJWEDir(k refKey, p refPurpose, header, claims string, nonce []byte) string {
	token := refJWEParts(k.purposeKey("jwe-dir", p), nil, header, claims, nonce)
	refSealed.Store(token, p)
	return token
}

// refJWEWrap is a JWE of alg A256KW with any header and claims, and a given content key.
func refJWEWrap(k refKey, p refPurpose, header, claims string, contentKey, nonce []byte) string {
	token := refJWEParts(contentKey, refWrap(k.purposeKey("jwe-a256kw", p), contentKey), header, claims, nonce)
	refSealed.Store(token, p)
	return token
}

func refJWEParts(cek, wrapped []byte, header, claims string, nonce []byte) string {
	encodedHeader := b64([]byte(header))
	sealed := refGCM(cek, nonce, []byte(claims), []byte(encodedHeader))
	cut := len(sealed) - 16
	return encodedHeader + "." + b64(wrapped) + "." + b64(nonce) + "." + b64(sealed[:cut]) + "." + b64(sealed[cut:])
}

// refWrap is RFC 3394 §2.2.1, in the notation of the text.
func refWrap(kek, plain []byte) []byte {
	block, err := aes.NewCipher(kek)
	if err != nil {
		panic(err)
	}
	n := len(plain) / 8
	a := []byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}
	r := make([][]byte, n+1)
	for i := 1; i <= n; i++ {
		r[i] = slices.Clone(plain[8*i-8 : 8*i])
	}
	for j := 0; j <= 5; j++ {
		for i := 1; i <= n; i++ {
			b := slices.Concat(a, r[i])
			block.Encrypt(b, b)
			t := uint64(n*j + i)
			a = binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(b[:8])^t)
			r[i] = b[8:]
		}
	}
	return slices.Concat(append([][]byte{a}, r[1:]...)...)
}
