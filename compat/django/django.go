// Package django opens and seals the sessions that Django keeps in cookies (SESSION_ENGINE =
// "django.contrib.sessions.backends.signed_cookies"), so that visitors stay logged in when an
// application moves to Go, or while it runs in both.
//
// Such a cookie is signed, not encrypted: its owner can read it. Its MAC is HMAC-SHA256 under a
// key derived from SECRET_KEY, which signs password-reset links and the like, too.
package django

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/object"
	"github.com/signet-go/signet/compat/internal/python"
	"github.com/signet-go/signet/internal/base64url"
)

// Config is a Django project's, in the words of its settings. SecretKey is required.
type Config struct {
	// SecretKey is SECRET_KEY: the same text, or the same bytes. It seals, and is tried first.
	SecretKey string
	// SecretKeyFallbacks is SECRET_KEY_FALLBACKS: older secrets, which only open.
	SecretKeyFallbacks []string
	// SessionCookieName is SESSION_COOKIE_NAME; empty is sessionid.
	SessionCookieName string
	// SessionCookieAge is SESSION_COOKIE_AGE, by which Django ends every session. Zero is 14 days.
	SessionCookieAge time.Duration
	// SessionExpireAtBrowserClose is SESSION_EXPIRE_AT_BROWSER_CLOSE.
	SessionExpireAtBrowserClose bool
	// SessionCookieDomain is SESSION_COOKIE_DOMAIN; empty is this host alone.
	SessionCookieDomain string
	// SessionCookiePath is SESSION_COOKIE_PATH; empty is /.
	SessionCookiePath string
	// SessionCookieSecure is SESSION_COOKIE_SECURE, SessionCookieSameSite SESSION_COOKIE_SAMESITE; zero is Lax.
	SessionCookieSecure   bool
	SessionCookieSameSite http.SameSite
	// DangerouslyAllowScripts is SESSION_COOKIE_HTTPONLY = False: any script of the page reads the session.
	DangerouslyAllowScripts bool
	// Salt is that of a backend of one's own; empty is that of signed_cookies.
	Salt string
	// AllowSHA1 opens what Django 3.0 and older signed, with HMAC-SHA1, as 3.1 and 3.2 do.
	AllowSHA1 bool
	// ClockSkew is by how much a cookie may be stamped ahead of this machine's clock. Django takes any, and
	// such a session lives longer by as much; zero is 5 minutes.
	ClockSkew time.Duration
}

const (
	sessionSalt = "django.contrib.sessions.backends.signed_cookies"
	defaultAge  = 14 * 24 * time.Hour
	defaultSkew = 5 * time.Minute
	maxAge      = 400 * 24 * time.Hour
)

// Cookies opens and seals a Django project's sessions. It is safe for concurrent use, and
// prints its cookie's name alone.
type Cookies struct {
	set          cookieset.Set
	age, skew    time.Duration
	browserClose bool
	// Closures, since fmt prints the bytes of an unexported field but only the address of a function.
	keys, legacy func() [][]byte // for HMAC-SHA256, and HMAC-SHA1 where that is allowed
	secrets      func() []string
}

// New makes Cookies, deriving a key of each secret. It returns all of cfg's problems, joined. Under
// GODEBUG=fips140=only it works without AllowSHA1, and otherwise returns an error.
func New(cfg Config) (*Cookies, error) {
	if cfg.SessionCookieSameSite == 0 {
		cfg.SessionCookieSameSite = http.SameSiteLaxMode
	}
	c := &Cookies{
		set: cookieset.Set{
			Raw: true, LastWins: true, Name: cmp.Or(cfg.SessionCookieName, "sessionid"),
			Domain: cfg.SessionCookieDomain, Path: cmp.Or(cfg.SessionCookiePath, "/"),
			Secure: cfg.SessionCookieSecure, HTTPOnly: !cfg.DangerouslyAllowScripts, SameSite: cfg.SessionCookieSameSite,
		},
		age: cmp.Or(cfg.SessionCookieAge, defaultAge), skew: cmp.Or(cfg.ClockSkew, defaultSkew),
		browserClose: cfg.SessionExpireAtBrowserClose,
	}
	errs := []error{c.set.Check("django")}
	if c.age < time.Second || c.age > maxAge || c.age%time.Second != 0 {
		errs = append(errs, fmt.Errorf("django: SessionCookieAge %v is not whole seconds from one to 400 days", c.age))
	}
	if c.skew < 0 || c.skew > maxAge {
		errs = append(errs, fmt.Errorf("django: ClockSkew %v is outside 0 to 400 days", c.skew))
	}
	if cfg.AllowSHA1 && fips.Only() {
		errs = append(errs, errors.New("django: AllowSHA1 cannot be used under GODEBUG=fips140=only; leave it out where no cookie of Django 3.0 is left"))
	}
	errs = append(errs, c.derive(cfg))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cookies) derive(cfg Config) error {
	secrets := append([]string{cfg.SecretKey}, cfg.SecretKeyFallbacks...)
	salt := cmp.Or(cfg.Salt, sessionSalt)
	var keys, legacy [][]byte
	var errs []error
	for i, secret := range secrets {
		if secret == "" && i == 0 {
			errs = append(errs, errors.New("django: SecretKey is empty; take SECRET_KEY of the Django project"))
		} else if secret == "" {
			errs = append(errs, fmt.Errorf("django: SecretKeyFallbacks[%d] is empty", i-1))
		}
		keys = append(keys, signerKey(sha256.New, salt, secret))
		if cfg.AllowSHA1 && !fips.Only() {
			legacy = append(legacy, signerKey(sha1.New, salt, secret))
		}
	}
	c.secrets = func() []string { return secrets }
	c.keys = func() [][]byte { return keys }
	c.legacy = func() [][]byte { return legacy }
	return errors.Join(errs...)
}

// signerKey is hash(salt + "signer" + secret).
func signerKey(h func() hash.Hash, salt, secret string) []byte {
	d := h()
	d.Write([]byte(salt + "signer" + secret))
	return d.Sum(nil)
}

func mac(h func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(h, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

var (
	errPickle = fmt.Errorf("django: the session is a pickle, which is a program and not data; set SESSION_SERIALIZER = \"django.contrib.sessions.serializers.JSONSerializer\" one release earlier, so that sessions are written again: %w", signet.ErrInvalid)
	errServer = fmt.Errorf("django: the cookie is the id of a session that Django keeps on the server; set SESSION_ENGINE = \"django.contrib.sessions.backends.signed_cookies\" one release earlier: %w", signet.ErrInvalid)
)

// Open opens the session that a request's cookies carry. Issued is when Django last wrote it, and
// Expires the sooner of SESSION_COOKIE_AGE and what set_expiry asked for.
//
// The error is [http.ErrNoCookie] if there is no such cookie; signet.ErrExpired for one that is too
// old; signet.ErrClockSkew for one stamped in the future; and one that wraps signet.ErrInvalid for every
// other, which says what to set in Django first where that helps. It implements [signet.ForeignFormat].
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	return c.set.Open(cookies, func(value string) (*signet.Foreign, error) { return c.open(value, now) })
}

func (c *Cookies) open(value string, now time.Time) (*signet.Foreign, error) {
	if isSessionID(value) {
		return nil, errServer
	}
	signed, index, ok := authentic(value, c.keys(), c.legacy())
	if !ok {
		return nil, signet.ErrInvalid
	}
	body, issued, err := c.timely(signed, c.age, now)
	if err != nil {
		return nil, err
	}
	claims, err := python.Decode(body)
	switch {
	case err == nil && len(claims) > 0 && claims[0] == 0x80:
		return nil, errPickle
	case err == nil:
		claims = python.Latin1(claims)
		err = object.Check(claims)
	}
	if err == signet.ErrInvalid {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("django: %w", err)
	}
	expires := c.expires(claims, issued)
	if !now.Before(expires) {
		return nil, signet.ErrExpired
	}
	return &signet.Foreign{Claims: claims, Issued: issued, Expires: expires, KeyIndex: index}, nil
}

// isSessionID tells the id of a session on the server: 32 characters of a-z and 0-9.
func isSessionID(value string) bool {
	return len(value) == 32 && strings.Trim(value, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// authentic returns what the MAC at the end of value covers, and which key made it. The
// length of the MAC says which hash.
func authentic(value string, keys, legacy [][]byte) (signed string, index int, ok bool) {
	at := strings.LastIndexByte(value, ':')
	if at < 0 {
		return "", 0, false
	}
	sum, ok := base64url.AppendDecode(nil, value[at+1:])
	if !ok {
		return "", 0, false
	}
	h := sha256.New
	if len(sum) == sha1.Size {
		h, keys = sha1.New, legacy
	}
	for i, key := range keys {
		if hmac.Equal(sum, mac(h, key, value[:at])) {
			return value[:at], i, true
		}
	}
	return "", 0, false
}

// timely takes the stamp off, and holds it against the clock, whose fractions of a second count.
func (c *Cookies) timely(signed string, age time.Duration, now time.Time) (body string, issued time.Time, err error) {
	at := strings.LastIndexByte(signed, ':')
	if at < 0 {
		return "", issued, signet.ErrInvalid
	}
	seconds, ok := parseBase62(signed[at+1:])
	if !ok {
		return "", issued, signet.ErrInvalid
	}
	issued = time.Unix(seconds, 0).UTC()
	switch {
	case issued.Sub(now) > c.skew:
		return "", issued, signet.ErrClockSkew
	case now.Sub(issued) > age:
		return "", issued, signet.ErrExpired
	}
	return signed[:at], issued, nil
}

// expires is when the session ends. At an age of SESSION_COOKIE_AGE itself it still opens.
func (c *Cookies) expires(claims []byte, issued time.Time) time.Time {
	end := issued.Add(c.age + time.Nanosecond)
	switch limit, at := expiry(claims); {
	case !at.IsZero() && at.Before(end):
		return at
	case limit > 0 && limit < c.age:
		return issued.Add(limit)
	}
	return end
}

// expiry is what set_expiry left: a number of seconds, or a time.
func expiry(claims []byte) (time.Duration, time.Time) {
	o, err := object.Parse(claims)
	if err != nil {
		return -1, time.Time{}
	}
	left, _ := o.Get("_session_expiry")
	if n, ok := object.Int(left); ok && n >= 0 {
		return time.Duration(min(n, int64(maxAge/time.Second))) * time.Second, time.Time{}
	}
	var text string
	if json.Unmarshal(left, &text) == nil {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return -1, at.UTC()
		}
	}
	return -1, time.Time{}
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func parseBase62(text string) (n int64, ok bool) {
	if text == "" || len(text) > 11 {
		return 0, false
	}
	for i := range len(text) {
		digit := strings.IndexByte(base62, text[i])
		if n = n*62 + int64(digit); digit < 0 || n >= 1<<40 {
			return 0, false
		}
	}
	return n, true
}

func appendBase62(b []byte, n int64) []byte {
	if n >= 62 {
		b = appendBase62(b, n/62)
	}
	return append(b, base62[n%62])
}

// Seal makes the cookie that Django would set for a session, signed with SecretKey. Keep what Open gave and
// your program does not know: Django logs out who loses _auth_user_hash. Empty claims delete the cookie.
// It returns a [*signet.TooLargeError] for a cookie that browsers would drop.
func (c *Cookies) Seal(claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	if err := object.Check(claims); err != nil {
		return nil, fmt.Errorf("django: these claims would make Django fail: %w", err)
	}
	text, err := python.ASCII(claims)
	if err != nil {
		return nil, fmt.Errorf("django: %w", err)
	}
	if string(text) == "{}" {
		return c.Clear([]*http.Cookie{{Name: c.set.Name}}), nil
	}
	o, err := object.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("django: %w", err)
	}
	signed := string(appendBase62([]byte(python.Encode(text)+":"), now.Unix()))
	value := base64url.Append([]byte(signed+":"), mac(sha256.New, c.keys()[0], signed))
	fresh := c.set.Whole(string(value), c.life(text, now))
	if err := cookieset.Fits(fresh, 1, o.Largest()); err != nil {
		return nil, err
	}
	return fresh, nil
}

// life is how long a browser keeps the cookie.
func (c *Cookies) life(claims []byte, now time.Time) cookieset.Life {
	limit, at := expiry(claims)
	switch {
	case limit == 0 || limit < 0 && at.IsZero() && c.browserClose:
		return cookieset.Life{}
	case !at.IsZero():
		limit = max(at.Sub(now), time.Second)
	case limit < 0:
		limit = c.age
	}
	return cookieset.Life{MaxAge: limit, Expires: now.UTC().Add(limit)}
}

// Update is Seal for a visitor whose request carried cookies, as the formats with several cookies need it.
func (c *Cookies) Update(cookies []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	fresh, err := c.Seal(claims, now)
	if err != nil {
		return nil, err
	}
	return c.set.Replace(cookies, fresh), nil
}

// Clear makes the cookies that log out a visitor whose request carried these.
func (c *Cookies) Clear(cookies []*http.Cookie) []*http.Cookie { return c.set.Expired(cookies) }

// Signed returns the value that set_signed_cookie put into a cookie, as request.get_signed_cookie(name,
// salt=salt, max_age=maxAge) does. Without a max_age Django takes such a cookie for ever; here a maxAge of zero is
// an error. A value that holds a space, a comma, a quote or anything above ASCII is not read: net/http
// drops such cookies.
func (c *Cookies) Signed(cookies []*http.Cookie, name, salt string, maxAge time.Duration, now time.Time) (string, error) {
	if maxAge <= 0 {
		return "", errors.New("django: Signed needs a maxAge: without one the cookie is good for ever")
	}
	one := cookieset.Set{Name: name, Raw: true, LastWins: true}
	var keys [][]byte
	for _, secret := range c.secrets() {
		keys = append(keys, signerKey(sha256.New, name+salt, "django.http.cookies"+secret))
	}
	f, err := one.Open(cookies, func(value string) (*signet.Foreign, error) {
		signed, _, ok := authentic(value, keys, nil)
		if !ok {
			return nil, signet.ErrInvalid
		}
		text, _, err := c.timely(signed, maxAge, now)
		return &signet.Foreign{Claims: json.RawMessage(text)}, err
	})
	if err != nil {
		return "", err
	}
	return string(f.Claims), nil
}

// Format prints the cookie's name alone, for every verb.
func (c *Cookies) Format(f fmt.State, _ rune) {
	name := ""
	if c != nil {
		name = c.set.Name
	}
	fmt.Fprintf(f, "django.Cookies(%s)", name)
}

// LogValue is the cookie's name alone.
func (c *Cookies) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON writes the cookie's name alone.
func (c *Cookies) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }
