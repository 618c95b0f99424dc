// Package jwe holds the bytes of the JWE profile (RFC 7516, compact serialisation):
// append and strict parse of the header, the five parts and the claims. It holds no
// keys and no clock.
//
// A stranger's header is compared with the few that an honest producer writes, byte
// for byte. No JSON is parsed before authentication, so zip, crit, p2c, duplicate
// members and algorithm confusion have no code to attack.
package jwe

import (
	"encoding/hex"
	"strconv"
	"strings"
	"sync"

	"github.com/signet-go/signet/internal/base64url"
)

// Alg is the key management algorithm (RFC 7518 §4). The content encryption is
// always A256GCM.
type Alg byte

const (
	Dir    Alg = iota + 1 // direct use of a shared key
	A256KW                // AES key wrap of a fresh content key
)

// Sizes in bytes.
const (
	NonceSize = 12
	TagSize   = 16
	// WrappedKeySize is a content key of 32 bytes under RFC 3394.
	WrappedKeySize = 40
	// maxHeader is above every header that is accepted, in characters.
	maxHeader = 160
)

// Header is what the protected header says.
type Header struct {
	Alg   Alg
	KeyID uint32
	// IssuedAt is the replicated claim of RFC 7519 §5.3, in Unix seconds: the header that
	// is written here has it, so that an instance with an old ring can tell a token
	// of a key that it does not know yet from one that is long gone. Zero if absent.
	IssuedAt uint32
}

// pattern is a header in pieces, with holes: "#" for eight hexadecimal digits of the key
// id, "@" for the issue time in decimal.
type pattern struct {
	alg    Alg
	pieces []string
}

// The order of members differs between producers: jwcrypto sorts, npm jose keeps the
// caller's, go-jose has its own and its jwt package adds typ. The first of each alg is ours.
// They are made when the first JWE comes, not at the start of every process.
var patterns = sync.OnceValue(func() [A256KW + 1][]pattern {
	return [...][]pattern{Dir: orders(Dir, "dir"), A256KW: orders(A256KW, "A256KW")}
})

func orders(alg Alg, name string) []pattern {
	base := []string{`"alg":"` + name + `"`, `"enc":"A256GCM"`, `"kid":"#"`}
	all := []pattern{pieces(alg, append(base[:3:3], `"iat":@`))}
	for _, members := range [][]string{base, append(base[:3:3], `"typ":"JWT"`)} {
		permute(members, nil, func(p []string) {
			all = append(all, pieces(alg, p))
		})
	}
	return all
}

func pieces(alg Alg, members []string) pattern {
	p := pattern{alg: alg}
	rest := "{" + strings.Join(members, ",") + "}"
	for rest != "" {
		n := strings.IndexAny(rest, "#@")
		switch {
		case n < 0:
			n = len(rest)
		case n == 0:
			n = 1
		}
		p.pieces, rest = append(p.pieces, rest[:n]), rest[n:]
	}
	return p
}

func permute(rest, chosen []string, yield func([]string)) {
	if len(rest) == 0 {
		yield(chosen)
		return
	}
	for i := range rest {
		var others []string
		others = append(append(others, rest[:i]...), rest[i+1:]...)
		permute(others, append(chosen[:len(chosen):len(chosen)], rest[i]), yield)
	}
}

// AppendHeader appends the text of the one header that is sealed here, base64url.
func AppendHeader(dst []byte, h Header) []byte {
	var buf [maxHeader]byte
	return base64url.Append(dst, appendPattern(buf[:0], patterns()[h.Alg][0], h))
}

func appendPattern(dst []byte, p pattern, h Header) []byte {
	for _, piece := range p.pieces {
		switch piece {
		case "#":
			id := [4]byte{byte(h.KeyID >> 24), byte(h.KeyID >> 16), byte(h.KeyID >> 8), byte(h.KeyID)}
			dst = hex.AppendEncode(dst, id[:])
		case "@":
			dst = strconv.AppendUint(dst, uint64(h.IssuedAt), 10)
		default:
			dst = append(dst, piece...)
		}
	}
	return dst
}

// ParseHeader reads the first part of a token. It reports false unless the
// header is, byte for byte, one that an honest producer writes.
func ParseHeader(part string) (Header, bool) {
	if len(part) > maxHeader {
		return Header{}, false
	}
	var buf [maxHeader]byte
	raw, ok := base64url.AppendDecode(buf[:0], part)
	if !ok {
		return Header{}, false
	}
	for _, alg := range [...]Alg{Dir, A256KW} {
		for _, p := range patterns()[alg] {
			if h, ok := match(p, raw); ok {
				return h, true
			}
		}
	}
	return Header{}, false
}

func match(p pattern, raw []byte) (Header, bool) {
	h := Header{Alg: p.alg}
	for _, piece := range p.pieces {
		switch piece {
		case "#":
			var id [4]byte
			if len(raw) < 8 || !lowerHex(raw[:8]) {
				return h, false
			}
			hex.Decode(id[:], raw[:8])
			h.KeyID = uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3])
			raw = raw[8:]
		case "@":
			n, size := decimal(raw)
			if size == 0 {
				return h, false
			}
			h.IssuedAt, raw = n, raw[size:]
		default:
			if len(raw) < len(piece) || string(raw[:len(piece)]) != piece {
				return h, false
			}
			raw = raw[len(piece):]
		}
	}
	return h, len(raw) == 0
}

func lowerHex(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// decimal reads a number from 1 to 2^32-1 without a leading zero, and its length in
// characters, 0 if there is none.
func decimal(b []byte) (n uint32, size int) {
	var sum uint64
	for size < len(b) && b[size] >= '0' && b[size] <= '9' {
		sum = sum*10 + uint64(b[size]-'0')
		if size++; sum == 0 || sum >= 1<<32 {
			return 0, 0
		}
	}
	return uint32(sum), size
}

// Parts are the five parts of the compact serialisation, still encoded.
type Parts struct{ Header, Key, Nonce, Ciphertext, Tag string }

// Split cuts a token at its four dots. It reports false for any other number of them
// and for a nonce or tag whose length is not that of A256GCM.
func Split(token string) (Parts, bool) {
	var p Parts
	var ok [4]bool
	p.Header, token, ok[0] = strings.Cut(token, ".")
	p.Key, token, ok[1] = strings.Cut(token, ".")
	p.Nonce, token, ok[2] = strings.Cut(token, ".")
	p.Ciphertext, p.Tag, ok[3] = strings.Cut(token, ".")
	return p, ok == [4]bool{true, true, true, true} &&
		len(p.Nonce) == 16 && len(p.Tag) == 22 && strings.IndexByte(p.Tag, '.') < 0
}
