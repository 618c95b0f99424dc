package migrate

import (
	"encoding/json"
	"math"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Vector is one set of cookies and what the real framework made of it.
type Vector struct {
	Name        string            `json:"name"`
	Secrets     json.RawMessage   `json:"secrets"`
	Options     json.RawMessage   `json:"options"`
	Cookies     map[string]string `json:"cookies"`
	CookieName  string            `json:"cookie_name"`
	CookieValue string            `json:"cookie_value"`
	Text        string            `json:"plaintext_json"`
	Now         float64           `json:"now"`
	Valid       bool              `json:"valid"`
}

// Vectors opens each vector of a file with what format makes of it, and counts those with the framework's
// verdict and claims. A format of nil is one that the package has not; it is not counted.
func Vectors(path string, format func(t *testing.T, v Vector) signet.ForeignFormat) func(*testing.T) (passed, all int) {
	return func(t *testing.T) (passed, all int) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var file struct{ Vectors []Vector }
		require.NoError(t, json.Unmarshal(text, &file))
		for _, v := range file.Vectors {
			opener := format(t, v)
			if opener == nil {
				continue
			}
			all++
			f, err := opener.Open(v.request(), time.UnixMilli(int64(math.Round(v.Now*1000))))
			switch {
			case (err == nil) != v.Valid:
				t.Errorf("%s: valid is %v, but Open says %v", v.Name, v.Valid, err)
			case err != nil || same(t, v.Text, f.Claims):
				passed++
			default:
				t.Errorf("%s: got %s, want %s", v.Name, f.Claims, v.Text)
			}
		}
		return passed, all
	}
}

func (v Vector) request() []*http.Cookie {
	r := http.Request{Header: http.Header{}}
	for name, value := range v.Cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	if v.CookieName != "" {
		r.Header.Add("Cookie", v.CookieName+"="+v.CookieValue)
	}
	return r.Cookies()
}

func same(t *testing.T, want string, got json.RawMessage) bool {
	var a, b any
	require.NoError(t, json.Unmarshal([]byte(want), &a))
	require.NoError(t, json.Unmarshal(got, &b))
	return assert.ObjectsAreEqual(a, b)
}
