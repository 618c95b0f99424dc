package edge_test

import (
	"encoding/base64"
	"fmt"
	"math/rand"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

const cookieName = "__Host-Http-session"

// world is a ring and those who write cookies with it, and with others.
type world struct {
	keys    *signet.Keyring
	main    *signet.Manager[map[string]any]
	writers map[string]writer
}

type writer struct {
	keys *signet.Keyring
	m    *signet.Manager[map[string]any]
}

func newWorld(t *testing.T) *world {
	t.Helper()
	const file = `{"keys": [
		{"kty": "oct", "k": "XrSMnhs0Z9J3i8W4VtT1cYqRfKxOaLpDgUoEvNmBzHQ", "alg": "signet-v1", "nbf": 1},
		{"kty": "oct", "k": "qVYb0dC7w2s5eGJkRmTzXnLpA8uHfI1oN4cKxSWjEtg", "alg": "signet-v1", "nbf": 2}]}`
	parse := func(text string) *signet.Keyring { return signet.Must(signet.ParseKeyring([]byte(text))) }
	make := func(keys *signet.Keyring, cfg signet.Config) writer {
		return writer{keys, signet.Must(signet.New[map[string]any](keys, cfg))}
	}
	older := strings.Replace(file, `"nbf": 1}`, `"nbf": 3}`, 1) // the other key seals
	chacha := strings.Replace(file, `"alg": "signet-v1", "nbf": 2`, `"alg": "signet-v1-chacha", "nbf": 2`, 1)
	w := &world{keys: parse(file)}
	w.main = make(w.keys, signet.Config{Logger: quiet, Cookie: signet.Cookie{Budget: 24 << 10}}).m
	big := signet.Cookie{Budget: 24 << 10}
	w.writers = map[string]writer{
		"main": make(parse(file), signet.Config{Logger: quiet, Cookie: big}), "older key": make(parse(older), signet.Config{Logger: quiet, Cookie: big}),
		"JWE": make(parse(file), signet.Config{Logger: quiet, Cookie: big, Format: signet.JWE}), "tenant": make(parse(file), signet.Config{Logger: quiet, Cookie: big, Tenant: "acme"}),
		"stranger": make(signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))), signet.Config{Logger: quiet, Cookie: big}),
		"name":     make(parse(file), signet.Config{Logger: quiet, Cookie: signet.Cookie{Name: "__Host-other"}}),
		"chacha":   make(parse(chacha), signet.Config{Logger: quiet, Cookie: big}),
	}
	return w
}

// write is the cookies, "NAME=value" each, that a browser holds after writer wrote data at an offset from now.
func (w *world) write(t *testing.T, by string, offset time.Duration, data map[string]any) []string {
	t.Helper()
	m := w.writers[by].m
	w.writers[by].keys.SetClock(func() time.Time { return time.Now().Add(offset) })
	r := httptest.NewRequest("GET", "/", nil)
	rec := httptest.NewRecorder()
	s := m.Load(r)
	s.Data = data
	require.NoError(t, m.Save(rec, r, s))
	var pairs []string
	for _, line := range rec.Header()["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, strings.Replace(name, "__Host-other", cookieName, 1)+"="+value)
	}
	return pairs
}

// mixed makes n Cookie fields of every kind that an edge meets, good and bad, of sessions of these sizes. It draws
// from a fixed seed, so that a disagreement can be seen again (the tokens are new each time).
func (w *world) mixed(t *testing.T, n int, sizes ...int) []string {
	rnd := rand.New(rand.NewSource(7))
	filler := func(size int) string {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte('a' + rnd.Intn(26))
		}
		return string(b)
	}
	data := func() map[string]any {
		size := sizes[rnd.Intn(len(sizes))]
		return map[string]any{"user": filler(8), "note": "é\u2028<&>\U0001F600", "n": rnd.Intn(1 << 30), "fill": filler(size)}
	}
	good := func() []string { return w.write(t, []string{"main", "main", "older key"}[rnd.Intn(3)], 0, data()) }
	pool := make([][]string, 60) // sealing is not what is compared
	for i := range pool {
		pool[i] = good()
	}
	pick := func() []string { return append([]string(nil), pool[rnd.Intn(len(pool))]...) }
	cookies := func(pairs ...[]string) string {
		var all []string
		for _, p := range pairs {
			all = append(all, p...)
		}
		return strings.Join(all, "; ")
	}
	mutate := func(pairs []string) []string {
		i := rnd.Intn(len(pairs))
		p := []byte(pairs[i])
		eq := strings.IndexByte(pairs[i], '=') + 1
		at := eq + rnd.Intn(len(p)-eq)
		switch rnd.Intn(6) {
		case 0:
			p[at] = "ABCDwxyz0189-_ .,\"=%\xe9"[rnd.Intn(21)]
		case 1:
			p = append(p[:at:at], p[at+1:]...)
		case 2:
			p = append(p[:at:at], append([]byte{"Ab-_ .+/="[rnd.Intn(9)]}, p[at:]...)...)
		case 3:
			p = p[:at]
		case 4:
			p = append(p, p[eq:at]...)
		case 5:
			p[len(p)-1] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[rnd.Intn(32)]
		}
		pairs[i] = string(p)
		return pairs
	}
	kinds := []func() string{
		func() string { return cookies(pick()) },
		func() string { return cookies([]string{"a=b"}, pick(), []string{"c=" + filler(rnd.Intn(300))}) },
		func() string { return cookies(mutate(pick())) },
		func() string { return cookies(mutate(mutate(pick()))) },
		func() string { p := pick(); return cookies(p, p) },
		func() string { return cookies(pick(), pick()) },
		func() string { return cookies(mutate(pick()), pick()) },
		func() string { p := pick(); i := rnd.Intn(len(p)); return cookies(p[:i], p[i+1:]) },
		func() string {
			p := pick()
			rnd.Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
			return cookies(p)
		},
		func() string { return strings.Join(pick(), ", ") },
		func() string { return strings.Join(pick(), " ;\t") },
		func() string { p := pick(); return cookies(p, []string{cookieName + ".7=zzzz.stale"}) },
		func() string { return cookies(pick(), mutate(pick()), mutate(pick()), mutate(pick()), pick()) },
		func() string { return cookies(w.write(t, "main", -48*time.Hour, data())) },
		func() string { return cookies(w.write(t, "main", -25*time.Hour, data()), pick()) },
		func() string { return cookies(w.write(t, "main", time.Hour, data())) },
		func() string { return cookies(w.write(t, "stranger", 0, data())) },
		func() string { return cookies(w.write(t, "stranger", 0, data()), mutate(pick())) },
		func() string { return cookies(w.write(t, "tenant", 0, data())) },
		func() string { return cookies(w.write(t, "name", 0, map[string]any{"user": filler(9)})) },
		func() string { return "" },
		func() string { return "theme=dark; lang=en" },
		func() string { return cookieName + "=" + filler(rnd.Intn(100)) },
		func() string {
			return fmt.Sprintf("%s=%d.abcd.%s; %s.1=abcd.x", cookieName, rnd.Intn(12), filler(5), cookieName)
		},
		func() string { return "x" + cookieName + "=" + filler(9) + "; y=" + cookieName + "=" + filler(9) },
		func() string {
			p := pick()
			name, value, _ := strings.Cut(p[0], "=")
			return cookies([]string{name + `="` + value + `"`}, p[1:])
		},
		func() string { return cookies(w.write(t, "JWE", 0, data())) },
		func() string { return cookies(w.write(t, "chacha", 0, data())) },
	}
	all := make([]string, n)
	for i := range all {
		all[i] = kinds[i%len(kinds)]()
	}
	return all
}

// verdict is what Go says of a Cookie field: the reason as @signet-go/edge names it, or the session.
func (w *world) verdict(header string) (reason string, s *signet.Session[map[string]any]) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Cookie"] = []string{header}
	s = w.main.Load(r)
	switch s.Err() {
	case nil:
		if s.IsNew() {
			return "none", nil
		}
		return "", s
	case signet.ErrInvalid:
		return "invalid", nil
	case signet.ErrUnknownKey:
		return "unknown-key", nil
	case signet.ErrExpired:
		return "expired", nil
	case signet.ErrClockSkew:
		return "clock-skew", nil
	case signet.ErrAmbiguous:
		return "ambiguous", nil
	case signet.ErrTorn:
		return "torn", nil
	}
	return "unexpected: " + s.Err().Error(), nil
}

func latin1(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func (w *world) export(t *testing.T, kind string) string {
	t.Helper()
	text, err := w.keys.ExportPurpose(signet.Compact, kind, cookieName, "")
	require.NoError(t, err)
	return string(text)
}

// sealedOtherwise reports whether the first head of a Cookie field is what the edge does not open.
func sealedOtherwise(header string) bool {
	_, value, _ := strings.Cut(header, cookieName+"=")
	if len(value) > 7 && value[1] == '.' {
		value = value[7:]
	}
	return otherFormat(value)
}

func decode64(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	return raw
}
