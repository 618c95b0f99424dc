package edge_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// vectorPurpose is what a vector's key is derived for.
type vectorPurpose struct{ Kind, Name, Tenant string }

type vectorFile struct {
	Now     int64
	KeyFile json.RawMessage
	Cookie  string
	Valid   []struct {
		Name, Token string
		Purpose     vectorPurpose
		Expires     int64
		Text        string
		Session     *struct {
			Persistent bool
			Jti        string
			Created    int64
		}
	}
	Invalid []struct {
		Name, Token, Error string
		Purpose            vectorPurpose
	}
	Join []struct {
		Name   string
		Fields []string
		Heads  []struct{ Token, Error string }
	}
	Sessions []struct {
		Name             string
		Fields           []string
		Jti, Data, Error string
	}
}

func readVectors(t *testing.T, name string) (f vectorFile) {
	t.Helper()
	text, err := os.ReadFile("../../testdata/vectors/" + name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &f))
	return f
}

// reasons are the names that @signet-go/edge gives to the errors of Go. It holds no
// revoked and no expired keys.
var reasons = map[string]string{
	"": "none", "ErrInvalid": "invalid", "ErrUnknownKey": "unknown-key", "ErrRevoked": "unknown-key", "ErrExpired": "expired",
	"ErrClockSkew": "clock-skew", "ErrAmbiguous": "ambiguous", "ErrTorn": "torn",
}

// wanted is one case of a batch and what must come of it.
type wanted struct {
	name    string
	purpose vectorPurpose
	op      jsOp
	reason  string // or a session:
	id      string
	data    string
	created int64
	expires int64
}

// otherFormat is what Go opens and WebCrypto, or this package, does not: version 2 and JWE.
func otherFormat(token string) bool {
	version2 := len(token) > 1 && token[0] == 'A' && token[1] >= 'g' && token[1] <= 'v'
	return version2 || strings.HasPrefix(token, "ey")
}

func compactVectors(t *testing.T) (vectorFile, []wanted) {
	f := readVectors(t, "compact.json")
	var all []wanted
	header := func(p vectorPurpose, token string) jsOp { return jsOp{Header: p.Name + "=" + token, Now: f.Now} }
	for _, v := range f.Valid {
		if v.Purpose.Kind != "session" {
			continue // open is for sessions
		}
		w := wanted{name: v.Name, purpose: v.Purpose, op: header(v.Purpose, v.Token)}
		switch {
		case otherFormat(v.Token):
			w.reason = "unknown-key"
		case !strings.HasPrefix(v.Text, "{"):
			w.reason = "invalid" // no JSON object, so no session
		default:
			w.id, w.data, w.created, w.expires = v.Session.Jti, v.Text, v.Session.Created, v.Expires
		}
		all = append(all, w)
	}
	for _, v := range f.Invalid {
		w := wanted{name: v.Name, purpose: v.Purpose, op: header(v.Purpose, v.Token), reason: reasons[v.Error]}
		switch {
		case v.Token == "":
			w.reason = "none"
		case strings.HasPrefix(v.Token, "ey"):
			w.reason = "unknown-key" // not looked into: the origin decides
		case strings.ContainsAny(v.Token, ",;") || strings.TrimSpace(v.Token) != v.Token || v.Name == "a key past its exp":
			continue // another value as a cookie; a key that an export leaves out
		case otherFormat(v.Token) && v.Error == "ErrInvalid":
			continue // authenticated in Go alone
		}
		all = append(all, w)
	}
	return f, all
}

func cookieVectors(t *testing.T) (vectorFile, []wanted) {
	f := readVectors(t, "cookies.json")
	p := vectorPurpose{"session", f.Cookie, ""}
	var all []wanted
	for _, v := range f.Sessions {
		w := wanted{name: v.Name, purpose: p, op: jsOp{Header: strings.Join(v.Fields, ", "), Now: f.Now}, reason: reasons[v.Error], id: v.Jti, data: v.Data}
		if w.id != "" {
			w.reason = ""
		}
		if v.Name == "a JWE" {
			w.reason, w.id = "unknown-key", ""
		}
		all = append(all, w)
	}
	for _, v := range f.Join { // its tokens are too short to open, so that their reason is what is compared
		w := wanted{name: v.Name, purpose: p, op: jsOp{Header: strings.Join(v.Fields, ", "), Now: f.Now}, reason: "none"}
		for _, head := range v.Heads {
			got := reasons[head.Error]
			if head.Error == "" {
				got = map[bool]string{true: "unknown-key", false: "invalid"}[strings.HasPrefix(head.Token, "ey")]
			}
			if w.reason != "torn" {
				w.reason = got
			}
		}
		all = append(all, w)
	}
	return f, all
}

// TestVectors runs the project's own vectors in every runtime.
func TestVectors(t *testing.T) {
	for _, load := range []func(*testing.T) (vectorFile, []wanted){compactVectors, cookieVectors} {
		f, all := load(t)
		keys := signet.Must(signet.ParseKeyring(f.KeyFile))
		keys.SetClock(func() time.Time { return time.Unix(f.Now, 0) })
		byPurpose := map[vectorPurpose][]wanted{}
		for _, w := range all {
			byPurpose[w.purpose] = append(byPurpose[w.purpose], w)
		}
		for p, list := range byPurpose {
			export, err := keys.ExportPurpose(signet.Compact, p.Kind, p.Name, p.Tenant)
			require.NoError(t, err)
			b := batch{Keys: string(export), Name: p.Name}
			for _, w := range list {
				b.Cases = append(b.Cases, w.op)
			}
			for _, js := range runtimes {
				if js.name != "node" && p.Name != "__Host-Http-session" {
					continue // the rest is one process each
				}
				for i, got := range js.run(t, b) {
					checkAnswer(t, js.name+": "+list[i].name, list[i], got)
				}
			}
		}
		require.Greater(t, len(all), 40)
	}
}

func checkAnswer(t *testing.T, name string, want wanted, got answer) {
	t.Helper()
	require.Empty(t, got.Thrown, name)
	require.Equal(t, want.reason, got.Error, name)
	if want.reason != "" {
		return
	}
	require.NotNil(t, got.Session, name)
	require.Equal(t, want.id, got.Session.ID, name)
	require.JSONEq(t, want.data, string(got.Session.Data), name)
	if want.created != 0 {
		require.Equal(t, want.created, got.Session.Created, name)
		require.Equal(t, want.expires, got.Session.Expires, name)
	}
}
