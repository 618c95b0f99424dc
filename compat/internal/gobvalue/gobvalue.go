// Package gobvalue reads gob that a key holder sealed, and shows Go values as JSON.
package gobvalue

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/signet-go/signet"
)

var errType = fmt.Errorf("the session holds a type that this program has not registered; call gob.Register or gob.RegisterName with the type and the name of the old program, or store basic types there one release earlier: %w", signet.ErrInvalid)

// Decode reads one value into dst. Data is bounded by the cookie that it came in; gob bounds what it
// allocates by that. The error is signet.ErrInvalid, or wraps it where a type is not registered.
func Decode(data []byte, dst any) (err error) {
	defer func() {
		if recover() != nil { // gob is not made for hostile input, though only a key holder reaches it
			err = signet.ErrInvalid
		}
	}()
	in := bytes.NewReader(data)
	switch err := gob.NewDecoder(in).Decode(dst); {
	case err != nil && strings.Contains(err.Error(), "name not registered"):
		return errType
	case err != nil || in.Len() > 0:
		return signet.ErrInvalid
	}
	return nil
}

// JSON shows a value of a session. Bytes are base64 and times RFC 3339, as encoding/json writes them; keys
// of maps become text. It returns an error for what JSON has not, such as NaN or a complex number.
func JSON(v any) (json.RawMessage, error) {
	shown, err := show(v, 0)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(shown); err != nil {
		return nil, errors.New("the session holds a value that JSON has not, such as NaN or a complex number")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

const maxDepth = 100

func show(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("the session is nested deeper than 100")
	}
	switch v := v.(type) {
	case map[any]any:
		object := make(map[string]any, len(v))
		for key, value := range v {
			name, err := Name(key)
			if err != nil {
				return nil, err
			}
			if _, twice := object[name]; twice {
				return nil, errors.New("two keys of the session have the same text")
			}
			if object[name], err = show(value, depth+1); err != nil {
				return nil, err
			}
		}
		return object, nil
	case map[string]any:
		object := make(map[string]any, len(v))
		var err error
		for name, value := range v {
			if object[name], err = show(value, depth+1); err != nil {
				return nil, err
			}
		}
		return object, nil
	case []any:
		list := make([]any, len(v))
		var err error
		for i, value := range v {
			if list[i], err = show(value, depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return v, nil
}

// Name is the text of a map's key.
func Name(key any) (string, error) {
	switch k := reflect.ValueOf(key); {
	case k.Kind() == reflect.String:
		return k.String(), nil
	case k.CanInt() || k.CanUint() || k.Kind() == reflect.Bool:
		return fmt.Sprint(key), nil
	}
	return "", errors.New("a key of the session is neither text nor a number")
}
