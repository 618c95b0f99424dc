// Package attacks_test is a table of attacks on sessions and tokens that have names, and of
// the published examples of JOSE: what each would do, and what it meets here.
package attacks_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/authjs"
	"github.com/signet-go/signet/compat/ironsession"
	"github.com/signet-go/signet/compat/rails"
)

const purpose = "reset"

func newRing(t testing.TB) *signet.Keyring {
	t.Helper()
	ring, err := signet.NewKeyring(signet.GenerateKey(time.Time{}))
	require.NoError(t, err)
	return ring
}

// exported is what a producer of another language is given for one purpose: a key, and its id.
func exported(t testing.TB, ring *signet.Keyring, f signet.Format) (key []byte, kid string) {
	t.Helper()
	text, err := ring.ExportPurpose(f, "token", purpose, "")
	require.NoError(t, err)
	var set struct{ Keys []struct{ K, Kid string } }
	require.NoError(t, json.Unmarshal(text, &set))
	key, err = base64.RawURLEncoding.DecodeString(set.Keys[0].K)
	require.NoError(t, err)
	return key, set.Keys[0].Kid
}

func encode(header string) string { return base64.RawURLEncoding.EncodeToString([]byte(header)) }

// reheader puts another protected header before the other four parts of a token.
func reheader(token, header string) string {
	_, rest, _ := strings.Cut(token, ".")
	return encode(header) + "." + rest
}

func jweToken(t testing.TB, ring *signet.Keyring) string {
	t.Helper()
	token, err := ring.SealAs(signet.JWE, purpose, []byte("secret"), time.Hour)
	require.NoError(t, err)
	return token
}

// TestAlgorithmConfusion lets go-jose seal honest tokens with every algorithm that a symmetric key
// of 32 bytes can be used for. The attacker holds no key; what opens here must not depend on that
// alone, since libraries fell when one key was taken for two algorithms.
func TestAlgorithmConfusion(t *testing.T) {
	ring := newRing(t)
	opens := 0
	for _, alg := range []jose.KeyAlgorithm{jose.DIRECT, jose.A256KW, jose.A256GCMKW, jose.PBES2_HS256_A128KW, jose.PBES2_HS512_A256KW} {
		for _, enc := range []jose.ContentEncryption{jose.A128GCM, jose.A192GCM, jose.A256GCM, jose.A128CBC_HS256, jose.A192CBC_HS384, jose.A256CBC_HS512} {
			for _, f := range []signet.Format{signet.JWE, signet.JWEKeyWrap} {
				key, kid := exported(t, ring, f)
				sealer, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: alg, Key: key, KeyID: kid, PBES2Count: 1000}, nil)
				if err != nil {
					continue
				}
				object, err := sealer.Encrypt(claims(time.Now()))
				if err != nil {
					continue // this key does not fit this content encryption
				}
				token, err := object.CompactSerialize()
				require.NoError(t, err)
				got, err := ring.Open(purpose, token)
				if alg == jose.DIRECT && enc == jose.A256GCM && f == signet.JWE || alg == jose.A256KW && enc == jose.A256GCM && f == signet.JWEKeyWrap {
					require.NoError(t, err, "%s and %s is the profile", alg, enc)
					require.Equal(t, "other", string(got))
					opens++
					continue
				}
				require.Equal(t, signet.ErrInvalid, err, "%s and %s under the key of %v", alg, enc, f)
			}
		}
	}
	require.Equal(t, 2, opens, "both algorithms of the profile were tried")
}

func claims(now time.Time) []byte {
	return fmt.Appendf(nil, `{"iat":%d,"exp":%d,"aud":%q,"p":"b3RoZXI"}`, now.Unix(), now.Add(time.Hour).Unix(), purpose)
}

// TestHeaderAttacks puts headers with a history before a good token.
func TestHeaderAttacks(t *testing.T) {
	ring := newRing(t)
	_, kid := exported(t, ring, signet.JWE)
	token := jweToken(t, ring)
	for _, row := range []struct{ name, header string }{
		{"alg none, the oldest", `{"alg":"none"}`},
		{"alg none beside enc", `{"alg":"none","enc":"A256GCM","kid":"KID"}`},
		{"alg in another case, which a deny list of none missed (CVE-2020-28042 and its like)", `{"alg":"Dir","enc":"A256GCM","kid":"KID"}`},
		{"HMAC instead of encryption", `{"alg":"HS256","kid":"KID"}`},
		{"enc None", `{"alg":"dir","enc":"none","kid":"KID"}`},
		{"zip, the decompression bomb (CVE-2024-28180)", `{"alg":"dir","enc":"A256GCM","kid":"KID","zip":"DEF"}`},
		{"PBES2 with a count that takes hours (CVE-2023-52428 and its like)", `{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","kid":"KID","p2s":"AAAA","p2c":2147483647}`},
		{"p2c beside dir", `{"alg":"dir","enc":"A256GCM","kid":"KID","p2c":2147483647}`},
		{"crit with an extension that nobody knows", `{"alg":"dir","enc":"A256GCM","kid":"KID","crit":["x"],"x":1}`},
		{"crit that is empty", `{"alg":"dir","enc":"A256GCM","kid":"KID","crit":[]}`},
		{"b64 false", `{"alg":"dir","enc":"A256GCM","kid":"KID","b64":false,"crit":["b64"]}`},
		{"a member twice: parsers differ on which counts", `{"alg":"dir","alg":"A256KW","enc":"A256GCM","kid":"KID"}`},
		{"kid twice", `{"alg":"dir","enc":"A256GCM","kid":"00000000","kid":"KID"}`},
		{"a member name in another case, which encoding/json takes for the same", `{"alg":"dir","ENC":"A256GCM","kid":"KID"}`},
		{"an embedded key (CVE-2018-0114)", `{"alg":"dir","enc":"A256GCM","kid":"KID","jwk":{"kty":"oct","k":"AAAA"}}`},
		{"a key to be fetched", `{"alg":"dir","enc":"A256GCM","kid":"KID","jku":"http://127.0.0.1:1/keys"}`},
		{"a certificate to be fetched", `{"alg":"dir","enc":"A256GCM","kid":"KID","x5u":"http://127.0.0.1:1/cert"}`},
		{"kid as a path", `{"alg":"dir","enc":"A256GCM","kid":"../../../../dev/null"}`},
		{"kid as SQL", `{"alg":"dir","enc":"A256GCM","kid":"x' UNION SELECT 'key"}`},
		{"kid with a NUL", `{"alg":"dir","enc":"A256GCM","kid":"KID\u0000"}`},
		{"kid in capitals", `{"alg":"dir","enc":"A256GCM","kid":"` + strings.ToUpper("abcdef01") + `"}`},
		{"kid as a number", `{"alg":"dir","enc":"A256GCM","kid":1}`},
		{"kid that is missing", `{"alg":"dir","enc":"A256GCM"}`},
		{"an ephemeral point, on any curve (invalid curve)", `{"alg":"ECDH-ES","enc":"A256GCM","kid":"KID","epk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`},
		{"blanks, which change nothing but the text", `{"alg":"dir", "enc":"A256GCM","kid":"KID"}`},
		{"something after the object", `{"alg":"dir","enc":"A256GCM","kid":"KID"}{}`},
		{"nested a thousand deep", strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000)},
		{"no object", `[]`},
		{"nothing", ``},
	} {
		t.Run(row.name, func(t *testing.T) {
			forged := reheader(token, strings.ReplaceAll(row.header, "KID", kid))
			_, err := ring.Open(purpose, forged)
			require.Equal(t, signet.ErrInvalid, err)
			require.LessOrEqual(t, allocated(func() { _, _ = ring.Open(purpose, forged) }), uint64(1024), "refused before anything is parsed or derived")
		})
	}
}

// TestInvalidCurve says why there is nothing to attack: no public-key algorithm is implemented,
// so a stranger's point is never computed with.
func TestInvalidCurve(t *testing.T) {
	ring := newRing(t)
	for _, alg := range []string{"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW", "RSA1_5", "RSA-OAEP", "RSA-OAEP-256"} {
		_, err := ring.Open(purpose, reheader(jweToken(t, ring), `{"alg":"`+alg+`","enc":"A256GCM"}`))
		require.Equal(t, signet.ErrInvalid, err, alg)
	}
}

// allocated is the bytes that f allocates.
func allocated(f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 5 { // what others allocate meanwhile counts as well, and what is made once
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// TestZipBomb lets go-jose compress 18 MB under the right key. It does not open, and nothing grows.
func TestZipBomb(t *testing.T) {
	ring := newRing(t)
	key, kid := exported(t, ring, signet.JWE)
	sealer, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: key, KeyID: kid}, &jose.EncrypterOptions{Compression: jose.DEFLATE})
	require.NoError(t, err)
	object, err := sealer.Encrypt(bytes.Repeat([]byte("0"), 18<<20))
	require.NoError(t, err)
	token, err := object.CompactSerialize()
	require.NoError(t, err)
	require.Less(t, len(token), 32<<10, "it passes the bound on length, so that what refuses is the header")
	require.LessOrEqual(t, allocated(func() {
		_, err = ring.Open(purpose, token)
	}), uint64(64<<10))
	require.Equal(t, signet.ErrInvalid, err)
}

// TestLengthProbing is CRIME and BREACH: the attacker's text stands beside a secret, and its length
// after compression tells when he has guessed. Here a length depends on lengths alone.
func TestLengthProbing(t *testing.T) {
	ring := newRing(t)
	for _, f := range []signet.Format{signet.Compact, signet.JWE, signet.JWEKeyWrap} {
		lengths := map[int]bool{}
		for guess := range 256 {
			token, err := ring.SealAs(f, purpose, fmt.Appendf(nil, `{"token":"secret-4711","theme":"token\":\"secret-%02x"}`, guess), time.Hour)
			require.NoError(t, err)
			lengths[len(token)] = true
		}
		require.Len(t, lengths, 1, "%v", f)
	}
}

// shop is a site with a session, over TLS, and browsers with jars.
type shop struct {
	t        testing.TB
	sessions *signet.Manager[map[string]string]
	server   *httptest.Server
	failed   []error
	cookie   string // its name
}

func newShop(t testing.TB, cfg signet.Config, wrap func(http.Handler) http.Handler) *shop {
	t.Helper()
	s := &shop{t: t, cookie: "__Host-Http-session"}
	cfg.Logger = slog.New(slog.DiscardHandler)
	var err error
	s.sessions, err = signet.New[map[string]string](newRing(t), cfg)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/visit", func(w http.ResponseWriter, r *http.Request) { s.sessions.Get(r.Context()).Data["seen"] = "yes" })
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		x := s.sessions.Get(r.Context())
		x.Renew()
		x.Data["user"] = r.FormValue("user")
	})
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) { s.sessions.Get(r.Context()).Destroy() })
	mux.HandleFunc("/pay", func(w http.ResponseWriter, r *http.Request) {
		x := s.sessions.Get(r.Context())
		x.Data["paid"] = "yes"
		fmt.Fprintf(w, "%s paid", x.Data["user"])
	})
	mux.HandleFunc("/public", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=600")
		s.sessions.Get(r.Context()).Data["last"] = r.FormValue("x")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		x := s.sessions.Get(r.Context())
		s.failed = append(s.failed, x.Err())
		fmt.Fprint(w, x.Data["user"])
	})
	h := http.Handler(mux)
	if wrap != nil {
		h = wrap(h)
	}
	s.server = httptest.NewTLSServer(s.sessions.Handler(h))
	t.Cleanup(s.server.Close)
	return s
}

// browser is a client with a jar of its own.
func (s *shop) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	c := *s.server.Client()
	c.Jar = jar
	return &c
}

func (s *shop) get(c *http.Client, path string) (*http.Response, string) {
	s.t.Helper()
	res, err := c.Get(s.server.URL + path)
	require.NoError(s.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return res, string(body)
}

// with asks for a page with a Cookie field made by hand.
func (s *shop) with(method, path, field string, header ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.server.URL+path, nil)
	require.NoError(s.t, err)
	r.Header.Set("Cookie", field)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := s.server.Client().Do(r)
	require.NoError(s.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return res, string(body)
}

// field is what a browser would send.
func (s *shop) field(c *http.Client) string {
	u, err := url.Parse(s.server.URL)
	require.NoError(s.t, err)
	var pairs []string
	for _, k := range c.Jar.Cookies(u) {
		pairs = append(pairs, k.Name+"="+k.Value)
	}
	return strings.Join(pairs, "; ")
}

// TestSessionFixation: a session from before the login, planted in the victim's browser, does not
// become the victim's.
func TestSessionFixation(t *testing.T) {
	s := newShop(t, signet.Config{}, nil)
	attacker := s.browser()
	s.get(attacker, "/visit")
	planted := s.field(attacker)

	res, _ := s.with("GET", "/login?user=victim", planted)
	require.NotEmpty(t, res.Cookies())
	fresh := res.Cookies()[0]
	require.NotEqual(t, planted, fresh.Name+"="+fresh.Value)

	_, user := s.with("GET", "/", planted)
	require.Empty(t, user, "what was planted holds no login")
	_, user = s.with("GET", "/", fresh.Name+"="+fresh.Value)
	require.Equal(t, "victim", user)
	_, user = s.with("GET", "/", planted+"; "+fresh.Name+"="+fresh.Value)
	require.Empty(t, user, "both at once are two ids, of which neither is believed")
	require.ErrorIs(t, s.failed[len(s.failed)-1], signet.ErrAmbiguous)
}

// TestReplayAfterLogout: without a hook a copy stays good until its end, which SECURITY.md says;
// with a deny list in Validate it does not.
func TestReplayAfterLogout(t *testing.T) {
	for _, denies := range []bool{false, true} {
		denied := map[string]bool{}
		cfg := signet.Config{}
		if denies {
			cfg.Validate = signet.Validate(func(r *http.Request, x *signet.Session[map[string]string]) error {
				if r.URL.Path == "/logout" {
					denied[x.ID()] = true
				}
				if denied[x.ID()] {
					return errors.New("logged out")
				}
				return nil
			})
		}
		s := newShop(t, cfg, nil)
		c := s.browser()
		s.get(c, "/login?user=ada")
		stolen := s.field(c)
		s.get(c, "/logout")
		require.Empty(t, s.field(c), "log-out clears the browser")
		_, user := s.with("GET", "/", stolen)
		if denies {
			require.Empty(t, user)
			continue
		}
		require.Equal(t, "ada", user, "the documented limit of a stateless session")
	}
}

// TestCookieTossing: a sibling domain sets a cookie of the same name. A browser keeps it from one
// with the prefix of the default name; a server behind an old browser sees two.
func TestCookieTossing(t *testing.T) {
	s := newShop(t, signet.Config{}, nil)
	victim, attacker := s.browser(), s.browser()
	res, _ := s.get(victim, "/login?user=victim")
	require.True(t, strings.HasPrefix(res.Header.Get("Set-Cookie"), "__Host-Http-session="), "no sibling domain and no script can set it")
	s.get(attacker, "/login?user=attacker")
	mine, tossed := s.field(victim), s.field(attacker)

	for _, field := range []string{mine + "; " + tossed, tossed + "; " + mine} {
		_, user := s.with("GET", "/", field)
		require.Empty(t, user, "neither of two valid sessions is believed")
		require.ErrorIs(t, s.failed[len(s.failed)-1], signet.ErrAmbiguous)
	}
	for _, forged := range []string{s.cookie + "=A", s.cookie + "=", s.cookie + "=ey..", s.cookie + "=8.AAAA.A", s.cookie + ".1=AAAA.A", s.cookie + ".t=A"} {
		_, user := s.with("GET", "/", forged+"; "+mine)
		require.Equal(t, "victim", user, "what was not sealed takes nothing away: %s", forged)
	}
}

// TestJarOverflow: other cookies fill the header, or have pushed ours out of the jar.
func TestJarOverflow(t *testing.T) {
	s := newShop(t, signet.Config{}, nil)
	c := s.browser()
	s.get(c, "/login?user=ada")
	mine := s.field(c)
	others := strings.Repeat("x=y; ", 3000)
	_, user := s.with("GET", "/", others+mine)
	require.Equal(t, "ada", user)

	var ours []string
	for i := range 200 {
		ours = append(ours, fmt.Sprintf("%s=A%d", s.cookie, i))
	}
	var err error
	require.Less(t, allocated(func() {
		_, user = s.with("GET", "/", strings.Join(ours, "; ")+"; "+mine)
	}), uint64(1<<20), "client and server together")
	require.NoError(t, err)
	require.Empty(t, user, "at most four are looked at")

	_, user = s.with("GET", "/", strings.TrimSuffix(others, "; "))
	require.Empty(t, user, "pushed out: a new visitor, and no error")
}

// TestCrossSiteRequestForgery composes with http.CrossOriginProtection where SameSite cannot help.
func TestCrossSiteRequestForgery(t *testing.T) {
	protect := func(h http.Handler) http.Handler { return http.NewCrossOriginProtection().Handler(h) }
	s := newShop(t, signet.Config{Cookie: signet.Cookie{SameSite: http.SameSiteNoneMode}}, protect)
	c := s.browser()
	s.get(c, "/login?user=ada")
	mine := s.field(c)

	res, _ := s.with("POST", "/pay", mine, "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	require.Empty(t, res.Header["Set-Cookie"])
	res, _ = s.with("POST", "/pay", mine, "Origin", "https://evil.example")
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	res, body := s.with("POST", "/pay", mine, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "ada paid", body)

	// By default the browser does not send the cookie at all, and what the page would save is held back.
	plain := newShop(t, signet.Config{}, nil)
	res, _ = plain.with("POST", "/visit", "other=1", "Sec-Fetch-Site", "cross-site")
	require.Empty(t, res.Header["Set-Cookie"], "the session that the browser kept back is not overwritten")
}

// TestCachePoisoning: a page that says public and sets a session must not be kept for others.
func TestCachePoisoning(t *testing.T) {
	s := newShop(t, signet.Config{}, nil)
	c := s.browser()
	res, _ := s.get(c, "/public?x=1")
	require.NotEmpty(t, res.Header["Set-Cookie"])
	require.Equal(t, `private, no-cache="Set-Cookie", max-age=600`, res.Header.Get("Cache-Control"))
	require.Equal(t, "Cookie", res.Header.Get("Vary"))
	res, _ = s.get(c, "/")
	require.Equal(t, "private", res.Header.Get("Cache-Control"))
	require.Equal(t, "Cookie", res.Header.Get("Vary"))
}

// TestPaddingOracle asks an iron-session cookie, which is CBC, about each of its characters. The MAC is
// checked first and over everything, so every question has the same answer.
func TestPaddingOracle(t *testing.T) {
	if strings.Contains(os.Getenv("GODEBUG"), "fips140=only") {
		t.Skip("the format needs PBKDF2 over SHA-1")
	}
	for name, format := range map[string]sealing{
		"iron-session, AES-256-CBC and HMAC-SHA256": must(ironsession.New(ironsession.Config{Password: "correct-horse-battery-staple-long", CookieName: "iron"})),
		"Rails before 5.2, AES-256-CBC and HMAC-SHA1": must(rails.New(rails.Config{
			SecretKeyBase: strings.Repeat("test-only", 8), SessionKey: "iron", CBC: true, HashDigest: "SHA1", ExpireAfter: time.Hour})),
		"Auth.js 5, A256CBC-HS512": must(authjs.New(authjs.Config{Secrets: []string{"test-only-secret-of-auth-js"}, CookieName: "iron"})),
	} {
		t.Run(name, func(t *testing.T) { everyChangeGivesOneAnswer(t, format) })
	}
}

// sealing is what the packages of compat that write have in common.
type sealing interface {
	signet.ForeignFormat
	Seal(claims json.RawMessage, now time.Time) ([]*http.Cookie, error)
}

func must[F sealing](f F, err error) sealing {
	if err != nil {
		panic(err)
	}
	return f
}

func everyChangeGivesOneAnswer(t *testing.T, c sealing) {
	now := time.Now()
	lines, err := c.Seal([]byte(`{"user":"ada"}`), now)
	require.NoError(t, err)
	require.Len(t, lines, 1)
	name, value := lines[0].Name, lines[0].Value
	_, err = c.Open([]*http.Cookie{{Name: name, Value: value}}, now)
	require.NoError(t, err)
	answers := map[string]int{}
	sealed := len(value)
	if at := strings.IndexByte(value, '~'); at > 0 {
		sealed = at // what follows is the version, which selects nothing
	}
	for i := range sealed {
		changed := []byte(value)
		if at := strings.IndexByte(alphabet, changed[i]); at >= 0 {
			changed[i] = alphabet[(at+32)%64] // the highest bit, which no padding of base64 swallows
		} else {
			changed[i] = 'A'
		}
		_, err := c.Open([]*http.Cookie{{Name: name, Value: string(changed)}}, now)
		require.Error(t, err, "character %d", i)
		answers[err.Error()]++
	}
	delete(answers, signet.ErrExpired.Error())
	delete(answers, signet.ErrUnknownKey.Error()) // the id of the password is in the clear
	require.Equal(t, []string{signet.ErrInvalid.Error()}, keys(answers))
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func keys(m map[string]int) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	return all
}

// TestTiming measures what an answer takes, and prints it. What it tells a stranger is which check
// refused, and all checks before the tag are of what he wrote himself: the length, the format, the
// key id and the time. The tag is compared in constant time by the AEAD. That an id is in the ring is no
// secret: every visitor's own cookie shows it.
func TestTiming(t *testing.T) {
	ring := newRing(t)
	good, err := ring.Seal(purpose, bytes.Repeat([]byte("x"), 200), time.Hour)
	require.NoError(t, err)
	last := func(token string, with string) string { return token[:len(token)-4] + with }
	raw, err := base64.RawURLEncoding.DecodeString(good)
	require.NoError(t, err)
	raw[1] ^= 1
	rows := []struct{ name, token string }{
		{"valid", good},
		{"forged in its first octet", good[:28] + flipped(good[28:])},
		{"forged in its tag", last(good, flipped(good[len(good)-4:]))},
		{"of an unknown key", base64.RawURLEncoding.EncodeToString(raw)},
		{"of an unknown version", "B" + good[1:]},
		{"empty", ""},
	}
	text := "timing of Keyring.Open:\n"
	for _, row := range rows {
		var took []time.Duration
		for range 2001 {
			start := time.Now()
			_, _ = ring.Open(purpose, row.token)
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		text += fmt.Sprintf("  %-28s median %v\n", row.name, took[len(took)/2])
	}
	fmt.Print(text)
	if name := os.Getenv("SIGNET_REPORT"); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		require.NoError(t, err)
		_, err = f.WriteString(text)
		require.NoError(t, errors.Join(err, f.Close()))
	}
}

// flipped changes the first character.
func flipped(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// TestPublishedExamples reads the examples of RFC 7516 appendix A and RFC 7520 section 5 through go-jose,
// which shows that they are whole, and through Keyring.Open. None is of the profile, which is dir or A256KW
// with A256GCM, so Open refuses each. A.2 has no key here.
func TestPublishedExamples(t *testing.T) {
	text, err := os.ReadFile("testdata/rfc-examples.json")
	require.NoError(t, err)
	var examples []struct {
		Name, Plaintext, Compact, Password string
		Alg                                jose.KeyAlgorithm
		Enc                                jose.ContentEncryption
		Key                                json.RawMessage
	}
	require.NoError(t, json.Unmarshal(text, &examples))
	require.Len(t, examples, 8)
	ring := newRing(t)
	for _, x := range examples {
		t.Run(x.Name, func(t *testing.T) {
			_, err := ring.Open(purpose, x.Compact)
			require.Equal(t, signet.ErrInvalid, err)
			if x.Key == nil && x.Password == "" {
				return
			}
			object, err := jose.ParseEncryptedCompact(x.Compact, []jose.KeyAlgorithm{x.Alg}, []jose.ContentEncryption{x.Enc})
			require.NoError(t, err)
			var key any = []byte(x.Password)
			if x.Key != nil {
				var jwk jose.JSONWebKey
				require.NoError(t, jwk.UnmarshalJSON(x.Key))
				key = jwk.Key
			}
			plain, err := object.Decrypt(key)
			require.NoError(t, err)
			require.Equal(t, x.Plaintext, string(plain))
		})
	}
}
