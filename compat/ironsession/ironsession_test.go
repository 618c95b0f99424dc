package ironsession_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/iron"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/signet-go/signet/compat/ironsession"
	"github.com/stretchr/testify/require"
)

const password = "test-only-iron-password-number-1"

var now = time.Unix(1790000000, 0)

// from is the configuration that a vector was made with.
func from(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	options := vectors.Decode[struct {
		Name string `json:"cookie_name"`
		TTL  int    `json:"ttl"`
	}](t, v.Options)
	cfg := ironsession.Config{CookieName: options.Name, TTL: time.Duration(options.TTL) * time.Second}
	if options.TTL == 0 {
		cfg.AcceptUntil = v.Time().Add(time.Second)
	}
	if v.Secrets[0] == '[' {
		cfg.Password = vectors.Decode[[]string](t, v.Secrets)[0]
	} else {
		cfg.Passwords = map[int]string{}
		for id, secret := range vectors.Decode[map[string]string](t, v.Secrets) {
			n, err := strconv.Atoi(id)
			require.NoError(t, err)
			cfg.Passwords[n] = secret
		}
	}
	return open(t, cfg)
}

func open(t testing.TB, cfg ironsession.Config) *ironsession.Cookies {
	t.Helper()
	if fips.Only() {
		t.Skip("the format cannot work under fips140=only, which TestNew shows")
	}
	if cfg.CookieName == "" {
		cfg.CookieName = "app_session"
	}
	if cfg.Password == "" && cfg.Passwords == nil {
		cfg.Password = password
	}
	c, err := ironsession.New(cfg)
	require.NoError(t, err)
	return c
}

func TestVectorsOfTheRealPackage(t *testing.T) {
	vectors.Run(t, vectors.Load(t, "iron-session"), from)
}

func vector(t testing.TB, name string) vectors.Vector {
	t.Helper()
	for _, v := range vectors.Load(t, "iron-session") {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("no vector %s", name)
	return vectors.Vector{}
}

func TestAVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"plain", "unicode", "rotated-old", "chunked", "hapi-iron", "last-second"} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.MovesIn(t, from(t, v), v.Request(), v.Time())
		})
	}
}

func TestABadCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"unknown-id": signet.ErrUnknownKey, "wrong-password": signet.ErrInvalid, "expired": signet.ErrExpired,
		"tampered-ciphertext": signet.ErrInvalid, "tampered-expiration": signet.ErrInvalid, "wrong-name": http.ErrNoCookie,
	} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.IsNew(t, from(t, v), v.Request(), v.Time(), want)
		})
	}
	t.Run("a missing first chunk is torn", func(t *testing.T) {
		v := vector(t, "chunked")
		delete(v.Cookies, "app_session.0")
		vectors.IsNew(t, from(t, v), v.Request(), v.Time(), signet.ErrTorn)
	})
	t.Run("a seal without an end is refused unless AcceptUntil says so", func(t *testing.T) {
		v := vector(t, "no-expiry")
		vectors.IsNew(t, open(t, ironsession.Config{}), v.Request(), now, signet.ErrExpired)
		vectors.IsNew(t, open(t, ironsession.Config{AcceptUntil: now}), v.Request(), now, signet.ErrExpired)
		vectors.MovesIn(t, open(t, ironsession.Config{AcceptUntil: now.Add(time.Second)}), v.Request(), now)
	})
}

func TestNoChangeOfACookieChangesTheSession(t *testing.T) {
	for _, name := range []string{"plain", "chunked"} {
		v := vector(t, name)
		vectors.Attack(t, from(t, v), v.Request(), v.Time())
	}
}

func TestARespelledSealIsRefused(t *testing.T) {
	f := strings.Split(strings.TrimSuffix(vector(t, "plain").Cookies["app_session"], "~2"), "*")
	with := func(i int, value string) string {
		changed := append([]string{}, f...)
		changed[i] = value
		return strings.Join(changed, "*")
	}
	for name, seal := range map[string]string{
		"with another version":              with(0, "Fe26.1"),
		"with padded base64":                with(7, f[7]+"="),
		"with unused bits set":              with(7, f[7][:42]+nextOf(f[7][42])),
		"with a line break":                 with(3, f[3]+"\n"),
		"with a short salt":                 with(6, f[6][:62]),
		"with a salt in capitals":           with(6, strings.ToUpper(f[6])),
		"with a longer iv":                  with(3, f[3]+"AAAA"),
		"with an end that begins with zero": with(5, "0"+f[5]),
		"with an end of 20 digits":          with(5, "99999999999999999999"),
		"with an id that is no word":        with(1, "1-2"),
		"with nine fields":                  strings.Join(f, "*") + "*",
		"with seven fields":                 strings.Join(f[:7], "*"),
		"with no ciphertext":                with(4, ""),
		"over 16 KiB":                       with(4, strings.Repeat("A", 16<<10)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, ironsession.Config{}).Open(vectors.Cookies("app_session", seal), now)
			require.Error(t, err)
		})
	}
	t.Run("with an authentic payload that is no object", func(t *testing.T) {
		for _, payload := range []string{`[1]`, `"a"`, `null`, `{`, ``} {
			c := open(t, ironsession.Config{})
			seal, err := iron.Seal([]byte(payload), "1", password, now.Add(time.Hour))
			require.NoError(t, err)
			_, err = c.Open(vectors.Cookies("app_session", seal), now)
			require.ErrorIs(t, err, signet.ErrInvalid)
		}
	})
	t.Run("but percent-encoded stars open, as there", func(t *testing.T) {
		seal := strings.ReplaceAll(strings.Join(f, "*"), "*", "%2A") + "%7e2"
		_, err := open(t, ironsession.Config{}).Open(vectors.Cookies("app_session", seal), now)
		require.NoError(t, err)
	})
}

// nextOf is the character with the next value: the same bytes, with unused bits set.
func nextOf(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[(strings.IndexByte(alphabet, c)+1)%64])
}

func TestSealRoundTrips(t *testing.T) {
	vectors.RoundTrips(t, open(t, ironsession.Config{}), now)
	t.Run("over four chunks", func(t *testing.T) {
		vectors.RoundTrips(t, open(t, ironsession.Config{Chunk: true}), now, json.RawMessage(`{"b":"`+strings.Repeat("x", 11000)+`"}`))
	})
	t.Run("as @hapi/iron does", func(t *testing.T) {
		older := ironsession.Config{HapiIron: true}
		both := open(t, ironsession.Config{HapiIron: true, Passwords: map[int]string{1: password, 2: strings.Repeat("n", 32)}})
		for name, claims := range vectors.Claims() {
			if name != "__proto__" { // which it refuses
				t.Run(name, func(t *testing.T) { vectors.RoundTrip(t, both, claims, now) })
			}
		}
		set, err := open(t, older).Seal(json.RawMessage(`{}`), now)
		require.NoError(t, err)
		require.Regexp(t, `^Fe26\.2\*\*[^~]+$`, set[0].Value, "no id, no version")
		f, err := both.Open(vectors.Browser(nil, set), now)
		require.NoError(t, err)
		require.Equal(t, 1, f.KeyIndex)
	})
}

func TestSealWritesWhatThePackageWrites(t *testing.T) {
	c := open(t, ironsession.Config{Passwords: map[int]string{7: password, 12: strings.Repeat("n", 32)}, Chunk: true})
	set, err := c.Seal(json.RawMessage(`{"a": "<&>"}`), now)
	require.NoError(t, err)
	require.Len(t, set, 1)
	value := set[0].Value
	require.Regexp(t, `^Fe26\.2\*12\*[0-9a-f]{64}\*[\w-]{22}\*[\w-]{22}\*1791209600000\*[0-9a-f]{64}\*[\w-]{43}~2$`, value)
	require.Equal(t, "app_session="+value+"; Path=/; Max-Age=1209540; HttpOnly; Secure; SameSite=Lax", set[0].String())

	t.Run("chunks are cut where the package cuts them", func(t *testing.T) {
		set, err := c.Seal(json.RawMessage(`{"b":"`+strings.Repeat("x", 4000)+`"}`), now)
		require.NoError(t, err)
		require.Len(t, set, 2)
		require.Equal(t, "app_session.0", set[0].Name)
		require.Len(t, set[0].Value, len(vector(t, "chunked").Cookies["app_session.0"]))
		require.Equal(t, "app_session.1", set[1].Name)
	})
	t.Run("a ttl of a minute or less is the cookie's, too", func(t *testing.T) {
		set, err := open(t, ironsession.Config{TTL: time.Minute}).Seal(json.RawMessage(`{}`), now)
		require.NoError(t, err)
		require.Equal(t, 60, set[0].MaxAge)
	})
}

func TestUpdateLeavesNoStaleCookieBehind(t *testing.T) {
	c := open(t, ironsession.Config{Chunk: true})
	var held []*http.Cookie
	for _, size := range []int{10, 9000, 5000, 10, 9000, 10} {
		claims := json.RawMessage(`{"b":"` + strings.Repeat("x", size) + `"}`)
		set, err := c.Update(held, claims, now)
		require.NoError(t, err)
		held = vectors.Browser(held, set)
		f, err := c.Open(held, now)
		require.NoError(t, err)
		require.JSONEq(t, string(claims), string(f.Claims))
		require.Len(t, held, map[int]int{10: 1, 5000: 2, 9000: 4}[size])
	}
	require.Empty(t, vectors.Browser(held, c.Clear(held)))
}

func TestSealRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		cfg    ironsession.Config
		claims string
		want   string
	}{
		"an array":                                {claims: `[1]`, want: "not a JSON object"},
		"what is no JSON":                         {claims: `{"a":}`, want: "not a JSON object"},
		"two objects":                             {claims: `{}{}`, want: "not a JSON object"},
		"what fits no cookie":                     {claims: `{"blob":"` + strings.Repeat("x", 4000) + `"}`, want: "blob (4002)"},
		"the name of a method of the session":     {claims: `{"save":1}`, want: "would lose it"},
		"what @hapi/iron takes for an attack":     {cfg: ironsession.Config{HapiIron: true}, claims: `{"a":[{"__proto__":{}}]}`, want: "@hapi/iron refuses"},
		"a number beyond doubles, for @hapi/iron": {cfg: ironsession.Config{HapiIron: true}, claims: `{"a":1e400}`, want: "the claims are"},
		"what needs more than four chunks":        {cfg: ironsession.Config{Chunk: true}, claims: `{"blob":"` + strings.Repeat("x", 13000) + `"}`, want: "blob (13002)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, row.cfg).Seal(json.RawMessage(row.claims), now)
			require.ErrorContains(t, err, row.want)
		})
	}
}

func TestNew(t *testing.T) {
	if fips.Only() {
		_, err := ironsession.New(ironsession.Config{CookieName: "s", Password: password})
		require.ErrorContains(t, err, "fips140=only")
		return
	}
	_, err := ironsession.New(ironsession.Config{Password: "short-secret", Path: "x", TTL: -1})
	for _, want := range []string{"name is missing", "fewer than 32", "must begin with /", "TTL -1ns"} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "short-secret")
	for want, cfg := range map[string]ironsession.Config{
		"Password is missing":    {CookieName: "s"},
		"not both":               {CookieName: "s", Password: password, Passwords: map[int]string{1: password}},
		"negative":               {CookieName: "s", Passwords: map[int]string{-1: password}},
		"cannot be a cookie's":   {CookieName: "a b", Password: password},
		"needs Secure":           {CookieName: "__Host-s", Password: password, DangerouslyAllowHTTP: true},
		"no Path but /":          {CookieName: "__Host-s", Password: password, Path: "/app"},
		"fewer than 32":          {CookieName: "s", Password: strings.Repeat("é", 31)},
		"SameSite must be":       {CookieName: "s", Password: password, SameSite: 9},
		"with these attributes ": {CookieName: "s", Password: password, SameSite: http.SameSiteNoneMode, DangerouslyAllowHTTP: true},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := ironsession.New(cfg)
			require.ErrorContains(t, err, want)
		})
	}
	t.Run("an astral character counts twice, as in JavaScript", func(t *testing.T) {
		_, err := ironsession.New(ironsession.Config{CookieName: "s", Password: strings.Repeat("𝄞", 16)})
		require.NoError(t, err)
	})
}

func TestARequestCostsLittle(t *testing.T) {
	vectors.Bounded(t, open(t, ironsession.Config{}), vector(t, "plain").Request(), now)
}

func TestItPrintsNoPassword(t *testing.T) {
	vectors.PrintsNothing(t, open(t, ironsession.Config{}), password)
}

func FuzzOpen(f *testing.F) {
	if fips.Only() {
		f.Skip("the format cannot work under fips140=only")
	}
	vectors.Fuzz(f, open(f, ironsession.Config{Chunk: true}), now, vectors.Load(f, "iron-session"))
}
