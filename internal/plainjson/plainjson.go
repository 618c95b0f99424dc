// Package plainjson reads and writes the JSON of plain types, exactly as encoding/json does
// without HTML escaping, at a third of its cost or less: structs, slices and maps of strings, integers and booleans,
// and interfaces that hold such. What it does not know at once, it leaves to
// encoding/json: a type with methods of its own for JSON, a string with an escape, a number with a
// fraction, members in another order, a blank between them.
//
// Session data is decoded and encoded once or twice a request, which was most of the
// cost of one. A fuzz test holds the package to encoding/json.
package plainjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// Codec encodes and decodes the values of one type.
type Codec struct{ node }

// node is the codec of a type inside. Both functions report false to give up: what append has
// appended, and what parse has set by then, does not count.
type node struct {
	append func(dst []byte, v reflect.Value) ([]byte, bool)
	parse  func(s *scanner, v reflect.Value) bool // v is zero and can be set
	empty  func(v reflect.Value) bool             // as omitempty sees it
}

// For returns the codec of a type, or nil if the type is not plain.
func For(t reflect.Type) *Codec {
	n, ok := compile(t, nil)
	if !ok {
		return nil
	}
	return &Codec{n}
}

// Append appends the JSON of v, which is of the codec's type, to dst. It reports false, and
// dst as it was, where encoding/json has to do it.
func (c *Codec) Append(dst []byte, v reflect.Value) ([]byte, bool) {
	out, ok := c.append(dst, v)
	if !ok {
		return dst, false
	}
	return out, true
}

// Decode sets v, which is zero, from JSON that has every member where Append would write it, or
// lacks it. It reports false, and v is zero again, where encoding/json has to decide. Raw is exact
// if Append would write it, byte for byte, of v.
func (c *Codec) Decode(raw []byte, v reflect.Value) (ok, exact bool) {
	s := scanner{rest: raw, exact: true}
	if c.parse(&s, v) && len(s.rest) == 0 {
		return true, s.exact
	}
	v.SetZero()
	return false, false
}

var ownMethods = []reflect.Type{
	reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](),
	reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
}

// compile makes the node of a type. Above are the types that hold it: a type inside itself is not plain.
func compile(t reflect.Type, above []reflect.Type) (node, bool) {
	if t == reflect.TypeFor[json.Number]() {
		return node{}, false // a string that is written as a number
	}
	for _, method := range ownMethods {
		if t.Implements(method) || reflect.PointerTo(t).Implements(method) {
			return node{}, false
		}
	}
	for _, a := range above {
		if a == t {
			return node{}, false
		}
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.String:
		return stringNode, true
	case reflect.Bool:
		return boolNode, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intNode, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintNode, true
	case reflect.Interface:
		return anyNode, t.NumMethod() == 0
	case reflect.Struct:
		return compileStruct(t, above)
	case reflect.Map:
		return compileMap(t, above)
	case reflect.Slice:
		return compileSlice(t, above)
	}
	return node{}, false
}

// field is a member of a struct.
type field struct {
	node
	index     int
	name      string // "name": with its quotes and colon
	omitEmpty bool
}

func compileStruct(t reflect.Type, above []reflect.Type) (node, bool) {
	var fields []field
	names := map[string]bool{}
	for i := range t.NumField() {
		f, skip, ok := compileField(t.Field(i), above)
		if skip {
			continue
		}
		if !ok || names[f.name] {
			return node{}, false
		}
		f.index, names[f.name] = i, true
		fields = append(fields, f)
	}
	return structNode(fields), true
}

// compileField takes a field as encoding/json does, if its tag is a simple one.
func compileField(f reflect.StructField, above []reflect.Type) (out field, skip, ok bool) {
	tag := f.Tag.Get("json")
	if tag == "-" || !f.IsExported() && !f.Anonymous {
		return field{}, true, true
	}
	name, option, _ := strings.Cut(tag, ",")
	if name == "" {
		name = f.Name
	}
	if f.Anonymous || option != "" && option != "omitempty" || !simpleName(name) {
		return field{}, false, false
	}
	n, ok := compile(f.Type, above)
	return field{node: n, name: `"` + name + `":`, omitEmpty: option == "omitempty"}, false, ok
}

// simpleName is one that encoding/json takes from a tag and writes as it is.
func simpleName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && (c != '-' || len(name) == 1) {
			return false
		}
	}
	return true
}

func structNode(fields []field) node {
	return node{
		append: func(dst []byte, v reflect.Value) ([]byte, bool) {
			dst = append(dst, '{')
			open, ok := len(dst), true
			for i := range fields {
				f := &fields[i]
				member := v.Field(f.index)
				if f.omitEmpty && f.empty(member) {
					continue
				}
				if len(dst) > open {
					dst = append(dst, ',')
				}
				if dst, ok = f.append(append(dst, f.name...), member); !ok {
					return dst, false
				}
			}
			return append(dst, '}'), true
		},
		parse: func(s *scanner, v reflect.Value) bool {
			if !s.take('{') {
				return false
			}
			more := false
			for i := range fields {
				f := &fields[i]
				if !s.name(more, f.name) {
					s.exact = s.exact && f.omitEmpty
					continue // left out, or the end fails
				}
				member := v.Field(f.index)
				if !f.parse(s, member) {
					return false
				}
				s.exact = s.exact && !(f.omitEmpty && f.empty(member))
				more = true
			}
			return s.take('}')
		},
		empty: never,
	}
}

func never(reflect.Value) bool { return false }

func noLength(v reflect.Value) bool { return v.Len() == 0 }
