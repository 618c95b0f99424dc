package signet_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet"
)

// Every target has a second opinion: go-jose, a round trip, the list of what was sealed, or a plain slow model
// written apart. The seeds are the rows of the vectors.

// joseKey is an exported key as go-jose takes it.
func joseKey(t testing.TB, ring *signet.Keyring, format signet.Format, name, kid string) []byte {
	text, err := ring.ExportPurpose(format, "token", name, "")
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Key(kid) {
		return k.Key.([]byte)
	}
	return nil
}

type tokenClaims struct {
	Iat int64   `json:"iat"`
	Exp int64   `json:"exp"`
	Aud string  `json:"aud"`
	P   *string `json:"p"`
}

func joseOpen(key []byte, token string) ([]byte, error) {
	e, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{jose.DIRECT, jose.A256KW}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, err
	}
	return e.Decrypt(key)
}

func FuzzJWEAgainstGoJose(f *testing.F) {
	if fipsOnly() {
		f.Skip("go-jose gives AES-GCM nonces of its own, which GODEBUG=fips140=only refuses")
	}
	v := jweVectors(f)
	for _, row := range v.Valid {
		f.Add(row.Token, "password-reset", []byte(row.Text), true)
	}
	for _, row := range v.Invalid {
		f.Add(row.Token, row.Purpose.Name, []byte(row.Name), false)
	}
	f.Add("", "a\"b\\c\x00é", []byte{0, 0xff}, true)
	ring := v.KeyFile.keyring(f)
	sealing := vectorKey["current"].id()
	f.Fuzz(func(t *testing.T, token, name string, data []byte, wrap bool) {
		// What opens here opens there, with the same claims. (The reverse does not hold: go-jose is laxer.)
		if got, err := ring.Open("password-reset", token); err == nil && strings.HasPrefix(token, "ey") {
			format := signet.JWE
			if strings.Contains(string(unb64(token[:strings.IndexByte(token, '.')])), "A256KW") {
				format = signet.JWEKeyWrap
			}
			plain, err := joseOpen(joseKey(t, ring, format, "password-reset", sealing), token)
			if err != nil {
				t.Fatalf("%q opens, but not with go-jose: %v", token, err)
			}
			var c struct{ P string }
			if json.Unmarshal(plain, &c) != nil || c.P != b64(got) {
				t.Fatalf("%q opens with another content: %s", token, plain)
			}
		}
		format, alg := signet.JWE, jose.DIRECT
		if wrap {
			format, alg = signet.JWEKeyWrap, jose.A256KW
		}
		// What is sealed here opens there.
		sealed, err := ring.SealAs(format, name, data, time.Hour)
		if err != nil {
			if name != "" && len(name) <= 256 && utf8.ValidString(name) && len(data) < 16000 {
				t.Fatal(err)
			}
			return
		}
		key := joseKey(t, ring, format, name, sealing)
		plain, err := joseOpen(key, sealed)
		if err != nil {
			t.Fatalf("go-jose does not open what was sealed here: %v", err)
		}
		var c tokenClaims
		if err := json.Unmarshal(plain, &c); err != nil || c.Aud != name || c.P == nil || *c.P != b64(data) || c.Iat != vectorNow || c.Exp != vectorNow+3600 {
			t.Fatalf("claims of %q: %s: %v", name, plain, err)
		}
		// What is sealed there opens here: the claims in the order and with the escapes of encoding/json.
		encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: alg, Key: key, KeyID: sealing}, (&jose.EncrypterOptions{}).WithType("JWT"))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(c)
		theirs, err := encrypter.Encrypt(text)
		if err != nil {
			t.Fatal(err)
		}
		compact, err := theirs.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ring.Open(name, compact); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%q of go-jose: %x, %v", compact, got, err)
		}
	})
}

func FuzzParseKeyring(f *testing.F) {
	for _, row := range validKeyrings() {
		f.Add(row.Text)
	}
	for _, row := range invalidKeyrings() {
		f.Add(row.Text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ring, err := signet.ParseKeyring([]byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "signet: ") || strings.ContainsAny(err.Error(), "\n\r") && !strings.Contains(err.Error(), "policy") {
				t.Fatalf("an error of another form: %q", err)
			}
			return
		}
		file, err := ring.SecretJWKS()
		if err != nil {
			t.Fatal(err)
		}
		env, err := ring.SecretEnv()
		if err != nil {
			t.Fatal(err)
		}
		for _, again := range []string{string(file), env, " \n" + env + "\n"} {
			other, err := signet.ParseKeyring([]byte(again))
			if err != nil {
				t.Fatalf("what was written is not read: %v", err)
			}
			// The short form leaves the iat of a lone key out.
			keys, otherKeys := ring.Keys(), other.Keys()
			if len(keys) == 1 {
				keys[0].Issued, otherKeys[0].Issued = time.Time{}, time.Time{}
			}
			if !slices.Equal(keys, otherKeys) || ring.Policy() != other.Policy() {
				t.Fatalf("%v became %v", keys, otherKeys)
			}
			if written, err := other.SecretEnv(); err != nil || len(keys) > 1 && written != env {
				t.Fatalf("written again it differs: %v", err)
			}
		}
	})
}

func FuzzOpen(f *testing.F) {
	compact, jwe := compactVectors(f), jweVectors(f)
	purposes := []refPurpose{resetLink, sessionOf, tenantSession, touchOf}
	seed := func(token string, p refPurpose) { f.Add(token, uint8(max(slices.Index(purposes, p), 0))) }
	for _, v := range slices.Concat(compact.Valid, jwe.Valid) {
		seed(v.Token, v.Purpose)
	}
	for _, v := range slices.Concat(compact.Invalid, jwe.Invalid) {
		seed(v.Token, v.Purpose)
		// An honest token stands behind many of them, of this purpose or another.
		for _, p := range purposes {
			seed(strings.ReplaceAll(v.Token, "=", ""), p)
		}
	}
	ring := vectorRing().keyring(f)
	room := append(make([]byte, 0, 200), "abc"...) // enough for some of them
	sentinels := []error{signet.ErrInvalid, signet.ErrUnknownKey, signet.ErrExpired, signet.ErrClockSkew, signet.ErrRevoked}
	f.Fuzz(func(t *testing.T, token string, which uint8) {
		p := purposes[int(which)%len(purposes)]
		if p.Kind == "token" {
			want, wantErr := ring.Open(p.Name, token)
			got, err := ring.AppendOpen(room[:3], p.Name, token)
			if err != wantErr || string(got) != string(room[:3])+string(want) {
				t.Fatalf("%q opens to %q, %v, and appended to %q, %v", token, want, wantErr, got, err)
			}
		}
		_, err := signet.OpenAs(ring, p.Kind, p.Name, p.Tenant, token)
		if err != nil {
			if !slices.Contains(sentinels, err) && !fipsOnly() {
				t.Fatalf("no sentinel: %v", err)
			}
			return
		}
		// Nobody makes a token without the key, nor another spelling of one.
		if sealedFor, ok := refSealed.Load(token); !ok || sealedFor != p {
			t.Fatalf("%q opens for %v and was never sealed for it", token, p)
		}
		for _, respelling := range []string{token + "=", token + "\n", "\n" + token, token + "A", token[:len(token)-1], strings.ToUpper(token)} {
			if _, err := signet.OpenAs(ring, p.Kind, p.Name, p.Tenant, respelling); err == nil {
				t.Fatalf("%q opens, too", respelling)
			}
		}
	})
}

func FuzzCookieHeader(f *testing.F) {
	for _, v := range joinVectors() {
		f.Add(strings.Join(v.Fields, "\n"), uint8(0))
	}
	for i, v := range sessionVectors() {
		f.Add(strings.Join(v.Fields, "\n"), uint8(i))
	}
	f.Add(named(".t=Aabc", "=Aabc"), uint8(7))
	ring := vectorRing().keyring(f)
	managers := []*signet.Manager[map[string]any]{
		signet.Must(signet.New[map[string]any](ring, signet.Config{Cookie: signet.Cookie{Budget: 24 << 10}})),
		signet.Must(signet.New[map[string]any](ring, signet.Config{
			IdleTimeout: time.Hour, Format: signet.JWE, Cookie: signet.Cookie{Name: "session", Partitioned: true, Budget: 9 << 10}, Previous: []signet.Cookie{{Name: vectorCookie}},
		})),
	}
	known := []error{signet.ErrInvalid, signet.ErrUnknownKey, signet.ErrExpired, signet.ErrClockSkew, signet.ErrRevoked, signet.ErrAmbiguous, signet.ErrTorn}
	f.Fuzz(func(t *testing.T, header string, do uint8) {
		m := managers[int(do)%2]
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = strings.Split(header, "\n")
		s := m.Load(r)
		if s.Err() != nil && (!slices.Contains(known, s.Err()) && !fipsOnly() || !s.IsNew()) {
			t.Fatalf("Load answers %v, new %v", s.Err(), s.IsNew())
		}
		w := httptest.NewRecorder()
		m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := m.Get(r.Context())
			if do&2 != 0 {
				s.Data["visits"] = 1
			}
			if do&4 != 0 {
				s.Renew()
			}
			if do&8 != 0 {
				s.Destroy()
			}
			w.WriteHeader(http.StatusNoContent)
		})).ServeHTTP(w, r)
		if w.Code != http.StatusNoContent {
			t.Fatalf("status %d", w.Code)
		}
		for _, line := range w.Header()["Set-Cookie"] {
			if strings.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("a Set-Cookie line that is no line: %q", line)
			}
		}
	})
}

// joinModel is SPEC.md's reading of Cookie fields as plainly as it can be put.
func joinModel(name string, fields []string) (all []joined) {
	var heads []string
	type numbered struct {
		index int
		value string
	}
	var parts []numbered
	left, seen := 64<<10, 0
	for _, field := range fields {
		if len(field) > left {
			field = field[:left+1]
			field = field[:strings.LastIndexAny(field, ";,")+1]
			left = 0
		} else {
			left -= len(field)
		}
		for _, pair := range strings.FieldsFunc(field, func(r rune) bool { return r == ';' || r == ',' }) {
			of, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			suffix, ours := strings.CutPrefix(of, name)
			digit := len(suffix) == 2 && suffix[0] == '.' && suffix[1] >= '1' && suffix[1] <= '7'
			if !ok || !ours || !(suffix == "" || suffix == ".t" || digit) || seen == 64 {
				continue
			}
			seen++
			value = strings.Trim(value, " \t")
			if len(value) >= 2 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) {
				value = value[1 : len(value)-1]
			}
			switch {
			case value == "" || suffix == ".t":
			case suffix == "":
				if !slices.Contains(heads, value) && len(heads) < 4 {
					heads = append(heads, value)
				}
			default:
				n, _ := strconv.Atoi(suffix[1:])
				if p := (numbered{n, value}); !slices.Contains(parts, p) && len(parts) < 32 {
					parts = append(parts, p)
				}
			}
		}
	}
	for _, head := range heads {
		if strings.IndexByte("0123456789", head[0]) < 0 {
			all = append(all, joined{Token: head})
			continue
		}
		if len(head) < 7 || head[0] < '2' || head[0] > '8' || head[1] != '.' || head[6] != '.' {
			all = append(all, joined{Error: "ErrInvalid"})
			continue
		}
		token, missing, contested, size := head[7:], head[7:] == "", false, len(head[7:])
		for i := 1; i < int(head[0]-'0'); i++ {
			var found []string
			for _, p := range parts {
				if data, ok := strings.CutPrefix(p.value, head[2:7]); ok && p.index == i {
					found = append(found, data)
					size += len(data)
				}
			}
			contested = contested || len(found) > 1
			if len(found) == 0 || found[0] == "" {
				missing = true
				continue
			}
			token += found[0]
		}
		switch {
		case contested:
			all = append(all, joined{Error: "ErrTorn"})
		case size > 32<<10:
			all = append(all, joined{Error: "ErrInvalid"})
		case missing:
			all = append(all, joined{Error: "ErrTorn"})
		default:
			all = append(all, joined{Token: token})
		}
	}
	return all
}

func FuzzJoin(f *testing.F) {
	for _, v := range joinVectors() {
		f.Add(strings.Join(v.Fields, "\n"), false)
		f.Add(strings.ReplaceAll(strings.Join(v.Fields, "\n"), vectorCookie, "a"), true)
	}
	f.Add(named("=2.wwww.Aab", ".1=wwww.", ".1=wwww.cd"), false)
	f.Add(strings.Repeat("a=A;", 70)+"a=B; a.1=2", true)
	f.Fuzz(func(t *testing.T, header string, short bool) {
		name := vectorCookie
		if short {
			name = "a"
		}
		fields := strings.Split(header, "\n")
		tokens, errs := signet.JoinCookies(name, fields)
		var got []joined
		for i := range tokens {
			j := joined{Token: tokens[i]}
			for of, err := range errorNames {
				if errs[i] == err {
					j.Error = of
				}
			}
			got = append(got, j)
		}
		if want := joinModel(name, fields); !slices.Equal(want, got) {
			t.Fatalf("%q: got %v, want %v", fields, got, want)
		}
	})
}
