// Package python reads and writes what Flask's and Django's signers put round a session: JSON, with
// zlib where that is shorter, in base64url, and the bytes of their JSON as Python writes it.
package python

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/object"
	"github.com/signet-go/signet/internal/base64url"
)

// Decode returns the JSON text of a body, whose MAC has held: base64url, behind a dot if it
// is compressed. Its errors are signet.ErrInvalid, or wrap it.
func Decode(body string) ([]byte, error) {
	text, compressed := strings.CutPrefix(body, ".")
	raw, ok := base64url.AppendDecode(nil, text)
	if !ok {
		return nil, signet.ErrInvalid
	}
	if compressed {
		return inflate(raw)
	}
	return raw, nil
}

// inflate takes one zlib stream with its checksum and its end, and nothing after it.
func inflate(raw []byte) ([]byte, error) {
	in := bytes.NewReader(raw) // an io.ByteReader, so that zlib reads no further than it must
	z, err := zlib.NewReader(in)
	if err != nil {
		return nil, signet.ErrInvalid
	}
	out, err := io.ReadAll(io.LimitReader(z, object.MaxText+1))
	switch {
	case err != nil || in.Len() > 0 && len(out) <= object.MaxText:
		return nil, signet.ErrInvalid
	case len(out) > object.MaxText:
		return nil, fmt.Errorf("the session inflates to more than %d bytes: %w", object.MaxText, signet.ErrInvalid)
	}
	return out, nil
}

// Encode is the body for a JSON text, compressed where both frameworks do so.
func Encode(text []byte) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(text) // into memory: no error to have
	_ = z.Close()
	if b.Len() < len(text)-1 {
		return "." + string(base64url.Append(nil, b.Bytes()))
	}
	return string(base64url.Append(nil, text))
}

// ASCII is text, which is valid JSON, without spaces and with everything above ASCII escaped.
// Flask would read UTF-8, but Django takes each byte for a character.
func ASCII(text []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return nil, errors.New("the claims are not JSON")
	}
	out := make([]byte, 0, b.Len())
	for rest := b.Bytes(); len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		rest = rest[n:]
		switch {
		case r < utf8.RuneSelf:
			out = append(out, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out, nil
}

// Latin1 is text as Django reads it: each byte is the character of that number.
func Latin1(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, c := range text {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}
