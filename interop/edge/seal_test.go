package edge_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// shape is Set-Cookie lines without what is random: names, attributes, and whether a value is there.
func shape(lines []string) (out []string) {
	for _, line := range lines {
		pair, attributes, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		out = append(out, fmt.Sprintf("%s=(%d);%s", name, len(value), attributes))
	}
	return out
}

// TestSealedAtTheEdge grows and shrinks a session between all its sizes, in Go and in JavaScript: the same
// lines but for the random, and Go opens what the edge sealed.
func TestSealedAtTheEdge(t *testing.T) {
	now := time.Now().Unix()
	sizes := []int{0, 2900, 3050, 5000, 8000, 17000}
	for _, cookie := range []struct {
		name       string
		config     signet.Cookie
		attributes string
	}{
		{"the default", signet.Cookie{Budget: 24 << 10}, ""},
		{"a cookie of its own", signet.Cookie{Name: "__Secure-s", Domain: "example.com", Path: "/app", Budget: 24 << 10},
			"Path=/app; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		{"partitioned", signet.Cookie{Partitioned: true, Budget: 9 << 10}, "Path=/; HttpOnly; Secure; SameSite=Lax; Partitioned"},
	} {
		t.Run(cookie.name, func(t *testing.T) {
			keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
			keys.SetClock(func() time.Time { return time.Unix(now, 0) })
			m := signet.Must(signet.New[map[string]string](keys, signet.Config{Cookie: cookie.config, Logger: quiet}))
			name := "__Host-Http-session"
			if cookie.config.Name != "" {
				name = cookie.config.Name
			}
			export := string(signet.Must(keys.ExportPurpose(signet.Compact, "session", name, "")))
			b := batch{Keys: export, Name: name}
			var goLines [][]string
			var headers []string
			for i, from := range sizes {
				for j, to := range sizes {
					if cookie.config.Partitioned && max(from, to) > 6000 {
						continue
					}
					header, _, _ := save(t, m, "", "persistent"[:(i+j)%2*10], from)
					_, lines, s := save(t, m, header, "", to)
					options := map[string]any{"budget": 24 << 10}
					if cookie.attributes != "" {
						options["attributes"] = cookie.attributes
					}
					b.Cases = append(b.Cases, jsOp{Op: "seal", Header: header, Now: now, Options: options, Session: &jsSession{
						ID: s.ID(), Created: s.Created().Unix(), Expires: s.Expires().Unix(), Persistent: s.Persistent(), Data: encode(t, s.Data)}})
					goLines, headers = append(goLines, lines), append(headers, header)
				}
			}
			for _, js := range []runtime{runtimes[0], runtimes[3]} {
				for i, got := range js.run(t, b) {
					require.Empty(t, got.Thrown, js.name)
					require.ElementsMatch(t, shape(goLines[i]), shape(got.Lines), js.name)
					r := httptest.NewRequest("GET", "/", nil)
					r.Header.Set("Cookie", afterwards(headers[i], got.Lines))
					s := m.Load(r)
					require.NoError(t, s.Err(), js.name)
					want := b.Cases[i].Session
					require.Equal(t, want.ID, s.ID())
					require.Equal(t, want.Persistent, s.Persistent())
					require.JSONEq(t, string(want.Data), string(encode(t, s.Data)))
				}
			}
		})
	}
}

// save writes data of a size over what header holds, and returns the new Cookie field, the lines and the session.
func save(t *testing.T, m *signet.Manager[map[string]string], header, persistent string, size int) (string, []string, *signet.Session[map[string]string]) {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	if header != "" {
		r.Header.Set("Cookie", header)
	}
	s := m.Load(r)
	if header == "" && persistent != "" {
		s.SetPersistent(true)
	}
	s.Data = map[string]string{"at": time.Now().String(), "fill": strings.Repeat("y", size)}
	rec := httptest.NewRecorder()
	require.NoError(t, m.Save(rec, r, s))
	lines := rec.Header()["Set-Cookie"]
	return afterwards(header, lines), lines, s
}

// TestSealRefuses: what seal does not write, and says so without writing anything.
func TestSealRefuses(t *testing.T) {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	b := batch{Keys: string(signet.Must(keys.ExportPurpose(signet.Compact, "session", cookieName, "")))}
	rows := []struct {
		name, data, want string
		session          jsSession
		options          map[string]any
	}{
		{"over the default budget", `{"f":"` + strings.Repeat("x", 6000) + `"}`, "RangeError", jsSession{}, nil},
		{"a single cookie over a small budget", `{"f":"` + strings.Repeat("x", 1500) + `"}`, "RangeError", jsSession{}, map[string]any{"budget": 1024}},
		{"over eight cookies", `{"f":"` + strings.Repeat("x", 26000) + `"}`, "RangeError", jsSession{}, map[string]any{"budget": 1 << 20}},
		{"data that is an array", `[1]`, "TypeError", jsSession{}, nil},
		{"data that is null", `null`, "TypeError", jsSession{}, nil},
		{"a lifetime above the policy", `{}`, "TypeError", jsSession{}, map[string]any{"lifetime": 86401}},
		{"a rounded integer", `{}`, "TypeError", jsSession{Lossy: true}, nil},
		{"an id that is none", `{}`, "TypeError", jsSession{ID: "short"}, nil},
	}
	for _, row := range rows {
		row.session.Data = json.RawMessage(row.data)
		b.Cases = append(b.Cases, jsOp{Op: "seal", Session: &row.session, Options: row.options})
	}
	for i, got := range runtimes[0].run(t, b) {
		require.Contains(t, got.Thrown, rows[i].want, rows[i].name)
		require.Empty(t, got.Lines, rows[i].name)
	}
}

// TestIntegersThatJavaScriptRounds: a session with one opens, marked, and any other is not marked.
func TestIntegersThatJavaScriptRounds(t *testing.T) {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	m := signet.Must(signet.New[map[string]any](keys, signet.Config{}))
	b := batch{Keys: string(signet.Must(keys.ExportPurpose(signet.Compact, "session", cookieName, "")))}
	rows := []struct {
		name  string
		value any
		lossy bool
	}{
		{"2^53 - 1 is held", 1<<53 - 1, false}, {"from 2^53 on two are one", 1 << 53, true}, {"the next one is not held", 1<<53 + 1, true}, {"a snowflake", 1234567890123456789, true}, {"negative", -(1<<53 + 1), true},
		{"as text it is kept", "1234567890123456789", false}, {"text with quotes", `\"1234567890123456789`, false},
		{"a long fraction", 0.12345678901234568, false}, {"nested", map[string]any{"a": []any{1<<60 + 1}}, true}, {"large float", 1e300, false},
	}
	for _, row := range rows {
		r, rec := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		s := m.Load(r)
		s.Data["v"] = row.value
		require.NoError(t, m.Save(rec, r, s))
		b.Cases = append(b.Cases, jsOp{Header: afterwards("", rec.Header()["Set-Cookie"])})
	}
	for i, got := range runtimes[0].run(t, b) {
		require.NotNil(t, got.Session, rows[i].name)
		require.Equal(t, rows[i].lossy, got.Session.Lossy, rows[i].name)
	}
}

// TestClearAtTheEdge: everything that the browser may hold is expired, with the attributes it was set with.
func TestClearAtTheEdge(t *testing.T) {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	b := batch{Keys: string(signet.Must(keys.ExportPurpose(signet.Compact, "session", cookieName, "")))}
	b.Cases = []jsOp{{Op: "clear", Header: cookieName + "=2.wwww.A; " + cookieName + ".1=wwww.B; " + cookieName + ".5=C; a=b"},
		{Op: "clear", Options: map[string]any{"attributes": "Path=/; HttpOnly; Secure; SameSite=None; Partitioned"}}}
	got := runtimes[0].run(t, b)
	const tail = "=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"
	require.Equal(t, []string{cookieName + tail, cookieName + ".1" + tail, cookieName + ".5" + tail, cookieName + ".t" + tail}, got[0].Lines)
	none := "=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=None"
	require.Equal(t, []string{cookieName + none + "; Partitioned", cookieName + none, cookieName + ".t" + none + "; Partitioned", cookieName + ".t" + none}, got[1].Lines)
}
