// Package flask opens and seals the session cookies of Flask, so that visitors stay logged
// in when an application moves to Go, or while it runs in both.
//
// Such a cookie is signed, not encrypted: its owner can read it. Its MAC is HMAC-SHA1 under a key
// derived from SECRET_KEY, which signs password-reset links and the like, too.
package flask

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
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

// Config is a Flask application's, in its own words. SecretKey is required.
type Config struct {
	// SecretKey is SECRET_KEY, app.secret_key: the same text, or the same bytes. It seals, and is tried first.
	SecretKey string
	// SecretKeyFallbacks is SECRET_KEY_FALLBACKS: older secrets, which only open. In Flask 3.1.0 the
	// last of them sealed (CVE-2025-47278), so list them here when moving from that.
	SecretKeyFallbacks []string
	// SessionCookieName is SESSION_COOKIE_NAME; empty is session.
	SessionCookieName string
	// PermanentSessionLifetime is PERMANENT_SESSION_LIFETIME, by which Flask ends every session, also one
	// that is not permanent. Whole seconds; zero is 31 days.
	PermanentSessionLifetime time.Duration
	// SessionCookieDomain is SESSION_COOKIE_DOMAIN; empty is this host alone.
	SessionCookieDomain string
	// SessionCookiePath is SESSION_COOKIE_PATH, or else APPLICATION_ROOT; empty is /.
	SessionCookiePath string
	// SessionCookieSecure is SESSION_COOKIE_SECURE, SessionCookieSameSite SESSION_COOKIE_SAMESITE (zero sends
	// none, as Flask) and SessionCookiePartitioned SESSION_COOKIE_PARTITIONED.
	SessionCookieSecure      bool
	SessionCookieSameSite    http.SameSite
	SessionCookiePartitioned bool
	// DangerouslyAllowScripts is SESSION_COOKIE_HTTPONLY = False: any script of the page reads the session.
	DangerouslyAllowScripts bool
	// DangerouslyAllowWeakSecret takes secrets that others guess: shorter than 16 bytes, or printed in
	// documentation. Who guesses it logs in as anybody (CVE-2023-27524).
	DangerouslyAllowWeakSecret bool
	// Salt and Digest are salt and digest_method of a customised session interface. Empty is
	// cookie-session and sha1; the others are sha256 and sha512.
	Salt, Digest string
	// ClockSkew is by how much a cookie may be stamped ahead of this machine's clock, less than a minute. Flask
	// allows none, and neither does zero.
	ClockSkew time.Duration
}

const (
	defaultLifetime = 31 * 24 * time.Hour
	maxLifetime     = 400 * 24 * time.Hour
	sealBehind      = 5 // seconds: a Flask whose clock is behind refuses a stamp ahead of it
	minSecret       = 16
)

// Cookies opens and seals a Flask application's sessions. It is safe for concurrent use, and
// prints its cookie's name alone.
type Cookies struct {
	set            cookieset.Set
	lifetime, skew int64
	// A closure, since fmt prints the bytes of an unexported field but only the address of a function.
	keys func() []signer
}

type signer struct {
	key    []byte
	digest func() hash.Hash
}

// New makes Cookies, deriving a key of each secret. It returns all of cfg's problems, joined. Under
// GODEBUG=fips140=only it works with Digest sha256 or sha512 and long secrets, and otherwise returns an error.
func New(cfg Config) (*Cookies, error) {
	cfg = cfg.withDefaults()
	c := &Cookies{
		set: cookieset.Set{
			Raw: true, Name: cfg.SessionCookieName, Domain: cfg.SessionCookieDomain, Path: cfg.SessionCookiePath,
			Secure: cfg.SessionCookieSecure, HTTPOnly: !cfg.DangerouslyAllowScripts,
			SameSite: cfg.SessionCookieSameSite, Partitioned: cfg.SessionCookiePartitioned,
		},
		lifetime: int64(cfg.PermanentSessionLifetime / time.Second),
		skew:     int64(cfg.ClockSkew / time.Second),
	}
	keys, err := cfg.signers()
	if err := errors.Join(c.set.Check("flask"), cfg.checkTimes(), err); err != nil {
		return nil, err
	}
	c.keys = func() []signer { return keys }
	return c, nil
}

func (cfg Config) withDefaults() Config {
	orElse := func(s *string, otherwise string) {
		if *s == "" {
			*s = otherwise
		}
	}
	orElse(&cfg.SessionCookieName, "session")
	orElse(&cfg.SessionCookiePath, "/")
	orElse(&cfg.Salt, "cookie-session")
	orElse(&cfg.Digest, "sha1")
	if cfg.PermanentSessionLifetime == 0 {
		cfg.PermanentSessionLifetime = defaultLifetime
	}
	return cfg
}

func (cfg Config) checkTimes() error {
	var errs []error
	if d := cfg.PermanentSessionLifetime; d < time.Second || d > maxLifetime {
		errs = append(errs, fmt.Errorf("flask: PermanentSessionLifetime %v is outside one second to 400 days", d))
	}
	if d := cfg.ClockSkew; d < 0 || d >= time.Minute {
		errs = append(errs, fmt.Errorf("flask: ClockSkew %v is outside 0 to a minute; set the clocks", d))
	}
	return errors.Join(errs...)
}

var digests = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// signers derives key = HMAC(secret, salt) of each secret.
func (cfg Config) signers() ([]signer, error) {
	digest, ok := digests[cfg.Digest]
	if !ok {
		return nil, fmt.Errorf("flask: Digest %q is none of sha1, sha256, sha512", cfg.Digest)
	}
	var keys []signer
	var errs []error
	for i, secret := range append([]string{cfg.SecretKey}, cfg.SecretKeyFallbacks...) {
		field := "SecretKey"
		if i > 0 {
			field = fmt.Sprintf("SecretKeyFallbacks[%d]", i-1)
		}
		if reason := cfg.weakness(secret); reason != "" {
			errs = append(errs, fmt.Errorf("flask: %s %s", field, reason))
			continue
		}
		if fips.Only() && (cfg.Digest == "sha1" || len(secret) < fips.MinKey) {
			errs = append(errs, fmt.Errorf("flask: %s with Digest %s cannot be used under GODEBUG=fips140=only, which has no HMAC-SHA1 and no keys under %d bytes", field, cfg.Digest, fips.MinKey))
			continue
		}
		keys = append(keys, signer{signer{[]byte(secret), digest}.mac(cfg.Salt), digest})
	}
	return keys, errors.Join(errs...)
}

// published are secrets of documentation and defaults, which attackers try first.
var published = []string{
	"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf", // Flask's configuration page
	"_5#y2L\"F4Q8z\n\xec]/",                        // Flask's quick start
	"\x02\x01thisismyscretkey\x01\x02\\e\\y\\y\\h", // Apache Superset, CVE-2023-27524
}

func (cfg Config) weakness(secret string) string {
	if secret == "" {
		return "is empty; take SECRET_KEY of the Flask application"
	}
	if cfg.DangerouslyAllowWeakSecret {
		return ""
	}
	if len(secret) < minSecret {
		return fmt.Sprintf("has %d bytes, and anything under %d is guessed; set DangerouslyAllowWeakSecret only to move away from it", len(secret), minSecret)
	}
	for _, p := range published {
		if secret == p {
			return "is printed in public documentation; set DangerouslyAllowWeakSecret only to move away from it"
		}
	}
	return ""
}

// Open opens the session that a request's cookies carry. Its Claims are the JSON as Flask wrote it, with
// tags for what JSON has not: see [Untag] and [Flashes]. Issued is when Flask last wrote it.
//
// The error is [http.ErrNoCookie] if there is no such cookie; signet.ErrExpired for one older than
// PermanentSessionLifetime; signet.ErrClockSkew for one stamped in the future; and signet.ErrInvalid
// for every other. It implements [signet.ForeignFormat].
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	return c.set.Open(cookies, func(value string) (*signet.Foreign, error) { return c.open(value, now) })
}

func (c *Cookies) open(value string, now time.Time) (*signet.Foreign, error) {
	signed, index, ok := c.authentic(value)
	if !ok {
		return nil, signet.ErrInvalid
	}
	at := strings.LastIndexByte(signed, '.') // the payload itself may begin with a dot
	if at < 0 {
		return nil, signet.ErrInvalid
	}
	issued, ok := stamp(signed[at+1:])
	if !ok {
		return nil, signet.ErrInvalid
	}
	switch age := now.Unix() - issued; {
	case age < -c.skew:
		return nil, signet.ErrClockSkew
	case age > c.lifetime:
		return nil, signet.ErrExpired
	}
	claims, err := python.Decode(signed[:at])
	if err == nil {
		err = check(claims)
	}
	if err == signet.ErrInvalid {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("flask: %w", err)
	}
	return &signet.Foreign{
		Claims: claims, KeyIndex: index,
		Issued:  time.Unix(issued, 0).UTC(),
		Expires: time.Unix(issued+c.lifetime+1, 0).UTC(), // at an age of the lifetime itself it still opens
	}, nil
}

// authentic returns what the MAC at the end of value covers, and which key made it.
func (c *Cookies) authentic(value string) (signed string, index int, ok bool) {
	at := strings.LastIndexByte(value, '.')
	if at < 0 {
		return "", 0, false
	}
	mac, ok := base64url.AppendDecode(nil, value[at+1:])
	if !ok {
		return "", 0, false
	}
	for i, k := range c.keys() {
		if hmac.Equal(mac, k.mac(value[:at])) {
			return value[:at], i, true
		}
	}
	return "", 0, false
}

func (k signer) mac(text string) []byte {
	m := hmac.New(k.digest, k.key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// stamp reads Unix seconds: their big-endian bytes, at most eight.
func stamp(text string) (int64, bool) {
	raw, ok := base64url.AppendDecode(nil, text)
	if !ok || len(raw) == 0 || len(raw) > 8 {
		return 0, false
	}
	var wide [8]byte
	copy(wide[8-len(raw):], raw)
	seconds := binary.BigEndian.Uint64(wide[:])
	return int64(seconds), seconds < 1<<40
}

func appendStamp(b []byte, seconds int64) []byte {
	wide := binary.BigEndian.AppendUint64(nil, uint64(seconds))
	return base64url.Append(b, bytes.TrimLeft(wide, "\x00"))
}

// Seal makes the cookie that Flask would set for a session, signed with SecretKey. The claims are as Open
// gives them: change what you need and keep the rest, with its tags. If their _permanent is
// true, the cookie gets an Expires, as session.permanent does. Empty claims delete the cookie.
//
// It returns a [*signet.TooLargeError] for a cookie that browsers would drop, and an error for
// claims that would make Flask fail. The cookie is stamped 5 seconds in the past, since Flask refuses
// a stamp ahead of its clock.
func (c *Cookies) Seal(claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	if err := check(claims); err != nil {
		return nil, fmt.Errorf("flask: these claims would make Flask fail: %w", err)
	}
	text, err := python.ASCII(claims)
	if err != nil {
		return nil, fmt.Errorf("flask: %w", err)
	}
	if string(text) == "{}" {
		return c.Clear([]*http.Cookie{{Name: c.set.Name}}), nil
	}
	signed := appendStamp([]byte(python.Encode(text)+"."), now.Unix()-sealBehind)
	value := string(base64url.Append(append(signed, '.'), c.keys()[0].mac(string(signed))))
	fresh := c.set.Whole(value, cookieset.Life{Expires: c.expires(text, now)})
	o, err := object.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("flask: %w", err)
	}
	if err := cookieset.Fits(fresh, 1, o.Largest()); err != nil {
		return nil, err
	}
	return fresh, nil
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

// expires is that of the cookie; zero is until the browser ends.
func (c *Cookies) expires(claims []byte, now time.Time) time.Time {
	o, err := object.Parse(claims)
	if err != nil {
		return time.Time{}
	}
	if permanent, _ := o.Get("_permanent"); string(permanent) != "true" {
		return time.Time{}
	}
	return now.UTC().Add(time.Duration(c.lifetime) * time.Second)
}

// Format prints the cookie's name alone, for every verb.
func (c *Cookies) Format(f fmt.State, _ rune) {
	name := ""
	if c != nil {
		name = c.set.Name
	}
	fmt.Fprintf(f, "flask.Cookies(%s)", name)
}

// LogValue is the cookie's name alone.
func (c *Cookies) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON writes the cookie's name alone.
func (c *Cookies) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }
