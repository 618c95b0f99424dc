package signet_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/signet-go/signet"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite testdata/vectors and the generated parts of SPEC.md")

// The vectors are made from fixed labels by the second implementation in
// reference_test.go, and then read and opened by the package. Without -update a file that
// is not what would be made is a failure.

const vectorNow = 1790000000

// The keys of all token vectors, by what is special about them.
var (
	vectorKey = map[string]refKey{
		"current": newRefKey(refStream("signet vectors: current", 32), false),
		"old":     newRefKey(refStream("signet vectors: old", 32), false),
		"chacha":  newRefKey(refStream("signet vectors: chacha", 32), true),
		"expired": newRefKey(refStream("signet vectors: expired", 32), false),
		"revoked": newRefKey(refStream("signet vectors: revoked", 32), false),
		"next":    newRefKey(refStream("signet vectors: next", 32), false),
		"unknown": newRefKey(refStream("signet vectors: unknown", 32), false),
	}
	resetLink     = refPurpose{"token", "password-reset", ""}
	sessionOf     = refPurpose{"session", "__Host-Http-session", ""}
	tenantSession = refPurpose{"session", "__Host-Http-session", "acme"}
	touchOf       = refPurpose{"touch", "__Host-Http-session", ""}
)

type vectorPolicy struct {
	Skew   int64 `json:"skew"`
	Life   int64 `json:"life"`
	Leeway int64 `json:"leeway"`
}

type vectorJWK struct {
	Kty string `json:"kty"`
	K   string `json:"k"`
	Kid string `json:"kid"`
	Alg string `json:"alg"`
	Nbf int64  `json:"nbf"`
	Exp int64  `json:"exp,omitempty"`
}

type vectorKeyFile struct {
	Keys    []vectorJWK `json:"keys"`
	Revoked []string    `json:"revoked"`
}

// vectorRing is the key file of the token vectors.
func vectorRing() vectorKeyFile {
	var f vectorKeyFile
	for _, row := range []struct {
		name     string
		nbf, exp int64
	}{
		{"current", vectorNow - 86400, 0}, {"old", 0, 0}, {"chacha", 0, 0},
		{"expired", 0, vectorNow}, {"revoked", 0, 0}, {"next", vectorNow + 86400, 0},
	} {
		k := vectorKey[row.name]
		f.Keys = append(f.Keys, vectorJWK{"oct", b64(k.secret), k.id(), k.alg(), row.nbf, row.exp})
	}
	f.Revoked = []string{vectorKey["revoked"].id()}
	return f
}

func (f vectorKeyFile) keyring(t testing.TB) *signet.Keyring {
	text, err := json.Marshal(f)
	require.NoError(t, err)
	ring, err := signet.ParseKeyring(text)
	require.NoError(t, err)
	ring.SetClock(func() time.Time { return time.Unix(vectorNow, 0) })
	return ring
}

// An export is what Keyring.ExportPurpose gives: what an edge worker would hold.
type vectorExport struct {
	Format  string          `json:"format"`
	Purpose refPurpose      `json:"purpose"`
	JWKS    json.RawMessage `json:"jwks"`
}

type tokenVectors struct {
	Description []string       `json:"description"`
	Now         int64          `json:"now"`
	Policy      vectorPolicy   `json:"policy"`
	KeyFile     vectorKeyFile  `json:"keyFile"`
	Exports     []vectorExport `json:"exports"`
	Accumulated *accumulated   `json:"accumulated,omitempty"`
	Valid       []validToken   `json:"valid"`
	Invalid     []invalidToken `json:"invalid"`
}

type validToken struct {
	Name       string      `json:"name"`
	Purpose    refPurpose  `json:"purpose"`
	Kid        string      `json:"kid"`
	PurposeKey string      `json:"purposeKey"`           // hex
	Header     string      `json:"header,omitempty"`     // of a JWE, decoded
	ContentKey string      `json:"contentKey,omitempty"` // hex, of A256KW
	Claims     string      `json:"claims,omitempty"`     // of a JWE
	Hour       int64       `json:"hour,omitempty"`
	HourKey    string      `json:"hourKey,omitempty"`   // hex
	AAD        string      `json:"aad,omitempty"`       // hex
	Nonce      string      `json:"nonce"`               // hex
	Plaintext  string      `json:"plaintext,omitempty"` // hex, as encrypted
	Iat        int64       `json:"iat"`
	Expires    int64       `json:"expires"`
	Session    *refSession `json:"session,omitempty"`
	Data       string      `json:"data"`           // hex
	Text       string      `json:"text,omitempty"` // data, where it is text
	Token      string      `json:"token"`
}

type invalidToken struct {
	Name    string     `json:"name"` // the reason
	Purpose refPurpose `json:"purpose"`
	Token   string     `json:"token"`
	Error   string     `json:"error"`
}

var errorNames = map[string]error{
	"ErrInvalid": signet.ErrInvalid, "ErrUnknownKey": signet.ErrUnknownKey, "ErrExpired": signet.ErrExpired,
	"ErrClockSkew": signet.ErrClockSkew, "ErrAmbiguous": signet.ErrAmbiguous, "ErrRevoked": signet.ErrRevoked, "ErrTorn": signet.ErrTorn,
}

func vectorNonce(name string) []byte { return refStream("signet vectors: nonce: "+name, 12) }

func exportsOf(t testing.TB, f vectorKeyFile, format signet.Format, purposes ...refPurpose) (all []vectorExport) {
	ring := f.keyring(t)
	for _, p := range purposes {
		text, err := ring.ExportPurpose(format, p.Kind, p.Name, p.Tenant)
		require.NoError(t, err)
		all = append(all, vectorExport{format.String(), p, text})
	}
	return all
}

func newTokenVectors(t testing.TB, format signet.Format, description ...string) tokenVectors {
	return tokenVectors{
		Description: description, Now: vectorNow, Policy: vectorPolicy{300, 86400, 60}, KeyFile: vectorRing(),
		Exports: exportsOf(t, vectorRing(), format, resetLink, sessionOf, tenantSession, touchOf),
	}
}

func describeData(v *validToken, data []byte) {
	v.Data = hex.EncodeToString(data)
	if utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool { return r < ' ' }) {
		v.Text = string(data)
	}
}

var vectorSession = &refSession{false, b64(refStream("signet vectors: jti", 16)), vectorNow - 600}

func compactVectors(t testing.TB) tokenVectors {
	f := newTokenVectors(t, signet.Compact,
		"Compact tokens (SPEC.md, Compact token), sealed by the keys of keyFile and opened at now under policy (seconds).",
		"exports are the same keys as a program gets them that may open one purpose; it knows no revoked and no expired ones, so that ErrRevoked and an expired key are ErrUnknownKey to it.",
		"hex: purposeKey, hourKey, aad, nonce, plaintext (as encrypted), data (what Open returns).")
	add := func(name, key string, p refPurpose, c refContent) refCompactSteps {
		k := vectorKey[key]
		s := refCompact(k, p, c, vectorNonce(name))
		v := validToken{
			Name: name, Purpose: p, Kid: k.id(), PurposeKey: hex.EncodeToString(s.purposeKey), Hour: s.hour, HourKey: hex.EncodeToString(s.hourKey),
			AAD: hex.EncodeToString(s.additional), Nonce: hex.EncodeToString(s.nonce), Plaintext: hex.EncodeToString(s.plaintext),
			Iat: c.Issued, Expires: c.Expires, Session: c.Session, Token: s.token,
		}
		describeData(&v, c.Data)
		f.Valid = append(f.Valid, v)
		return s
	}
	in := func(data string) refContent {
		return refContent{Issued: vectorNow - 60, Expires: vectorNow + 3540, Data: []byte(data)}
	}
	with := func(c refContent, change func(*refContent)) refContent { change(&c); return c }
	session := with(in(`{"user":"ada","basket":["a/1","b&2"]}`), func(c *refContent) { c.Session = vectorSession })
	everyByte := make([]byte, 256)
	for i := range everyByte {
		everyByte[i] = byte(i)
	}

	good := add("a token", "current", resetLink, in("ada@example.com"))
	add("no data at all", "current", resetLink, in(""))
	add("every byte", "current", resetLink, in(string(everyByte)))
	add("a session", "current", sessionOf, session)
	add("a session that is persistent", "current", sessionOf, with(session, func(c *refContent) {
		c.Session = &refSession{true, vectorSession.ID, vectorSession.Created}
	}))
	add("a session of a tenant", "current", tenantSession, session)
	add("an empty session", "current", sessionOf, with(session, func(c *refContent) { c.Data = []byte("{}") }))
	add("a touch cookie", "current", touchOf, in(string(unb64(vectorSession.ID))))
	add("version 2", "chacha", resetLink, in("ada@example.com"))
	add("a session of version 2", "chacha", sessionOf, session)
	add("sealed by the previous key", "old", resetLink, in("x"))
	add("sealed by a key whose nbf lies ahead", "next", resetLink, in("x"))
	hourStart := int64(vectorNow / 3600 * 3600)
	add("issued in the first second of an hour", "current", resetLink, with(in("x"), func(c *refContent) { c.Issued = hourStart }))
	add("issued in the last second of an hour", "current", resetLink, with(in("x"), func(c *refContent) { c.Issued = hourStart - 1 }))
	add("issued ahead by the skew", "current", resetLink, with(in("x"), func(c *refContent) { c.Issued = vectorNow + 300 }))
	add("issued as long ago as life and leeway", "current", resetLink, with(in("x"), func(c *refContent) { c.Issued = vectorNow - 86460 }))
	add("at the end of its leeway", "current", resetLink, with(in("x"), func(c *refContent) { c.Expires = vectorNow - 60 }))
	add("expires at the largest time", "current", resetLink, with(in("x"), func(c *refContent) { c.Expires = math.MaxUint32 }))

	refuse := func(want, name string, p refPurpose, token string) {
		f.Invalid = append(f.Invalid, invalidToken{name, p, token, want})
	}
	seal := func(key string, p refPurpose, c refContent, name string) string {
		return refCompact(vectorKey[key], p, c, vectorNonce(name)).token
	}
	token := good.token
	raw := unb64(token)
	changed := func(at int, mask byte) string {
		b := slices.Clone(raw)
		b[at] ^= mask
		return b64(b)
	}
	refuse("ErrInvalid", "the empty text", resetLink, "")
	refuse("ErrInvalid", "a single character", resetLink, "A")
	refuse("ErrInvalid", "shorter than any token", resetLink, token[:49])
	refuse("ErrInvalid", "cut by a character", resetLink, token[:len(token)-1])
	refuse("ErrInvalid", "cut by four characters", resetLink, token[:len(token)-4])
	refuse("ErrInvalid", "cut at the front", resetLink, token[1:])
	refuse("ErrInvalid", "trailing data", resetLink, token+"AAAA")
	refuse("ErrInvalid", "a trailing line feed", resetLink, token+"\n")
	refuse("ErrInvalid", "four trailing line feeds", resetLink, token+"\n\n\n\n")
	refuse("ErrInvalid", "a carriage return inside", resetLink, token[:30]+"\r"+token[30:])
	refuse("ErrInvalid", "a leading blank", resetLink, " "+token)
	refuse("ErrInvalid", "padding", resetLink, seal("current", resetLink, in("xx"), "padding")+"=")
	refuse("ErrInvalid", "a character of the standard alphabet", resetLink, token[:30]+"+"+token[31:])
	refuse("ErrInvalid", "a character beyond ASCII", resetLink, token[:30]+"é"+token[32:])
	refuse("ErrInvalid", "unused bits that are not zero", resetLink, respelled(seal("current", resetLink, in("xx"), "unused bits")))
	refuse("ErrInvalid", "the token twice", resetLink, token+token)
	refuse("ErrInvalid", "over 32,768 characters", resetLink, strings.Repeat("A", 32769))
	refuse("ErrInvalid", "version 0", resetLink, changed(0, 1))
	refuse("ErrInvalid", "version 3", resetLink, changed(0, 2))
	refuse("ErrInvalid", "version 2 under a key of version 1", resetLink, changed(0, 3))
	refuse("ErrInvalid", "version 255", resetLink, changed(0, 0xfe))
	wrongVersion := vectorKey["chacha"]
	wrongVersion.chacha = false
	refuse("ErrInvalid", "version 1 under a key of version 2", resetLink, refCompact(wrongVersion, resetLink, in("x"), vectorNonce("wrong version")).token)
	v2 := refCompact(vectorKey["chacha"], resetLink, in("x"), vectorNonce("relabelled"))
	v2.additional[0] = 1
	relabelled := refChaCha(v2.hourKey, v2.nonce, v2.plaintext, v2.additional)
	refuse("ErrInvalid", "version 2 that says version 1, and authenticates", resetLink, b64(slices.Concat(v2.additional, v2.nonce, relabelled)))
	refuse("ErrInvalid", "a bit of the issue time", resetLink, changed(8, 1))
	refuse("ErrInvalid", "an issue time of another hour", resetLink, changed(7, 0x20))
	refuse("ErrInvalid", "a bit of the nonce", resetLink, changed(9, 0x80))
	refuse("ErrInvalid", "a bit of the ciphertext", resetLink, changed(21, 1))
	refuse("ErrInvalid", "a bit of the tag", resetLink, changed(len(raw)-1, 1))
	refuse("ErrInvalid", "the key id of another key of the ring", resetLink, b64(slices.Concat(raw[:1], vectorKey["old"].kid, raw[5:])))
	refuse("ErrInvalid", "another purpose", refPurpose{"token", "password-reset2", ""}, token)
	refuse("ErrInvalid", "the purpose in capitals", refPurpose{"token", "Password-reset", ""}, token)
	refuse("ErrInvalid", "another tenant", tenantSession, seal("current", sessionOf, session, "tenant"))
	refuse("ErrInvalid", "a session of a tenant where there is none", sessionOf, seal("current", tenantSession, session, "no tenant"))
	refuse("ErrInvalid", "a token of an application as a session", sessionOf, seal("current", refPurpose{"token", "__Host-Http-session", ""}, session, "token as session"))
	refuse("ErrInvalid", "a session as a token", refPurpose{"token", "__Host-Http-session", ""}, seal("current", sessionOf, session, "session as token"))
	refuse("ErrInvalid", "a touch cookie as a session", sessionOf, seal("current", touchOf, session, "touch as session"))
	refuse("ErrInvalid", "no room for expires", resetLink, refCompactOf(vectorKey["current"], resetLink, vectorNow, vectorNonce("no expires"), []byte{1, 2, 3}).token)
	refuse("ErrInvalid", "a session without room for its head", sessionOf,
		refCompactOf(vectorKey["current"], sessionOf, vectorNow, vectorNonce("no head"), append(be32(vectorNow+60), make([]byte, 20)...)).token)
	unknownFlag := session.compactPlaintext()
	unknownFlag[4] |= 2
	refuse("ErrInvalid", "a session with an unknown flag", sessionOf, refCompactOf(vectorKey["current"], sessionOf, vectorNow, vectorNonce("unknown flag"), unknownFlag).token)
	refuse("ErrInvalid", "a JSON Web Signature", resetLink, "eyJhbGciOiJIUzI1NiJ9.e30.XmNK3GpH3Ys_7wsYBfq4C3M6goz71I7dTgUkuIa5lyQ")
	refuse("ErrUnknownKey", "a key that the ring does not hold", resetLink, seal("unknown", resetLink, in("x"), "unknown"))
	refuse("ErrUnknownKey", "an unknown key and a future time", resetLink, seal("unknown", resetLink, with(in("x"), func(c *refContent) { c.Issued = vectorNow + 9999 }), "unknown future"))
	refuse("ErrRevoked", "a revoked key", resetLink, seal("revoked", resetLink, in("x"), "revoked"))
	refuse("ErrExpired", "a key past its exp", resetLink, seal("expired", resetLink, in("x"), "key past its exp"))
	refuse("ErrExpired", "a second past its end and leeway", resetLink, seal("current", resetLink, with(in("x"), func(c *refContent) { c.Expires = vectorNow - 61 }), "expired"))
	refuse("ErrExpired", "issued longer ago than life and leeway", resetLink, seal("current", resetLink, with(in("x"), func(c *refContent) { c.Issued = vectorNow - 86461 }), "too old"))
	refuse("ErrExpired", "issued at 0", resetLink, seal("current", resetLink, with(in("x"), func(c *refContent) { c.Issued = 0 }), "issued at 0"))
	refuse("ErrClockSkew", "issued a second further ahead than the skew", resetLink, seal("current", resetLink, with(in("x"), func(c *refContent) { c.Issued = vectorNow + 301 }), "future"))
	refuse("ErrClockSkew", "issued at the largest time", resetLink, seal("current", resetLink, with(in("x"), func(c *refContent) { c.Issued = math.MaxUint32 }), "largest"))
	return f
}

// respelled sets an unused bit of the last character, which a lax decoder does not see.
func respelled(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(text) - 1
	if len(text)%4 == 0 {
		panic("no unused bits in " + text)
	}
	return text[:last] + string(alphabet[strings.IndexByte(alphabet, text[last])|1])
}

// accumulated is one hash over many tokens, so that no byte of the formats can change unseen.
type accumulated struct {
	Description []string `json:"description"`
	Tokens      int      `json:"tokens"`
	SHA256      string   `json:"sha256"`
}

const accumulatedTokens = 10000

// accumulatedToken is the token of that number, and what it opens with.
func accumulatedToken(i int) (token string, p refPurpose, c refContent) {
	random := refStream(fmt.Sprintf("signet accumulated %d", i), 64)
	p = []refPurpose{resetLink, sessionOf, tenantSession, touchOf}[i%4]
	c = refContent{Issued: vectorNow - int64(i*7), Expires: vectorNow + int64(i)}
	c.Data = random[44 : 44+i%20]
	if p.Kind == "session" {
		c.Session = &refSession{i%8 < 4, b64(random[:16]), c.Issued}
		c.Data = fmt.Appendf(nil, `{"n":%d}`, i)
	}
	nonce := random[32:44]
	switch i / 4 % 4 {
	case 0:
		token = refCompact(vectorKey["current"], p, c, nonce).token
	case 1:
		token = refCompact(vectorKey["chacha"], p, c, nonce).token
	case 2:
		k := vectorKey["current"]
		token = refJWEDir(k, p, k.header("dir", c.Issued), c.claims(p.Name), nonce)
	default:
		k := vectorKey["current"]
		token = refJWEWrap(k, p, k.header("A256KW", c.Issued), c.claims(p.Name), random[:32], nonce)
	}
	return token, p, c
}

func accumulate(t testing.TB) *accumulated {
	ring := vectorRing().keyring(t)
	h := sha256.New()
	for i := range accumulatedTokens {
		token, p, c := accumulatedToken(i)
		if !fipsOnly() || i/4%4 != 1 {
			o, err := signet.OpenAs(ring, p.Kind, p.Name, p.Tenant, token)
			require.NoError(t, err, "token %d", i)
			require.True(t, bytes.Equal(c.Data, o.Data) && o.Issued == c.Issued && o.Expires == c.Expires, "token %d", i)
		}
		fmt.Fprintf(h, "%s\n", token)
	}
	return &accumulated{
		Description: []string{
			"SHA-256 over the lines (token, line feed) of tokens 0 to 9999.",
			"R(i) is the first 64 bytes of SHA-256(L ‖ uint32 0) ‖ SHA-256(L ‖ uint32 1), L the text \"signet accumulated <i>\" with i in decimal.",
			"Purpose: i mod 4 picks password-reset, the session, the session of tenant acme, the touch cookie, as above. iat is now − 7i, expires now + i, nonce R[32:44].",
			"Data: the bytes R[44:44+i mod 20]; of a session the text {\"n\":<i>}, its jti R[0:16], created its iat, persistent if i mod 8 < 4.",
			"Format: (i div 4) mod 4 picks compact version 1 (first key), version 2 (third key), JWE dir, JWE A256KW with the content key R[0:32] (first key).",
		},
		Tokens: accumulatedTokens, SHA256: hex.EncodeToString(h.Sum(nil)),
	}
}

func jweVectors(t testing.TB) tokenVectors {
	f := newTokenVectors(t, signet.JWE,
		"JWE tokens (SPEC.md, JWE profile), sealed by the keys of keyFile and opened at now under policy (seconds). exports are those of alg dir.",
		"hex: purposeKey, contentKey, nonce, data (what Open returns).")
	k := vectorKey["current"]
	content := refContent{Issued: vectorNow - 60, Expires: vectorNow + 3540, Data: []byte("ada@example.com")}
	session := refContent{Issued: vectorNow - 60, Expires: vectorNow + 3540, Data: []byte(`{"user":"ada"}`), Session: vectorSession}
	add := func(name string, p refPurpose, c refContent, header, claims string) string {
		v := validToken{Name: name, Purpose: p, Kid: k.id(), Header: header, Claims: claims, Nonce: hex.EncodeToString(vectorNonce(name)), Iat: c.Issued, Expires: c.Expires, Session: c.Session}
		describeData(&v, c.Data)
		if strings.Contains(header, "A256KW") {
			cek := refStream("signet vectors: content key: "+name, 32)
			v.PurposeKey, v.ContentKey = hex.EncodeToString(k.purposeKey("jwe-a256kw", p)), hex.EncodeToString(cek)
			v.Token = refJWEWrap(k, p, header, claims, cek, vectorNonce(name))
		} else {
			v.PurposeKey = hex.EncodeToString(k.purposeKey("jwe-dir", p))
			v.Token = refJWEDir(k, p, header, claims, vectorNonce(name))
		}
		f.Valid = append(f.Valid, v)
		return v.Token
	}
	ours := k.header("dir", content.Issued)
	oursKW := k.header("A256KW", content.Issued)
	token := add("a token", resetLink, content, ours, content.claims(resetLink.Name))
	empty := content
	empty.Data = nil
	add("no data at all", resetLink, empty, ours, empty.claims(resetLink.Name))
	add("a session", sessionOf, session, ours, session.claims(sessionOf.Name))
	persistent := session
	persistent.Session = &refSession{true, vectorSession.ID, vectorSession.Created}
	add("a session that is persistent", sessionOf, persistent, ours, persistent.claims(sessionOf.Name))
	add("a session of a tenant", tenantSession, session, ours, session.claims(sessionOf.Name))
	wrapped := add("a token with a wrapped content key", resetLink, content, oursKW, content.claims(resetLink.Name))
	add("a session with a wrapped content key", sessionOf, session, oursKW, session.claims(sessionOf.Name))
	for i, members := range permutations([]string{`"alg":"dir"`, `"enc":"A256GCM"`, `"kid":"` + k.id() + `"`}) {
		add(fmt.Sprintf("another producer's order of the header, %d of 6", i+1), resetLink, content, "{"+strings.Join(members, ",")+"}", content.claims(resetLink.Name))
	}
	for i, members := range permutations([]string{`"alg":"dir"`, `"enc":"A256GCM"`, `"kid":"` + k.id() + `"`, `"typ":"JWT"`}) {
		add(fmt.Sprintf("another producer's order of the header with typ, %d of 24", i+1), resetLink, content, "{"+strings.Join(members, ",")+"}", content.claims(resetLink.Name))
	}
	plain := `{"alg":"dir","enc":"A256GCM","kid":"` + k.id() + `"}`
	claims := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	p := b64(content.Data)
	add("claims in another order, with blanks", resetLink, content, plain, claims("{ \"p\" : %q,\n\"aud\":\"password-reset\", \"exp\":%d,\t\"iat\":%d }", p, content.Expires, content.Issued))
	add("aud as an array of one", resetLink, content, plain, claims(`{"iat":%d,"exp":%d,"aud":["password-reset"],"p":%q}`, content.Issued, content.Expires, p))
	add("aud with an escape", resetLink, content, plain, claims(`{"iat":%d,"exp":%d,"aud":"password\u002dreset","p":%q}`, content.Issued, content.Expires, p))
	add("times with a fraction", resetLink, content, plain, claims(`{"iat":%d.9,"exp":%d.25,"aud":"password-reset","p":%q}`, content.Issued, content.Expires, p))
	add("further claims", resetLink, content, plain, claims(`{"iss":"https://example.com","sub":"7","iat":%d,"nbf":%d,"exp":%d,"aud":"password-reset","p":%q,"extra":{"p":[]}}`, content.Issued, content.Issued, content.Expires, p))
	add("a session with persistent false", sessionOf, session, plain, claims(`{"iat":%d,"exp":%d,"aud":%q,"jti":%q,"created":%d,"persistent":false,"d":%s}`,
		session.Issued, session.Expires, sessionOf.Name, vectorSession.ID, vectorSession.Created, session.Data))
	add("a session whose data comes first", sessionOf, session, plain, claims(`{"d":%s,"iat":%d,"exp":%d,"aud":%q,"jti":%q,"created":%d}`,
		session.Data, session.Issued, session.Expires, sessionOf.Name, vectorSession.ID, vectorSession.Created))

	refuse := func(want, name string, purpose refPurpose, token string) {
		f.Invalid = append(f.Invalid, invalidToken{name, purpose, token, want})
	}
	header := func(name, text string) {
		refuse("ErrInvalid", "header: "+name, resetLink, refJWEDir(k, resetLink, text, content.claims(resetLink.Name), vectorNonce(name)))
	}
	kid := k.id()
	header("zip", `{"alg":"dir","enc":"A256GCM","kid":"`+kid+`","zip":"DEF"}`)
	header("crit", `{"alg":"dir","enc":"A256GCM","kid":"`+kid+`","crit":["exp"]}`)
	header("another enc", `{"alg":"dir","enc":"A128GCM","kid":"`+kid+`"}`)
	header("another alg", `{"alg":"none","enc":"A256GCM","kid":"`+kid+`"}`)
	header("password-based alg", `{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","kid":"`+kid+`","p2c":2000000000,"p2s":"AAAA"}`)
	header("A256KW without a wrapped key", `{"alg":"A256KW","enc":"A256GCM","kid":"`+kid+`"}`)
	header("no kid", `{"alg":"dir","enc":"A256GCM"}`)
	header("kid twice", `{"alg":"dir","enc":"A256GCM","kid":"`+kid+`","kid":"`+kid+`"}`)
	header("kid in capitals", `{"alg":"dir","enc":"A256GCM","kid":"`+strings.ToUpper(kid)+`"}`)
	header("kid too long", `{"alg":"dir","enc":"A256GCM","kid":"`+kid+`0"}`)
	header("names in capitals", `{"ALG":"dir","enc":"A256GCM","kid":"`+kid+`"}`)
	header("a blank", `{"alg":"dir", "enc":"A256GCM","kid":"`+kid+`"}`)
	header("a trailing line feed", plain+"\n")
	header("typ in small letters", `{"alg":"dir","enc":"A256GCM","kid":"`+kid+`","typ":"jwt"}`)
	header("iat in another place", claims(`{"iat":%d,"alg":"dir","enc":"A256GCM","kid":%q}`, content.Issued, kid))
	header("iat of another time than the claim", k.header("dir", content.Issued+1))
	header("iat of 0", k.header("dir", 0))
	header("iat with a leading zero", `{"alg":"dir","enc":"A256GCM","kid":"`+kid+`","iat":0`+fmt.Sprint(content.Issued)+`}`)
	header("iat above 32 bits", `{"alg":"dir","enc":"A256GCM","kid":"`+kid+`","iat":4294967296}`)
	header("iat with a fraction", `{"alg":"dir","enc":"A256GCM","kid":"`+kid+`","iat":`+fmt.Sprint(content.Issued)+`.0}`)
	header("the empty object", `{}`)
	claim := func(name, text string) {
		refuse("ErrInvalid", "claims: "+name, resetLink, refJWEDir(k, resetLink, plain, text, vectorNonce(name)))
	}
	iat, exp := content.Issued, content.Expires
	claim("no iat", claims(`{"exp":%d,"aud":"password-reset","p":%q}`, exp, p))
	claim("no exp", claims(`{"iat":%d,"aud":"password-reset","p":%q}`, iat, p))
	claim("no aud", claims(`{"iat":%d,"exp":%d,"p":%q}`, iat, exp, p))
	claim("another aud", claims(`{"iat":%d,"exp":%d,"aud":"csrf","p":%q}`, iat, exp, p))
	claim("two in aud", claims(`{"iat":%d,"exp":%d,"aud":["password-reset","csrf"],"p":%q}`, iat, exp, p))
	claim("aud null", claims(`{"iat":%d,"exp":%d,"aud":null,"p":%q}`, iat, exp, p))
	claim("neither p nor d", claims(`{"iat":%d,"exp":%d,"aud":"password-reset"}`, iat, exp))
	claim("both p and d", claims(`{"iat":%d,"exp":%d,"aud":"password-reset","p":%q,"d":{}}`, iat, exp, p))
	claim("p in padded base64url", claims(`{"iat":%d,"exp":%d,"aud":"password-reset","p":"QQ=="}`, iat, exp))
	claim("p is no text", claims(`{"iat":%d,"exp":%d,"aud":"password-reset","p":7}`, iat, exp))
	claim("iat as text", claims(`{"iat":"%d","exp":%d,"aud":"password-reset","p":%q}`, iat, exp, p))
	claim("a negative exp", claims(`{"iat":%d,"exp":-1,"aud":"password-reset","p":%q}`, iat, p))
	claim("exp above 32 bits", claims(`{"iat":%d,"exp":4294967296,"aud":"password-reset","p":%q}`, iat, p))
	claim("exp twice", claims(`{"iat":%d,"exp":%d,"aud":"password-reset","p":%q,"exp":%d}`, iat, exp, p, exp))
	claim("names in capitals", claims(`{"IAT":%d,"EXP":%d,"AUD":"password-reset","P":%q}`, iat, exp, p))
	claim("something after the object", content.claims(resetLink.Name)+"{}")
	claim("an array", "["+content.claims(resetLink.Name)+"]")
	claim("nothing", "")
	sessionClaim := func(name, text string) {
		refuse("ErrInvalid", "session claims: "+name, sessionOf, refJWEDir(k, sessionOf, plain, text, vectorNonce(name)))
	}
	jti, created := vectorSession.ID, vectorSession.Created
	sessionClaim("no jti", claims(`{"iat":%d,"exp":%d,"aud":%q,"created":%d,"d":{}}`, iat, exp, sessionOf.Name, created))
	sessionClaim("a short jti", claims(`{"iat":%d,"exp":%d,"aud":%q,"jti":"AAAA","created":%d,"d":{}}`, iat, exp, sessionOf.Name, created))
	sessionClaim("no created", claims(`{"iat":%d,"exp":%d,"aud":%q,"jti":%q,"d":{}}`, iat, exp, sessionOf.Name, jti))
	sessionClaim("persistent is no boolean", claims(`{"iat":%d,"exp":%d,"aud":%q,"jti":%q,"created":%d,"persistent":1,"d":{}}`, iat, exp, sessionOf.Name, jti, created))
	sessionClaim("d twice", claims(`{"iat":%d,"exp":%d,"aud":%q,"jti":%q,"created":%d,"d":{},"d":{"admin":true}}`, iat, exp, sessionOf.Name, jti, created))
	sessionClaim("a member after d repeats one", claims(`{"iat":%d,"exp":%d,"aud":%q,"jti":%q,"created":%d,"d":{},"exp":4294967295}`, iat, exp, sessionOf.Name, jti, created))
	refuse("ErrInvalid", "another purpose", refPurpose{"token", "csrf", ""}, token)
	refuse("ErrInvalid", "a token of an application as a session", sessionOf,
		refJWEDir(k, refPurpose{"token", sessionOf.Name, ""}, plain, session.claims(sessionOf.Name), vectorNonce("token as session")))
	refuse("ErrInvalid", "a session as a token", refPurpose{"token", sessionOf.Name, ""}, refJWEDir(k, sessionOf, plain, session.claims(sessionOf.Name), vectorNonce("session as token")))
	refuse("ErrInvalid", "session claims sealed for a token", resetLink, refJWEDir(k, resetLink, plain, session.claims(resetLink.Name), vectorNonce("session claims in a token")))
	refuse("ErrInvalid", "token claims sealed for a session", sessionOf, refJWEDir(k, sessionOf, plain, content.claims(sessionOf.Name), vectorNonce("token claims in a session")))
	refuse("ErrInvalid", "a session of another tenant", tenantSession, refJWEDir(k, sessionOf, plain, session.claims(sessionOf.Name), vectorNonce("tenant")))
	parts := strings.Split(token, ".")
	swapped := func(i int, with string) string {
		c := slices.Clone(parts)
		c[i] = with
		return strings.Join(c, ".")
	}
	refuse("ErrInvalid", "four parts", resetLink, strings.Join(parts[:4], "."))
	refuse("ErrInvalid", "six parts", resetLink, token+".")
	refuse("ErrInvalid", "an encrypted key under dir", resetLink, swapped(1, b64(make([]byte, 40))))
	refuse("ErrInvalid", "no nonce", resetLink, swapped(2, ""))
	refuse("ErrInvalid", "a nonce of 11 bytes", resetLink, swapped(2, b64(unb64(parts[2])[:11])))
	refuse("ErrInvalid", "a nonce of 16 bytes", resetLink, swapped(2, b64(make([]byte, 16))))
	refuse("ErrInvalid", "no ciphertext", resetLink, swapped(3, ""))
	refuse("ErrInvalid", "no tag", resetLink, swapped(4, ""))
	refuse("ErrInvalid", "a tag of 12 bytes", resetLink, swapped(4, b64(unb64(parts[4])[:12])))
	refuse("ErrInvalid", "a tag in another spelling", resetLink, swapped(4, respelled(parts[4])))
	foreign := strings.Split(refJWEDir(k, resetLink, plain, content.claims(resetLink.Name), vectorNonce("header in another spelling")), ".")
	refuse("ErrInvalid", "a header in another spelling", resetLink, strings.Join(append([]string{respelled(foreign[0])}, foreign[1:]...), "."))
	refuse("ErrInvalid", "padding", resetLink, token+"==")
	refuse("ErrInvalid", "a line feed", resetLink, token+"\n")
	for i, name := range []string{"header", "", "nonce", "ciphertext", "tag"} {
		if i == 1 {
			continue
		}
		b := unb64(parts[i])
		b[len(b)/2] ^= 1
		refuse("ErrInvalid", "a bit of the "+name, resetLink, swapped(i, b64(b)))
	}
	kw := strings.Split(wrapped, ".")
	damagedKey := unb64(kw[1])
	damagedKey[20] ^= 1
	refuse("ErrInvalid", "a bit of the wrapped key", resetLink, strings.Join([]string{kw[0], b64(damagedKey), kw[2], kw[3], kw[4]}, "."))
	refuse("ErrInvalid", "a wrapped key of 24 bytes", resetLink, strings.Join([]string{kw[0], b64(refWrap(k.purposeKey("jwe-a256kw", resetLink), make([]byte, 16))), kw[2], kw[3], kw[4]}, "."))
	refuse("ErrInvalid", "no wrapped key", resetLink, strings.Join([]string{kw[0], "", kw[2], kw[3], kw[4]}, "."))
	at := func(change func(*refContent)) string {
		c := content
		change(&c)
		return refJWEDir(k, resetLink, k.header("dir", c.Issued), c.claims(resetLink.Name), vectorNonce("at"))
	}
	of := func(key string) string {
		k := vectorKey[key]
		return refJWEDir(k, resetLink, k.header("dir", content.Issued), content.claims(resetLink.Name), vectorNonce(key))
	}
	refuse("ErrUnknownKey", "a key that the ring does not hold", resetLink, of("unknown"))
	refuse("ErrRevoked", "a revoked key", resetLink, of("revoked"))
	refuse("ErrExpired", "a key past its exp", resetLink, of("expired"))
	refuse("ErrExpired", "a second past its end and leeway", resetLink, at(func(c *refContent) { c.Expires = vectorNow - 61 }))
	refuse("ErrExpired", "issued longer ago than life and leeway", resetLink, at(func(c *refContent) { c.Issued = vectorNow - 86461 }))
	refuse("ErrClockSkew", "issued a second further ahead than the skew", resetLink, at(func(c *refContent) { c.Issued = vectorNow + 301 }))
	refuse("ErrExpired", "without iat in the header, issued at 0", resetLink, refJWEDir(k, resetLink, plain, claims(`{"iat":0,"exp":%d,"aud":"password-reset","p":%q}`, exp, p), vectorNonce("iat 0")))
	refuse("ErrClockSkew", "without iat in the header, issued in the future", resetLink, refJWEDir(k, resetLink, plain, claims(`{"iat":%d,"exp":%d,"aud":"password-reset","p":%q}`, vectorNow+301, exp, p), vectorNonce("iat future")))
	refuse("ErrClockSkew", "not valid before a time ahead", resetLink, refJWEDir(k, resetLink, plain, claims(`{"iat":%d,"nbf":%d,"exp":%d,"aud":"password-reset","p":%q}`, iat, vectorNow+301, exp, p), vectorNonce("nbf")))
	return f
}

// permutations lists the orders of members, the given one first.
func permutations(members []string) (all [][]string) {
	if len(members) == 1 {
		return [][]string{members}
	}
	for i := range members {
		rest := slices.Delete(slices.Clone(members), i, i+1)
		for _, p := range permutations(rest) {
			all = append(all, append([]string{members[i]}, p...))
		}
	}
	return all
}

// vectorFile compares a file of testdata/vectors with what it should be, and reads it.
func vectorFile[T any](t testing.TB, name string, want T) (got T) {
	t.Helper()
	path := filepath.Join("testdata", "vectors", name)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	require.NoError(t, enc.Encode(want))
	if *update {
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(text, b.Bytes()), "%s is not what is made now; if that is meant: go test -run TestVectors -update .", path)
	require.NoError(t, json.Unmarshal(text, &got))
	return got
}

func fipsOnly() bool { return strings.Contains(os.Getenv("GODEBUG"), "fips140=only") }

func testTokenVectors(t *testing.T, f tokenVectors) {
	ring := f.KeyFile.keyring(t)
	for _, v := range f.Valid {
		t.Run("opens: "+v.Name, func(t *testing.T) {
			o, err := signet.OpenAs(ring, v.Purpose.Kind, v.Purpose.Name, v.Purpose.Tenant, v.Token)
			if fipsOnly() && v.Header == "" && unb64(v.Token)[0] == 2 {
				require.ErrorContains(t, err, "fips140=only")
				return
			}
			require.NoError(t, err)
			require.Equal(t, v.Data, hex.EncodeToString(o.Data))
			require.Equal(t, v.Kid, o.KeyID)
			require.Equal(t, []int64{v.Iat, v.Expires}, []int64{o.Issued, o.Expires})
			require.Equal(t, v.Session != nil, o.Session)
			if s := v.Session; s != nil {
				require.Equal(t, *s, refSession{o.Persistent, b64(o.ID[:]), o.Created})
			}
			if v.Purpose.Kind == "token" {
				data, err := ring.Open(v.Purpose.Name, v.Token)
				require.NoError(t, err)
				require.Equal(t, v.Data, hex.EncodeToString(data))
			}
		})
	}
	for _, v := range f.Invalid {
		t.Run("refused: "+v.Name, func(t *testing.T) {
			_, err := signet.OpenAs(ring, v.Purpose.Kind, v.Purpose.Name, v.Purpose.Tenant, v.Token)
			require.NotNil(t, errorNames[v.Error])
			require.Equal(t, errorNames[v.Error], err)
		})
	}
	for _, e := range f.Exports {
		var set struct{ Keys []struct{ K, Kid string } }
		require.NoError(t, json.Unmarshal(e.JWKS, &set))
		require.Len(t, set.Keys, 4, "the revoked and the expired key are left out")
		for _, exported := range set.Keys {
			for _, k := range vectorKey {
				format := "jwe-dir"
				if e.Format == "compact" {
					format = k.compactFormat()
				}
				if k.id() == exported.Kid {
					require.Equal(t, b64(k.purposeKey(format, e.Purpose)), exported.K)
				}
			}
		}
	}
	report(t, "%d valid and %d invalid tokens", len(f.Valid), len(f.Invalid))
}

func TestVectorsCompact(t *testing.T) {
	made := compactVectors(t)
	made.Accumulated = accumulate(t)
	f := vectorFile(t, "compact.json", made)
	testTokenVectors(t, f)
	report(t, "%d tokens from a fixed seed: SHA-256 %s", f.Accumulated.Tokens, f.Accumulated.SHA256)
}

func TestVectorsJWE(t *testing.T) { testTokenVectors(t, vectorFile(t, "jwe.json", jweVectors(t))) }

// cookieVectors are Cookie fields and what is read from them.
type cookieVectors struct {
	Description []string        `json:"description"`
	Cookie      string          `json:"cookie"`
	Now         int64           `json:"now"`
	Policy      vectorPolicy    `json:"policy"`
	KeyFile     vectorKeyFile   `json:"keyFile"`
	Exports     []vectorExport  `json:"exports"`
	Join        []joinVector    `json:"join"`
	Sessions    []sessionVector `json:"sessions"`
}

type joinVector struct {
	Name   string   `json:"name"`
	Fields []string `json:"fields"` // the Cookie field lines of one request
	Heads  []joined `json:"heads"`  // what each head gives, in order
}

type joined struct {
	Token string `json:"token,omitempty"`
	Error string `json:"error,omitempty"`
}

type sessionVector struct {
	Name   string   `json:"name"`
	Fields []string `json:"fields"`
	ID     string   `json:"jti,omitempty"`
	Data   string   `json:"data,omitempty"`
	Error  string   `json:"error,omitempty"` // empty beside an empty jti: no session at all
}

const vectorCookie = "__Host-Http-session"

// named writes NAME=value, with "=" for the first cookie and ".1=" for a further one.
func named(pairs ...string) string {
	for i := range pairs {
		pairs[i] = vectorCookie + pairs[i]
	}
	return strings.Join(pairs, "; ")
}

func joinVectors() []joinVector {
	token := func(t string) joined { return joined{Token: t} }
	torn, invalid := joined{Error: "ErrTorn"}, joined{Error: "ErrInvalid"}
	return []joinVector{
		{"no cookie of that name", []string{"a=1; " + vectorCookie + "x=A; x" + vectorCookie + "=A"}, nil},
		{"one cookie, as it is", []string{named("=Aabc")}, []joined{token("Aabc")}},
		{"among others", []string{"a=b; " + named("=Aabc") + "; c=d"}, []joined{token("Aabc")}},
		{"a value in quotes", []string{named(`="Aabc"`)}, []joined{token("Aabc")}},
		{"blanks and tabs around pairs", []string{"a=b;\t " + named("=Aabc") + " ;c=d"}, []joined{token("Aabc")}},
		{"no blank after the semicolon", []string{"a=b;" + named("=Aabc") + ";c=d"}, []joined{token("Aabc")}},
		{"two lines that a proxy joined with a comma", []string{"a=b, " + named("=Aabc") + ", c=d"}, []joined{token("Aabc")}},
		{"the name within the value of another cookie", []string{"a=" + named("=Aabc") + "; b=x" + named("=Aabc")}, nil},
		{"the name in another case", []string{strings.ToLower(named("=Aabc"))}, nil},
		{"two pieces", []string{named("=2.wwww.Aab", ".1=wwww.cd")}, []joined{token("Aabcd")}},
		{"two pieces, the further one first", []string{named(".1=wwww.cd", "=2.wwww.Aab")}, []joined{token("Aabcd")}},
		{"pieces in several lines", []string{named("=3.wwww.Aab"), named(".2=wwww.ef"), named(".1=wwww.cd")}, []joined{token("Aabcdef")}},
		{"eight pieces", []string{named("=8.wwww.A", ".1=wwww.1", ".2=wwww.2", ".3=wwww.3", ".4=wwww.4", ".5=wwww.5", ".6=wwww.6", ".7=wwww.7")}, []joined{token("A1234567")}},
		{"a JWE in pieces", []string{named("=2.wwww.eyJh", ".1=wwww.bGc")}, []joined{token("eyJhbGc")}},
		{"every cookie twice, alike, as a Lambda function URL sends them", []string{named("=2.wwww.Aab", ".1=wwww.cd", "=2.wwww.Aab", ".1=wwww.cd")}, []joined{token("Aabcd")}},
		{"a stale piece beyond the count", []string{named("=2.wwww.Aab", ".1=wwww.cd", ".2=wwww.ef")}, []joined{token("Aabcd")}},
		{"a stale piece of another write", []string{named("=2.wwww.Aab", ".1=vvvv.zz", ".1=wwww.cd")}, []joined{token("Aabcd")}},
		{"a whole token beside stale pieces", []string{named("=Aabc", ".1=vvvv.zz")}, []joined{token("Aabc")}},
		{"two heads of two writes, their pieces mixed", []string{named("=2.wwww.Aab", "=2.vvvv.Ayz", ".1=vvvv.x", ".1=wwww.cd")}, []joined{token("Aabcd"), token("Ayzx")}},
		{"two whole tokens", []string{named("=Aabc", "=Axyz")}, []joined{token("Aabc"), token("Axyz")}},
		{"four heads at most", []string{named("=A1", "=A2", "=A3", "=A4", "=A5")}, []joined{token("A1"), token("A2"), token("A3"), token("A4")}},
		{"equal heads count once", []string{named("=A1", "=A1", "=A1", "=A1", "=A2", "=A3")}, []joined{token("A1"), token("A2"), token("A3")}},
		{"a piece is missing", []string{named("=3.wwww.Aab", ".2=wwww.ef")}, []joined{torn}},
		{"all further pieces are missing", []string{named("=2.wwww.Aab")}, []joined{torn}},
		{"two different pieces of one write and place", []string{named("=2.wwww.Aab", ".1=wwww.cd", ".1=wwww.zz")}, []joined{torn}},
		{"an empty piece and another of one write and place", []string{named("=2.wwww.Aab", ".1=wwww.", ".1=wwww.cd")}, []joined{torn}},
		{"a piece of another write only", []string{named("=2.wwww.Aab", ".1=vvvv.cd")}, []joined{torn}},
		{"a head without data", []string{named("=2.wwww.", ".1=wwww.cd")}, []joined{torn}},
		{"a piece without data", []string{named("=2.wwww.Aab", ".1=wwww.")}, []joined{torn}},
		{"a count of 0", []string{named("=0.wwww.Aab")}, []joined{invalid}},
		{"a count of 1", []string{named("=1.wwww.Aab")}, []joined{invalid}},
		{"a count of 9", []string{named("=9.wwww.Aab", ".1=wwww.cd")}, []joined{invalid}},
		{"a count of two digits", []string{named("=12.wwww.Aab")}, []joined{invalid}},
		{"a write id too short", []string{named("=2.www.Aab", ".1=www.cd")}, []joined{invalid}},
		{"a write id too long", []string{named("=2.wwwww.Aab", ".1=wwwww.cd")}, []joined{invalid}},
		{"a head that is cut", []string{named("=2.ww")}, []joined{invalid}},
		{"a further cookie beyond .7 is none of ours", []string{named("=2.wwww.Aab", ".8=wwww.cd", ".0=wwww.cd", ".01=wwww.cd")}, []joined{torn}},
		{"a touch cookie alone is no head", []string{named(".t=Aabc")}, nil},
		{"an empty value is none", []string{named("=")}, nil},
		{"an empty value and then a good one", []string{named("=", "=Aabc")}, []joined{token("Aabc")}},
	}
}

// splitRef splits a token over cookies as SPEC.md says, with a given write id.
func splitRef(name, writeID, token string) string {
	if len(name)+len(token) <= 4096 {
		return name + "=" + token
	}
	pieces := []string{}
	rest, room := token, 4096-len(name)-len("2.wwww.")
	for rest != "" {
		n := min(len(rest), room)
		pieces = append(pieces, writeID+"."+rest[:n])
		rest, room = rest[n:], 4096-len(name)-len(".1")-len("wwww.")
	}
	pieces[0] = name + "=" + fmt.Sprint(len(pieces)) + "." + pieces[0]
	for i := 1; i < len(pieces); i++ {
		pieces[i] = fmt.Sprintf("%s.%d=%s", name, i, pieces[i])
	}
	return strings.Join(pieces, "; ")
}

func sessionVectors() []sessionVector {
	k := vectorKey["current"]
	seal := func(label string, issued int64, data string) (string, refContent) {
		c := refContent{Issued: issued, Expires: vectorNow + 3600, Data: []byte(data), Session: &refSession{false, b64(refStream("signet vectors: jti "+label, 16)), vectorNow - 100}}
		return refCompact(k, sessionOf, c, vectorNonce(fmt.Sprint("session ", label, issued, len(data)))).token, c
	}
	ada, adaIs := seal("ada", vectorNow-50, `{"user":"ada"}`)
	adaLater, _ := seal("ada", vectorNow-40, `{"user":"ada","basket":1}`)
	adaSame, _ := seal("ada", vectorNow-40, `{"user":"ada","basket":22}`)
	bob, bobIs := seal("bob", vectorNow-50, `{"user":"bob"}`)
	bigData := `{"basket":"` + strings.Repeat("0123456789", 500) + `"}`
	big, bigIs := seal("big", vectorNow-50, bigData)
	cookies := splitRef(vectorCookie, "wwww", big)
	pieces := strings.Split(cookies, "; ")
	forged := ada[:60] + "A" + ada[61:]
	if forged == ada {
		forged = ada[:60] + "B" + ada[61:]
	}
	old, _ := seal("old", vectorNow-86461, `{}`)
	jweIs := refContent{Issued: vectorNow - 50, Expires: vectorNow + 3600, Data: []byte(`{"user":"ada"}`), Session: adaIs.Session}
	jwe := refJWEDir(k, sessionOf, k.header("dir", jweIs.Issued), jweIs.claims(vectorCookie), vectorNonce("session jwe"))
	first := vectorCookie + "="
	id := func(c refContent) string { return c.Session.ID }
	return []sessionVector{
		{"no cookie", []string{"a=b"}, "", "", ""},
		{"one cookie", []string{first + ada}, id(adaIs), `{"user":"ada"}`, ""},
		{"a JWE", []string{first + jwe}, id(adaIs), `{"user":"ada"}`, ""},
		{"several cookies", []string{cookies}, id(bigIs), bigData, ""},
		{"several cookies in reverse", []string{pieces[1] + "; " + pieces[0]}, id(bigIs), bigData, ""},
		{"two writes of one session: the newer counts", []string{first + ada + "; " + first + adaLater}, id(adaIs), `{"user":"ada","basket":1}`, ""},
		{"in either order", []string{first + adaLater + "; " + first + ada}, id(adaIs), `{"user":"ada","basket":1}`, ""},
		{"two writes of one second: the first counts", []string{first + adaLater + "; " + first + adaSame}, id(adaIs), `{"user":"ada","basket":1}`, ""},
		{"two sessions", []string{first + ada + "; " + first + bob}, "", "", "ErrAmbiguous"},
		{"a forged one beside a good one", []string{first + forged + "; " + first + bob}, id(bobIs), `{"user":"bob"}`, ""},
		{"an expired one beside a good one", []string{first + old + "; " + first + bob}, id(bobIs), `{"user":"bob"}`, ""},
		{"a good one as the fifth is not looked at", []string{first + "A1; " + first + "A2; " + first + "A3; " + first + "A4; " + first + ada}, "", "", "ErrInvalid"},
		{"64 cookies of ours before it hide it", []string{strings.Repeat(vectorCookie+".t=A; ", 64) + first + ada}, "", "", ""},
		{"63 do not", []string{strings.Repeat(vectorCookie+".t=A; ", 63) + first + ada}, id(adaIs), `{"user":"ada"}`, ""},
		{"the name in another cookie's value or name does not count among them", []string{"x=" + strings.Repeat(first, 100) + strings.Repeat("; "+vectorCookie+"2=A", 100) + "; " + first + ada}, id(adaIs), `{"user":"ada"}`, ""},
		{"a forged one", []string{first + forged}, "", "", "ErrInvalid"},
		{"a piece is missing", []string{pieces[0]}, "", "", "ErrTorn"},
		{"pieces without their head", []string{pieces[1]}, "", "", "ErrTorn"},
		{"a piece of another length", []string{pieces[0] + "; " + pieces[1] + "A"}, "", "", "ErrInvalid"},
		{"an expired one", []string{first + old}, "", "", "ErrExpired"},
	}
}

func TestVectorsCookies(t *testing.T) {
	f := vectorFile(t, "cookies.json", cookieVectors{
		Description: []string{
			"Cookie fields of one request, and what is read from them (SPEC.md, Cookies).",
			"join: the token or the error of each head, at most four, in order. No key is needed.",
			"sessions: the session that opens at now with the keys of keyFile, or the error. With neither the request brought none.",
		},
		Cookie: vectorCookie, Now: vectorNow, Policy: vectorPolicy{300, 86400, 60}, KeyFile: vectorRing(),
		Exports: append(exportsOf(t, vectorRing(), signet.Compact, sessionOf), exportsOf(t, vectorRing(), signet.JWE, sessionOf)...),
		Join:    joinVectors(), Sessions: sessionVectors(),
	})
	for _, v := range f.Join {
		t.Run("join: "+v.Name, func(t *testing.T) {
			tokens, errs := signet.JoinCookies(f.Cookie, v.Fields)
			var got []joined
			for i, token := range tokens {
				j := joined{Token: token}
				for name, err := range errorNames {
					if errs[i] == err {
						j.Error = name
					}
				}
				got = append(got, j)
			}
			require.Equal(t, v.Heads, got)
		})
	}
	sessions := signet.Must(signet.New[map[string]any](f.KeyFile.keyring(t), signet.Config{}))
	for _, v := range f.Sessions {
		t.Run("session: "+v.Name, func(t *testing.T) {
			s := sessions.Load(&http.Request{Header: http.Header{"Cookie": v.Fields}})
			require.Equal(t, errorNames[v.Error], s.Err())
			require.Equal(t, v.ID == "", s.IsNew())
			if v.ID != "" {
				require.Equal(t, v.ID, s.ID())
				data, err := json.Marshal(s.Data)
				require.NoError(t, err)
				require.JSONEq(t, v.Data, string(data))
			}
		})
	}
	report(t, "%d joins and %d sessions", len(f.Join), len(f.Sessions))
}
