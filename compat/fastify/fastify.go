// Package fastify opens and writes the session cookies of @fastify/secure-session.
//
// The cookie is encrypted with XSalsa20-Poly1305. Its name is not part of what is sealed: give
// each of several sessions a key of its own. Cookies with the option signed are not supported.
package fastify

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/nacl/secretbox"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/object"
)

// Config has the words of the plugin's own options.
type Config struct {
	// Keys are the option key: 32 bytes each. Of several, the first seals and each is tried.
	// Decode a key that is configured as base64 text.
	Keys [][]byte
	// Secret and Salt are the options of the same names, instead of Keys. New then derives the key as
	// [DeriveKey] does, once, which takes a second and 256 MiB. Better derive it beforehand and give Keys.
	Secret string
	Salt   []byte
	// CookieName is cookieName: empty is "session". It is sessionName there if only that is set.
	CookieName string
	// Expiry is the option expiry: how long a session lives that is not written. Zero is 86,401 seconds, as there.
	Expiry time.Duration

	// Domain and Path are those of cookie. With no Path there is none there, either: the browser then takes the
	// directory of the page that set the cookie, so most sites have "/" here.
	Domain, Path string
	// SameSite is that of cookie: zero is Lax.
	SameSite http.SameSite
	// DangerouslyAllowHTTP writes cookies without Secure, as the plugin does unless cookie.secure is set.
	DangerouslyAllowHTTP bool
}

const (
	keySize, nonceSize, saltSize = 32, 24, 16
	minSecret                    = 32 // bytes
	maxSecrets                   = 16
	defaultExpiry                = 86401 * time.Second
	maxNumber                    = 1 << 40 // Unix seconds that a time.Time holds well

	// crypto_pwhash with OPSLIMIT_MODERATE and MEMLIMIT_MODERATE.
	argonTime, argonMemory, argonThreads = 3, 256 << 10, 1
)

// The salt that the plugin takes if none is configured.
var builtInSalt = []byte{0x9a, 0xaf, 0x61, 0x0f, 0x10, 0x55, 0x0d, 0xbb, 0x29, 0x0d, 0x1e, 0xa7, 0x2d, 0xf1, 0x53, 0xd6}

// Cookies opens and makes the session's cookie. It is safe for concurrent use, and printing it
// shows no key.
type Cookies struct {
	set    cookieset.Set
	keys   func() [][keySize]byte
	expiry time.Duration
}

// New returns all of a configuration's problems, joined. Under GODEBUG=fips140=only it always returns an
// error: XSalsa20-Poly1305 is not approved.
func New(cfg Config) (*Cookies, error) {
	if cfg.CookieName == "" {
		cfg.CookieName = "session"
	}
	if cfg.SameSite == 0 {
		cfg.SameSite = http.SameSiteLaxMode
	}
	if cfg.Expiry == 0 {
		cfg.Expiry = defaultExpiry
	}
	c := &Cookies{
		set: cookieset.Set{
			Name: cfg.CookieName, Domain: cfg.Domain, Path: cfg.Path, SameSite: cfg.SameSite,
			Secure: !cfg.DangerouslyAllowHTTP, HTTPOnly: true,
		},
		expiry: cfg.Expiry,
	}
	errs := []error{c.set.Check("fastify"), cfg.checkKeys()}
	if cfg.Expiry < time.Second {
		errs = append(errs, fmt.Errorf("fastify: Expiry %v is under a second; leave it zero for 86,401 s", cfg.Expiry))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if cfg.Secret != "" {
		key, err := DeriveKey(cfg.Secret, cfg.Salt)
		if err != nil {
			return nil, err
		}
		cfg.Keys = [][]byte{key}
	}
	var keys [][keySize]byte
	for _, key := range cfg.Keys {
		keys = append(keys, [keySize]byte(key))
	}
	c.keys = func() [][keySize]byte { return keys }
	return c, nil
}

func (cfg Config) checkKeys() error {
	var errs []error
	if fips.Only() {
		errs = append(errs, errors.New("fastify: the format needs XSalsa20-Poly1305, which is not approved under GODEBUG=fips140=only"))
	}
	switch {
	case len(cfg.Keys) > 0 && (cfg.Secret != "" || cfg.Salt != nil):
		errs = append(errs, errors.New("fastify: give Keys, or Secret and Salt, not both"))
	case len(cfg.Keys) > maxSecrets:
		errs = append(errs, fmt.Errorf("fastify: %d Keys are more than %d", len(cfg.Keys), maxSecrets))
	case len(cfg.Keys) == 0 && cfg.Secret == "":
		errs = append(errs, errors.New("fastify: Keys are missing"))
	case cfg.Secret != "":
		errs = append(errs, checkSecret(cfg.Secret, cfg.Salt))
	}
	for i, key := range cfg.Keys {
		if len(key) != keySize {
			errs = append(errs, fmt.Errorf("fastify: Keys[%d] has %d bytes instead of %d; decode it if it is base64 text", i, len(key), keySize))
		}
	}
	return errors.Join(errs...)
}

func checkSecret(secret string, salt []byte) error {
	if len(secret) < minSecret {
		return fmt.Errorf("fastify: Secret has %d bytes, fewer than %d", len(secret), minSecret)
	}
	if salt != nil && len(salt) != saltSize {
		return fmt.Errorf("fastify: Salt has %d bytes instead of %d", len(salt), saltSize)
	}
	return nil
}

// DeriveKey is the key of the options secret and salt, for [Config] Keys: Argon2id, three passes over 256 MiB. No salt
// is the plugin's built-in one. It takes about a second, so call it once, never for a request.
func DeriveKey(secret string, salt []byte) ([]byte, error) {
	if err := checkSecret(secret, salt); err != nil {
		return nil, err
	}
	if salt == nil {
		salt = builtInSalt
	}
	return argon2.IDKey([]byte(secret), salt, argonTime, argonMemory, argonThreads, keySize), nil
}

// Open finds and opens the session that a request's cookies carry, as [signet.ForeignFormat] has it. The claims are the
// session without the plugin's own __ts, which is Issued: when the session last changed. Expires is the first instant at which
// the plugin would refuse it.
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	return c.set.Open(cookies, func(value string) (*signet.Foreign, error) {
		text, index, ok := c.decrypt(value)
		if !ok {
			return nil, signet.ErrInvalid
		}
		o, err := object.Parse(text)
		if err != nil {
			return nil, signet.ErrInvalid
		}
		at, _ := o.Get("__ts")
		ts, ok := object.Int(at)
		if !ok || ts < 0 || ts > maxNumber {
			return nil, signet.ErrInvalid // without a time it never ends there; the plugin always writes one
		}
		f := &signet.Foreign{Claims: o.Without("__ts").Text(), Issued: time.Unix(ts, 0), KeyIndex: index}
		f.Expires = f.Issued.Add(c.expiry)
		if !now.Before(f.Expires) {
			return nil, signet.ErrExpired
		}
		return f, nil
	})
}

// decrypt tries each key: nothing in the cookie says which.
func (c *Cookies) decrypt(value string) (text []byte, index int, ok bool) {
	boxText, nonceText, _ := strings.Cut(value, ";")
	box, err := base64.StdEncoding.Strict().DecodeString(boxText)
	if err != nil || strings.ContainsAny(value, "\r\n") {
		return nil, 0, false
	}
	nonce, err := base64.StdEncoding.Strict().DecodeString(nonceText)
	if err != nil || len(nonce) != nonceSize {
		return nil, 0, false
	}
	for i, key := range c.keys() {
		if text, ok := secretbox.Open(nil, box, (*[nonceSize]byte)(nonce), &key); ok {
			return text, i, true
		}
	}
	return nil, 0, false
}

// Seal makes the cookie of a session with these claims, a JSON object, under the first key. The error is a
// *signet.TooLargeError if browsers would drop it, which the plugin does not notice.
func (c *Cookies) Seal(claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	o, err := object.Parse(claims)
	if err != nil {
		return nil, fmt.Errorf("fastify: the claims are %w", err)
	}
	o = o.SetInt("__ts", now.Round(time.Second).Unix())
	var nonce [nonceSize]byte
	rand.Read(nonce[:])
	key := c.keys()[0]
	box := secretbox.Seal(nil, o.Text(), &nonce, &key)
	encode := base64.StdEncoding.EncodeToString
	fresh := c.set.Whole(url.QueryEscape(encode(box)+";"+encode(nonce[:])), cookieset.Life{})
	return fresh, cookieset.Fits(fresh, 1, o.Largest())
}

// Update is Seal: the format keeps nothing of an older session. It is here since the other formats have it.
func (c *Cookies) Update(_ []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	return c.Seal(claims, now)
}

// Clear makes the cookie that logs out a visitor whose request carried these.
func (c *Cookies) Clear(cookies []*http.Cookie) []*http.Cookie { return c.set.Expired(cookies) }
