package signet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/signet-go/signet/internal/jsonsplit"
	"github.com/signet-go/signet/internal/plainjson"
)

// codec turns an application's data into a JSON object and back.
type codec[T any] struct {
	empty   []byte // the zero T, encoded
	isMap   bool
	hasAny  bool             // T holds an interface somewhere, so numbers need care
	carries bool             // T is a struct: members that it does not know are kept
	plain   *plainjson.Codec // nil if T is more than that knows
}

func newCodec[T any]() (*codec[T], error) {
	t := reflect.TypeFor[T]()
	c := &codec[T]{isMap: t.Kind() == reflect.Map, carries: t.Kind() == reflect.Struct}
	if c.isMap && t.Key().Kind() != reflect.String {
		return nil, fmt.Errorf("signet: a session of type %v is no JSON object; its keys must be strings", t)
	}
	c.hasAny = holdsInterface(t, map[reflect.Type]bool{})
	if c.isMap || c.carries {
		c.plain = plainjson.For(t)
	}
	zero := c.zero()
	first, err := c.encode(nil, &zero)
	if err != nil {
		return nil, fmt.Errorf("signet: a session of type %v cannot be encoded: %w", t, err)
	}
	if first[0] != '{' {
		return nil, fmt.Errorf("signet: a session of type %v is no JSON object but %q; use a struct or a map with string keys, not a pointer to one", t, first[:min(len(first), 16)])
	}
	again := c.zero()
	second, err := c.encode(nil, &again)
	if err != nil || !bytes.Equal(first, second) {
		return nil, fmt.Errorf("signet: a session of type %v encodes differently each time, so that every visit would count as a change", t)
	}
	c.empty = first
	return c, nil
}

func holdsInterface(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Map, reflect.Slice, reflect.Array, reflect.Pointer:
		return holdsInterface(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.NumField() {
			if holdsInterface(t.Field(f).Type, seen) {
				return true
			}
		}
	}
	return false
}

// zero is an empty T that can be written to: a map is made.
func (c *codec[T]) zero() (v T) {
	if c.isMap {
		reflect.ValueOf(&v).Elem().Set(reflect.MakeMap(reflect.TypeFor[T]()))
	}
	return v
}

// buffers hold encoded data for as long as it is compared.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// encode appends v to dst without HTML escaping, which would cost cookie bytes and protect nothing.
func (c *codec[T]) encode(dst []byte, v *T) ([]byte, error) {
	start := len(dst)
	out, ok := dst, false
	if c.plain != nil { // a fraction of the time: reading a session of 96 bytes takes 0.2 instead of 1 µs, writing it 0.08 instead of 0.2
		out, ok = c.plain.Append(dst, reflect.ValueOf(v).Elem())
	}
	if !ok {
		b := bytes.NewBuffer(dst)
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(*v); err != nil {
			return nil, err
		}
		out = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	}
	if c.isMap && string(out[start:]) == "null" {
		return append(out[:start], "{}"...), nil // a handler may empty its session by setting Data to nil
	}
	return out, nil
}

var errNotObject = errors.New("not a JSON object")

// decode reads what a token held into v, which is zero. A null or missing map is made, and an integer in
// an interface stays one. Raw is exact if it is known, without encoding v again, to be what encode
// makes of it; then it has no member that T does not know. After an error v is anything.
func (c *codec[T]) decode(raw []byte, v *T) (exact bool, err error) {
	if c.plain != nil {
		if ok, exact := c.plain.Decode(raw, reflect.ValueOf(v).Elem()); ok {
			return exact, nil
		}
	}
	if first := bytes.TrimLeft(raw, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return false, errNotObject
	}
	if !c.hasAny {
		err = json.Unmarshal(raw, v)
	} else {
		err = c.decodeNumbers(raw, v)
	}
	if c.isMap && err == nil && reflect.ValueOf(v).Elem().IsNil() {
		*v = c.zero()
	}
	return false, err
}

func (c *codec[T]) decodeNumbers(raw []byte, v *T) error {
	if !json.Valid(raw) { // a Decoder would take what follows the value for the next one
		return errNotObject
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return err
	}
	fixNumbers(reflect.ValueOf(v).Elem())
	return nil
}

// fixNumbers gives numbers in interfaces the type that Go code would have put there: int
// where the value is one, float64 otherwise, json.Number where neither holds it.
func fixNumbers(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() && v.CanSet() {
			if fixed := reflect.ValueOf(fixedNumber(v.Interface())); fixed.Type().AssignableTo(v.Type()) {
				v.Set(fixed)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fixNumbers(v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			fixNumbers(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			fixNumbers(v.Elem())
		}
	case reflect.Map:
		for _, name := range v.MapKeys() {
			elem := reflect.New(v.Type().Elem()).Elem()
			elem.Set(v.MapIndex(name))
			fixNumbers(elem)
			v.SetMapIndex(name, elem)
		}
	}
}

func fixedNumber(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil && int64(int(i)) == i {
			return int(i)
		}
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return f
		}
	case map[string]any:
		for name, elem := range v {
			v[name] = fixedNumber(elem)
		}
	case []any:
		for i, elem := range v {
			v[i] = fixedNumber(elem)
		}
	}
	return v
}

// same reports whether body is what raw held. Raw may have been written by
// another version or language, with members that T does not know and other spacing; so
// what T makes of it counts, not its bytes.
func (c *codec[T]) same(body, raw []byte) bool {
	if bytes.Equal(body, raw) {
		return true
	}
	var v T
	if _, err := c.decode(raw, &v); err != nil {
		return false
	}
	room := buffers.Get().(*[]byte)
	defer buffers.Put(room)
	again, err := c.encode((*room)[:0], &v)
	if err != nil {
		return false
	}
	*room = again
	return bytes.Equal(body, again)
}

// carryOver adds to body the top-level members of raw that T does not know: in a rolling
// deploy an instance of the old program must not drop what the new one wrote.
func (c *codec[T]) carryOver(body, raw []byte) []byte {
	if !c.carries || raw == nil {
		return body
	}
	old, err := members(raw)
	if err != nil {
		return body
	}
	old = slices.DeleteFunc(old, func(m jsonsplit.Member) bool { return c.knows(m.Name) })
	if len(old) == 0 {
		return body
	}
	out := bytes.Clone(bytes.TrimSuffix(body, []byte("}")))
	for _, m := range old {
		if len(out) > 1 {
			out = append(out, ',')
		}
		name, _ := json.Marshal(m.Name) // cannot fail for a string
		out = append(append(append(out, name...), ':'), m.Value...)
	}
	return append(out, '}')
}

// knows asks encoding/json itself, with its embedded structs, tags and case folding.
func (c *codec[T]) knows(name string) bool {
	quoted, _ := json.Marshal(name)
	dec := json.NewDecoder(bytes.NewReader(slices.Concat([]byte("{"), quoted, []byte(":null}"))))
	dec.DisallowUnknownFields()
	err := dec.Decode(new(T))
	// A field whose own UnmarshalJSON refuses null is known all the same.
	return err == nil || !strings.HasPrefix(err.Error(), "json: unknown field ")
}

// largest names the biggest top-level members of a session that does not fit.
func largest(body []byte) []string {
	all, err := jsonsplit.Object(body)
	if err != nil {
		return nil
	}
	slices.SortStableFunc(all, func(a, b jsonsplit.Member) int { return len(b.Value) - len(a.Value) })
	var names []string
	for _, m := range all[:min(len(all), 5)] {
		names = append(names, fmt.Sprintf("%s (%d)", m.Name, len(m.Value)))
	}
	return names
}
