// Package migrate moves visitors from a real old application to a signet one, both behind a
// real nginx on one host name, and prints what worked as a row of a table.
package migrate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
	"github.com/stretchr/testify/require"
)

// Stack is an old application and the package of compat that takes over from it.
//
// The application serves, with JSON objects as bodies:
//
//	POST /old/set      puts the members of the body into the session
//	GET  /old/get      answers the session; X-Names says which members matter, as a JSON list in base64
//	POST /old/logout   ends it
//	GET  /old/version  answers what it runs on, as text; not needed with a Version
type Stack struct {
	Name string
	// Version is what it runs on; empty is what /old/version answers.
	Version string
	// Start runs it at address (host:port) until the test ends, with these secrets, the newest first.
	Start func(t testing.TB, address string, secrets []string) *real.Process
	// Secrets are two: the one that it begins with, and the one that comes later.
	Secrets [2]string
	// Fallbacks says that the old application itself opens with older secrets, too.
	Fallbacks bool
	// Format makes the opener, and a [Writer] where the package writes.
	Format func(secrets []string) (signet.ForeignFormat, error)
	// Plain makes plain JSON of claims; nil leaves them.
	Plain func(json.RawMessage) (json.RawMessage, error)
	// Large is how many bytes of random text fit one cookie; Chunked how many need several, or 0.
	Large, Chunked int
	// Vectors runs the package's vectors and says how many of how many passed.
	Vectors func(t *testing.T) (passed, all int)
}

// Writer is a format that is written, too.
type Writer interface {
	signet.ForeignFormat
	Update(cookies []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error)
	Clear(cookies []*http.Cookie) []*http.Cookie
}

// Run does all of it, and prints the row.
func Run(t *testing.T, s Stack) {
	site := begin(t, s)
	row := map[string]string{"read": "–", "write": "–", "rotation": "–", "chunks": "–", "vectors": "–"}
	step := func(column, name string, do func(*testing.T) string) {
		t.Run(name, func(t *testing.T) {
			if said := do(t); column != "" && !t.Failed() {
				row[column] = said
			}
		})
	}
	step("read", "moving", site.moving)
	step("", "forged cookies are new visitors", site.forged)
	step("", "log-out", site.logOut)
	if site.writes() {
		step("write", "alternating", site.alternating)
		step("", "random sessions", site.random)
	}
	step("chunks", "sizes", site.sizes)
	step("rotation", "two secrets", site.rotation)
	if s.Vectors != nil {
		step("vectors", "vectors", func(t *testing.T) string {
			passed, all := s.Vectors(t)
			require.Equal(t, all, passed)
			return fmt.Sprintf("%d/%d", passed, all)
		})
	}
	if t.Failed() {
		return
	}
	print(t, fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |", s.Name, site.version,
		row["read"], row["write"], row["rotation"], row["chunks"], row["vectors"]))
}

// Head is the head of the table.
const Head = "| stack | version | read | write | rotation | chunks | vectors passed |\n|---|---|---|---|---|---|---|"

// print logs a row, and appends it to the file that SIGNET_MOVING_TABLE names, from which CI prints the table.
func print(t *testing.T, row string) {
	t.Logf("\n%s\n%s", Head, row)
	path := os.Getenv("SIGNET_MOVING_TABLE")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(row + "\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// moving: who logged in at the old application is known at the new one, from then on there alone.
func (s *site) moving(t *testing.T) string {
	v := s.visitor(t)
	want := v.logIn("/old/", object{"user": "ada", "name": "Zoë 日本 𝄞 <&>", "nested": object{"a": []any{1.0, object{"b": nil}}}})
	require.NotEmpty(t, v.names(), "the old application set no cookie")
	old := v.names()
	for range 3 {
		v.sees("/new/", want)
	}
	for _, name := range old {
		require.NotContains(t, v.names(), name, "the old cookie stays")
	}
	require.Equal(t, 1, s.count("migrated"))
	v.isNew("/old/")
	v.set("/new/", object{"more": "ключ"})
	want["more"] = "ключ"
	v.sees("/new/", want)
	return "yes"
}

// forged: nothing that a visitor does to his cookies lets him in, and each reason is counted.
func (s *site) forged(t *testing.T) string {
	v := s.visitor(t)
	v.logIn("/old/", object{"user": "ada"})
	good := v.cookies()
	for name, change := range map[string]func(string) string{
		"one character changed": func(value string) string { return flip(value, len(value)/3) },
		"cut":                   func(value string) string { return value[:len(value)*2/3] },
		"made up":               func(string) string { return "eyJ1c2VyIjoiYWRhIn0" },
	} {
		t.Run(name, func(t *testing.T) {
			mallory, before := s.visitor(t), s.count("failed")
			var bad []*http.Cookie
			for _, c := range good {
				bad = append(bad, &http.Cookie{Name: c.Name, Value: change(c.Value)})
			}
			mallory.hold(bad)
			mallory.isNew("/new/")
			mallory.isNew("/old/")
			if s.writes() {
				mallory.isNew("/share/")
			}
			require.Greater(t, s.count("failed"), before, "the reason is not counted")
		})
	}
	return ""
}

func flip(value string, at int) string {
	with := "A"
	if value[at] == 'A' {
		with = "B"
	}
	return value[:at] + with + value[at+1:]
}

// logOut: on either side, with the session on either side.
func (s *site) logOut(t *testing.T) string {
	t.Run("at the old application", func(t *testing.T) {
		v := s.visitor(t)
		v.logIn("/old/", object{"user": "ada"})
		v.logOut("/old/")
		s.isNewEverywhere(v)
	})
	t.Run("at the new one, on the first visit", func(t *testing.T) {
		v := s.visitor(t)
		v.logIn("/old/", object{"user": "ada"})
		v.logOut("/new/")
		s.isNewEverywhere(v)
	})
	t.Run("at the new one, after another log-in at the old", func(t *testing.T) {
		v := s.visitor(t)
		v.logIn("/old/", object{"user": "ada"})
		v.sees("/new/", object{"user": "ada"})
		v.logIn("/old/", object{"user": "eve"})
		v.sees("/new/", object{"user": "ada"}) // its own session goes first
		v.logOut("/new/")
		s.isNewEverywhere(v)
	})
	if s.writes() {
		t.Run("where they share the cookie", func(t *testing.T) {
			v := s.visitor(t)
			v.logIn("/old/", object{"user": "ada"})
			v.set("/share/", object{"more": 1.0})
			v.logOut("/share/")
			s.isNewEverywhere(v)
		})
	}
	return ""
}

func (s *site) isNewEverywhere(v *visitor) {
	v.isNew("/old/")
	v.isNew("/new/")
	if s.writes() {
		v.isNew("/share/")
	}
}

// alternating: both applications write one session in turn, and each sees all that the other wrote.
func (s *site) alternating(t *testing.T) string {
	v := s.visitor(t)
	want := v.logIn("/old/", object{"user": "ada"})
	const turns = 20
	for i := range turns {
		side, other := "/old/", "/share/"
		if i%2 == 0 {
			side, other = other, side
		}
		more := object{fmt.Sprintf("k%d", i%7): []any{
			"Zoë 日本 𝄞", float64(i), object{"deep": []any{object{"<&>": nil}, true, "\"\\\u2028"}}, strings.Repeat("é", i),
		}}
		v.set(side, more)
		for name, value := range more {
			want[name] = value
		}
		v.sees(other, want)
		v.sees(side, want)
	}
	v.sees("/new/", want)
	return fmt.Sprintf("%d turns", turns)
}

// sizes: as much as one cookie holds, and what needs more.
func (s *site) sizes(t *testing.T) string {
	exchange := func(t *testing.T, size int) *visitor {
		v := s.visitor(t)
		want := v.logIn("/old/", object{"blob": text(size)})
		if !s.writes() {
			v.sees("/new/", want)
			return v
		}
		v.sees("/share/", want)
		want["blob"] = text(size + 1)
		v.set("/share/", want)
		v.sees("/old/", want)
		return v
	}
	t.Run(fmt.Sprintf("%d bytes", s.Large), func(t *testing.T) { exchange(t, s.Large) })
	if s.Chunked == 0 {
		return "one cookie"
	}
	most := 0
	t.Run(fmt.Sprintf("%d bytes", s.Chunked), func(t *testing.T) {
		v := exchange(t, s.Chunked)
		most = len(v.names())
		if !s.writes() {
			return
		}
		want := object{"blob": "short again"}
		v.set("/share/", want) // the chunks that are left over must go
		v.sees("/old/", want)
		v.logOut("/old/")
		v.isNew("/share/")
	})
	return fmt.Sprintf("up to %d", most)
}

// rotation: a session of the older secret is known, and is written with the newer one.
func (s *site) rotation(t *testing.T) string {
	share, move := s.visitor(t), s.visitor(t)
	want := share.logIn("/old/", object{"user": "ada"})
	move.logIn("/old/", want)
	s.restart(t, s.Secrets[1], s.Secrets[0])
	if s.Fallbacks {
		share.sees("/old/", want)
	}
	before := s.countKey("migrated", "1")
	move.sees("/new/", want)
	require.Equal(t, before+1, s.countKey("migrated", "1"), "the older secret is not counted")
	if !s.writes() {
		return "yes"
	}
	share.sees("/share/", want)
	share.set("/share/", object{"more": true})
	want["more"] = true
	s.restart(t, s.Secrets[1]) // the older secret is deleted
	share.sees("/old/", want)
	share.sees("/share/", want)
	return "yes"
}
