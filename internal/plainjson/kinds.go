package plainjson

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

var stringNode = node{
	append: func(dst []byte, v reflect.Value) ([]byte, bool) { return appendString(dst, v.String()) },
	parse: func(s *scanner, v reflect.Value) bool {
		text, ok := s.string()
		v.SetString(text)
		return ok
	},
	empty: noLength,
}

var boolNode = node{
	append: func(dst []byte, v reflect.Value) ([]byte, bool) { return strconv.AppendBool(dst, v.Bool()), true },
	parse: func(s *scanner, v reflect.Value) bool {
		b, ok := s.bool()
		v.SetBool(b)
		return ok
	},
	empty: func(v reflect.Value) bool { return !v.Bool() },
}

var intNode = node{
	append: func(dst []byte, v reflect.Value) ([]byte, bool) { return strconv.AppendInt(dst, v.Int(), 10), true },
	parse: func(s *scanner, v reflect.Value) bool {
		n, ok := s.integer()
		if !ok || v.OverflowInt(n) {
			return false
		}
		v.SetInt(n)
		return true
	},
	empty: func(v reflect.Value) bool { return v.Int() == 0 },
}

var uintNode = node{
	append: func(dst []byte, v reflect.Value) ([]byte, bool) { return strconv.AppendUint(dst, v.Uint(), 10), true },
	parse: func(s *scanner, v reflect.Value) bool {
		n, ok := s.integer()
		if !ok || n < 0 || v.OverflowUint(uint64(n)) {
			return false
		}
		v.SetUint(uint64(n))
		return true
	},
	empty: func(v reflect.Value) bool { return v.Uint() == 0 },
}

func compileSlice(t reflect.Type, above []reflect.Type) (node, bool) {
	elem, ok := compile(t.Elem(), above)
	return node{
		append: func(dst []byte, v reflect.Value) ([]byte, bool) {
			if v.IsNil() {
				return append(dst, "null"...), true
			}
			dst = append(dst, '[')
			ok := true
			for i := range v.Len() {
				if i > 0 {
					dst = append(dst, ',')
				}
				if dst, ok = elem.append(dst, v.Index(i)); !ok {
					return dst, false
				}
			}
			return append(dst, ']'), true
		},
		parse: func(s *scanner, v reflect.Value) bool {
			if !s.take('[') {
				return false
			}
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
			for n := 0; !s.take(']'); n++ {
				if n > 0 && !s.take(',') {
					return false
				}
				v.Grow(1)
				v.SetLen(n + 1)
				if !elem.parse(s, v.Index(n)) {
					return false
				}
			}
			return true
		},
		empty: noLength,
	}, ok && t.Elem().Kind() != reflect.Uint8 // bytes are base64
}

func compileMap(t reflect.Type, above []reflect.Type) (node, bool) {
	elem, ok := compile(t.Elem(), above)
	n := node{
		append: func(dst []byte, v reflect.Value) ([]byte, bool) { return appendMap(dst, v, elem) },
		parse:  func(s *scanner, v reflect.Value) bool { return parseMap(s, v, elem) },
		empty:  noLength,
	}
	key, keyOK := compile(t.Key(), above)
	if !keyOK || key.empty == nil || t.Key().Kind() != reflect.String {
		return n, false
	}
	switch t { // those that are most used have no need of reflection: a fifth of its time
	case reflect.TypeFor[map[string]string]():
		n.append = func(dst []byte, v reflect.Value) ([]byte, bool) {
			return appendNative(dst, native[string](v), appendString)
		}
		n.parse = func(s *scanner, v reflect.Value) bool { return parseNative(s, native[string](v), (*scanner).string) }
	case reflect.TypeFor[map[string]any]():
		n.append = func(dst []byte, v reflect.Value) ([]byte, bool) { return appendAny(dst, *native[any](v), maxDepth) }
		n.parse = func(s *scanner, v reflect.Value) bool {
			return parseNative(s, native[any](v), func(s *scanner) (any, bool) { return s.any(maxDepth) })
		}
	}
	return n, ok
}

// native is the map in v, without reflection if v can be set.
func native[V any](v reflect.Value) *map[string]V {
	if v.CanAddr() {
		return v.Addr().Interface().(*map[string]V)
	}
	m := v.Interface().(map[string]V)
	return &m
}

func appendNative[V any](dst []byte, m *map[string]V, value func([]byte, V) ([]byte, bool)) ([]byte, bool) {
	if *m == nil {
		return append(dst, "null"...), true
	}
	var room [16]string
	names := room[:0]
	for name := range *m {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, '{')
	ok := true
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, ok = appendString(dst, name); !ok {
			return dst, false
		}
		if dst, ok = value(append(dst, ':'), (*m)[name]); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

func parseNative[V any](s *scanner, m *map[string]V, value func(*scanner) (V, bool)) bool {
	if !s.take('{') {
		return false
	}
	*m = map[string]V{}
	name, ok := "", true
	for more := false; !s.take('}'); more = true {
		name, ok = s.key(more, name)
		if !ok {
			return false
		}
		v, ok := value(s)
		if !ok {
			return false
		}
		(*m)[name] = v // the last of two counts, as in encoding/json
	}
	return true
}

func appendMap(dst []byte, v reflect.Value, elem node) ([]byte, bool) {
	if v.IsNil() {
		return append(dst, "null"...), true
	}
	names := v.MapKeys()
	slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	dst = append(dst, '{')
	ok := true
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, ok = appendString(dst, name.String()); !ok {
			return dst, false
		}
		if dst, ok = elem.append(append(dst, ':'), v.MapIndex(name)); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

func parseMap(s *scanner, v reflect.Value, elem node) bool {
	if !s.take('{') {
		return false
	}
	t := v.Type()
	v.Set(reflect.MakeMap(t))
	text, ok := "", true
	for more := false; !s.take('}'); more = true {
		text, ok = s.key(more, text)
		if !ok {
			return false
		}
		name, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		name.SetString(text)
		if !elem.parse(s, value) {
			return false
		}
		v.SetMapIndex(name, value)
	}
	return true
}

// maxDepth of what an interface holds: far above use, far below where encoding/json looks for cycles.
const maxDepth = 32

var anyNode = node{
	append: func(dst []byte, v reflect.Value) ([]byte, bool) { return appendAny(dst, v.Interface(), maxDepth) },
	parse: func(s *scanner, v reflect.Value) bool {
		value, ok := s.any(maxDepth)
		if ok && value != nil {
			v.Set(reflect.ValueOf(value))
		}
		return ok
	},
	empty: func(v reflect.Value) bool { return v.IsNil() },
}

func appendAny(dst []byte, v any, depth int) ([]byte, bool) {
	if depth == 0 {
		return dst, false
	}
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), true
	case string:
		return appendString(dst, v)
	case bool:
		return strconv.AppendBool(dst, v), true
	case int:
		return strconv.AppendInt(dst, int64(v), 10), true
	case map[string]any:
		return appendNative(dst, &v, func(dst []byte, v any) ([]byte, bool) { return appendAny(dst, v, depth-1) })
	case []any:
		return appendList(dst, v, depth-1)
	}
	return dst, false
}

func appendList(dst []byte, list []any, depth int) ([]byte, bool) {
	if list == nil {
		return append(dst, "null"...), true
	}
	dst = append(dst, '[')
	ok := true
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, ok = appendAny(dst, v, depth); !ok {
			return dst, false
		}
	}
	return append(dst, ']'), true
}

// appendString appends a string that encoding/json writes as it is.
func appendString(dst []byte, s string) ([]byte, bool) {
	asIs, ascii := plainText(s)
	if !asIs || strings.IndexByte(s, '"') >= 0 || !ascii && hasLineEnds(s) {
		return dst, false
	}
	return append(append(append(dst, '"'), s...), '"'), true
}

// hasLineEnds looks for the two characters that JavaScript took for line ends; encoding/json escapes them.
func hasLineEnds(s string) bool {
	return strings.Contains(s, "\u2028") || strings.Contains(s, "\u2029")
}

// plainText reports whether text, quotation marks aside, stands in a JSON string as it is: no control
// character, no backslash, and UTF-8. Eight bytes are looked at at a time.
func plainText[S string | []byte](text S) (asIs, ascii bool) {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	ascii = true
	i := 0
	for ; i+8 <= len(text); i += 8 {
		w := uint64(text[i]) | uint64(text[i+1])<<8 | uint64(text[i+2])<<16 | uint64(text[i+3])<<24 |
			uint64(text[i+4])<<32 | uint64(text[i+5])<<40 | uint64(text[i+6])<<48 | uint64(text[i+7])<<56
		slash := w ^ ones*'\\'
		if ((w-ones*' ')&^w|(slash-ones)&^slash)&tops != 0 {
			return false, false // a byte below a blank, or a backslash
		}
		ascii = ascii && w&tops == 0
	}
	for ; i < len(text); i++ {
		if text[i] < ' ' || text[i] == '\\' {
			return false, false
		}
		ascii = ascii && text[i] < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(string(text)), ascii
}
