package jwe

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// The initial value of RFC 3394 §2.2.3.1.
var wrapIV = [8]byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}

// Wrap is AES key wrap (RFC 3394 §2.2.1) of a content key whose length is a multiple
// of 8, at least 16 bytes.
func Wrap(block cipher.Block, key []byte) []byte {
	n := len(key) / 8
	out := make([]byte, 8+len(key))
	copy(out[8:], key)
	var b [16]byte
	copy(b[:8], wrapIV[:])
	for j := range 6 {
		for i := 1; i <= n; i++ {
			copy(b[8:], out[8*i:])
			block.Encrypt(b[:], b[:])
			xorCounter(&b, j*n+i)
			copy(out[8*i:], b[8:])
		}
	}
	copy(out, b[:8])
	return out
}

// Unwrap undoes Wrap (RFC 3394 §2.2.2). It reports false if the integrity check
// fails or wrapped has a length that Wrap does not make.
func Unwrap(block cipher.Block, wrapped []byte) ([]byte, bool) {
	if len(wrapped)%8 != 0 || len(wrapped) < 24 {
		return nil, false
	}
	n := len(wrapped)/8 - 1
	out := append([]byte(nil), wrapped[8:]...)
	var b [16]byte
	copy(b[:8], wrapped)
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			xorCounter(&b, j*n+i)
			copy(b[8:], out[8*(i-1):])
			block.Decrypt(b[:], b[:])
			copy(out[8*(i-1):], b[8:])
		}
	}
	return out, subtle.ConstantTimeCompare(b[:8], wrapIV[:]) == 1
}

func xorCounter(b *[16]byte, t int) {
	binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])^uint64(t))
}
