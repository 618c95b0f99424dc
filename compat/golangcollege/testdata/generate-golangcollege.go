// Makes golangcollege.json: real cookies of golangcollege/sessions; each verdict is asked of it too.
// Usage, in a module that requires github.com/golangcollege/sessions v1.2.0:  go run generate-golangcollege.go > golangcollege.json
// (Nonces are random and the clock is the real one, so "now" is near the moment of the run.)
package main

import (
	"encoding/gob"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/golangcollege/sessions"
)

// Vector is one cookie and what the package makes of it.
type Vector struct {
	Name      string   `json:"name"`
	Secrets   []string `json:"secrets"`
	Cookie    string   `json:"cookie_name"`
	Value     string   `json:"cookie_value"`
	Plaintext any      `json:"plaintext_json"`
	Now       int64    `json:"now"`
	Valid     bool     `json:"valid"`
	Why       string   `json:"why"`
}

var now = time.Now().Unix()

func session(keys []string) *sessions.Session {
	var old [][]byte
	for _, k := range keys[1:] {
		old = append(old, []byte(k))
	}
	return sessions.New([]byte(keys[0]), old...)
}

func visit(s *sessions.Session, value string, do func(r *http.Request)) *http.Response {
	r := httptest.NewRequest("GET", "/", nil)
	if value != "" {
		r.Header.Set("Cookie", "session="+value)
	}
	w := httptest.NewRecorder()
	s.Enable(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r) })).ServeHTTP(w, r)
	return w.Result()
}

func seal(keys []string, life time.Duration, fill map[string]any) string {
	s := session(keys)
	s.Lifetime = life
	res := visit(s, "", func(r *http.Request) {
		for k, v := range fill {
			s.Put(r, k, v)
		}
	})
	return res.Cookies()[0].Value
}

type user struct{ Name string }

func main() {
	gob.Register([]any{})
	a, b := []string{"test-only-golangcollege-key-0123"}, []string{"test-only-golangcollege-key-other"}
	var out []Vector
	add := func(name string, keys []string, value string, fill map[string]any, at int64, valid bool, why string) {
		s, seen := session(keys), 0
		if at == now {
			visit(s, value, func(r *http.Request) { seen = len(s.Keys(r)) })
			if (seen > 0) != valid {
				panic(fmt.Sprint(name, seen))
			}
		}
		v := Vector{name, keys, "session", value, nil, at, valid, why}
		if valid {
			text, err := json.Marshal(fill)
			if err != nil {
				panic(err)
			}
			v.Plaintext = string(text)
		}
		out = append(out, v)
	}
	plain := map[string]any{"user": "Zoë", "n": 7}
	good := seal(a, time.Hour, plain)
	types := map[string]any{"i64": int64(5), "f": 1.5, "b": true, "raw": []byte{0, 255}, "list": []string{"a"}, "any": []any{1, "x"}}
	add("plain", a, good, plain, now, true, "a string and a number")
	add("types", a, seal(a, time.Hour, types), types, now, true, "the types that gob knows unasked, and []interface{}")
	add("old-key", append(b, a...), good, plain, now, true, "opened by the second key")
	add("short-key", []string{"short"}, seal([]string{"short"}, time.Hour, plain), plain, now, true, "a key of 5 bytes is padded with zeros")
	add("long-key", []string{a[0] + "more"}, good, plain, now, true, "of a longer key, 32 bytes count")
	add("wrong-key", b[:1], good, nil, now, false, "another key")
	add("expired", a, good, nil, now+3700, false, "past its end, which the seal carries")
	add("tampered", a, good[:40]+flip(good[40:41])+good[41:], nil, now, false, "one character changed")
	gob.Register(user{})
	out = append(out, Vector{"struct", a, "session", seal(a, time.Hour, map[string]any{"u": user{"ada"}}), nil, now, false,
		"holds a registered struct type, which a reader without that type must refuse"})
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]any{"framework": "golangcollege", "version": "golangcollege/sessions v1.2.0", "vectors": out}); err != nil {
		panic(err)
	}
}

func flip(s string) string {
	if s == "A" {
		return "B"
	}
	return "A"
}
