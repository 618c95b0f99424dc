package migrate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// random: what either side writes, the other reads, whatever it is.
func (s *site) random(t *testing.T) string {
	r := rand.New(rand.NewPCG(17, 4))
	v := s.visitor(t)
	for i := range 60 {
		side, other := "/share/", "/old/"
		if i%2 == 0 {
			side, other = other, side
		}
		var want object
		for want == nil || len(mustJSON(t, want)) > s.Large/3 { // escapes make much of little
			want = nil
			require.NoError(t, json.Unmarshal(RandomObject(r, 2), &want))
		}
		v.forget()
		v.set(side, want)
		v.sees(other, want)
	}
	return ""
}

func mustJSON(t *testing.T, v any) []byte {
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}

// RandomObject is a random JSON object with at least one member.
func RandomObject(r *rand.Rand, depth int) json.RawMessage {
	members := map[string]any{}
	for range 1 + r.IntN(5) {
		members[fmt.Sprintf("%c%s", 'a'+r.IntN(4), randomText(r, 4))] = randomValue(r, depth)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(r.IntN(2) == 0) // two ways to write one text
	_ = e.Encode(members)
	return b.Bytes()
}

func randomValue(r *rand.Rand, depth int) any {
	switch n := r.IntN(9); {
	case n == 0:
		return nil
	case n == 1:
		return r.IntN(2) == 0
	case n == 2:
		return r.Int64N(1<<53) - 1<<52
	case n == 3:
		return r.NormFloat64() * 1e9
	case n < 7 || depth == 0:
		return randomText(r, 40)
	case n == 7:
		list := []any{}
		for range r.IntN(4) {
			list = append(list, randomValue(r, depth-1))
		}
		return list
	default:
		members := map[string]any{}
		for range r.IntN(4) {
			members[randomText(r, 8)] = randomValue(r, depth-1)
		}
		return members
	}
}

var letters = []rune("abcXYZ 019_-.~*%+/=;,\"'\\<>&{}[]\x00\x01\x1f\x7f\t\r\néßЖ日本語𝄞😀\u2028\u2029\ufeff\uffff")

func randomText(r *rand.Rand, most int) string {
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteRune(letters[r.IntN(len(letters))])
	}
	return b.String()
}
