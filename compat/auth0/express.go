// Package auth0 opens and writes the session cookies of Auth0's libraries: express-openid-connect 2 and 3
// ([New]), and nextjs-auth0 4, with what version 3 left behind ([NewNextJS]).
//
// All of them derive one key from the secret, whatever the cookie's name: don't use one secret for two of
// them, or for two purposes. With a session store the cookie holds an id alone, and there is
// nothing to move.
package auth0

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/jwedir"
	"github.com/signet-go/signet/compat/internal/object"
	"github.com/signet-go/signet/internal/base64url"
)

// Config has the words of express-openid-connect.
type Config struct {
	// Secrets are the option secret; of several, the first seals and each is tried.
	Secrets []string
	// Name is session.name: empty is "appSession".
	Name string
	// NotRolling is session.rolling: false. A session then ends AbsoluteDuration after it began.
	NotRolling bool
	// RollingDuration is session.rollingDuration: how long a session lives that is not written. Zero is a day.
	RollingDuration time.Duration
	// AbsoluteDuration is session.absoluteDuration: how long a session lives from its beginning. Zero is 7 days.
	AbsoluteDuration time.Duration
	// NoAbsoluteDuration is session.absoluteDuration: false. A session that is used then never ends.
	NoAbsoluteDuration bool

	// Domain, Path and SameSite are those of session.cookie: empty is this host, "/" and Lax.
	Domain, Path string
	SameSite     http.SameSite
	// Transient is session.cookie.transient: the browser forgets the cookie when it ends.
	Transient bool
	// DangerouslyAllowHTTP is session.cookie.secure: false, the library's own choice if its baseURL is http.
	DangerouslyAllowHTTP bool
}

const (
	day        = 24 * time.Hour
	maxSecrets = 16
	minSecret  = 8 // characters, as express-openid-connect demands
	maxWritten = 4 // cookies of one session
	ceiling    = 30 * time.Second
	forever    = time.Duration(1<<63 - 1)
)

// Cookies opens and makes the cookies of express-openid-connect. It is safe for concurrent use, and
// printing it shows no secret.
type Cookies struct {
	set               cookieset.Set
	keys              []jwedir.Key
	rolling, absolute time.Duration // forever where there is none
	transient         bool
}

// New derives the keys and returns all of a configuration's problems, joined. It works under
// GODEBUG=fips140=only with secrets of at least 14 bytes.
func New(cfg Config) (*Cookies, error) {
	c := &Cookies{
		set: cookieset.Set{
			Name: or(cfg.Name, "appSession"), Separator: ".", Complete: jwedir.CompleteGCM, Domain: cfg.Domain, Path: or(cfg.Path, "/"),
			SameSite: or(cfg.SameSite, http.SameSiteLaxMode), Secure: !cfg.DangerouslyAllowHTTP, HTTPOnly: true,
		},
		rolling: or(cfg.RollingDuration, day), absolute: or(cfg.AbsoluteDuration, 7*day), transient: cfg.Transient,
	}
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	keep(c.set.Check("auth0"))
	if c.rolling < time.Second || c.absolute < time.Second {
		keep(fmt.Errorf("auth0: RollingDuration %v or AbsoluteDuration %v is under a second; leave it zero for the default", cfg.RollingDuration, cfg.AbsoluteDuration))
	}
	if cfg.NotRolling {
		c.rolling = forever
		if cfg.NoAbsoluteDuration {
			keep(errors.New("auth0: NotRolling with NoAbsoluteDuration is a session without an end, which express-openid-connect refuses, too"))
		}
		if cfg.RollingDuration != 0 {
			keep(errors.New("auth0: RollingDuration is of no use with NotRolling"))
		}
	}
	if cfg.NoAbsoluteDuration {
		c.absolute = forever
	}
	var err error
	c.keys, err = derive(cfg.Secrets)
	keep(err)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

func derive(secrets []string) ([]jwedir.Key, error) {
	if len(secrets) == 0 || len(secrets) > maxSecrets {
		return nil, fmt.Errorf("auth0: %d Secrets, where 1 to %d are needed", len(secrets), maxSecrets)
	}
	var keys []jwedir.Key
	var errs []error
	for i, secret := range secrets {
		if len(secret) < minSecret {
			errs = append(errs, fmt.Errorf("auth0: Secrets[%d] has fewer than %d characters", i, minSecret))
			continue
		}
		raw, err := jwedir.Derive(secret, "", "JWE CEK", jwedir.GCMKey)
		if err != nil {
			errs = append(errs, fmt.Errorf("auth0: Secrets[%d]: %w", i, err))
			continue
		}
		k, err := jwedir.NewGCM(raw)
		errs = append(errs, err)
		keys = append(keys, k)
	}
	return keys, errors.Join(errs...)
}

// times are what a protected header says: when the session began, was last written, and ends.
type times struct{ iat, uat, exp int64 }

// The libraries write these two orders. A header that reads otherwise is not theirs.
var headers = regexp.MustCompile(`^\{"alg":"dir","enc":"A256GCM",(?:"iat":(\d{1,12}),"uat":(\d{1,12})|"uat":(\d{1,12}),"iat":(\d{1,12})),"exp":(\d{1,12})\}$`)

// parseTimes reads a header. What it says counts for nothing until the token has authenticated.
func parseTimes(header string) (times, bool) {
	text, ok := base64url.AppendDecode(nil, header)
	if !ok {
		return times{}, false
	}
	m := headers.FindStringSubmatch(string(text))
	if m == nil {
		return times{}, false
	}
	number := func(texts ...string) int64 {
		for _, s := range texts {
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				return n
			}
		}
		return 0
	}
	return times{iat: number(m[1], m[4]), uat: number(m[2], m[3]), exp: number(m[5])}, true
}

func (t times) header() string {
	return fmt.Sprintf(`{"alg":"dir","enc":"A256GCM","iat":%d,"uat":%d,"exp":%d}`, t.iat, t.uat, t.exp)
}

// decrypt tries each key: no header says which.
func decrypt(keys []jwedir.Key, t jwedir.Token) (object.Object, []byte, int, error) {
	for i, k := range keys {
		text, ok := k.Open(t)
		if !ok {
			continue
		}
		o, err := object.Parse(text)
		if err != nil {
			return nil, nil, 0, signet.ErrInvalid
		}
		return o, text, i, nil
	}
	return nil, nil, 0, signet.ErrInvalid
}

// Open finds and opens the session that a request's cookies carry, as [signet.ForeignFormat] has it. Issued is when
// the session began and Expires the first instant at which express-openid-connect would refuse it, by what
// the cookie says and by today's configuration.
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	return c.set.Open(cookies, func(value string) (*signet.Foreign, error) {
		t, ok := jwedir.Split(value)
		if !ok {
			return nil, signet.ErrInvalid
		}
		at, ok := parseTimes(t.Header)
		if !ok {
			return nil, signet.ErrInvalid
		}
		o, claims, index, err := decrypt(c.keys, t)
		if err != nil || len(o) == 0 {
			return nil, signet.ErrInvalid // one without members is how that library logs out, and it never writes it
		}
		f := &signet.Foreign{Claims: claims, Issued: time.Unix(at.iat, 0), Expires: c.end(at, o), KeyIndex: index}
		if !now.Before(f.Expires) {
			return nil, signet.ErrExpired
		}
		return f, nil
	})
}

// end is the first instant at which the session is over.
func (c *Cookies) end(at times, o object.Object) time.Time {
	end := time.Unix(at.exp, 0)
	end = earlier(end, later(time.Unix(at.uat, 0), c.rolling))
	end = earlier(end, later(time.Unix(at.iat, 0), c.absolute))
	if s, ok := sessionExpiresAt(o); ok {
		end = earlier(end, s.Add(-ceiling))
	}
	return end
}

// sessionExpiresAt is the end that the identity provider asked for.
func sessionExpiresAt(o object.Object) (time.Time, bool) {
	value, _ := o.Get("sessionExpiresAt")
	n, ok := object.Int(value)
	return time.Unix(n, 0), ok && n != 0
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(t time.Time, d time.Duration) time.Time {
	if d == forever {
		return time.Unix(1<<40, 0)
	}
	return t.Add(d)
}

// Seal makes the cookies of a new session with these claims, a JSON object with members, under the first secret.
// The error is a *signet.TooLargeError if browsers would drop them.
func (c *Cookies) Seal(claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	return c.Update(nil, claims, now)
}

// Update is Seal for a visitor whose request carried cookies: the session keeps its beginning, and so
// its end, if the old cookies open; those that the new ones do not replace are expired in the same answer.
// express-openid-connect itself leaves such chunks behind, and logs the visitor out with the next request.
func (c *Cookies) Update(cookies []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	o, err := object.Parse(claims)
	if err != nil {
		return nil, fmt.Errorf("auth0: the claims are %w", err)
	}
	if len(o) == 0 {
		return nil, errors.New("auth0: claims without members are a log-out to express-openid-connect; use Clear")
	}
	at := times{iat: now.Unix(), uat: now.Unix()}
	if old, err := c.Open(cookies, now); err == nil {
		at.iat = old.Issued.Unix()
	}
	end := earlier(later(time.Unix(at.uat, 0), c.rolling), later(time.Unix(at.iat, 0), c.absolute))
	if s, ok := sessionExpiresAt(o); ok {
		end = earlier(end, s)
	}
	if at.exp = end.Unix(); at.exp <= now.Unix() {
		return nil, fmt.Errorf("auth0: the session ended before it could be written: %w", signet.ErrExpired)
	}
	life := cookieset.Life{}
	if !c.transient {
		life.Expires = end
	}
	value := c.keys[0].Seal(at.header(), o.Text())
	longest := *c.set.Whole("", life)[0]
	longest.Name += ".0"
	fresh := c.set.Split(value, cookieset.Room(&longest), life)
	if err := cookieset.Fits(fresh, maxWritten, o.Largest()); err != nil {
		return nil, err
	}
	return c.set.Replace(cookies, fresh), nil
}

// Clear makes the cookies that log out a visitor whose request carried these.
func (c *Cookies) Clear(cookies []*http.Cookie) []*http.Cookie { return c.set.Expired(cookies) }
