// Package fips asks whether the program runs under GODEBUG=fips140=only.
package fips

import (
	"crypto/aes"
	"crypto/cipher"
)

// Only reports whether algorithms that are not approved are refused. It asks the standard
// library rather than GODEBUG, which can be set in several ways: a GCM with a nonce of the caller's is
// refused just then.
func Only() bool {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return true
	}
	_, err = cipher.NewGCM(block)
	return err != nil
}

// MinKey is the least length of an HMAC or HKDF key under fips140=only, in bytes (112 bits,
// NIST SP 800-131A).
const MinKey = 14
