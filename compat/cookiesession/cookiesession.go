// Package cookiesession opens the session cookies of Express's cookie-session, to move away from them.
//
// They are signed, not encrypted, and carry no time: everyone can read one, and one that was stolen or is old is
// good for as long as the key is. So a date until which they are accepted must be given, and writing them
// has the danger in its name.
package cookiesession

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/object"
)

// Config has the words of cookie-session.
type Config struct {
	// Name is the option name: empty is "session".
	Name string
	// Keys are the option keys, or the one secret. Each is tried, and the first signs.
	Keys []string
	// Digest is the algorithm of a Keygrip of one's own: "sha1", "sha256" or "sha512". Empty is sha1, as there.
	Digest string
	// AcceptUntil is when the last of these cookies is given up. It is required: they never end by themselves.
	AcceptUntil time.Time

	// Domain, Path and SameSite are the options of the same names: empty is this host, "/" and none, which browsers take for Lax.
	Domain, Path string
	SameSite     http.SameSite
	// DangerouslyAllowHTTP is secure: false, the original's choice on http.
	DangerouslyAllowHTTP bool
}

const (
	maxSecrets = 16
	maxDoubles = 4 // cookies of one name that are tried
	maxCookie  = 4096
)

// Cookies opens the session's two cookies, NAME and NAME.sig. It is safe for concurrent use, and printing it
// shows no key.
type Cookies struct {
	set, signature cookieset.Set
	sign           []func(text string) string // of each key
	acceptUntil    time.Time
}

// New returns all of a configuration's problems, joined. Under GODEBUG=fips140=only the digest must be sha256 or
// sha512 and the keys of at least 14 bytes.
func New(cfg Config) (*Cookies, error) {
	if cfg.Name == "" {
		cfg.Name = "session"
	}
	if cfg.Path == "" {
		cfg.Path = "/"
	}
	c := &Cookies{acceptUntil: cfg.AcceptUntil, set: cookieset.Set{
		Name: cfg.Name, Raw: true, Domain: cfg.Domain, Path: cfg.Path, SameSite: cfg.SameSite,
		Secure: !cfg.DangerouslyAllowHTTP, HTTPOnly: true,
	}}
	c.signature = c.set
	c.signature.Name += ".sig"
	errs := []error{c.set.Check("cookiesession")}
	if cfg.AcceptUntil.IsZero() {
		errs = append(errs, errors.New("cookiesession: AcceptUntil is missing: these cookies carry no time, so say when the last of them is given up"))
	}
	if len(cfg.Keys) == 0 || len(cfg.Keys) > maxSecrets {
		errs = append(errs, fmt.Errorf("cookiesession: %d Keys, where 1 to %d are needed", len(cfg.Keys), maxSecrets))
	}
	digest, err := cfg.digest()
	errs = append(errs, err)
	for i, key := range cfg.Keys {
		switch {
		case key == "":
			errs = append(errs, fmt.Errorf("cookiesession: Keys[%d] is empty", i))
		case fips.Only() && len(key) < fips.MinKey:
			errs = append(errs, fmt.Errorf("cookiesession: Keys[%d] has fewer than %d bytes and cannot be used under GODEBUG=fips140=only", i, fips.MinKey))
		}
		c.sign = append(c.sign, func(text string) string {
			h := hmac.New(digest, []byte(key))
			h.Write([]byte(text))
			return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
		})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

func (cfg Config) digest() (func() hash.Hash, error) {
	switch cfg.Digest {
	case "", "sha1":
		if fips.Only() {
			return nil, errors.New("cookiesession: HMAC-SHA-1 is refused under GODEBUG=fips140=only; give cookie-session a Keygrip with sha256 first")
		}
		return sha1.New, nil
	case "sha256":
		return sha256.New, nil
	case "sha512":
		return sha512.New, nil
	}
	return nil, fmt.Errorf("cookiesession: Digest %q is not sha1, sha256 or sha512", cfg.Digest)
}

// Open finds and opens the session that a request's cookies carry, as [signet.ForeignFormat] has it. Issued and Expires are
// zero: the cookies prove neither. From AcceptUntil on the answer is signet.ErrExpired.
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	values, signatures := named(cookies, c.set.Name), named(cookies, c.signature.Name)
	if len(values) == 0 {
		return nil, http.ErrNoCookie
	}
	if len(signatures) == 0 {
		return nil, signet.ErrTorn
	}
	for _, value := range values {
		index, ok := c.verify(value, signatures)
		if !ok {
			continue
		}
		if !now.Before(c.acceptUntil) {
			return nil, signet.ErrExpired
		}
		claims, err := base64.StdEncoding.Strict().DecodeString(value)
		if err != nil || !object.Is(claims) {
			return nil, signet.ErrInvalid
		}
		return &signet.Foreign{Claims: claims, KeyIndex: index, Cookies: c.Clear(cookies)}, nil
	}
	return nil, signet.ErrInvalid
}

// named are the different values of that name, in order, at most four.
func named(cookies []*http.Cookie, name string) []string {
	var values []string
	for _, c := range cookies {
		if c.Name == name && c.Value != "" && len(c.Value) <= maxCookie && len(values) < maxDoubles && !slices.Contains(values, c.Value) {
			values = append(values, c.Value)
		}
	}
	return values
}

func (c *Cookies) verify(value string, signatures []string) (index int, ok bool) {
	for i, sign := range c.sign {
		want := []byte(sign(c.set.Name + "=" + value))
		for _, s := range signatures {
			if subtle.ConstantTimeCompare(want, []byte(s)) == 1 {
				return i, true
			}
		}
	}
	return 0, false
}

// DangerouslySeal makes the two cookies of a session with these claims, a JSON object, signed by the first key. Everyone who
// sees them can read the claims; and whoever has a copy has the session, whatever is logged out or changed, until
// the key is given up. Use it only to let a visitor go back to the old application for a while.
func (c *Cookies) DangerouslySeal(claims json.RawMessage, _ time.Time) ([]*http.Cookie, error) {
	o, err := object.Parse(claims)
	if err != nil {
		return nil, fmt.Errorf("cookiesession: the claims are %w", err)
	}
	value := base64.StdEncoding.EncodeToString(o.Text())
	fresh := c.set.Whole(value, cookieset.Life{})
	fresh = append(fresh, c.signature.Whole(c.sign[0](c.set.Name+"="+value), cookieset.Life{})...)
	return fresh, cookieset.Fits(fresh, 2, o.Largest())
}

// Clear makes the cookies that log out a visitor whose request carried these. A copy stays good.
func (c *Cookies) Clear(cookies []*http.Cookie) []*http.Cookie {
	return append(c.set.Expired(cookies), c.signature.Expired(cookies)...)
}
