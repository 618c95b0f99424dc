package main_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// material is a ring in a file, and things sealed with it.
type material struct {
	dir    string
	ring   *signet.Keyring
	secret string // what must never be printed
}

func newMaterial(t *testing.T) material {
	t.Helper()
	return materialOf(t, signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))))
}

func materialOf(t *testing.T, ring *signet.Keyring) material {
	t.Helper()
	text, err := ring.SecretJWKS()
	require.NoError(t, err)
	m := material{dir: t.TempDir(), ring: ring}
	require.NoError(t, os.WriteFile(filepath.Join(m.dir, "keys.json"), text, 0o600))
	var file struct{ Keys []struct{ K string } }
	require.NoError(t, json.Unmarshal(text, &file))
	m.secret = file.Keys[0].K
	return m
}

// save seals a session and returns its Set-Cookie lines and its Cookie field.
func (m material) save(t *testing.T, cfg signet.Config, data map[string]any) (set []string, field string) {
	t.Helper()
	sessions, err := signet.New[map[string]any](m.ring, cfg)
	require.NoError(t, err)
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	s := sessions.Load(r)
	s.Data = data
	require.NoError(t, sessions.Save(w, r, s))
	var pairs []string
	for _, c := range w.Result().Cookies() {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return w.Header()["Set-Cookie"], strings.Join(pairs, "; ")
}

func (m material) inspect(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	got := signetIn(t, m.dir, stdin, append([]string{"inspect"}, args...)...)
	require.NotContains(t, got.out+got.errors, m.secret)
	return got
}

func TestInspectExplainsEveryFormWithoutKeys(t *testing.T) {
	m := newMaterial(t)
	id := m.ring.Keys()[0].ID
	small, smallField := m.save(t, signet.Config{}, map[string]any{"user": "ada"})
	large, largeField := m.save(t, signet.Config{Cookie: signet.Cookie{Budget: 12 << 10}}, map[string]any{"text": strings.Repeat("word ", 1500)})
	pieces := strings.Split(largeField, "; ")
	require.Len(t, pieces, 3)
	jwe := signet.Must(m.ring.SealAs(signet.JWE, "reset", []byte("user 17"), time.Hour))
	wrapped := signet.Must(m.ring.SealAs(signet.JWEKeyWrap, "reset", []byte("user 17"), time.Hour))
	_, idle := m.save(t, signet.Config{IdleTimeout: time.Minute}, map[string]any{"user": "ada"})
	_, value, _ := strings.Cut(smallField, "=")

	for _, row := range []struct {
		name, stdin string
		want        []string
	}{
		{"a bare token", value, []string{"token\n", "compact, version 1: AES-256-GCM", "key id          " + id, " s ago", "12 bytes: "}},
		{"a bare token with a line break in it", value[:40] + "\n" + value[40:] + "\n", []string{"token\n", "key id          " + id}},
		{"a cookie pair", smallField, []string{"session __Host-Http-session\n", "1 cookie, 122 bytes in a Cookie field"}},
		{"a Cookie field with its name", "Cookie: theme=dark; " + smallField, []string{"session __Host-Http-session\n", "cookie theme is no signet token\n"}},
		{"what curl -v shows of a request", "> GET / HTTP/1.1\n> Host: x\n> cookie: " + smallField + "\n>\n", []string{"session __Host-Http-session\n"}},
		{"what curl -i shows of a response", "HTTP/1.1 200 OK\nSet-Cookie: " + small[0] + "\nVary: Cookie\n\n<html>", []string{"session __Host-Http-session\n", "octets; a browser takes it\n"}},
		{"a Set-Cookie line without its name", small[0], []string{"octets; a browser takes it\n"}},
		{"a whole session of three cookies", "Cookie: " + largeField, []string{"3 cookies, ", "complete: all 3 pieces of write ", "__Host-Http-session has 4,096 of 4,096 octets"}},
		{"the same in another order", strings.Join([]string{pieces[2], pieces[0], pieces[1]}, "; "), []string{"complete: all 3 pieces"}},
		{"the same as Set-Cookie lines", strings.Join(large, "\n"), []string{"complete: all 3 pieces", "octets; a browser takes it\n"}},
		{"a session with a piece missing", pieces[0] + "; " + pieces[2], []string{"torn: cookie __Host-Http-session.1 of write ", " is missing", "key id          " + id}},
		{"a session with a contested piece", largeField + "; " + pieces[2] + "x", []string{"torn: there are 2 different cookies __Host-Http-session.2 of write "}},
		{"a session without its first cookie", pieces[1], []string{"torn: its first cookie, __Host-Http-session, is missing"}},
		{"a piece that an earlier write left", smallField + "; " + pieces[1], []string{"it is of another write than __Host-Http-session; servers ignore it"}},
		{"a first cookie's value alone", strings.SplitN(pieces[0], "=", 2)[1], []string{"torn: cookie NAME.1 of write ", "key id          " + id}},
		{"an idle clock beside its session", idle, []string{"session __Host-Http-session\n", "idle clock of session __Host-Http-session\n"}},
		{"a JWE", jwe, []string{"JWE (RFC 7516): dir and A256GCM", "key id          " + id, `{"alg":"dir","enc":"A256GCM"`, " s ago"}},
		{"a JWE with key wrap", wrapped, []string{"A256KW and A256GCM", "40 bytes: the content key, wrapped"}},
		{"a JWE of another system", "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d", []string{"no signet ring sealed or opens", "fault", "it does not say when"}},
		{"a token with a character cut off", value[:len(value)-1], []string{"fault"}},
		{"a cookie that is deleted", "Set-Cookie: a.1=; Max-Age=0; Path=/\nSet-Cookie: " + small[0], []string{"cookie a.1 is deleted by this line"}},
		{"a cookie over 4096 octets", "Set-Cookie: s=" + value + strings.Repeat("A", 4096), []string{"a browser drops it: name and value have 4199 octets, over the 4096"}},
		{"__Host- without Secure", "Set-Cookie: __Host-s=" + value + "; Path=/", []string{"drops it: a name with __Host- needs Secure"}},
		{"__host- in lower case with a Domain", "Set-Cookie: __host-s=" + value + "; Path=/; Secure; Domain=example.com", []string{"needs no Domain"}},
		{"__Host- with a Path", "Set-Cookie: __Host-s=" + value + "; Path=/a; Secure", []string{"needs Path=/"}},
		{"__Secure- without Secure", "Set-Cookie: __Secure-s=" + value + "; Path=/", []string{"a name with __Secure- needs Secure"}},
		{"__Http- without HttpOnly", "Set-Cookie: __Http-s=" + value + "; Secure", []string{"a name with __Http- needs Secure and HttpOnly"}},
		{"__Host-Http- without HttpOnly", "Set-Cookie: __Host-Http-s=" + value + "; Path=/; Secure", []string{"a name with __Host-Http- needs HttpOnly"}},
		{"SameSite=None without Secure", "Set-Cookie: s=" + value + "; SameSite=None", []string{"SameSite=None needs Secure"}},
		{"Partitioned without Secure", "Set-Cookie: s=" + value + "; Partitioned", []string{"Partitioned needs Secure"}},
		{"Max-Age above 400 days", "Set-Cookie: s=" + value + "; Max-Age=34560001", []string{"takes it; Max-Age is above 400 days and cut to that"}},
		{"a name that would move the cursor of a terminal", "Cookie: \x1b[2J=" + value, []string{`session "\x1b[2J"`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := m.inspect(t, row.stdin)
			require.Empty(t, got.errors)
			require.Equal(t, 0, got.status)
			for _, want := range row.want {
				require.Contains(t, got.out, want)
			}
			require.NotContains(t, got.out, "\x1b")
		})
	}
}

func TestInspectOpensWithKeys(t *testing.T) {
	m := newMaterial(t)
	data := map[string]any{"user": "ada", "n": 12345678901234567}
	_, field := m.save(t, signet.Config{}, data)
	_, other := m.save(t, signet.Config{Tenant: "acme", Cookie: signet.Cookie{Name: "__Host-shop"}, Format: signet.JWE}, data)
	_, large := m.save(t, signet.Config{Cookie: signet.Cookie{Budget: 12 << 10}}, map[string]any{"text": strings.Repeat("word ", 1500)})
	_, idle := m.save(t, signet.Config{IdleTimeout: time.Minute}, data)
	reset := signet.Must(m.ring.Seal("reset", []byte("user 17\x1b"), time.Hour))
	wrapped := signet.Must(m.ring.SealAs(signet.JWEKeyWrap, "reset", []byte{0xff, 0}, time.Hour))
	_, value, _ := strings.Cut(field, "=")
	json := "{\n  \"n\": 12345678901234567,\n  \"user\": \"ada\"\n}\n"

	for _, row := range []struct {
		name, stdin, args string
		want              []string
	}{
		{"a session cookie, which knows its purpose", "Cookie: " + field, "", []string{`as session of "__Host-Http-session"`, json, "persistent      false", " from now", "one with this ring takes it"}},
		{"its value alone, with the purpose", value, "-purpose __Host-Http-session", []string{json}},
		{"a session of three cookies", large, "", []string{`"text": "word word`}},
		{"another tenant and name, as JWE", other, "-tenant acme", []string{`as session of "__Host-shop"`, json, "one with this ring takes it"}},
		{"a token of Seal", reset, "-kind token -purpose reset", []string{`as token of "reset"`, `"user 17\x1b"`, " from now", "one with this ring takes it"}},
		{"a token that is no text, as JWE with key wrap", wrapped, "-kind token -purpose reset", []string{"ff00\n"}},
		{"an idle clock beside its session", idle, "", []string{json, `as touch of "__Host-Http-session"`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := m.inspect(t, row.stdin, append([]string{"-keys", "keys.json"}, strings.Fields(row.args)...)...)
			require.Empty(t, got.errors)
			require.Equal(t, 0, got.status)
			for _, want := range row.want {
				require.Contains(t, got.out, want)
			}
			require.NotContains(t, got.out, "\x1b")
		})
	}
}

func TestInspectOpensWhatHasExpiredAndSaysSo(t *testing.T) {
	m := newMaterial(t)
	past := time.Now().Add(-50 * time.Hour)
	m.ring.SetClock(func() time.Time { return past })
	_, field := m.save(t, signet.Config{}, map[string]any{"user": "ada"})
	got := m.inspect(t, field, "-keys", "keys.json")
	require.Equal(t, 0, got.status)
	require.Contains(t, got.out, "1 d 2 h ago")
	require.Contains(t, got.out, "answers: signet: token has expired")
	require.Contains(t, got.out, `"user": "ada"`)
}

func TestInspectOpensChaCha(t *testing.T) {
	text, err := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))).SecretJWKS()
	require.NoError(t, err)
	ring, err := signet.ParseKeyring([]byte(strings.Replace(string(text), `"signet-v1"`, `"signet-v1-chacha"`, 1)))
	require.NoError(t, err)
	m := materialOf(t, ring)
	_, field := m.save(t, signet.Config{}, map[string]any{"user": "ada"})
	got := m.inspect(t, field, "-keys", "keys.json")
	require.Empty(t, got.errors)
	require.Contains(t, got.out, "version 2: ChaCha20-Poly1305")
	require.Contains(t, got.out, `"user": "ada"`)
}

func TestInspectRefusesWithOneLineThatSaysWhatToDo(t *testing.T) {
	m := newMaterial(t)
	_, field := m.save(t, signet.Config{}, map[string]any{"user": "ada"})
	_, large := m.save(t, signet.Config{Cookie: signet.Cookie{Budget: 12 << 10}}, map[string]any{"text": strings.Repeat("word ", 1500)})
	_, stranger := newMaterial(t).save(t, signet.Config{}, map[string]any{"user": "ada"})
	_, value, _ := strings.Cut(field, "=")
	damaged := field[:len(field)-2] + flip(field[len(field)-2]) + field[len(field)-1:]
	require.NoError(t, os.WriteFile(filepath.Join(m.dir, "bad.json"), []byte(`{"keys":[`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(m.dir, "huge.json"), make([]byte, 1<<20+5), 0o600))

	for _, row := range []struct {
		name, stdin, args string
		status            int
		want              string
	}{
		{"nothing", "", "", 1, "nothing to inspect; give a cookie's value, a Cookie header or a token on stdin"},
		{"blanks", " \n\n", "", 1, "nothing to inspect"},
		{"a word", "hello", "", 1, "this is no signet token: one begins with A, a JWE with ey, a split one with a digit and a dot; copy it whole"},
		{"binary", "\x00\xff\xfe", "", 1, "this is no signet token"},
		{"a JWT that is signed only", "eyJhbGciOiJIUzI1NiJ9", "", 1, "this is no signet token"},
		{"cookies of others", "Cookie: a=b; c=d", "", 1, "no cookie here holds a signet token"},
		{"over 64 KB", strings.Repeat("A", 64<<10+1), "", 1, "the input is over 65536 bytes; give the Cookie or Set-Cookie lines alone"},
		{"too many cookies", "Cookie: " + strings.Repeat("a=b; ", 300), "", 1, "more than 256 cookies"},
		{"a key file that is not there", field, "-keys none.json", 1, "cannot read the key file: no such file or directory; make one: signet keys new > keys.json"},
		{"a key in place of its file", field, "-keys signetkey1_SECRET", 1, "cannot read the key file"},
		{"a directory", field, "-keys .", 1, "is a directory"},
		{"a broken key file", field, "-keys bad.json", 1, "the key file is not a JWK Set: broken JSON near line 1; is the file cut short?"},
		{"a key file over 1 MiB", field, "-keys huge.json", 1, "over the limit of 1048576"},
		{"the cookie of another ring", stranger, "-keys keys.json", 1, "is not in this ring; it was sealed with another, or with a newer one"},
		{"two cookies that do not open, in one line", damaged + "; other=" + value, "-keys keys.json", 1, "it does not open: it was damaged or forged, or sealed for another purpose, kind or tenant; signet: inspect: it does not open"},
		{"a damaged cookie", damaged, "-keys keys.json", 1, "it does not open: it was damaged or forged, or sealed for another purpose, kind or tenant"},
		{"another purpose", value, "-keys keys.json -purpose other", 1, "it does not open"},
		{"another kind", value, "-keys keys.json -purpose __Host-Http-session -kind token", 1, "it does not open"},
		{"another tenant", field, "-keys keys.json -tenant acme", 1, "it does not open"},
		{"a torn session", strings.Split(large, "; ")[0], "-keys keys.json", 1, "it cannot be opened: it is torn; give all cookies of the session"},
		{"a purpose over 256 bytes", value, "-keys keys.json -purpose " + strings.Repeat("x", 257), 1, "a purpose has 1 to 256 bytes, this one has 257"},
		{"a bare token without purpose", value, "-keys keys.json", 2, "a bare token does not know its purpose; add -purpose NAME, and -kind token if it came from Seal"},
		{"a purpose without keys", field, "-purpose x", 2, "-purpose, -kind and -tenant need -keys FILE"},
		{"an unknown kind", field, "-keys keys.json -kind cookie", 2, "-kind is session, touch or token"},
		{"keys on stdin", field, "-keys -", 2, "stdin is for the cookie; give the key file by its name"},
		{"the cookie as an argument", "", value, 2, "argument 1 is one too many; run: signet inspect -h"},
		{"a flag without value", "", "-keys", 2, "flag -keys needs a value"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := m.inspect(t, row.stdin, strings.Fields(row.args)...)
			require.Equal(t, row.status, got.status, got.errors)
			require.Contains(t, got.errors, row.want)
			require.True(t, strings.HasPrefix(got.errors, "signet: "), got.errors)
			require.Equal(t, 1, strings.Count(got.errors, "\n"), got.errors)
			require.NotContains(t, got.errors, "SECRET")
			require.NotContains(t, got.errors, value)
		})
	}
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}
