// Package object takes the top level of a JSON object apart and puts it together again, member by
// member, each value as it was written.
package object

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/signet-go/signet/internal/jsonsplit"
)

// Member is one member of an object.
type Member = jsonsplit.Member

// Object is a JSON object's members in their order.
type Object []Member

var errNotObject = errors.New("not a JSON object")

// Parse reads text, which must be one JSON object and nothing else. The values are parts of it.
func Parse(text []byte) (Object, error) {
	all, err := jsonsplit.Object(text)
	if err != nil {
		return nil, errNotObject
	}
	return all, nil
}

// Is reports whether text is one JSON object.
func Is(text []byte) bool {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(text)
}

// Get is the value of the last member of that name, which is the one that JavaScript keeps.
func (o Object) Get(name string) (json.RawMessage, bool) {
	for _, m := range slices.Backward(o) {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}

// Without is o without the members of these names.
func (o Object) Without(names ...string) Object {
	return slices.DeleteFunc(slices.Clone(o), func(m Member) bool { return slices.Contains(names, m.Name) })
}

// Set is o with the member of that name at the end.
func (o Object) Set(name string, value json.RawMessage) Object {
	return append(o.Without(name), Member{Name: name, Value: value})
}

// SetInt is Set of an integer.
func (o Object) SetInt(name string, n int64) Object {
	return o.Set(name, strconv.AppendInt(nil, n, 10))
}

// SetString is Set of a text.
func (o Object) SetString(name, value string) Object { return o.Set(name, quote(value)) }

// Text is the object, compact and without HTML escaping.
func (o Object) Text() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quote(m.Name))
		b.WriteByte(':')
		_ = json.Compact(&b, m.Value) // it was parsed
	}
	b.WriteByte('}')
	return b.Bytes()
}

func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return bytes.TrimRight(b.Bytes(), "\n")
}

// Largest names the five largest members, as signet.TooLargeError does.
func (o Object) Largest() []string {
	sorted := slices.Clone(o)
	sort.SliceStable(sorted, func(i, j int) bool { return len(sorted[i].Value) > len(sorted[j].Value) })
	var names []string
	for _, m := range sorted[:min(5, len(sorted))] {
		names = append(names, fmt.Sprintf("%s (%d)", m.Name, len(m.Value)))
	}
	return names
}

// Int is a whole number that a double holds exactly, as a JSON number writes it.
func Int(value json.RawMessage) (int64, bool) {
	if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		return n, n > -1<<53 && n < 1<<53
	}
	if f, err := strconv.ParseFloat(string(value), 64); err == nil && !strings.ContainsAny(string(value), "xXiInN_") && f > -1<<53 && f < 1<<53 {
		return int64(f), true
	}
	return 0, false
}
