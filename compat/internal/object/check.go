package object

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/signet-go/signet"
)

// MaxText is how many bytes a session's JSON may have, or inflate to. A cookie of 4 KB can hold 3 MB of
// equal bytes; real sessions stay under 40 kB.
const MaxText = 262_144

const (
	maxDepth  = 100  // Ruby refuses more
	maxDigits = 4300 // of one number: Python refuses to read more
)

// Check returns an error unless text is a JSON object that Go, Python and Ruby read alike. It is, or
// wraps, signet.ErrInvalid.
func Check(text []byte) error {
	if len(text) > MaxText {
		return fmt.Errorf("the session has %d bytes of JSON, over the limit of %d: %w", len(text), MaxText, signet.ErrInvalid)
	}
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	switch err := scan(trimmed); {
	case err != nil:
		return err
	case len(trimmed) == 0 || trimmed[0] != '{' || !json.Valid(trimmed) || !utf8.Valid(trimmed):
		return signet.ErrInvalid
	}
	return nil
}

var (
	errDepth  = fmt.Errorf("the session is nested deeper than %d: %w", maxDepth, signet.ErrInvalid)
	errDigits = fmt.Errorf("the session holds a number of more than %d digits: %w", maxDigits, signet.ErrInvalid)
	errNaN    = fmt.Errorf("the session holds NaN or Infinity, which JSON has not; store a string or null: %w", signet.ErrInvalid)
)

// scan looks at what is outside of strings.
func scan(text []byte) error {
	depth, digits, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		if inString {
			switch c {
			case '\\':
				i++
			case '"':
				inString = false
			}
			continue
		}
		if c >= '0' && c <= '9' {
			digits++
		} else {
			digits = 0
		}
		switch c {
		case '"':
			inString = true
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case 'N', 'I':
			return errNaN
		}
		if depth > maxDepth {
			return errDepth
		}
		if digits > maxDigits {
			return errDigits
		}
	}
	return nil
}
