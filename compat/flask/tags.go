package flask

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/object"
)

// check returns an error for claims that Flask would answer with 500: no object, or a tag round
// something that is not its type.
func check(claims []byte) error {
	_, err := untag(claims)
	return err
}

// Untag makes plain JSON of a session's claims. Flask tags what JSON has not, as {" t": […]}; here a
// tuple becomes an array, Markup a string, bytes a string in base64, a UUID one with hyphens
// and a datetime one as in RFC 3339. An application's own tags stay as they are.
// It returns an error, which wraps signet.ErrInvalid, for what Flask itself cannot read.
func Untag(claims json.RawMessage) (json.RawMessage, error) {
	plain, err := untag(claims)
	if err != nil {
		return nil, fmt.Errorf("flask: %w", err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(plain); err != nil {
		return nil, fmt.Errorf("flask: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Flashes returns the messages that flash left in a session's claims, as get_flashed_messages would.
func Flashes(claims json.RawMessage) signet.Flashes {
	plain, err := untag(claims)
	if err != nil {
		return nil
	}
	var flashes signet.Flashes
	pairs, _ := plain["_flashes"].([]any)
	for _, p := range pairs {
		if pair, ok := p.([]any); ok && len(pair) == 2 {
			category, _ := pair[0].(string)
			text, _ := pair[1].(string)
			flashes.Add(category, text)
		}
	}
	return flashes
}

func untag(claims []byte) (map[string]any, error) {
	if err := object.Check(claims); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(claims))
	d.UseNumber()
	var session map[string]any
	if err := d.Decode(&session); err != nil {
		return nil, signet.ErrInvalid
	}
	plain, err := untagged(session)
	if err != nil {
		return nil, err
	}
	top, ok := plain.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the session is a tagged value and no object: %w", signet.ErrInvalid)
	}
	return top, nil
}

// untagged works from the inside out, as Flask does.
func untagged(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case []any:
		for i := range v {
			if v[i], err = untagged(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if v[name], err = untagged(v[name]); err != nil {
				return nil, err
			}
		}
		if len(v) == 1 {
			for name, value := range v {
				if tag, ok := tags[name]; ok {
					return tag(value)
				}
			}
		}
	}
	return v, nil
}

var tags = map[string]func(any) (any, error){
	" t": func(v any) (any, error) {
		_, ok := v.([]any)
		return v, must(ok, "t")
	},
	" b": func(v any) (any, error) {
		text, ok := v.(string)
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		return text, must(ok && err == nil && base64.StdEncoding.EncodedLen(len(raw)) == len(text), "b")
	},
	" m": func(v any) (any, error) {
		_, ok := v.(string)
		return v, must(ok, "m")
	},
	" u": untagUUID,
	" d": func(v any) (any, error) {
		text, ok := v.(string)
		t, err := http.ParseTime(text)
		if ok && err != nil {
			return nil, nil // what Flask makes of it
		}
		return t.UTC().Format(time.RFC3339), must(ok, "d")
	},
	// A dict of one key that is itself a tag, under that key with two underscores.
	" di": func(v any) (any, error) {
		inner, ok := v.(map[string]any)
		if !ok || len(inner) != 1 {
			return nil, must(false, "di")
		}
		for name, value := range inner {
			if key, ok := strings.CutSuffix(name, "__"); ok {
				return map[string]any{key: value}, nil
			}
		}
		return nil, must(false, "di")
	},
}

func untagUUID(v any) (any, error) {
	text, _ := v.(string)
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != 16 {
		return nil, must(false, "u")
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]), nil
}

func must(ok bool, tag string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("the tag \" %s\" is round something of another type: %w", tag, signet.ErrInvalid)
}
