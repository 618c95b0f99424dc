// Package base64url decodes base64url without padding (RFC 4648 §5) in its one
// canonical spelling, so that a token has one text and cannot be respelled.
package base64url

import "encoding/base64"

var encoding = base64.RawURLEncoding.Strict()

// EncodedLen is the length of the text of n bytes.
func EncodedLen(n int) int { return encoding.EncodedLen(n) }

// DecodedLen is the number of bytes that a text of n characters holds.
func DecodedLen(n int) int { return encoding.DecodedLen(n) }

// Append appends the text of src to dst. The two must not overlap.
func Append(dst, src []byte) []byte { return encoding.AppendEncode(dst, src) }

// AppendDecode appends the bytes of the text src to dst, and reports whether src
// was canonical: the URL alphabet only, no padding, no line breaks, unused bits zero.
// If it was not, dst is returned as it came.
func AppendDecode[S string | []byte](dst []byte, src S) ([]byte, bool) {
	// A single character holds no whole byte. The check also makes the length
	// comparison below exact: Strict still skips \r and \n, and with this remainder
	// ruled out every skipped character shows as a missing byte.
	if len(src)%4 == 1 {
		return dst, false
	}
	want := encoding.DecodedLen(len(src))
	base := len(dst)
	dst = grow(dst, want)
	n, err := encoding.Decode(dst[base:base+want], []byte(src))
	if err != nil || n != want {
		return dst[:base], false
	}
	return dst[:base+want], true
}

func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b[:len(b)+n]
	}
	return append(b, make([]byte, n)...)
}
