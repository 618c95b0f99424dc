// Package remix opens the session cookies of Remix 2 and React Router 7, made by createCookieSessionStorage, to
// move away from them.
//
// They are signed, not encrypted, and carry no time: everyone can read one, and one that was stolen or is old is
// good for as long as the secret is. Nor is their name signed. So a date until which they are accepted must be
// given, and writing them has the danger in its name.
//
// A value that was flashed under a key is the member __flash_key__ of the claims. Remix shows it once: a
// convert function that keeps it should do the same.
package remix

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/object"
)

// Config has the words of createCookieSessionStorage's option cookie.
type Config struct {
	// Name is the option name: empty is "__session".
	Name string
	// Secrets are the option secrets. Each is tried, and the first signs. A storage without any does not sign at
	// all, and its cookies are not accepted.
	Secrets []string
	// AcceptUntil is when the last of these cookies is given up. It is required: they never end by
	// themselves; maxAge there is only for the browser.
	AcceptUntil time.Time

	// Domain, Path and SameSite are the options of the same names: empty is this host, "/" and Lax.
	Domain, Path string
	SameSite     http.SameSite
	// DangerouslyAllowHTTP writes cookies without Secure, as Remix does unless secure is set.
	DangerouslyAllowHTTP bool
}

const maxSecrets = 16

// Cookies opens the session's cookie. It is safe for concurrent use, and printing it shows no secret.
type Cookies struct {
	set         cookieset.Set
	sign        []func(value string) string // of each secret
	acceptUntil time.Time
}

// New returns all of a configuration's problems, joined. It works under GODEBUG=fips140=only with secrets of at
// least 14 bytes.
func New(cfg Config) (*Cookies, error) {
	if cfg.Name == "" {
		cfg.Name = "__session"
	}
	if cfg.Path == "" {
		cfg.Path = "/"
	}
	if cfg.SameSite == 0 {
		cfg.SameSite = http.SameSiteLaxMode
	}
	c := &Cookies{acceptUntil: cfg.AcceptUntil, set: cookieset.Set{
		Name: cfg.Name, Domain: cfg.Domain, Path: cfg.Path, SameSite: cfg.SameSite,
		Secure: !cfg.DangerouslyAllowHTTP, HTTPOnly: true,
	}}
	errs := []error{c.set.Check("remix")}
	if cfg.AcceptUntil.IsZero() {
		errs = append(errs, errors.New("remix: AcceptUntil is missing: these cookies carry no time, so say when the last of them is given up"))
	}
	if len(cfg.Secrets) == 0 || len(cfg.Secrets) > maxSecrets {
		errs = append(errs, fmt.Errorf("remix: %d Secrets, where 1 to %d are needed", len(cfg.Secrets), maxSecrets))
	}
	for i, secret := range cfg.Secrets {
		switch {
		case secret == "":
			errs = append(errs, fmt.Errorf("remix: Secrets[%d] is empty", i))
		case fips.Only() && len(secret) < fips.MinKey:
			errs = append(errs, fmt.Errorf("remix: Secrets[%d] has fewer than %d bytes and cannot be used under GODEBUG=fips140=only", i, fips.MinKey))
		}
		c.sign = append(c.sign, func(value string) string {
			h := hmac.New(sha256.New, []byte(secret))
			h.Write([]byte(value))
			return base64.RawStdEncoding.EncodeToString(h.Sum(nil))
		})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// Open finds and opens the session that a request's cookies carry, as [signet.ForeignFormat] has it. Issued and Expires are
// zero: the cookie proves neither. From AcceptUntil on the answer is signet.ErrExpired.
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	return c.set.Open(cookies, func(value string) (*signet.Foreign, error) {
		dot := strings.LastIndexByte(value, '.')
		if dot < 0 {
			return nil, signet.ErrInvalid
		}
		value, signature := value[:dot], value[dot+1:]
		for i, sign := range c.sign {
			if subtle.ConstantTimeCompare([]byte(sign(value)), []byte(signature)) != 1 {
				continue
			}
			if !now.Before(c.acceptUntil) {
				return nil, signet.ErrExpired
			}
			claims, err := base64.StdEncoding.Strict().DecodeString(value)
			if err != nil || !object.Is(claims) {
				return nil, signet.ErrInvalid
			}
			return &signet.Foreign{Claims: claims, KeyIndex: i}, nil
		}
		return nil, signet.ErrInvalid
	})
}

// DangerouslySeal makes the cookie of a session with these claims, a JSON object, signed by the first secret. Everyone who
// sees it can read the claims; and whoever has a copy has the session, whatever is logged out or changed, until
// the secret is given up. Use it only to let a visitor go back to the old application for a while.
func (c *Cookies) DangerouslySeal(claims json.RawMessage, _ time.Time) ([]*http.Cookie, error) {
	o, err := object.Parse(claims)
	if err != nil {
		return nil, fmt.Errorf("remix: the claims are %w", err)
	}
	value := base64.StdEncoding.EncodeToString(o.Text())
	fresh := c.set.Whole(url.QueryEscape(value+"."+c.sign[0](value)), cookieset.Life{})
	return fresh, cookieset.Fits(fresh, 1, o.Largest())
}

// Clear makes the cookie that logs out a visitor whose request carried these. A copy stays good.
func (c *Cookies) Clear(cookies []*http.Cookie) []*http.Cookie { return c.set.Expired(cookies) }
