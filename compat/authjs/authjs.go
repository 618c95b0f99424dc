// Package authjs opens and writes the session cookies of Auth.js 5 (@auth/core, and so next-auth 5,
// @auth/sveltekit, @auth/express) and of next-auth 4, where their session strategy is "jwt", as it is by default.
//
// Going from version 4 to 5 logs everyone out, since the cookie has another name, another key and another
// encryption. A program with this package that reads both and writes 5 does not:
//
//	authjs.New(authjs.Config{Secrets: []string{secret}, AcceptV4: true})
//
// With the strategy "database" the cookie holds an id alone, and with an encode of one's own it is not this
// format: there is nothing to move.
package authjs

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/jwedir"
	"github.com/signet-go/signet/compat/internal/object"
	"github.com/signet-go/signet/compat/internal/uuid"
)

// Config has the words of Auth.js.
type Config struct {
	// Secrets are AUTH_SECRET (NEXTAUTH_SECRET in version 4); of several, the first seals. Text that looks like
	// base64 or hexadecimal is not decoded, as there.
	Secrets []string
	// CookieName is the session cookie's: empty is "__Secure-authjs.session-token", and without the
	// prefix with DangerouslyAllowHTTP. In version 5 the key depends on the name.
	CookieName string
	// MaxAge is session.maxAge for what is written here; zero is 30 days, as there.
	MaxAge time.Duration
	// V4 reads and writes the cookies of next-auth 4 instead, of the name
	// "__Secure-next-auth.session-token" unless CookieName says otherwise.
	V4 bool
	// AcceptV4 reads the cookies of next-auth 4 beside those of version 5, where a request has none of these, and
	// expires them when version 5 is written.
	AcceptV4 bool
	// V4CookieName is their name with AcceptV4; empty is the default of version 4.
	V4CookieName string

	// Domain, Path and SameSite are those of cookies.sessionToken.options: empty is this host, "/" and Lax.
	Domain, Path string
	SameSite     http.SameSite
	// DangerouslyAllowHTTP is useSecureCookies: false, as Auth.js has it for sites on http.
	DangerouslyAllowHTTP bool
}

const (
	nameV4, nameV5 = "next-auth.session-token", "authjs.session-token"
	sizeV4, sizeV5 = 3933, 3936 // characters of a chunk
	thirtyDays     = 30 * 24 * time.Hour
	tolerance      = 15 * time.Second // of exp, nbf
	maxSecrets     = 16
	maxWritten     = 4 // cookies of one session
)

// Cookies opens and makes the session's cookies. It is safe for concurrent use, and printing it
// shows no secret.
type Cookies struct {
	formats []format // the first is written
	maxAge  time.Duration
}

// format is one of the two versions under one name.
type format struct {
	set   cookieset.Set
	split int
	keys  []key
	// knows tells a header of this format whose key is not among keys.
	knows func(header string) bool
}

// key is one secret's, with the one header that the package writes with it.
type key struct {
	jwedir.Key
	header, encoded string
}

// New derives the keys and returns all of a configuration's problems, joined. It works under
// GODEBUG=fips140=only with secrets of at least 14 bytes.
func New(cfg Config) (*Cookies, error) {
	c := &Cookies{maxAge: cfg.MaxAge}
	if c.maxAge == 0 {
		c.maxAge = thirtyDays
	}
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	keep(cfg.check())
	if !cfg.V4 {
		f, err := cfg.v5(cfg.CookieName)
		keep(err)
		c.formats = append(c.formats, f)
	}
	if cfg.V4 || cfg.AcceptV4 {
		name := cfg.V4CookieName
		if cfg.V4 {
			name = cfg.CookieName
		}
		f, err := cfg.v4(name)
		keep(err)
		c.formats = append(c.formats, f)
	}
	if len(c.formats) == 2 && strings.HasPrefix(c.formats[1].set.Name, c.formats[0].set.Name) {
		keep(fmt.Errorf("authjs: V4CookieName %q begins with CookieName %q; Auth.js would join the two", c.formats[1].set.Name, c.formats[0].set.Name))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

func (cfg Config) check() error {
	var errs []error
	if len(cfg.Secrets) == 0 || len(cfg.Secrets) > maxSecrets {
		errs = append(errs, fmt.Errorf("authjs: %d Secrets, where 1 to %d are needed", len(cfg.Secrets), maxSecrets))
	}
	for i, secret := range cfg.Secrets {
		if secret == "" {
			errs = append(errs, fmt.Errorf("authjs: Secrets[%d] is empty", i))
		}
	}
	if cfg.MaxAge < 0 || cfg.MaxAge > 0 && cfg.MaxAge < time.Second {
		errs = append(errs, fmt.Errorf("authjs: MaxAge %v is under a second; leave it zero for 30 days", cfg.MaxAge))
	}
	if cfg.V4 && cfg.AcceptV4 {
		errs = append(errs, errors.New("authjs: give V4 or AcceptV4, not both"))
	}
	if cfg.V4CookieName != "" && !cfg.AcceptV4 {
		errs = append(errs, errors.New("authjs: V4CookieName is of no use without AcceptV4; with V4 give CookieName"))
	}
	return errors.Join(errs...)
}

func (cfg Config) set(name, fallback string) cookieset.Set {
	if name == "" {
		name = fallback
		if !cfg.DangerouslyAllowHTTP {
			name = "__Secure-" + fallback
		}
	}
	s := cookieset.Set{
		Name: name, Separator: ".", Domain: cfg.Domain, Path: cfg.Path, SameSite: cfg.SameSite,
		Secure: !cfg.DangerouslyAllowHTTP, HTTPOnly: true,
	}
	if s.Path == "" {
		s.Path = "/"
	}
	if s.SameSite == 0 {
		s.SameSite = http.SameSiteLaxMode
	}
	return s
}

func (cfg Config) v5(name string) (format, error) {
	f := format{set: cfg.set(name, nameV5), split: sizeV5, knows: otherV5}
	f.set.Complete = jwedir.CompleteCBC
	errs := []error{f.set.Check("authjs")}
	// The name is the salt, so a cookie under another name, __Secure- or not, does not open.
	info := "Auth.js Generated Encryption Key (" + f.set.Name + ")"
	for i, secret := range cfg.Secrets {
		raw, err := jwedir.Derive(secret, f.set.Name, info, jwedir.CBCKey)
		if err != nil {
			errs = append(errs, fmt.Errorf("authjs: Secrets[%d]: %w", i, err))
			continue
		}
		k, err := jwedir.NewCBC(raw)
		errs = append(errs, err)
		f.keys = append(f.keys, newKey(k, beforeKID+thumbprint(raw)+`"}`))
	}
	return f, errors.Join(errs...)
}

const beforeKID = `{"alg":"dir","enc":"A256CBC-HS512","kid":"`

func newKey(k jwedir.Key, header string) key { return key{k, header, jwedir.Header(header)} }

// thumbprint is that of RFC 7638, with SHA-512 since the key has 512 bits.
func thumbprint(raw []byte) string {
	sum := sha512.Sum512([]byte(`{"k":"` + base64.RawURLEncoding.EncodeToString(raw) + `","kty":"oct"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// otherV5 tells a header of this format by its beginning and its length: what differs can only be the kid.
func otherV5(header string) bool {
	written := jwedir.Header(beforeKID + strings.Repeat("A", 86) + `"}`)
	const whole = len(beforeKID) / 3 * 4 // characters of whole groups of three bytes
	return len(header) == len(written) && header[:whole] == written[:whole]
}

func (cfg Config) v4(name string) (format, error) {
	f := format{set: cfg.set(name, nameV4), split: sizeV4, knows: func(string) bool { return false }}
	f.set.Complete = jwedir.CompleteGCM
	errs := []error{f.set.Check("authjs")}
	for i, secret := range cfg.Secrets {
		raw, err := jwedir.Derive(secret, "", "NextAuth.js Generated Encryption Key", jwedir.GCMKey)
		if err != nil {
			errs = append(errs, fmt.Errorf("authjs: Secrets[%d]: %w", i, err))
			continue
		}
		k, err := jwedir.NewGCM(raw)
		errs = append(errs, err)
		f.keys = append(f.keys, newKey(k, `{"alg":"dir","enc":"A256GCM"}`))
	}
	return f, errors.Join(errs...)
}

// Open finds and opens the session that a request's cookies carry, as [signet.ForeignFormat] has it. The claims are
// the token's, with its iat, exp and jti. Expires is the first instant at which Auth.js would refuse it: 15
// seconds after exp.
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	var f *signet.Foreign
	err := http.ErrNoCookie
	for _, v := range c.formats {
		f, err = v.set.Open(cookies, func(value string) (*signet.Foreign, error) { return v.open(value, now) })
		if !errors.Is(err, http.ErrNoCookie) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	f.Cookies = c.Clear(cookies)
	return f, nil
}

func (f format) open(value string, now time.Time) (*signet.Foreign, error) {
	t, ok := jwedir.Split(value)
	if !ok {
		return nil, signet.ErrInvalid
	}
	candidates := false
	for i, k := range f.keys {
		if k.encoded != t.Header {
			continue
		}
		candidates = true
		if claims, ok := k.Open(t); ok {
			return check(claims, i, now)
		}
	}
	if !candidates && f.knows(t.Header) {
		return nil, signet.ErrUnknownKey
	}
	return nil, signet.ErrInvalid
}

// check reads the times of claims that have authenticated. Auth.js accepts a token without exp for
// ever; it never writes one, and here it is refused.
func check(claims []byte, index int, now time.Time) (*signet.Foreign, error) {
	o, err := object.Parse(claims)
	if err != nil {
		return nil, signet.ErrInvalid
	}
	f := &signet.Foreign{Claims: claims, KeyIndex: index}
	exp, ok := number(o, "exp")
	if !ok {
		return nil, signet.ErrInvalid
	}
	f.Expires = time.Unix(exp, 0).Add(tolerance)
	if iat, ok := number(o, "iat"); ok {
		f.Issued = time.Unix(iat, 0)
	}
	if !now.Before(f.Expires) {
		return nil, signet.ErrExpired
	}
	if _, has := o.Get("nbf"); has {
		if nbf, ok := number(o, "nbf"); !ok || time.Unix(nbf, 0).After(now.Add(tolerance)) {
			return nil, signet.ErrInvalid
		}
	}
	return f, nil
}

func number(o object.Object, name string) (int64, bool) {
	value, _ := o.Get(name)
	return object.Int(value)
}

// Seal makes the cookies of a session with these claims, a JSON object: version 5, or 4 with Config.V4. It sets iat, exp and
// jti, whatever they were, as Auth.js does at every write. A sub must be a text. The error is a
// *signet.TooLargeError if browsers would drop the cookies.
func (c *Cookies) Seal(claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	return c.Update(nil, claims, now)
}

// Update is Seal for a visitor whose request carried cookies: those that the new ones do not replace, of
// either version, are expired in the same answer. Auth.js joins all cookies whose names begin alike, so one
// that stays behind would log the visitor out.
func (c *Cookies) Update(cookies []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	o, err := object.Parse(claims)
	if err != nil {
		return nil, fmt.Errorf("authjs: the claims are %w", err)
	}
	if sub, has := o.Get("sub"); has && sub[0] != '"' {
		return nil, errors.New("authjs: the claim sub is not a text")
	}
	f := c.formats[0]
	end := now.Add(c.maxAge)
	// With sub, iat, exp and jti the token is a JWT; an nbf would hold back what was just written.
	o = o.Without("nbf").SetInt("iat", now.Unix()).SetInt("exp", end.Unix()).SetString("jti", uuid.New())
	fresh := f.set.Split(f.keys[0].Seal(f.keys[0].header, o.Text()), f.split, cookieset.Life{Expires: end})
	if err := cookieset.Fits(fresh, maxWritten, o.Largest()); err != nil {
		return nil, err
	}
	fresh = f.set.Replace(cookies, fresh)
	for _, other := range c.formats[1:] {
		fresh = append(fresh, other.set.Expired(cookies)...)
	}
	return fresh, nil
}

// Clear makes the cookies that log out a visitor whose request carried these.
func (c *Cookies) Clear(cookies []*http.Cookie) []*http.Cookie {
	var gone []*http.Cookie
	for _, f := range c.formats {
		gone = append(gone, f.set.Expired(cookies)...)
	}
	return gone
}
