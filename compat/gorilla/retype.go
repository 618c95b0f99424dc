package gorilla

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/signet-go/signet/compat/internal/gobvalue"
)

// retype makes a session's values of claims: with the keys and the types that old has, where they are the same.
func retype(claims json.RawMessage, old map[any]any) (map[any]any, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(claims, &members); err != nil {
		return nil, errors.New("the claims are no JSON object")
	}
	values := make(map[any]any, len(members))
	for key, was := range old {
		name, err := gobvalue.Name(key)
		if err != nil {
			return nil, err
		}
		text, kept := members[name]
		if !kept {
			continue
		}
		delete(members, name)
		if values[key], err = like(text, was); err != nil {
			return nil, err
		}
	}
	for name, text := range members {
		value, err := fresh(text)
		if err != nil {
			return nil, err
		}
		values[name] = value
	}
	return values, nil
}

// like is a member's value, of the type that it had.
func like(text json.RawMessage, was any) (any, error) {
	before, err := gobvalue.JSON(was)
	var now bytes.Buffer
	if err == nil && json.Compact(&now, text) == nil && bytes.Equal(before, now.Bytes()) {
		return was, nil
	}
	switch was.(type) {
	case nil, []any, map[string]any, map[any]any: // types that say nothing of what they hold
		return fresh(text)
	}
	typed := reflect.New(reflect.TypeOf(was))
	if string(text) != "null" && json.Unmarshal(text, typed.Interface()) == nil {
		return typed.Elem().Interface(), nil
	}
	return fresh(text)
}

// fresh is a member's value, of the type that a Go program would have stored.
func fresh(text json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errors.New("the claims are not JSON")
	}
	return numbers(v)
}

func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			if n, err := strconv.Atoi(string(v)); err == nil {
				return n, nil
			}
			if n, err := strconv.ParseUint(string(v), 10, 64); err == nil {
				return n, nil
			}
		}
		f, err := v.Float64()
		if err != nil {
			return nil, errors.New("the claims hold a number that no float64 holds")
		}
		return f, nil
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if v[name], err = numbers(v[name]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
