package gorilla_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/gorilla"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/stretchr/testify/require"
)

const hashKey, blockKey = "test-only-hash-key-0123456789abc", "test-only-block-key-0123456789ab"

var now = time.Unix(1795497568, 0)

func TestMain(m *testing.M) {
	gob.Register(map[string]any{}) // as an application with nested values has
	m.Run()
}

func keys(secrets ...string) (pairs [][]byte) {
	for _, s := range secrets {
		pairs = append(pairs, []byte(s))
	}
	return pairs
}

// from is the configuration that a vector was made with. gorilla takes stamps of the future, hence the skew.
func from(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	options := vectors.Decode[struct {
		MaxAge     int `json:"max_age"`
		Serializer string
	}](t, v.Options)
	return open(t, gorilla.Config{
		KeyPairs: keys(vectors.Secrets(t, v)...), Name: v.CookieName, JSON: options.Serializer == "json",
		MaxAge: time.Duration(options.MaxAge) * time.Second, ClockSkew: 48 * time.Hour,
	})
}

func open(t testing.TB, cfg gorilla.Config) *gorilla.Cookies {
	t.Helper()
	if cfg.KeyPairs == nil {
		cfg.KeyPairs = keys(hashKey, blockKey)
	}
	if cfg.Name == "" {
		cfg.Name = "app"
	}
	c, err := gorilla.New(cfg)
	require.NoError(t, err)
	return c
}

func vector(t testing.TB, name string) vectors.Vector {
	return vectors.Named(t, vectors.Load(t, "gorilla"), name)
}

func TestVectorsOfTheRealPackage(t *testing.T) { vectors.Run(t, vectors.Load(t, "gorilla"), from) }

func TestAVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"signed", "encrypted", "types", "flash", "second-pair", "max-age-boundary", "future", "json"} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.MovesIn(t, from(t, v), v.Request(), v.Time())
		})
	}
}

func TestABadCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"expired": signet.ErrExpired, "other-name": signet.ErrInvalid, "wrong-hash-key": signet.ErrInvalid, "tampered": signet.ErrInvalid,
		"wrong-block-key": signet.ErrInvalid, "struct": signet.ErrInvalid,
	} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.IsNew(t, from(t, v), v.Request(), v.Time(), want)
		})
	}
	t.Run("wrong name", func(t *testing.T) {
		vectors.IsNew(t, open(t, gorilla.Config{Name: "x"}), vector(t, "encrypted").Request(), now, http.ErrNoCookie)
	})
	t.Run("stamped a day ahead, which gorilla would take", func(t *testing.T) {
		vectors.IsNew(t, open(t, gorilla.Config{}), vector(t, "future").Request(), now, signet.ErrClockSkew)
	})
	t.Run("a type that is not registered says what to do", func(t *testing.T) {
		_, err := open(t, gorilla.Config{}).Open(vector(t, "struct").Request(), now)
		require.ErrorContains(t, err, "gob.Register")
	})
	t.Run("the age counts to the second", func(t *testing.T) {
		c := open(t, gorilla.Config{MaxAge: time.Minute})
		set, err := c.Seal(json.RawMessage(`{"a":1}`), now)
		require.NoError(t, err)
		vectors.MovesIn(t, c, vectors.Browser(nil, set), now.Add(time.Minute))
		vectors.IsNew(t, c, vectors.Browser(nil, set), now.Add(61*time.Second), signet.ErrExpired)
	})
}

func TestNoChangeOfACookieChangesTheSession(t *testing.T) {
	for _, name := range []string{"signed", "encrypted", "json"} {
		v := vector(t, name)
		vectors.Attack(t, from(t, v), v.Request(), v.Time())
	}
}

// forge signs what is between the bars as a pair without a block key would.
func forge(stamp, data string) []*http.Cookie {
	m := hmac.New(sha256.New, []byte(hashKey))
	m.Write([]byte("app|" + stamp + "|" + data))
	return vectors.Cookies("app", base64.URLEncoding.EncodeToString([]byte(stamp+"|"+data+"|"+string(m.Sum(nil)))))
}

func encoded(t testing.TB, v any) string {
	var b bytes.Buffer
	require.NoError(t, gob.NewEncoder(&b).Encode(v))
	return base64.URLEncoding.EncodeToString(b.Bytes())
}

func TestWhatIsSignedButNoSessionIsRefused(t *testing.T) {
	good := encoded(t, map[any]any{"a": 1})
	deep := any("x")
	for range 101 {
		deep = []any{deep}
	}
	stamp := fmt.Sprint(now.Unix())
	for name, cookies := range map[string][]*http.Cookie{
		"a stamp that is no number":     forge("soon", good),
		"a stamp below zero":            forge("-1", good),
		"base64 without padding":        forge(stamp, strings.TrimRight(encoded(t, map[any]any{"ab": 1}), "=")+"x"),
		"gob that is cut":               forge(stamp, base64.URLEncoding.EncodeToString([]byte(encoded(t, 1))[:3])),
		"gob of another type":           forge(stamp, encoded(t, "text")),
		"gob and something behind it":   forge(stamp, base64.URLEncoding.EncodeToString(append(decoded(t, good), 1))),
		"no gob":                        forge(stamp, base64.URLEncoding.EncodeToString([]byte("hello"))),
		"nothing":                       forge(stamp, ""),
		"a float that JSON has not":     forge(stamp, encoded(t, map[any]any{"a": math.NaN()})),
		"a complex number":              forge(stamp, encoded(t, map[any]any{"a": 1i})),
		"two keys of one text":          forge(stamp, encoded(t, map[any]any{"1": 1, 1: 1})),
		"a key that is neither":         forge(stamp, encoded(t, map[any]any{1.5: 1})),
		"nesting of 101":                forge(stamp, encoded(t, map[any]any{"a": deep})),
		"a length of 2 GB":              forge(stamp, base64.URLEncoding.EncodeToString([]byte{0xfc, 0x7f, 0xff, 0xff, 0xff})),
		"a value over 4,096 characters": vectors.Cookies("app", strings.Repeat("A", 4100)),
		"one that is signed, too":       forge(stamp, encoded(t, map[any]any{"a": strings.Repeat("x", 2300)})),
		"no bars":                       vectors.Cookies("app", base64.URLEncoding.EncodeToString([]byte("hello"))),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, gorilla.Config{KeyPairs: keys(hashKey)}).Open(cookies, now)
			require.ErrorIs(t, err, signet.ErrInvalid)
		})
	}
}

func decoded(t testing.TB, text string) []byte {
	raw, err := base64.URLEncoding.DecodeString(text)
	require.NoError(t, err)
	return raw
}

func TestAPairThatOnlySignsMayStandBeforeOneThatEncrypts(t *testing.T) {
	v := vector(t, "encrypted")
	f, err := open(t, gorilla.Config{KeyPairs: [][]byte{[]byte(hashKey), nil, []byte(hashKey), []byte(blockKey)}}).Open(v.Request(), now)
	require.NoError(t, err)
	require.Equal(t, 1, f.KeyIndex)
}

func TestTheFirstPairSeals(t *testing.T) {
	both := open(t, gorilla.Config{KeyPairs: keys("test-only-new-hash-key", "test-only-new-bl", hashKey, blockKey)})
	f, err := both.Open(vector(t, "encrypted").Request(), now)
	require.NoError(t, err)
	require.Equal(t, 1, f.KeyIndex)
	set, err := both.Seal(f.Claims, now)
	require.NoError(t, err)
	_, err = open(t, gorilla.Config{}).Open(vectors.Browser(nil, set), now)
	require.ErrorIs(t, err, signet.ErrInvalid)
}

func TestValuesKeepTheirTypes(t *testing.T) {
	c := open(t, gorilla.Config{})
	before := map[any]any{
		"i64": int64(7), "u8": uint8(3), "f32": float32(1.5), "raw": []byte{0, 255}, "list": []string{"a"}, "any": []any{int64(1), "x"},
		7: "seven", "nil": nil, "gone": true, "changed": int64(1), "other": 1, "b": []bool{true},
	}
	set, err := c.SealValues(before, now)
	require.NoError(t, err)
	cookies := vectors.Browser(nil, set)
	f, err := c.Open(cookies, now)
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(f.Claims, &claims))
	delete(claims, "gone")
	claims["changed"], claims["other"], claims["7"], claims["new"] = 2, "text", "SEVEN", map[string]any{"n": 1, "f": 2.5}
	text, err := json.Marshal(claims)
	require.NoError(t, err)
	set, err = c.Update(cookies, text, now)
	require.NoError(t, err)
	after, err := c.OpenValues(vectors.Browser(nil, set), now)
	require.NoError(t, err)
	delete(before, "gone")
	before["changed"], before["other"], before[7], before["new"] = int64(2), "text", "SEVEN", map[string]any{"n": 1, "f": 2.5}
	require.Equal(t, before, after)
}

func TestSealedSessionsOpen(t *testing.T) {
	for name, cfg := range map[string]gorilla.Config{"encrypted": {}, "signed": {KeyPairs: keys(hashKey)}, "JSON": {JSON: true}} {
		t.Run(name, func(t *testing.T) {
			c := open(t, cfg)
			all := vectors.Claims()
			all["3 KB"] = json.RawMessage(`{"blob":"` + strings.Repeat("x", 2100) + `"}`) // base64 twice
			for name, claims := range all {
				set, err := c.Seal(claims, now)
				require.NoError(t, err, name)
				f, err := c.Open(vectors.Browser(nil, set), now)
				require.NoError(t, err, name)
				vectors.Contains(t, f.Claims, claims)
			}
		})
	}
}

func TestWhatIsNotSealed(t *testing.T) {
	c := open(t, gorilla.Config{})
	for _, claims := range []string{`[]`, ``, `{"a":NaN}`, `{"a":1e999}`} {
		_, err := c.Seal(json.RawMessage(claims), now)
		require.ErrorContains(t, err, "gorilla: ")
	}
	_, err := c.SealValues(map[any]any{"a": struct{ B int }{1}}, now)
	require.ErrorContains(t, err, "register the type as the old program does")
	_, err = c.Seal(json.RawMessage(`{"basket":"`+strings.Repeat("x", 2300)+`"}`), now)
	var large *signet.TooLargeError
	require.ErrorAs(t, err, &large)
	require.Contains(t, large.Fields[0], "basket")
}

func TestTheCookieHasGorillasAttributes(t *testing.T) {
	for name, row := range map[string]struct {
		options *gorilla.Options
		want    string
	}{
		"by default": {nil, "Path=/; Expires=Thu, 24 Dec 2026 05:19:28 GMT; Max-Age=2592000; Secure; SameSite=None"},
		"of its own": {&gorilla.Options{Path: "/app", Domain: "example.com", HttpOnly: true, SameSite: http.SameSiteStrictMode},
			"Path=/app; Domain=example.com; HttpOnly; SameSite=Strict"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := open(t, gorilla.Config{Options: row.options}).Seal(json.RawMessage(`{"a":1}`), now)
			require.NoError(t, err)
			_, attributes, _ := strings.Cut(set[0].String(), "; ")
			require.Equal(t, row.want, attributes)
		})
	}
}

func TestNew(t *testing.T) {
	for name, row := range map[string]struct {
		cfg  gorilla.Config
		want string
	}{
		"without keys":               {gorilla.Config{Name: "app"}, "gorilla: KeyPairs is empty"},
		"with an empty hash key":     {gorilla.Config{Name: "app", KeyPairs: keys(hashKey, "", "")}, "gorilla: KeyPairs[2], a hash key, is empty"},
		"with a block key of 8":      {gorilla.Config{Name: "app", KeyPairs: keys(hashKey, "12345678")}, "gorilla: KeyPairs[1], a block key, has 8 bytes"},
		"without a name":             {gorilla.Config{KeyPairs: keys(hashKey)}, "the cookie's name is missing"},
		"with an age below zero":     {gorilla.Config{Name: "app", KeyPairs: keys(hashKey), MaxAge: -1}, "gorilla: MaxAge -1ns"},
		"with an age under a second": {gorilla.Config{Name: "app", KeyPairs: keys(hashKey), MaxAge: 1}, "gorilla: MaxAge 1ns"},
		"with a skew below zero":     {gorilla.Config{Name: "app", KeyPairs: keys(hashKey), ClockSkew: -1}, "gorilla: ClockSkew -1ns"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gorilla.New(row.cfg)
			require.ErrorContains(t, err, row.want)
		})
	}
	t.Run("says all problems at once", func(t *testing.T) {
		_, err := gorilla.New(gorilla.Config{MaxAge: -1})
		require.ErrorContains(t, err, "KeyPairs")
		require.ErrorContains(t, err, "name")
		require.ErrorContains(t, err, "MaxAge")
	})
	t.Run("under fips140=only says what cannot work", func(t *testing.T) {
		_, err := gorilla.New(gorilla.Config{Name: "app", KeyPairs: keys("13 bytes long")})
		require.Equal(t, fips.Only(), err != nil)
		_, err = gorilla.New(gorilla.Config{Name: "app", KeyPairs: keys("14 bytes long!")})
		require.NoError(t, err)
	})
	t.Run("OpenValues and SealValues are of gob", func(t *testing.T) {
		c := open(t, gorilla.Config{JSON: true})
		_, err := c.OpenValues(nil, now)
		require.ErrorContains(t, err, "JSON")
		_, err = c.SealValues(nil, now)
		require.ErrorContains(t, err, "JSON")
	})
}

func TestAStrangersRequestIsBounded(t *testing.T) {
	vectors.Bounded(t, open(t, gorilla.Config{}), vector(t, "encrypted").Request(), now)
}

func TestCookiesPrintNoSecret(t *testing.T) {
	vectors.PrintsNothing(t, open(t, gorilla.Config{}), hashKey, blockKey)
}

func FuzzOpen(f *testing.F) {
	vectors.Fuzz(f, open(f, gorilla.Config{}), now, vectors.Load(f, "gorilla"))
}

// FuzzGob chooses what is signed: nothing panics, and what opens is sealed so that it opens with the same content.
func FuzzGob(f *testing.F) {
	c := open(f, gorilla.Config{KeyPairs: keys(hashKey)})
	for _, v := range []map[any]any{{"a": 1, "b": []any{1.5, nil, "x"}}, {1: "x"}, {"m": map[string]any{"n": []byte{1}}}, {"t": []string{"a"}}} {
		f.Add(decoded(f, encoded(f, v)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		opened, err := c.Open(forge(fmt.Sprint(now.Unix()), base64.URLEncoding.EncodeToString(data)), now)
		if err != nil {
			require.True(t, vectors.Sentinel(err), "%v", err)
			return
		}
		set, err := c.Seal(opened.Claims, now)
		if err != nil {
			return // a number that no float64 holds, or too large
		}
		again, err := c.Open(vectors.Browser(nil, set), now)
		require.NoError(t, err)
		require.JSONEq(t, string(opened.Claims), string(again.Claims))
	})
}
