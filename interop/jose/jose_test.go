// Package jose_test holds signet's JWEs against go-jose, npm jose and jwcrypto: each opens what signet
// sealed, and signet opens what each seals, with nothing but the keys of Keyring.ExportPurpose.
package jose_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
)

// job is what a library is to do.
type job struct {
	JWKS     json.RawMessage `json:"jwks"`
	Audience string          `json:"audience"`
	Now      int64           `json:"now"`
	Open     []string        `json:"open"`
	Seal     []sealing       `json:"seal"`
}

// sealing is one token to be sealed: the header's members in order, and the claims.
type sealing struct {
	Header [][2]string    `json:"header"`
	Claims map[string]any `json:"claims"`
	Raw    bool           `json:"raw"` // with the header word for word, where a library would sort it
}

type result struct {
	Opened []map[string]any `json:"opened"`
	Sealed []string         `json:"sealed"`
}

// library is one JOSE library.
type library struct {
	name    string
	reorder bool // it keeps the order of the header that it is given
	run     func(*testing.T, job) result
}

var libraries = []library{
	{"go-jose", false, goJose},
	{"npm jose", true, func(t *testing.T, j job) result {
		real.NodeModules(t, ".")
		return program(t, j, exec.Command(real.Binary(t, "node"), "jose.mjs"))
	}},
	{"python3-jwcrypto", true, func(t *testing.T, j job) result {
		python := real.Binary(t, "/usr/bin/python3")
		if exec.Command(python, "-c", "import jwcrypto").Run() != nil {
			real.Missing(t, "python3-jwcrypto")
		}
		return program(t, j, exec.Command(python, "jose.py"))
	}},
}

func program(t *testing.T, j job, cmd *exec.Cmd) (r result) {
	t.Helper()
	text, err := json.Marshal(j)
	require.NoError(t, err)
	var errors bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), &errors
	out, err := cmd.Output()
	require.NoError(t, err, errors.String())
	require.NoError(t, numbers(out, &r))
	return r
}

// numbers decodes JSON and keeps numbers as they are.
func numbers(text []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(v)
}

func goJose(t *testing.T, j job) (r result) {
	t.Helper()
	var set jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal(j.JWKS, &set))
	for _, token := range j.Open {
		parsed, err := jwt.ParseEncrypted(token, []jose.KeyAlgorithm{jose.DIRECT, jose.A256KW}, []jose.ContentEncryption{jose.A256GCM})
		require.NoError(t, err)
		key := set.Key(parsed.Headers[0].KeyID)
		require.Len(t, key, 1)
		var registered jwt.Claims
		var all json.RawMessage
		require.NoError(t, parsed.Claims(key[0].Key, &registered, &all))
		require.NoError(t, registered.Validate(jwt.Expected{AnyAudience: jwt.Audience{j.Audience}, Time: time.Unix(j.Now, 0)}))
		var claims map[string]any
		require.NoError(t, numbers(all, &claims))
		r.Opened = append(r.Opened, claims)
	}
	for _, s := range j.Seal {
		header := map[string]string{}
		for _, m := range s.Header {
			header[m[0]] = m[1]
		}
		key := set.Key(header["kid"])
		require.Len(t, key, 1)
		options := &jose.EncrypterOptions{}
		if header["typ"] != "" {
			options.WithType(jose.ContentType(header["typ"]))
		}
		encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.KeyAlgorithm(header["alg"]), Key: key[0].Key, KeyID: header["kid"]}, options)
		require.NoError(t, err)
		token, err := jwt.Encrypted(encrypter).Claims(s.Claims).Serialize()
		require.NoError(t, err)
		r.Sealed = append(r.Sealed, token)
	}
	return r
}

// headers are all orders of the members that a producer may write, without typ and with it.
func headers(alg, kid string) (all [][][2]string) {
	members := [][2]string{{"alg", alg}, {"enc", "A256GCM"}, {"kid", kid}}
	return append(orders(members), orders(append(members, [2]string{"typ", "JWT"}))...)
}

func orders(members [][2]string) (all [][][2]string) {
	if len(members) < 2 {
		return [][][2]string{members}
	}
	for i := range members {
		for _, rest := range orders(slices.Delete(slices.Clone(members), i, i+1)) {
			all = append(all, append([][2]string{members[i]}, rest...))
		}
	}
	return all
}

const (
	purpose    = "password-reset"
	cookieName = "__Host-Http-session"
)

type visitor struct {
	Name   string   `json:"name"`
	Basket []string `json:"basket,omitempty"`
}

func TestJOSELibrariesOpenOursAndWeTheirs(t *testing.T) {
	old, current := signet.GenerateKey(time.Time{}), signet.GenerateKey(time.Now().Add(-time.Minute))
	ring := signet.Must(signet.NewKeyring(old, current))
	data := []byte("ada@example.com \x00\xff")
	who := visitor{"Ada „Lovelace“ <b>", []string{"a/1", "\u2028"}}
	now := time.Now().Unix()
	for _, lib := range libraries {
		for _, format := range []signet.Format{signet.JWE, signet.JWEKeyWrap} {
			alg := map[signet.Format]string{signet.JWE: "dir", signet.JWEKeyWrap: "A256KW"}[format]
			t.Run(lib.name+" "+alg+": a token of an application", func(t *testing.T) {
				ours, err := ring.SealAs(format, purpose, data, time.Hour)
				require.NoError(t, err)
				jwks, err := ring.ExportPurpose(format, "token", purpose, "")
				require.NoError(t, err)
				claims := map[string]any{"p": base64.RawURLEncoding.EncodeToString(data), "aud": purpose, "exp": now + 60, "iat": now}
				j := job{JWKS: jwks, Audience: purpose, Now: now, Open: []string{ours}, Seal: lib.sealings(alg, []string{old.ID(), current.ID()}, claims)}
				r := lib.run(t, j)
				require.Len(t, r.Opened, 1)
				require.Equal(t, claims["p"], r.Opened[0]["p"])
				require.Equal(t, purpose, r.Opened[0]["aud"])
				require.Len(t, r.Sealed, len(j.Seal))
				for i, token := range r.Sealed {
					got, err := ring.Open(purpose, token)
					require.NoError(t, err, "%v: %s", j.Seal[i].Header, token)
					require.Equal(t, data, got)
					_, err = ring.Open("csrf", token)
					require.Equal(t, signet.ErrInvalid, err)
				}
				t.Logf("1 of ours opened, %d of theirs", len(r.Sealed))
			})
			t.Run(lib.name+" "+alg+": a session", func(t *testing.T) {
				sessions := signet.Must(signet.New[visitor](ring, signet.Config{Format: format}))
				ours, id := sealSession(t, sessions, who)
				jwks, err := ring.ExportPurpose(format, "session", cookieName, "")
				require.NoError(t, err)
				theirs := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{7}, 16))
				claims := map[string]any{"d": who, "jti": theirs, "created": now - 5, "persistent": true, "aud": cookieName, "exp": now + 60, "iat": now}
				j := job{JWKS: jwks, Audience: cookieName, Now: now, Open: []string{ours}, Seal: lib.sealings(alg, []string{old.ID(), current.ID()}, claims)}
				r := lib.run(t, j)
				require.Len(t, r.Opened, 1)
				require.Equal(t, id, r.Opened[0]["jti"])
				text, err := json.Marshal(r.Opened[0]["d"])
				require.NoError(t, err)
				var got visitor
				require.NoError(t, json.Unmarshal(text, &got))
				require.Equal(t, who, got)
				require.Len(t, r.Sealed, len(j.Seal))
				for i, token := range r.Sealed {
					s := sessions.Load(&http.Request{Header: http.Header{"Cookie": {cookieName + "=" + token}}})
					require.NoError(t, s.Err(), "%v: %s", j.Seal[i].Header, token)
					require.False(t, s.IsNew())
					require.Equal(t, who, s.Data)
					require.Equal(t, theirs, s.ID())
					require.Equal(t, now-5, s.Created().Unix())
					require.True(t, s.Persistent())
				}
				t.Logf("1 of ours opened, %d of theirs", len(r.Sealed))
			})
		}
	}
}

// sealings asks for a token under every header that the library can be made to write.
func (l library) sealings(alg string, kids []string, claims map[string]any) (all []sealing) {
	for _, kid := range kids {
		for _, header := range headers(alg, kid) {
			sorted := slices.IsSortedFunc(header, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
			if l.reorder || sorted {
				all = append(all, sealing{header, claims, l.reorder})
			}
			if l.reorder && sorted {
				all = append(all, sealing{header, claims, false})
			}
		}
	}
	return all
}

// sealSession is the token of a session that signet wrote into a response, and its id.
func sealSession(t *testing.T, m *signet.Manager[visitor], v visitor) (token, id string) {
	t.Helper()
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	s := m.Load(r)
	s.Data = v
	s.SetPersistent(true)
	require.NoError(t, m.Save(w, r, s))
	set, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(set.Value, "ey"), fmt.Sprint("a JWE: ", set.Value))
	return set.Value, s.ID()
}
