// Package ironsession opens and writes the session cookies of iron-session 8 and 9 (Next.js,
// Express, any Node server), and the bare seals of @hapi/iron that hapi itself, yar and
// @hapi/cookie use.
//
// The cookie is encrypted with a password of at least 32 characters. That password is the key, one
// round of PBKDF2 away: a phrase that a person made up can be guessed from one cookie, at leisure. Move
// such a session away, and don't write it.
//
// The name of the cookie is not part of what is sealed: a value opens under every name that has the
// password. Don't use one password for two purposes.
package ironsession

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/iron"
	"github.com/signet-go/signet/compat/internal/object"
)

// Config has the words of iron-session's own options.
type Config struct {
	// Password is the option password given as a string: the password with the id 1.
	Password string
	// Passwords is the option password given as a map, such as {1: "…", 2: "…"}. The highest id seals.
	Passwords map[int]string
	// CookieName is the option cookieName. It has no default there and none here.
	CookieName string
	// TTL is how long a seal that is written here lives; zero is 14 days, as there. What opens is
	// decided by the end that each seal carries, not by this.
	TTL time.Duration
	// Chunk is the option chunk of iron-session 9: a session above 4,096 octets is split over at most
	// four cookies instead of being refused. Split cookies open either way.
	Chunk bool
	// AcceptUntil opens seals that carry no end (ttl: 0 there, and every seal of hapi itself) until
	// this time. Zero refuses them: with a password that leaked, such a cookie is good for ever.
	AcceptUntil time.Time
	// HapiIron is for seals made by @hapi/iron with a password that is a string: they name no password
	// id, so that each is tried, and no version follows them.
	HapiIron bool

	// Domain, Path and SameSite are those of cookieOptions: empty is this host, "/" and Lax.
	Domain, Path string
	SameSite     http.SameSite
	// DangerouslyAllowHTTP is cookieOptions.secure: false.
	DangerouslyAllowHTTP bool
}

const (
	fourteenDays = 14 * 24 * time.Hour
	maxSecrets   = 16
	maxWritten   = 4 // cookies of one session, as iron-session has it
)

// Cookies opens and makes the session's cookies. It is safe for concurrent use, and
// printing it shows no password.
type Cookies struct {
	set         cookieset.Set
	passwords   func(id string) []iron.Password
	sealer      func() (id, password string)
	suffix      string // the version, which iron-session writes behind each seal
	refuses     func(object.Object) error
	ttl         time.Duration
	chunk       bool
	acceptUntil time.Time
}

// New returns all of a configuration's problems, joined. Under GODEBUG=fips140=only it always
// returns an error: the format needs PBKDF2 over SHA-1.
func New(cfg Config) (*Cookies, error) {
	if cfg.Path == "" {
		cfg.Path = "/"
	}
	if cfg.SameSite == 0 {
		cfg.SameSite = http.SameSiteLaxMode
	}
	if cfg.TTL == 0 {
		cfg.TTL = fourteenDays
	}
	c := &Cookies{
		set: cookieset.Set{
			Name: cfg.CookieName, Separator: ".", Domain: cfg.Domain, Path: cfg.Path,
			SameSite: cfg.SameSite, Secure: !cfg.DangerouslyAllowHTTP, HTTPOnly: true,
		},
		ttl: cfg.TTL, chunk: cfg.Chunk, acceptUntil: cfg.AcceptUntil,
	}
	errs := []error{c.set.Check("ironsession"), c.keep(cfg)}
	if cfg.TTL < time.Second {
		errs = append(errs, fmt.Errorf("ironsession: TTL %v is under a second; leave it zero for 14 days", cfg.TTL))
	}
	if err := iron.ErrFIPS(); err != nil {
		errs = append(errs, fmt.Errorf("ironsession: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// keep puts the passwords behind closures, which no verb of fmt looks into.
func (c *Cookies) keep(cfg Config) error {
	all := map[int]string{}
	for id, password := range cfg.Passwords {
		all[id] = password
	}
	switch {
	case cfg.Password == "" && len(all) == 0:
		return errors.New("ironsession: Password is missing")
	case cfg.Password != "" && len(all) > 0:
		return errors.New("ironsession: give Password or Passwords, not both")
	case len(all) > maxSecrets:
		return fmt.Errorf("ironsession: %d Passwords are more than %d", len(all), maxSecrets)
	case cfg.Password != "":
		all[1] = cfg.Password
	}
	var ids []int
	var errs []error
	for id, password := range all {
		ids = append(ids, id)
		if id < 0 {
			errs = append(errs, fmt.Errorf("ironsession: the password id %d is negative", id))
		}
		if !iron.Long(password) {
			errs = append(errs, fmt.Errorf("ironsession: the password with the id %d has fewer than %d characters", id, iron.MinPassword))
		}
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	name := strconv.Itoa
	c.suffix, c.refuses = "~2", methods
	if cfg.HapiIron {
		name, c.suffix, c.refuses = func(int) string { return "" }, "", prototypes
	}
	byID := map[string][]iron.Password{}
	for i, id := range ids {
		byID[name(id)] = append(byID[name(id)], iron.Password{Secret: all[id], Index: i})
	}
	c.passwords = func(id string) []iron.Password { return byID[id] }
	c.sealer = func() (string, string) { return name(ids[0]), all[ids[0]] }
	return errors.Join(errs...)
}

// Open finds and opens the session that a request's cookies carry, as
// [signet.ForeignFormat] has it. Expires is the first instant at which iron-session would
// refuse it: a minute after the end that the seal carries. A seal says nothing of when it was made.
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	return c.set.Open(cookies, func(value string) (*signet.Foreign, error) { return c.open(value, now) })
}

func (c *Cookies) open(value string, now time.Time) (*signet.Foreign, error) {
	// What follows the seal is outside of its MAC, so it may not select anything.
	for i := range len(value) {
		if value[i] == '~' {
			value = value[:i]
			break
		}
	}
	o, err := iron.Open(value, now, c.passwords)
	if err != nil {
		return nil, err
	}
	if o.Expires.IsZero() && !now.Before(c.acceptUntil) {
		return nil, signet.ErrExpired
	}
	if !object.Is(o.Payload) {
		return nil, signet.ErrInvalid
	}
	return &signet.Foreign{Claims: o.Payload, Expires: o.Expires, KeyIndex: o.Index}, nil
}

// methods refuses members that iron-session's own would hide, so that its next save would lose them.
func methods(o object.Object) error {
	for _, name := range []string{"save", "destroy", "updateConfig"} {
		if _, has := o.Get(name); has {
			return fmt.Errorf("ironsession: the member %q has the name of a method of iron-session, which would lose it", name)
		}
	}
	return nil
}

// prototypes refuses what makes @hapi/iron refuse the whole seal.
func prototypes(o object.Object) error {
	var v any
	if err := json.Unmarshal(o.Text(), &v); err != nil {
		return fmt.Errorf("ironsession: the claims are %w", err)
	}
	if hasPrototype(v) {
		return errors.New(`ironsession: a member is named "__proto__", for which @hapi/iron refuses the session`)
	}
	return nil
}

func hasPrototype(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, hasPrototype)
	case map[string]any:
		for name, value := range v {
			if name == "__proto__" || hasPrototype(value) {
				return true
			}
		}
	}
	return false
}

// Seal makes the cookies of a new session with these claims, a JSON object, under the newest
// password. The error is a *signet.TooLargeError if browsers would drop them. Members that the original would
// lose or refuse are an error, too: save, destroy and updateConfig, or with HapiIron __proto__ at any depth.
func (c *Cookies) Seal(claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	return c.Update(nil, claims, now)
}

// Update is Seal for a visitor whose request carried cookies: those of the old session that the new
// one does not replace are expired in the same answer. iron-session joins every chunk that it
// finds, so one that stays behind would log the visitor out.
func (c *Cookies) Update(cookies []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	o, err := object.Parse(claims)
	if err != nil {
		return nil, fmt.Errorf("ironsession: the claims are %w", err)
	}
	if err := c.refuses(o); err != nil {
		return nil, err
	}
	id, password := c.sealer()
	seal, err := iron.Seal(o.Text(), id, password, now.Add(c.ttl))
	if err != nil {
		return nil, fmt.Errorf("ironsession: %w", err)
	}
	fresh, err := c.split(seal+c.suffix, o)
	if err != nil {
		return nil, err
	}
	return c.set.Replace(cookies, fresh), nil
}

func (c *Cookies) split(value string, o object.Object) ([]*http.Cookie, error) {
	life := cookieset.Life{MaxAge: c.ttl}
	if c.ttl > iron.Skew {
		life.MaxAge -= iron.Skew
	}
	whole := c.set.Whole(value, life)
	if room := cookieset.Room(whole[0]); len(value) <= room {
		return whole, nil
	} else if !c.chunk {
		return nil, cookieset.TooLarge(len(value), room, o.Largest())
	}
	longer := *whole[0]
	longer.Name += ".0"
	fresh := c.set.Split(value, cookieset.Room(&longer), life)
	return fresh, cookieset.Fits(fresh, maxWritten, o.Largest())
}

// Clear makes the cookies that log out a visitor whose request carried these.
func (c *Cookies) Clear(cookies []*http.Cookie) []*http.Cookie { return c.set.Expired(cookies) }
