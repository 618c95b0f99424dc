// Package jsonsplit takes JSON objects and arrays apart, for readers that care about what encoding/json
// hides: the order of members, a name that is there twice, its exact letters, each value as it was written.
//
// encoding/json says whether a text is JSON; what is left is to find where each value ends, at a
// fraction of what a json.Decoder takes for that. No error holds contents.
package jsonsplit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Member is one name and value of an object. Value is a part of the text, without blanks around it.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Object splits a text that is one object and nothing else. Names are unquoted, and as often there as written.
func Object(text []byte) ([]Member, error) {
	if !json.Valid(text) {
		return nil, broken(text)
	}
	all, ok := Members(text)
	if !ok {
		return nil, ErrNotObject
	}
	return all, nil
}

// ErrNotObject is returned for JSON that is another value.
var ErrNotObject = errors.New("no JSON object")

// Members splits an object within what Object has checked. It reports false for a value of another kind.
func Members(value []byte) (all []Member, ok bool) {
	rest := blanks(value)
	if rest[0] != '{' {
		return nil, false
	}
	all = make([]Member, 0, 8)
	for rest = blanks(rest[1:]); rest[0] != '}'; rest = blanks(bytes.TrimPrefix(rest, []byte{','})) {
		var m Member
		var name []byte
		name, rest = next(rest)
		m.Name, _ = String(name)
		m.Value, rest = next(rest[1:]) // behind the colon
		all = append(all, m)
	}
	return all, true
}

// Elements splits an array within what Object has checked. It reports false for a value of another kind.
func Elements(value []byte) (all []json.RawMessage, ok bool) {
	rest := blanks(value)
	if rest[0] != '[' {
		return nil, false
	}
	for rest = blanks(rest[1:]); rest[0] != ']'; rest = blanks(bytes.TrimPrefix(rest, []byte{','})) {
		var one []byte
		one, rest = next(rest)
		all = append(all, one)
	}
	return all, true
}

// String returns the text of a JSON string. It reports false for what is none.
func String(raw []byte) (text string, ok bool) {
	if len(raw) >= 2 && raw[0] == '"' && bytes.IndexByte(raw[1:], '"') == len(raw)-2 && plain(raw[1:len(raw)-1]) {
		return string(raw[1 : len(raw)-1]), true
	}
	if len(raw) == 0 || raw[0] != '"' {
		return "", false // null is no error to encoding/json
	}
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

// plain is text that stands for itself in a JSON string.
func plain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c >= 0x80 || c == '\\' || c == '"' {
			return false
		}
	}
	return true
}

// broken says from which line on a text is no JSON.
func broken(text []byte) error {
	var syntax *json.SyntaxError
	if !errors.As(json.Unmarshal(text, new(json.RawMessage)), &syntax) {
		return errors.New("broken JSON")
	}
	at := int(syntax.Offset) // behind the byte at fault, or the end
	line := 1 + bytes.Count(text[:at], []byte{'\n'})
	if at > 0 && json.Valid(text[:at-1]) {
		return fmt.Errorf("something follows the JSON object, near line %d", line)
	}
	return fmt.Errorf("broken JSON near line %d; is the file cut short?", line)
}

// next returns the value that a part of valid JSON begins with, and what follows the blanks behind it.
func next(text []byte) (value, rest []byte) {
	text = blanks(text)
	n := end(text)
	return text[:n], blanks(text[n:])
}

// end is the length of the value that a part of valid JSON begins with.
func end(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		case '"':
			i += quoted(text[i:]) - 1
		default:
			if depth > 0 {
				continue
			}
			if n := bytes.IndexAny(text[i:], ",]} \t\r\n"); n >= 0 {
				return i + n // a number, true, false or null
			}
			return len(text)
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(text)
}

// quoted is the length of the string that a part of valid JSON begins with, with its quotes.
func quoted(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func blanks(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }
