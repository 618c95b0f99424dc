package signet_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// The examples of SPEC.md are made here, by the second implementation of the formats, and each is opened by the
// package. With -update they are written into SPEC.md; otherwise they must stand there word for word.

// box collects the lines of an example: a name and a value, which is broken into lines of 72 characters.
type box struct{ strings.Builder }

func (b *box) add(name, value string) {
	for i, line := range slices.Collect(slices.Chunk([]byte(value), 72)) {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(b, "%-18s%s\n", name, line)
	}
	if value == "" {
		fmt.Fprintf(b, "%-18s(empty)\n", name)
	}
}

func (b *box) hex(name string, value []byte) { b.add(name, hex.EncodeToString(value)) }

func (b *box) title(text string) {
	if b.Len() > 0 {
		b.WriteString("```\n\n")
	}
	fmt.Fprintf(b, "%s\n\n```\n", text)
}

func (b *box) end() string { return b.String() + "```\n" }

// The inputs of all examples.
var (
	specKey     = newRefKey(refStream("SPEC.md: key", 32), false)
	specChaCha  = newRefKey(refStream("SPEC.md: key", 32), true)
	specNext    = newRefKey(refStream("SPEC.md: next key", 32), false)
	specNonce   = refStream("SPEC.md: nonce", 12)
	specJTI     = refStream("SPEC.md: jti", 16)
	specContent = refContent{Issued: vectorNow, Expires: vectorNow + 3600, Data: []byte("ada@example.com")}
	specSession = refContent{Issued: vectorNow, Expires: vectorNow - 600 + 86400, Data: []byte(`{"user":"ada"}`),
		Session: &refSession{true, b64(specJTI), vectorNow - 600}}
)

func specKeys() string {
	var b box
	b.title("The keys of the examples. The purpose is a token's, `password-reset`, without tenant.")
	info := refLP("signet/v1", "compact1", resetLink.Kind, resetLink.Name, resetLink.Tenant)
	b.hex("master key", specKey.secret)
	b.hex("PRK", specKey.prk)
	b.hex("info of the kid", refLP("signet/v1", "kid"))
	b.add("kid", specKey.id())
	b.hex("info", info)
	for _, format := range []string{"compact1", "compact2", "jwe-dir", "jwe-a256kw"} {
		b.hex(format, specKey.purposeKey(format, resetLink))
	}
	b.add("iat", fmt.Sprint(vectorNow))
	b.add("hour", fmt.Sprint(vectorNow/3600))
	b.hex("info of the hour", append(refLP("hour"), be32(vectorNow/3600)...))
	b.hex("hour key", refHourKey(specKey.purposeKey("compact1", resetLink), vectorNow/3600))
	return b.end()
}

func (b *box) compact(k refKey, p refPurpose, c refContent) string {
	s := refCompact(k, p, c, specNonce)
	b.hex("purpose key", s.purposeKey)
	b.add("iat", fmt.Sprint(c.Issued))
	b.add("expires", fmt.Sprint(c.Expires))
	b.hex("hour key", s.hourKey)
	b.hex("AAD", s.additional)
	b.hex("nonce", s.nonce)
	b.hex("plaintext", s.plaintext)
	b.hex("ciphertext", s.sealed[:len(s.sealed)-16])
	b.hex("tag", s.sealed[len(s.sealed)-16:])
	b.add("token", s.token)
	return s.token
}

func specCompact(t *testing.T) string {
	var b box
	b.title("Version 1: `ada@example.com` for `password-reset`, for an hour.")
	requireOpens(t, specKey, resetLink, b.compact(specKey, resetLink, specContent), specContent)
	b.title("Version 2: the same under a key of the same octets whose `alg` is `signet-v1-chacha`.")
	requireOpens(t, specChaCha, resetLink, b.compact(specChaCha, resetLink, specContent), specContent)
	return b.end()
}

func requireOpens(t *testing.T, k refKey, p refPurpose, token string, c refContent) {
	t.Helper()
	ring := vectorKeyFile{Keys: []vectorJWK{{"oct", b64(k.secret), k.id(), k.alg(), 0, 0}}, Revoked: []string{}}.keyring(t)
	o, err := signet.OpenAs(ring, p.Kind, p.Name, p.Tenant, token)
	if fipsOnly() && k.chacha {
		require.ErrorContains(t, err, "fips140=only")
		return
	}
	require.NoError(t, err)
	require.Equal(t, string(c.Data), string(o.Data))
	require.Equal(t, c.Expires, o.Expires)
}

func (b *box) jwe(k refKey, p refPurpose, c refContent, alg string) string {
	header, claims := k.header(alg, c.Issued), c.claims(p.Name)
	b.add("header", header)
	var token string
	if alg == "dir" {
		b.hex("purpose key", k.purposeKey("jwe-dir", p))
		token = refJWEDir(k, p, header, claims, specNonce)
	} else {
		cek := refStream("SPEC.md: content key", 32)
		b.hex("purpose key", k.purposeKey("jwe-a256kw", p))
		b.hex("content key", cek)
		b.hex("wrapped key", refWrap(k.purposeKey("jwe-a256kw", p), cek))
		token = refJWEWrap(k, p, header, claims, cek, specNonce)
	}
	parts := strings.Split(token, ".")
	b.add("claims", claims)
	b.add("AAD", parts[0])
	b.hex("nonce", specNonce)
	b.hex("ciphertext", unb64(parts[3]))
	b.hex("tag", unb64(parts[4]))
	b.add("token", token)
	return token
}

func specJWE(t *testing.T) string {
	var b box
	b.title("`dir`: `ada@example.com` for `password-reset`, for an hour. The AAD is ASCII text.")
	requireOpens(t, specKey, resetLink, b.jwe(specKey, resetLink, specContent, "dir"), specContent)
	b.title("`A256KW`: the same.")
	requireOpens(t, specKey, resetLink, b.jwe(specKey, resetLink, specContent, "A256KW"), specContent)
	return b.end()
}

func specSessions(t *testing.T) string {
	var b box
	b.title("A persistent session of ten minutes ago, in a compact token.")
	b.hex("jti", specJTI)
	b.add("created", fmt.Sprint(specSession.Session.Created))
	b.add("data", string(specSession.Data))
	requireOpens(t, specKey, sessionOf, b.compact(specKey, sessionOf, specSession), specSession)
	b.title("The same in a JWE.")
	requireOpens(t, specKey, sessionOf, b.jwe(specKey, sessionOf, specSession, "dir"), specSession)
	return b.end()
}

func specTouch(t *testing.T) string {
	var b box
	b.title("The idle clock of that session: an idle timeout of 30 minutes and a skew of 5 make `expires` iat + 2,280.")
	c := refContent{Issued: vectorNow, Expires: vectorNow + 1800 + 180 + 300, Data: specJTI}
	token := b.compact(specKey, touchOf, c)
	b.add("cookie", touchOf.Name+".t="+token)
	requireOpens(t, specKey, touchOf, token, c)
	return b.end()
}

func specCookies(t *testing.T) string {
	var b box
	b.title("A session with 4,000 octets of data takes two cookies. Here `…` stands for what is left out.")
	c := specSession
	c.Data = []byte(`{"basket":"` + strings.Repeat("0123456789", 399) + `"}`)
	token := refCompact(specKey, sessionOf, c, specNonce).token
	header := splitRef(vectorCookie, "wwww", token)
	tokens, errs := signet.JoinCookies(vectorCookie, []string{header})
	require.Equal(t, []string{token}, tokens)
	require.NoError(t, errs[0])
	requireOpens(t, specKey, sessionOf, tokens[0], c)
	b.add("data", fmt.Sprintf("%s… (%d octets)", c.Data[:20], len(c.Data)))
	b.add("token", fmt.Sprintf("%s… (%d characters)", token[:24], len(token)))
	b.add("write id", "wwww")
	for _, piece := range strings.Split(header, "; ") {
		name, value, _ := strings.Cut(piece, "=")
		b.add(fmt.Sprintf("%d octets", len(name)+len(value)), fmt.Sprintf("%s=%s…%s", name, value[:16], value[len(value)-8:]))
	}
	b.add("Cookie field", fmt.Sprintf("%d octets", len(header)))
	return b.end()
}

func specKeyFile(t *testing.T) string {
	file := `{"keys": [
  {"kty": "oct", "k": "` + b64(specKey.secret) + `",
   "kid": "` + specKey.id() + `", "alg": "signet-v1", "iat": 1789000000, "nbf": 0, "exp": 1791300000},
  {"kty": "oct", "k": "` + b64(specNext.secret) + `",
   "kid": "` + specNext.id() + `", "alg": "signet-v1", "iat": 1789900000, "nbf": 1790090000}
 ],
 "revoked": ["0badc0de"],
 "policy": {"life": "12h"},
 "generation": 7}
`
	words := strings.Join([]string{
		short(specKey, 0), fmt.Sprintf("iat=%s:1789000000", specKey.id()), fmt.Sprintf("exp=%s:1791300000", specKey.id()),
		short(specNext, 1790090000), fmt.Sprintf("iat=%s:1789900000", specNext.id()), "life=12h", "revoked=0badc0de", "generation=7",
	}, "\n")
	ring := signet.Must(signet.ParseKeyring([]byte(file)))
	env, err := ring.SecretEnv()
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(words, "\n", " "), env)
	payload := append(specKey.secret[:32:32], be32(0)...)
	var b box
	b.title("A key file. The first key seals until 1790090000, the `nbf` of the second.")
	b.WriteString(file)
	b.title("The same in the short form, on several lines to be read.")
	b.WriteString(words + "\n")
	b.title("The first word of it.")
	b.hex("key", specKey.secret)
	b.hex("nbf", be32(0))
	b.hex("checksum", unb64(strings.TrimPrefix(short(specKey, 0), "signetkey1_"))[36:])
	b.add("word", shortOf("signetkey1_", payload))
	b.title("The keys of that ring for the session, as they are exported for a JOSE library at 1790000000.")
	now := vectorKeyFile{Keys: []vectorJWK{{"oct", b64(specKey.secret), specKey.id(), "signet-v1", 0, 1791300000}, {"oct", b64(specNext.secret), specNext.id(), "signet-v1", 1790090000, 0}}, Revoked: []string{}}.keyring(t)
	now = signet.Must(now.WithPolicy(ring.Policy()))
	exported, err := now.ExportPurpose(signet.JWE, sessionOf.Kind, sessionOf.Name, sessionOf.Tenant)
	require.NoError(t, err)
	require.Contains(t, string(exported), b64(specKey.purposeKey("jwe-dir", sessionOf)))
	b.Write(exported)
	return b.end()
}

func specLimits() string {
	var b strings.Builder
	b.WriteString("| | |\n|---|---|\n")
	for _, l := range signet.Limits() {
		fmt.Fprintf(&b, "| %s | %s |\n", l[0], l[1])
	}
	return b.String()
}

func TestSpecIsWhatTheCodeDoes(t *testing.T) {
	text, err := os.ReadFile("SPEC.md")
	require.NoError(t, err)
	spec := string(text)
	for name, made := range map[string]string{
		"keys": specKeys(), "compact": specCompact(t), "jwe": specJWE(t), "session": specSessions(t), "touch": specTouch(t),
		"cookies": specCookies(t), "keyfile": specKeyFile(t), "limits": specLimits(),
	} {
		begin := "<!-- generated: " + name + " -->\n"
		require.Equal(t, 1, strings.Count(spec, begin), name)
		head, rest, _ := strings.Cut(spec, begin)
		was, tail, closed := strings.Cut(rest, "<!-- end -->")
		require.True(t, closed, name)
		if *update {
			spec = head + begin + "\n" + made + "\n<!-- end -->" + tail
			continue
		}
		require.Equal(t, "\n"+made+"\n", was, "%s is not what is made now; if that is meant: go test -run TestSpec -update .", name)
	}
	require.Equal(t, 8, strings.Count(spec, "<!-- generated: "))
	if *update {
		require.NoError(t, os.WriteFile("SPEC.md", []byte(spec), 0o644))
	}
}

// Every link of SPEC.md within itself leads somewhere, and every reference is defined.
func TestSpecHasNoDeadLinks(t *testing.T) {
	text, err := os.ReadFile("SPEC.md")
	require.NoError(t, err)
	anchors := map[string]bool{}
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		anchors[regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(h[1]), "")] = true
	}
	for _, link := range regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(string(text), -1) {
		require.True(t, anchors[strings.ReplaceAll(link[1], "-", " ")] || anchors[link[1]], "no heading for #%s", link[1])
	}
	for _, ref := range regexp.MustCompile(`\[([^\]\n]+)\]\[\]`).FindAllStringSubmatch(string(text), -1) {
		require.Contains(t, string(text), "\n["+ref[1]+"]: ", "no address for it")
	}
}
