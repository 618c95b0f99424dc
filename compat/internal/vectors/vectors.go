// Package vectors reads the cookies that the real frameworks made, for the tests of compat.
package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/stretchr/testify/require"
)

// Vector is one set of cookies and what the real framework made of it at that time.
type Vector struct {
	Name    string            `json:"name"`
	Secrets json.RawMessage   `json:"secrets"`
	Options json.RawMessage   `json:"options"`
	Cookies map[string]string `json:"cookies"`
	// Instead of Cookies, where the format has one.
	CookieName  string `json:"cookie_name"`
	CookieValue string `json:"cookie_value"`

	Text    string          `json:"plaintext_json"`
	Decoded json.RawMessage `json:"decoded"` // where it differs from Text
	Now     float64         `json:"now"`
	Valid   bool            `json:"valid"`
	Why     string          `json:"why"`
}

// Time is when Valid holds.
func (v Vector) Time() time.Time { return time.UnixMilli(int64(math.Round(v.Now * 1000))) }

// Request are the cookies as a request brings them.
func (v Vector) Request() []*http.Cookie {
	r := http.Request{Header: http.Header{}}
	for name, value := range v.Cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	return r.Cookies()
}

// Decode reads raw into a T or fails the test.
func Decode[T any](t testing.TB, raw json.RawMessage) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(raw, &v))
	return v
}

// Load reads testdata/NAME.json.
func Load(t testing.TB, name string) []Vector {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".json")
	require.NoError(t, err)
	file := Decode[struct {
		Vectors []Vector `json:"vectors"`
	}](t, text)
	require.NotEmpty(t, file.Vectors)
	for i, v := range file.Vectors {
		if v.Cookies == nil {
			file.Vectors[i].Cookies = map[string]string{v.CookieName: v.CookieValue}
		}
	}
	return file.Vectors
}

// Secrets are a list of secrets, of which those that are no text are {"hex": …}.
func Secrets(t testing.TB, v Vector) []string {
	t.Helper()
	var all []string
	for _, raw := range Decode[[]json.RawMessage](t, v.Secrets) {
		if raw[0] == '"' {
			all = append(all, Decode[string](t, raw))
			continue
		}
		bytes, err := hex.DecodeString(Decode[map[string]string](t, raw)["hex"])
		require.NoError(t, err)
		all = append(all, string(bytes))
	}
	return all
}

// Run opens every vector with what format makes of its configuration, and compares the verdict and the claims.
func Run(t *testing.T, all []Vector, format func(*testing.T, Vector) signet.ForeignFormat) {
	for _, v := range all {
		t.Run(v.Name+": "+v.Why, func(t *testing.T) {
			f, err := format(t, v).Open(v.Request(), v.Time())
			if !v.Valid {
				require.Error(t, err)
				require.True(t, Sentinel(err), "%v is not one of the errors of a foreign format", err)
				require.Nil(t, f)
				return
			}
			require.NoError(t, err)
			require.JSONEq(t, v.Text, string(f.Claims))
			require.Len(t, f.Cookies, len(v.Cookies))
			require.True(t, f.Expires.IsZero() || f.Expires.After(v.Time()), "opened at %v, but expires %v", v.Time(), f.Expires)
		})
	}
}

// Sentinel reports whether a ForeignFormat may return err.
func Sentinel(err error) bool {
	for _, s := range []error{http.ErrNoCookie, signet.ErrInvalid, signet.ErrExpired, signet.ErrUnknownKey, signet.ErrTorn, signet.ErrClockSkew} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// Named is the vector of that name.
func Named(t testing.TB, all []Vector, name string) Vector {
	t.Helper()
	for _, v := range all {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("no vector %s", name)
	return Vector{}
}

// SameJSON requires two texts with the same content, numbers by their spelling: a double does not hold each.
func SameJSON(t testing.TB, want, got json.RawMessage) {
	t.Helper()
	decode := func(text json.RawMessage) (v any) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		require.NoError(t, d.Decode(&v))
		return v
	}
	require.Equal(t, decode(want), decode(got))
}
