// Package compact holds the bytes of a compact token: append and strict parse.
// It knows no keys and no clock.
//
//	off 0   version   1 or 2
//	    1   key id    4 bytes
//	    5   issued    4 bytes, Unix seconds
//	    9   nonce     12 bytes
//	   21   ciphertext, then a tag of 16 bytes
//
// Bytes 0 to 8 are the additional data of the AEAD. The text of a token is
// base64url without padding.
package compact

import (
	"encoding/binary"

	"github.com/signet-go/signet/internal/base64url"
)

// The two versions differ in the AEAD alone.
const (
	V1 = 1 // AES-256-GCM
	V2 = 2 // ChaCha20-Poly1305
)

// Sizes in bytes.
const (
	HeaderSize = 9
	NonceSize  = 12
	TagSize    = 16
	Overhead   = HeaderSize + NonceSize + TagSize
)

// Header is what a token says of itself in the clear.
type Header struct {
	Version  byte
	KeyID    uint32
	IssuedAt uint32 // Unix seconds
}

// AppendHeader appends the nine bytes of h.
func AppendHeader(dst []byte, h Header) []byte {
	dst = append(dst, h.Version)
	dst = binary.BigEndian.AppendUint32(dst, h.KeyID)
	return binary.BigEndian.AppendUint32(dst, h.IssuedAt)
}

// EncodedLen is the number of characters of a token over n bytes of plaintext.
func EncodedLen(n int) int { return base64url.EncodedLen(Overhead + n) }

// Peek reads the header of a token's text alone, at the cost of twelve characters.
func Peek(token string) (Header, bool) {
	if len(token) < base64url.EncodedLen(Overhead) {
		return Header{}, false
	}
	var buf [HeaderSize]byte
	raw, ok := base64url.AppendDecode(buf[:0], token[:HeaderSize/3*4])
	if !ok {
		return Header{}, false
	}
	return header(raw), raw[0] == V1 || raw[0] == V2
}

// Parse splits a token's bytes into its header, the additional data, and the
// nonce, ciphertext and tag. It reports false for an unknown version or a token
// too short to hold any.
func Parse(raw []byte) (h Header, additional, sealed []byte, ok bool) {
	if len(raw) < Overhead || (raw[0] != V1 && raw[0] != V2) {
		return Header{}, nil, nil, false
	}
	return header(raw), raw[:HeaderSize:HeaderSize], raw[HeaderSize:], true
}

func header(raw []byte) Header {
	return Header{
		Version:  raw[0],
		KeyID:    binary.BigEndian.Uint32(raw[1:]),
		IssuedAt: binary.BigEndian.Uint32(raw[5:]),
	}
}
