package rails_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/signet-go/signet/compat/rails"
	"github.com/stretchr/testify/require"
)

const secret = "test-only-rails-secret-key-base-0"

var now = time.Unix(1790000000, 0)

// from is the configuration that a vector was made with.
func from(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	options := vectors.Decode[struct {
		Digest   string `json:"pbkdf2_digest"`
		Metadata bool
	}](t, v.Options)
	secrets := vectors.Secrets(t, v)
	cfg := rails.Config{SecretKeyBase: secrets[0], HashDigest: options.Digest, SessionKey: v.CookieName, AllowWithoutPurpose: !options.Metadata}
	for _, older := range secrets[1:] {
		cfg.Rotations = append(cfg.Rotations, rails.Rotation{SecretKeyBase: older})
	}
	return open(t, cfg)
}

// open makes Cookies that accept a session without end until a second from now.
func open(t testing.TB, cfg rails.Config) *rails.Cookies {
	t.Helper()
	if cfg.SecretKeyBase == "" {
		cfg.SecretKeyBase = secret
	}
	if cfg.SessionKey == "" {
		cfg.SessionKey = "_app_session"
	}
	if cfg.ExpireAfter == 0 && cfg.AcceptUntil.IsZero() {
		cfg.AcceptUntil = now.Add(time.Second)
	}
	if fips.Only() && (cfg.CBC || cfg.HashDigest == "SHA1") {
		t.Skip("SHA-1 cannot work under fips140=only, which TestNew shows")
	}
	c, err := rails.New(cfg)
	require.NoError(t, err)
	return c
}

func vector(t testing.TB, name string) vectors.Vector {
	return vectors.Named(t, vectors.Load(t, "rails"), name)
}

func TestVectorsOfTheRealFramework(t *testing.T) { vectors.Run(t, vectors.Load(t, "rails"), from) }

func TestAVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"plain", "unicode-html", "flash", "expires-last-moment", "no-metadata", "rotated", "sha256-key", "sha256-flash-expires"} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.MovesIn(t, from(t, v), v.Request(), v.Time())
		})
	}
}

func TestABadCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"expired": signet.ErrExpired, "sha256-expired": signet.ErrExpired, "wrong-key": signet.ErrInvalid, "other-name": signet.ErrInvalid,
		"tampered": signet.ErrInvalid, "marshal": signet.ErrInvalid, "wrong-digest": signet.ErrInvalid,
	} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.IsNew(t, from(t, v), v.Request(), v.Time(), want)
		})
	}
	t.Run("wrong name", func(t *testing.T) {
		vectors.IsNew(t, open(t, rails.Config{SessionKey: "_x"}), vector(t, "plain").Request(), now, http.ErrNoCookie)
	})
	t.Run("without an end, after AcceptUntil", func(t *testing.T) {
		v := vector(t, "sha256-key")
		c := open(t, rails.Config{SecretKeyBase: vectors.Secrets(t, v)[0], AcceptUntil: now})
		vectors.IsNew(t, c, v.Request(), now, signet.ErrExpired)
		vectors.MovesIn(t, c, v.Request(), now.Add(-1))
		never := open(t, rails.Config{SecretKeyBase: vectors.Secrets(t, v)[0], ExpireAfter: time.Hour})
		vectors.IsNew(t, never, v.Request(), now, signet.ErrExpired)
	})
	for name, row := range map[string]struct {
		cookies []*http.Cookie
		says    string
	}{
		"Marshal says what to set":                           {forge(t, envelope("\x04\x08{\x06I\"\x06a\x06:\x06ETi\x06", "null", `"cookie._app_session"`)), "cookies_serializer = :hybrid"},
		"bare Marshal, too":                                  {forge(t, "\x04\x08{\x00"), "cookies_serializer = :hybrid"},
		"a session that nothing binds to the cookie":         {forge(t, `{"session_id":"x"}`), "use_cookies_with_metadata"},
		"also in an envelope":                                {forge(t, envelope(`{"session_id":"x"}`, "null", "null")), "use_cookies_with_metadata"},
		"the id of a session on the server says what to set": {vectors.Cookies("_app_session", "0123456789abcdef0123456789abcdef"), ":cookie_store"},
	} {
		t.Run(name, func(t *testing.T) {
			vectors.IsNew(t, open(t, rails.Config{}), row.cookies, now, signet.ErrInvalid)
			_, err := open(t, rails.Config{}).Open(row.cookies, now)
			require.ErrorContains(t, err, row.says)
		})
	}
}

func TestNoChangeOfACookieChangesTheSession(t *testing.T) {
	for _, cbc := range []bool{false, true} {
		t.Run(map[bool]string{false: "GCM", true: "CBC"}[cbc], func(t *testing.T) {
			c := open(t, rails.Config{CBC: cbc, HashDigest: map[bool]string{true: "SHA1"}[cbc]})
			set, err := c.Seal(json.RawMessage(`{"user":"ada"}`), now)
			require.NoError(t, err)
			vectors.Attack(t, c, vectors.Browser(nil, set), now)
		})
	}
}

func envelope(text, exp, pur string) string {
	return `{"_rails":{"message":"` + base64.StdEncoding.EncodeToString([]byte(text)) + `","exp":` + exp + `,"pur":` + pur + `}}`
}

// forge encrypts any bytes as Rails would.
func forge(t testing.TB, plain string) []*http.Cookie {
	return vectors.Cookies("_app_session", forged(t, plain))
}

func forged(t testing.TB, plain string) string {
	key, err := pbkdf2.Key(sha256.New, secret, []byte("authenticated encrypted cookie"), 1000, 32)
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	sealed := aead.Seal(nil, nil, []byte(plain), nil)
	encode := base64.StdEncoding.EncodeToString
	return url.QueryEscape(encode(sealed[12:len(sealed)-16]) + "--" + encode(sealed[:12]) + "--" + encode(sealed[len(sealed)-16:]))
}

func TestWhatIsEncryptedButNoSessionIsRefused(t *testing.T) {
	const mine = `"cookie._app_session"`
	good := `{"session_id":"x","a":1}`
	for name, plain := range map[string]string{
		"members of the envelope in another order": `{"_rails":{"exp":null,"message":"` + base64.StdEncoding.EncodeToString([]byte(good)) + `","pur":` + mine + `}}`,
		"a message that is no string":              `{"_rails":{"message":null,"exp":null,"pur":` + mine + `}}`,
		"base64 without padding":                   strings.ReplaceAll(envelope(good+" ", "null", mine), "=", ""),
		"base64 with a line break":                 strings.Replace(envelope(good, "null", mine), `","exp`, `\n","exp`, 1),
		"the purpose of another cookie":            envelope(good, "null", `"cookie.user"`),
		"an end that is no time":                   envelope(good, `"soon"`, mine),
		"no session_id":                            envelope(`{"a":1}`, "null", mine),
		"a session_id in other letters":            envelope(`{"session_Id":"x"}`, "null", mine),
		"an empty session_id":                      envelope(`{"session_id":""}`, "null", mine),
		"an array":                                 envelope(`[1]`, "null", mine),
		"no JSON":                                  envelope(`{"session_id":`, "null", mine),
		"nesting of 101":                           envelope(`{"session_id":"x","a":`+strings.Repeat("[", 101)+strings.Repeat("]", 101)+`}`, "null", mine),
		"MessagePack":                              envelope("\xcc\x80\x81", "null", mine),
		"nothing":                                  "",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, rails.Config{}).Open(forge(t, plain), now)
			require.ErrorIs(t, err, signet.ErrInvalid)
		})
	}
	for name, value := range map[string]string{
		"no percent-encoding where it needs one":  "%zz",
		"two parts":                               strings.Join(strings.Split(forged(t, good), "--")[:2], "--"),
		"four parts":                              forged(t, good) + "--AAAA",
		"a tag that is cut to 12 bytes":           shorter(forged(t, good), 2, 12),
		"a nonce of 8 bytes":                      shorter(forged(t, good), 1, 8),
		"four bytes of the tag in the ciphertext": moved(forged(t, good), 0, 2, 4),
		"a byte of the ciphertext in the nonce":   moved(forged(t, good), 1, 0, 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, rails.Config{AllowWithoutPurpose: true}).Open(vectors.Cookies("_app_session", value), now)
			require.ErrorIs(t, err, signet.ErrInvalid)
		})
	}
	t.Run("but without a purpose it opens where that is allowed", func(t *testing.T) {
		for _, plain := range []string{good, envelope(good, "null", "null")} {
			_, err := open(t, rails.Config{AllowWithoutPurpose: true}).Open(forge(t, plain), now)
			require.NoError(t, err)
		}
	})
	t.Run("and without percent-encoding, as a client may have it", func(t *testing.T) {
		value, err := url.QueryUnescape(forged(t, envelope(`{"session_id":"x","a":1}`, "null", mine)))
		require.NoError(t, err)
		_, err = open(t, rails.Config{}).Open(vectors.Cookies("_app_session", strings.ReplaceAll(value, "+", "%2B")), now)
		require.NoError(t, err)
	})
}

// shorter cuts one part of a cookie to n bytes.
func shorter(value string, part, n int) string {
	value, _ = url.QueryUnescape(value)
	parts := strings.Split(value, "--")
	raw, _ := base64.StdEncoding.DecodeString(parts[part])
	parts[part] = base64.StdEncoding.EncodeToString(raw[:n])
	return url.QueryEscape(strings.Join(parts, "--"))
}

// moved takes n bytes from the beginning of one part of a cookie to the end of another: joined, they are the same.
func moved(value string, to, from, n int) string {
	value, _ = url.QueryUnescape(value)
	parts := strings.Split(value, "--")
	a, _ := base64.StdEncoding.DecodeString(parts[to])
	b, _ := base64.StdEncoding.DecodeString(parts[from])
	parts[to], parts[from] = base64.StdEncoding.EncodeToString(append(a, b[:n]...)), base64.StdEncoding.EncodeToString(b[n:])
	return url.QueryEscape(strings.Join(parts, "--"))
}

func TestARespelledMACIsRefused(t *testing.T) {
	c := open(t, rails.Config{HashDigest: "SHA1", CBC: true})
	set, err := c.Seal(json.RawMessage(`{"a":1}`), now)
	require.NoError(t, err)
	data, digits, _ := strings.Cut(set[0].Value, "--")
	for name, mac := range map[string]string{
		"in capitals": strings.ToUpper(digits), "another": strings.Repeat("0", 40), "cut": digits[:38], "none": "", "longer": digits + "00",
	} {
		_, err = c.Open(vectors.Cookies("_app_session", data+"--"+mac), now)
		require.ErrorIs(t, err, signet.ErrInvalid, name)
	}
}

func TestRotationsOpenAndTheFirstSeals(t *testing.T) {
	claims := json.RawMessage(`{"session_id":"x","a":1}`)
	older := []rails.Config{{SecretKeyBase: "test-only-older"}}
	rotations := []rails.Rotation{{SecretKeyBase: "test-only-older"}}
	if !fips.Only() {
		older = append(older, rails.Config{HashDigest: "SHA1"}, rails.Config{HashDigest: "SHA1", CBC: true})
		rotations = append(rotations, rails.Rotation{HashDigest: "SHA1"}, rails.Rotation{HashDigest: "SHA1", CBC: true})
	}
	c := open(t, rails.Config{Rotations: rotations})
	for i, cfg := range older {
		set, err := open(t, cfg).Seal(claims, now)
		require.NoError(t, err)
		f, err := c.Open(vectors.Browser(nil, set), now)
		require.NoError(t, err)
		require.Equal(t, i+1, f.KeyIndex)
		set, err = c.Seal(f.Claims, now)
		require.NoError(t, err)
		_, err = open(t, cfg).Open(vectors.Browser(nil, set), now)
		require.ErrorIs(t, err, signet.ErrInvalid)
	}
}

func TestSealedSessionsOpen(t *testing.T) {
	// Room for the "+" and "/" of base64, a random number of which are %2B and %2F in the cookie.
	large := json.RawMessage(`{"blob":"` + strings.Repeat("x", 1900) + `"}`)
	for name, cfg := range map[string]rails.Config{"GCM": {}, "GCM, SHA1": {HashDigest: "SHA1"}, "CBC": {HashDigest: "SHA1", CBC: true}} {
		t.Run(name, func(t *testing.T) {
			c := open(t, cfg)
			for _, claims := range append([]json.RawMessage{large}, small()...) {
				set, err := c.Seal(claims, now)
				if cfg.CBC && len(claims) > 1500 {
					require.ErrorIs(t, err, signet.ErrTooLarge) // base64 thrice
					continue
				}
				require.NoError(t, err)
				f, err := c.Open(vectors.Browser(nil, set), now)
				require.NoError(t, err)
				vectors.Contains(t, f.Claims, claims)
				require.Contains(t, string(f.Claims), `"session_id":"`)
			}
		})
	}
}

func small() (all []json.RawMessage) {
	for name, claims := range vectors.Claims() {
		if name != "3 KB" { // base64 twice
			all = append(all, claims)
		}
	}
	return all
}

func TestTheCookieHasRailsAttributes(t *testing.T) {
	for name, row := range map[string]struct {
		cfg  rails.Config
		want string
	}{
		"by default":   {rails.Config{}, "Path=/; HttpOnly; SameSite=Lax"},
		"expire_after": {rails.Config{ExpireAfter: time.Hour}, "Path=/; Expires=Mon, 21 Sep 2026 15:13:20 GMT; HttpOnly; SameSite=Lax"},
		"every setting": {rails.Config{Domain: "example.com", Path: "/app", Secure: true, SameSite: http.SameSiteNoneMode},
			"Path=/app; Domain=example.com; HttpOnly; Secure; SameSite=None"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := open(t, row.cfg).Seal(json.RawMessage(`{"a":1}`), now)
			require.NoError(t, err)
			_, attributes, _ := strings.Cut(set[0].String(), "; ")
			require.Equal(t, row.want, attributes)
		})
	}
	t.Run("expire_after is sealed in, and ends it to the second", func(t *testing.T) {
		c := open(t, rails.Config{ExpireAfter: time.Hour})
		set, err := c.Seal(json.RawMessage(`{"a":1}`), now)
		require.NoError(t, err)
		f, err := c.Open(vectors.Browser(nil, set), now.Add(time.Hour-1))
		require.NoError(t, err)
		require.Equal(t, now.Add(time.Hour).Unix(), f.Expires.Unix())
		_, err = c.Open(vectors.Browser(nil, set), now.Add(time.Hour))
		require.ErrorIs(t, err, signet.ErrExpired)
	})
	t.Run("what Rails cannot read is not sealed", func(t *testing.T) {
		for _, claims := range []string{`[]`, ``, `{"a":NaN}`} {
			_, err := open(t, rails.Config{}).Seal(json.RawMessage(claims), now)
			require.ErrorContains(t, err, "would make Rails fail")
		}
	})
	t.Run("nor is what a browser would drop", func(t *testing.T) {
		_, err := open(t, rails.Config{}).Seal(json.RawMessage(`{"basket":"`+strings.Repeat("x", 2400)+`"}`), now)
		var large *signet.TooLargeError
		require.ErrorAs(t, err, &large)
		require.Contains(t, large.Fields[0], "basket")
	})
}

func TestNew(t *testing.T) {
	good := rails.Config{SecretKeyBase: secret, SessionKey: "_app_session", ExpireAfter: time.Hour}
	for name, row := range map[string]struct {
		change func(*rails.Config)
		want   string
	}{
		"without a secret":            {func(c *rails.Config) { c.SecretKeyBase = "" }, "rails: SecretKeyBase: secret_key_base is empty"},
		"without a name":              {func(c *rails.Config) { c.SessionKey = "" }, "rails: the cookie's name is missing"},
		"without any end":             {func(c *rails.Config) { c.ExpireAfter = 0 }, "rails: without expire_after a session has no end"},
		"with an end under a second":  {func(c *rails.Config) { c.ExpireAfter = 1 }, "rails: ExpireAfter 1ns"},
		"with MD5":                    {func(c *rails.Config) { c.HashDigest = "MD5" }, `rails: SecretKeyBase: HashDigest "MD5"`},
		"with MD5 in a rotation":      {func(c *rails.Config) { c.Rotations = []rails.Rotation{{}, {HashDigest: "MD5"}} }, `rails: Rotations[1]: HashDigest "MD5"`},
		"with SameSite=None insecure": {func(c *rails.Config) { c.SameSite = http.SameSiteNoneMode }, "needs Secure"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			row.change(&cfg)
			_, err := rails.New(cfg)
			require.ErrorContains(t, err, row.want)
		})
	}
	t.Run("says all problems at once", func(t *testing.T) {
		_, err := rails.New(rails.Config{HashDigest: "MD5"})
		require.ErrorContains(t, err, "secret_key_base")
		require.ErrorContains(t, err, "name is missing")
		require.ErrorContains(t, err, "no end")
	})
	t.Run("under fips140=only says what cannot work", func(t *testing.T) {
		for _, change := range []func(*rails.Config){
			func(c *rails.Config) { c.HashDigest = "SHA1" }, func(c *rails.Config) { c.CBC = true },
			func(c *rails.Config) { c.Rotations = []rails.Rotation{{HashDigest: "SHA1"}} },
		} {
			cfg := good
			change(&cfg)
			_, err := rails.New(cfg)
			require.Equal(t, fips.Only(), err != nil)
		}
		_, err := rails.New(good)
		require.NoError(t, err)
	})
}

func TestAStrangersRequestIsBounded(t *testing.T) {
	vectors.Bounded(t, open(t, rails.Config{}), forge(t, envelope(`{"session_id":"x","a":1}`, "null", `"cookie._app_session"`)), now)
}

func TestCookiesPrintNoSecret(t *testing.T) {
	vectors.PrintsNothing(t, open(t, rails.Config{}), secret)
}

func FuzzOpen(f *testing.F) {
	vectors.Fuzz(f, open(f, rails.Config{SecretKeyBase: "test-only-rails-secret-key-base-1test-only-rails-secret-key-base-1test-only-rails-secret-key-base-1"}), now, vectors.Load(f, "rails"))
}

// FuzzEnvelope chooses what is encrypted: nothing panics, and what opens is sealed so that it opens with the same content.
func FuzzEnvelope(f *testing.F) {
	c := open(f, rails.Config{AllowWithoutPurpose: true})
	f.Add(envelope(`{"session_id":"x","a":[1,2.5,null]}`, `"2026-09-21T14:13:21.000Z"`, `"cookie._app_session"`))
	f.Add(`{"session_id":"x"}`)
	f.Fuzz(func(t *testing.T, plain string) {
		opened, err := c.Open(forge(t, plain), now)
		if err != nil {
			require.True(t, vectors.Sentinel(err), "%v", err)
			return
		}
		set, err := c.Seal(opened.Claims, now)
		if err != nil {
			require.ErrorIs(t, err, signet.ErrTooLarge)
			return
		}
		again, err := c.Open(vectors.Browser(nil, set), now)
		require.NoError(t, err)
		vectors.SameJSON(t, opened.Claims, again.Claims)
	})
}
