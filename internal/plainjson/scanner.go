package plainjson

import "bytes"

// scanner walks over JSON that it expects to be written by Append. Every method reports
// false where it is not; then the scan is over.
type scanner struct {
	rest  []byte
	exact bool // so far Append would write the same
}

func (s *scanner) take(c byte) bool {
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) takeAll(text string) bool {
	if len(s.rest) < len(text) || string(s.rest[:len(text)]) != text {
		return false
	}
	s.rest = s.rest[len(text):]
	return true
}

// name takes the name of a struct's member, after a comma if it is not the first. If it is
// another, nothing is taken.
func (s *scanner) name(more bool, name string) bool {
	if !more {
		return s.takeAll(name)
	}
	if len(s.rest) > len(name) && s.rest[0] == ',' && string(s.rest[1:1+len(name)]) == name {
		s.rest = s.rest[1+len(name):]
		return true
	}
	return false
}

// key takes the name of a map's member, after a comma if it is not the first.
func (s *scanner) key(more bool, previous string) (string, bool) {
	if more && !s.take(',') {
		return "", false
	}
	name, ok := s.string()
	s.exact = s.exact && (!more || previous < name)
	return name, ok && s.take(':')
}

func (s *scanner) string() (string, bool) {
	if !s.take('"') {
		return "", false
	}
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 {
		return "", false
	}
	asIs, ascii := plainText(s.rest[:end])
	if !asIs {
		return "", false
	}
	text := string(s.rest[:end])
	s.exact = s.exact && (ascii || !hasLineEnds(text))
	s.rest = s.rest[end+1:]
	return text, true
}

func (s *scanner) bool() (value, ok bool) {
	if s.takeAll("true") {
		return true, true
	}
	return false, s.takeAll("false")
}

// integer takes a number of at most 18 digits, as JSON spells it. It does not take -0,
// which is no integer once it is in an interface.
func (s *scanner) integer() (n int64, ok bool) {
	digits := s.rest
	minus := len(digits) > 0 && digits[0] == '-'
	if minus {
		digits = digits[1:]
	}
	size := 0
	for ; size < len(digits) && size < 19 && digits[size] >= '0' && digits[size] <= '9'; size++ {
		n = n*10 + int64(digits[size]-'0')
	}
	if size == 0 || size == 19 || digits[0] == '0' && (size > 1 || minus) {
		return 0, false
	}
	s.rest = digits[size:]
	if minus {
		n = -n
	}
	return n, true
}

// any takes what an interface can hold: nil, string, bool, int, map[string]any and []any.
func (s *scanner) any(depth int) (any, bool) {
	if depth == 0 || len(s.rest) == 0 {
		return nil, false
	}
	switch c := s.rest[0]; {
	case c == '"':
		return s.string()
	case c == 't' || c == 'f':
		return s.bool()
	case c == 'n':
		return nil, s.takeAll("null")
	case c == '{':
		var m map[string]any
		ok := parseNative(s, &m, func(s *scanner) (any, bool) { return s.any(depth - 1) })
		return m, ok
	case c == '[':
		return s.list(depth - 1)
	}
	n, ok := s.integer()
	return int(n), ok && int64(int(n)) == n
}

func (s *scanner) list(depth int) (any, bool) {
	s.take('[')
	list := []any{}
	for !s.take(']') {
		if len(list) > 0 && !s.take(',') {
			return nil, false
		}
		v, ok := s.any(depth)
		if !ok {
			return nil, false
		}
		list = append(list, v)
	}
	return list, true
}
