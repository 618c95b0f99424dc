package edge_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
)

type jwkSet struct {
	Keys []struct{ K, Kid, Alg string }
}

// TestAnExportOpensNothingElse: with the keys of one purpose nothing of another name, kind, tenant or format opens, none of
// them is the key of another purpose or a master, and none is a ring.
func TestAnExportOpensNothingElse(t *testing.T) {
	w := newWorld(t)
	export := w.export(t, "session")
	app, err := w.keys.Seal(cookieName, []byte(`{"user":"ada"}`), time.Hour)
	require.NoError(t, err)
	idle := signet.Must(signet.New[map[string]string](w.keys, signet.Config{IdleTimeout: time.Hour}))
	r, rec := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	s := idle.Load(r)
	s.Data["a"] = "b"
	require.NoError(t, idle.Save(rec, r, s))
	touchLine := rec.Header()["Set-Cookie"][1]
	require.Contains(t, touchLine, cookieName+".t=")
	touch, _, _ := strings.Cut(strings.TrimPrefix(touchLine, cookieName+".t="), ";")
	data := map[string]any{"user": "ada"}
	rows := []struct{ name, header, want string }{
		{"its own purpose", strings.Join(w.write(t, "main", 0, data), "; "), ""},
		{"a session under another name", strings.Join(w.write(t, "name", 0, data), "; "), "invalid"},
		{"a session of a tenant", strings.Join(w.write(t, "tenant", 0, data), "; "), "invalid"},
		{"a token that the application sealed under the cookie's name", cookieName + "=" + app, "invalid"},
		{"a touch cookie", cookieName + "=" + touch, "invalid"},
		{"a JWE", strings.Join(w.write(t, "JWE", 0, data), "; "), "unknown-key"},
	}
	b := batch{Keys: export, Name: cookieName}
	for _, row := range rows {
		b.Cases = append(b.Cases, jsOp{Header: row.header})
	}
	for _, js := range runtimes {
		for i, got := range js.run(t, b) {
			require.Equal(t, rows[i].want, got.Error, js.name+": "+rows[i].name)
		}
	}

	_, err = signet.ParseKeyring([]byte(export))
	require.Error(t, err, "an export is no ring")
	secrets := map[string]string{}
	add := func(what string, text []byte) {
		var set jwkSet
		require.NoError(t, json.Unmarshal(text, &set))
		require.Len(t, set.Keys, 2)
		for _, k := range set.Keys {
			require.Empty(t, secrets[k.K], "%s has a key of %s", what, secrets[k.K])
			secrets[k.K] = what
		}
	}
	add("the ring", signet.Must(w.keys.SecretJWKS()))
	for _, f := range []signet.Format{signet.Compact, signet.JWE, signet.JWEKeyWrap} {
		for _, kind := range []string{"session", "touch", "token"} {
			for _, tenant := range []string{"", "acme"} {
				for _, name := range []string{cookieName, "__Host-other"} {
					add(fmt.Sprint(f, " ", kind, " ", name, " ", tenant), signet.Must(w.keys.ExportPurpose(f, kind, name, tenant)))
				}
			}
		}
	}
}

// TestParseKeysRefuses: what has no place at the edge, or is damaged, is refused without being shown.
func TestParseKeysRefuses(t *testing.T) {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	ring := string(signet.Must(keys.SecretJWKS()))
	env, err := keys.SecretEnv()
	require.NoError(t, err)
	jwe := string(signet.Must(keys.ExportPurpose(signet.JWE, "session", cookieName, "")))
	good := string(signet.Must(keys.ExportPurpose(signet.Compact, "session", cookieName, "")))
	var set jwkSet
	require.NoError(t, json.Unmarshal([]byte(good), &set))
	rows := []struct{ name, text string }{
		{"a key file", ring}, {"its short form", env}, {"an export for JWE", jwe}, {"nothing", ""}, {"null", "null"},
		{"cut short", good[:len(good)/2]}, {"a key cut short", strings.Replace(good, set.Keys[0].K, set.Keys[0].K[:40], 1)},
		{"padding", strings.Replace(good, set.Keys[0].K, set.Keys[0].K+"=", 1)}, {"no JSON", "hello"},
	}
	script := `import { parseKeys } from '@signet-go/edge'
import util from 'node:util'
const said = JSON.parse(process.argv[1]).map((text) => { try { parseKeys(text); return 'accepted' } catch (e) { return e.constructor.name + ' ' + e.stack } })
const shown = util.inspect(parseKeys(process.argv[2]), { depth: 9, showHidden: true }) + JSON.stringify({ keys: parseKeys(process.argv[2]) }) + parseKeys(process.argv[2])
console.log(JSON.stringify([...said, shown]))`
	var texts []string
	for _, row := range rows {
		texts = append(texts, row.text)
	}
	cmd := exec.Command(real.Binary(t, "node"), "--input-type=module", "-e", script, string(encode(t, texts)), good)
	cmd.Dir = real.NodeModules(t, ".")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	var said []string
	require.NoError(t, json.Unmarshal(out, &said), string(out))
	for i, row := range rows {
		require.Contains(t, said[i], "TypeError", row.name)
	}
	var master jwkSet
	require.NoError(t, json.Unmarshal([]byte(ring), &master))
	for _, text := range said {
		require.NotContains(t, text, set.Keys[0].K[:12])
		require.NotContains(t, text, master.Keys[0].K[:12])
	}
}

// ringOf makes a key file of keys with these nbf and exp (0 is none), in hours from the first instant.
func ringOf(t *testing.T, times ...[2]int64) *signet.Keyring {
	t.Helper()
	const k = "%s-W0Z9hTq3xLr7Jd2VnKcMpYs5GfBwEoRuIaXkQvHj8"
	var keys []string
	for i, nbfExp := range times {
		jwk := fmt.Sprintf(`{"kty":"oct","alg":"signet-v1","k":%q,"nbf":%d`, fmt.Sprintf(k, []string{"A", "B", "C", "D"}[i]), nbfExp[0]*3600)
		if nbfExp[1] != 0 {
			jwk += fmt.Sprintf(`,"exp":%d`, nbfExp[1]*3600)
		}
		keys = append(keys, jwk+"}")
	}
	return signet.Must(signet.ParseKeyring([]byte(`{"keys":[` + strings.Join(keys, ",") + `]}`)))
}

// TestRotationReachesTheEdge: the same file and the same rule. At every instant the edge seals with the key that
// Go seals with, and opens what Go opens; one that lags by a file passes on what it cannot know.
func TestRotationReachesTheEdge(t *testing.T) {
	const hour = 3600
	start := time.Now().Unix() / hour
	h := func(n int64) int64 { return start + n }
	rings := []struct {
		name string
		ring *signet.Keyring
	}{
		{"a key and its successor", ringOf(t, [2]int64{0, h(30)}, [2]int64{h(2), 0})},
		{"two of one instant", ringOf(t, [2]int64{h(1), 0}, [2]int64{h(1), 0}, [2]int64{0, h(90)})},
		{"none has begun", ringOf(t, [2]int64{h(7), 0}, [2]int64{h(5), 0}, [2]int64{h(6), 0})},
		{"one ends while it seals", ringOf(t, [2]int64{h(1), h(3)}, [2]int64{0, 0})},
	}
	for _, row := range rings {
		t.Run(row.name, func(t *testing.T) {
			b := batch{Keys: reversed(t, signet.Must(row.ring.ExportPurpose(signet.Compact, "session", cookieName, ""))), Name: cookieName}
			var want []string
			for at := start * hour; at < h(9)*hour; at += hour / 2 {
				for _, now := range []int64{at - 1, at, at + 1} {
					row.ring.SetClock(func() time.Time { return time.Unix(now, 0) })
					for _, k := range row.ring.Keys() {
						if k.Sealing {
							want = append(want, k.ID)
						}
					}
					b.Cases = append(b.Cases, jsOp{Op: "seal", Now: now, Session: &jsSession{Data: json.RawMessage(`{"a":1}`)}})
				}
			}
			seen := map[string]bool{}
			m := signet.Must(signet.New[map[string]any](row.ring, signet.Config{}))
			for i, got := range runtimes[0].run(t, b) {
				require.Len(t, got.Lines, 1, got.Thrown)
				now := b.Cases[i].Now
				row.ring.SetClock(func() time.Time { return time.Unix(now, 0) })
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set("Cookie", afterwards("", got.Lines))
				require.NoError(t, m.Load(r).Err())
				require.Equal(t, want[i], kidOf(t, got.Lines[0]), "%d s after the start", now-start*hour)
				seen[want[i]] = true
			}
			t.Logf("%d instants, %d keys in turn, as in Go", len(want), len(seen))
		})
	}

	old, next := ringOf(t, [2]int64{0, 0}), ringOf(t, [2]int64{0, 0}, [2]int64{h(0) - 1, 0})
	m := signet.Must(signet.New[map[string]string](next, signet.Config{}))
	header, _, _ := save(t, m, "", "", 10)
	for name, row := range map[string]struct {
		ring *signet.Keyring
		want string
	}{"an edge that lags by a file": {old, "unknown-key"}, "after its deploy": {next, ""}} {
		export := string(signet.Must(row.ring.ExportPurpose(signet.Compact, "session", cookieName, "")))
		got := runtimes[0].run(t, batch{Keys: export, Cases: []jsOp{{Header: header}}})
		require.Equal(t, row.want, got[0].Error, name)
	}
}

// reversed is an export with its keys the other way round: their order means nothing.
func reversed(t *testing.T, export []byte) string {
	t.Helper()
	var set map[string]any
	require.NoError(t, json.Unmarshal(export, &set))
	slices.Reverse(set["keys"].([]any))
	return string(encode(t, set))
}

func kidOf(t *testing.T, line string) string {
	t.Helper()
	_, value, _ := strings.Cut(line, "=")
	raw := decode64(t, value[:12])
	return fmt.Sprintf("%x", raw[1:5])
}
