// Package h3 opens and writes the session cookies of h3's useSession, and so of Nitro and Nuxt with
// nuxt-auth-utils (whose cookie is "nuxt-session" and whose password is NUXT_SESSION_PASSWORD).
//
// The claims are the session's data; its id and createdAt are kept when the cookie is written
// again. The header x-NAME-session, which h3 reads before the cookie, is not looked at.
//
// The cookie is encrypted with a password of at least 32 characters, which is the key but for one round of
// PBKDF2: a phrase that a person made up can be guessed from one cookie, at leisure. The name is not
// part of what is sealed, so don't use one password for two purposes.
package h3

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/iron"
	"github.com/signet-go/signet/compat/internal/object"
	"github.com/signet-go/signet/compat/internal/uuid"
)

// Config has the words of useSession's own options.
type Config struct {
	// Passwords are the option password. h3 has one; of several here the first seals and each is tried, so that the
	// password can be changed without logging anyone out.
	Passwords []string
	// Name is the option name: empty is "h3". nuxt-auth-utils uses "nuxt-session".
	Name string
	// MaxAge is the option maxAge, counted from the session's beginning whatever happens in between.
	// Zero is none, as there by default: then AcceptUntil is needed.
	MaxAge time.Duration
	// AcceptUntil ends, without MaxAge, the sessions that say of themselves that they never end. What is
	// written here ends then, too.
	AcceptUntil time.Time

	// Domain, Path and SameSite are those of the option cookie: empty is this host, "/" and none,
	// which browsers take for Lax.
	Domain, Path string
	SameSite     http.SameSite
	// DangerouslyAllowHTTP is cookie.secure: false.
	DangerouslyAllowHTTP bool
}

const maxSecrets = 16

// Cookies opens and makes the session's cookie. It is safe for concurrent use, and printing it
// shows no password.
type Cookies struct {
	set         cookieset.Set
	passwords   func(id string) []iron.Password
	maxAge      time.Duration
	acceptUntil time.Time
}

// New returns all of a configuration's problems, joined. Under GODEBUG=fips140=only it always
// returns an error: the format needs PBKDF2 over SHA-1.
func New(cfg Config) (*Cookies, error) {
	if cfg.Name == "" {
		cfg.Name = "h3"
	}
	if cfg.Path == "" {
		cfg.Path = "/"
	}
	c := &Cookies{
		set: cookieset.Set{
			Name: cfg.Name, Domain: cfg.Domain, Path: cfg.Path, SameSite: cfg.SameSite,
			Secure: !cfg.DangerouslyAllowHTTP, HTTPOnly: true,
		},
		maxAge: cfg.MaxAge, acceptUntil: cfg.AcceptUntil,
	}
	errs := []error{c.set.Check("h3")}
	if cfg.MaxAge < 0 || cfg.MaxAge > 0 && cfg.MaxAge < time.Second {
		errs = append(errs, fmt.Errorf("h3: MaxAge %v is under a second", cfg.MaxAge))
	}
	if cfg.MaxAge == 0 && cfg.AcceptUntil.IsZero() {
		errs = append(errs, errors.New("h3: without MaxAge a session never ends; set AcceptUntil to when the last of them is given up"))
	}
	if len(cfg.Passwords) == 0 || len(cfg.Passwords) > maxSecrets {
		errs = append(errs, fmt.Errorf("h3: %d Passwords, where 1 to %d are needed", len(cfg.Passwords), maxSecrets))
	}
	var all []iron.Password
	for i, password := range cfg.Passwords {
		if !iron.Long(password) {
			errs = append(errs, fmt.Errorf("h3: Passwords[%d] has fewer than %d characters", i, iron.MinPassword))
		}
		all = append(all, iron.Password{Secret: password, Index: i})
	}
	c.passwords = func(id string) []iron.Password {
		if id != "" {
			return nil
		}
		return all
	}
	if err := iron.ErrFIPS(); err != nil {
		errs = append(errs, fmt.Errorf("h3: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// session is what a seal holds beside the data.
type session struct {
	id      json.RawMessage
	created time.Time
	data    json.RawMessage
}

// Open finds and opens the session that a request's cookies carry, as [signet.ForeignFormat] has it. Issued is
// the session's createdAt, and Expires the first instant at which h3 would refuse it.
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	f, _, err := c.open(cookies, now)
	return f, err
}

func (c *Cookies) open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, session, error) {
	var s session
	f, err := c.set.Open(cookies, func(value string) (*signet.Foreign, error) {
		o, err := iron.Open(value, now, c.passwords)
		if err != nil {
			return nil, err
		}
		var ok bool
		if s, ok = parse(o.Payload); !ok {
			return nil, signet.ErrInvalid
		}
		end := c.end(o.Expires, s.created)
		if !now.Before(end) {
			return nil, signet.ErrExpired
		}
		if o.Expires.IsZero() && c.maxAge == 0 {
			end = time.Time{} // the cookie proves none
		}
		return &signet.Foreign{Claims: s.data, Issued: s.created, Expires: end, KeyIndex: o.Index}, nil
	})
	return f, s, err
}

// end is the first instant at which the session is over: by its seal, by its age, or by AcceptUntil if it
// has no other.
func (c *Cookies) end(sealed, created time.Time) time.Time {
	end := sealed
	if c.maxAge > 0 {
		// An age equal to maxAge is still good there, and times are whole milliseconds.
		if aged := created.Add(c.maxAge + time.Millisecond); end.IsZero() || aged.Before(end) {
			end = aged
		}
	}
	if end.IsZero() {
		return c.acceptUntil
	}
	return end
}

func parse(payload []byte) (session, bool) {
	o, err := object.Parse(payload)
	if err != nil {
		return session{}, false
	}
	id, hasID := o.Get("id")
	data, hasData := o.Get("data")
	createdAt, _ := o.Get("createdAt")
	ms, isTime := object.Int(createdAt)
	return session{id, time.UnixMilli(ms), data}, hasID && id[0] == '"' && hasData && object.Is(data) && isTime
}

// Seal makes the cookie of a new session with these claims, a JSON object, under the first password. The error is
// a *signet.TooLargeError if browsers would drop it, which h3 does not notice.
func (c *Cookies) Seal(claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	return c.Update(nil, claims, now)
}

// Update is Seal for a visitor whose request carried cookies: the session keeps its id and
// createdAt, and so its end, if the old cookie opens.
func (c *Cookies) Update(cookies []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	data, err := object.Parse(claims)
	if err != nil {
		return nil, fmt.Errorf("h3: the claims are %w", err)
	}
	s := session{created: now}
	if _, old, err := c.open(cookies, now); err == nil {
		s = old
	}
	o := object.Object{}.SetString("id", uuid.New())
	if s.id != nil {
		o = object.Object{}.Set("id", s.id)
	}
	o = o.SetInt("createdAt", s.created.UnixMilli()).Set("data", data.Text())
	end, life := c.acceptUntil, cookieset.Life{}
	if c.maxAge > 0 {
		end, life.Expires = now.Add(c.maxAge), s.created.Add(c.maxAge)
	}
	seal, err := iron.Seal(o.Text(), "", c.passwords("")[0].Secret, end)
	if err != nil {
		return nil, fmt.Errorf("h3: %w", err)
	}
	fresh := c.set.Whole(seal, life)
	return fresh, cookieset.Fits(fresh, 1, data.Largest())
}

// Clear makes the cookie that logs out a visitor whose request carried these.
func (c *Cookies) Clear(cookies []*http.Cookie) []*http.Cookie { return c.set.Expired(cookies) }
