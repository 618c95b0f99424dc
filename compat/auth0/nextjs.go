package auth0

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/jwedir"
	"github.com/signet-go/signet/compat/internal/object"
	"github.com/signet-go/signet/compat/internal/uuid"
)

// NextJSConfig has the words of nextjs-auth0 4.
type NextJSConfig struct {
	// Secrets are AUTH0_SECRET. nextjs-auth0 has one; of several here the first seals and each is tried, so
	// that it can be changed without logging anyone out.
	Secrets []string
	// CookieName is session.cookie.name: empty is "__session".
	CookieName string
	// NotRolling is session.rolling: false. Each write then gives a session AbsoluteDuration, as there.
	NotRolling bool
	// InactivityDuration is session.inactivityDuration: how long a session lives that is not written. Zero is a day.
	InactivityDuration time.Duration
	// AbsoluteDuration is session.absoluteDuration: how long a session lives from its beginning. Zero is 3 days.
	AbsoluteDuration time.Duration

	// Domain, Path and SameSite are those of session.cookie: empty is this host, "/" and Lax.
	Domain, Path string
	SameSite     http.SameSite
	// Transient is session.cookie.transient: the browser forgets the cookie when it ends.
	Transient bool
	// DangerouslyAllowHTTP is session.cookie.secure: false.
	DangerouslyAllowHTTP bool
}

const (
	nextJSHeader = `{"enc":"A256GCM","alg":"dir"}`
	nextJSChunk  = 3500 // characters
	nextJSLegacy = "appSession"
	tolerance    = 15 * time.Second
)

var nextJSHeaderText = jwedir.Header(nextJSHeader)

// NextJSCookies opens and makes the cookies of nextjs-auth0 4. It opens those of version 3 as well, under the name
// appSession and where there is none of version 4. It is safe for concurrent use, and printing it shows no secret.
type NextJSCookies struct {
	set, legacy          cookieset.Set
	keys                 []jwedir.Key
	inactivity, absolute time.Duration
	rolling, transient   bool
}

// NewNextJS derives the keys and returns all of a configuration's problems, joined. It works under
// GODEBUG=fips140=only with secrets of at least 14 bytes.
func NewNextJS(cfg NextJSConfig) (*NextJSCookies, error) {
	c := &NextJSCookies{
		set: cookieset.Set{
			Name: or(cfg.CookieName, "__session"), Separator: "__", Complete: jwedir.CompleteGCM, Domain: cfg.Domain, Path: or(cfg.Path, "/"),
			SameSite: or(cfg.SameSite, http.SameSiteLaxMode), Secure: !cfg.DangerouslyAllowHTTP, HTTPOnly: true,
		},
		inactivity: or(cfg.InactivityDuration, day), absolute: or(cfg.AbsoluteDuration, 3*day),
		rolling: !cfg.NotRolling, transient: cfg.Transient,
	}
	c.legacy = c.set
	c.legacy.Name, c.legacy.Separator = nextJSLegacy, "."
	var err error
	c.keys, err = derive(cfg.Secrets)
	errs := []error{c.set.Check("auth0"), err}
	if c.inactivity < time.Second || c.absolute < time.Second {
		errs = append(errs, fmt.Errorf("auth0: InactivityDuration %v or AbsoluteDuration %v is under a second; leave it zero for the default", cfg.InactivityDuration, cfg.AbsoluteDuration))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// Open finds and opens the session that a request's cookies carry, as [signet.ForeignFormat] has it. The claims are what
// getSession answers: user, tokenSet, internal and exp; those of version 3 are brought into the same shape,
// as nextjs-auth0 does. Issued is internal.createdAt, and Expires the first instant at which nextjs-auth0 would refuse the
// cookie. It never refuses one of version 3; here that ends when its header says.
func (c *NextJSCookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	open := func(value string) (*signet.Foreign, error) { return c.open(value, now) }
	f, err := c.set.Open(cookies, open)
	if errors.Is(err, http.ErrNoCookie) {
		f, err = c.legacy.Open(cookies, open)
	}
	if err != nil {
		return nil, err
	}
	f.Cookies = c.Clear(cookies)
	return f, nil
}

func (c *NextJSCookies) open(value string, now time.Time) (*signet.Foreign, error) {
	t, ok := jwedir.Split(value)
	if !ok {
		return nil, signet.ErrInvalid
	}
	at, legacy := times{}, false
	if t.Header != nextJSHeaderText {
		if at, legacy = parseTimes(t.Header); !legacy {
			return nil, signet.ErrInvalid
		}
	}
	o, claims, index, err := decrypt(c.keys, t)
	if err != nil {
		return nil, err
	}
	// A cookie of express-openid-connect under the same secret has no user.
	if user, has := o.Get("user"); !has || !object.Is(user) {
		return nil, signet.ErrInvalid
	}
	f := &signet.Foreign{Claims: claims, KeyIndex: index}
	if legacy {
		o = convert(o, at)
		f.Claims, f.Expires = o.Text(), time.Unix(at.exp, 0)
	} else {
		value, _ := o.Get("exp")
		exp, ok := object.Int(value)
		if !ok {
			return nil, signet.ErrInvalid // which is accepted for ever there, and never written
		}
		f.Expires = time.Unix(exp, 0).Add(tolerance)
	}
	internal := member(o, "internal")
	if created, ok := createdAt(internal); ok {
		f.Issued = created
	}
	if s, ok := sessionExpiresAt(internal); ok {
		f.Expires = earlier(f.Expires, s.Add(-ceiling))
	}
	if !now.Before(f.Expires) {
		return nil, signet.ErrExpired
	}
	return f, nil
}

// member is the object of that name in o, or an empty one.
func member(o object.Object, name string) object.Object {
	value, _ := o.Get(name)
	m, err := object.Parse(value)
	if err != nil {
		return object.Object{}
	}
	return m
}

func createdAt(internal object.Object) (time.Time, bool) {
	value, _ := internal.Get("createdAt")
	n, ok := object.Int(value)
	return time.Unix(n, 0), ok
}

// convert gives a session of version 3 the shape of version 4, as nextjs-auth0 does: other members
// than these are left behind there, too.
func convert(o object.Object, at times) object.Object {
	tokens, internal := object.Object{}, object.Object{}
	for _, m := range [][2]string{{"idToken", "idToken"}, {"accessToken", "accessToken"}, {"accessTokenScope", "scope"}, {"refreshToken", "refreshToken"}, {"accessTokenExpiresAt", "expiresAt"}} {
		if value, has := o.Get(m[0]); has {
			tokens = tokens.Set(m[1], value)
		}
	}
	user, _ := o.Get("user")
	if sid, has := member(o, "user").Get("sid"); has {
		internal = internal.Set("sid", sid)
	}
	internal = internal.SetInt("createdAt", at.iat)
	return object.Object{}.Set("user", user).Set("tokenSet", tokens.Text()).Set("internal", internal.Text())
}

// Seal makes the cookies of a new session with these claims under the first secret: a JSON object with the object user, and
// with tokenSet and internal where there is something to say. exp is set here, whatever it was. The error is a
// *signet.TooLargeError if browsers would drop the cookies.
func (c *NextJSCookies) Seal(claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	return c.Update(nil, claims, now)
}

// Update is Seal for a visitor whose request carried cookies: claims without internal take that of the old
// session, from which nextjs-auth0 computes the end. Cookies that the new ones do not replace, of version 3 as
// well, are expired in the same answer. The connection tokens, which have cookies of their own, are left alone.
func (c *NextJSCookies) Update(cookies []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	o, err := object.Parse(claims)
	if err != nil {
		return nil, fmt.Errorf("auth0: the claims are %w", err)
	}
	if user, _ := o.Get("user"); !object.Is(user) {
		return nil, errors.New("auth0: the claims have no object user, which nextjs-auth0 needs")
	}
	o = o.Without("connectionTokenSets", "exp")
	internal, created := c.internal(cookies, o, now)
	if tokens, _ := o.Get("tokenSet"); !object.Is(tokens) {
		o = o.Set("tokenSet", json.RawMessage(`{}`))
	}
	end := now.Truncate(time.Second).Add(c.absolute)
	if c.rolling {
		end = earlier(now.Truncate(time.Second).Add(c.inactivity), created.Add(c.absolute))
	}
	if !end.After(now) {
		return nil, fmt.Errorf("auth0: the session is past its AbsoluteDuration: %w", signet.ErrExpired)
	}
	o = o.Set("internal", internal.Text()).SetInt("exp", end.Unix())
	life := cookieset.Life{Expires: end, MaxAge: end.Sub(now)}
	if c.transient {
		life = cookieset.Life{}
	}
	fresh := c.set.Split(c.keys[0].Seal(nextJSHeader, o.Text()), nextJSChunk, life)
	if err := cookieset.Fits(fresh, maxWritten, o.Largest()); err != nil {
		return nil, err
	}
	return c.legacy.Replace(cookies, c.set.Replace(cookies, fresh)), nil
}

// internal is what nextjs-auth0 keeps for itself: that of the claims, or of the session that was carried, or a new one.
func (c *NextJSCookies) internal(cookies []*http.Cookie, o object.Object, now time.Time) (object.Object, time.Time) {
	internal := member(o, "internal")
	if _, ok := createdAt(internal); !ok {
		if old, err := c.Open(cookies, now); err == nil {
			was, _ := object.Parse(old.Claims)
			internal = member(was, "internal")
		}
	}
	created, ok := createdAt(internal)
	if !ok {
		created = now.Truncate(time.Second)
		internal = internal.SetInt("createdAt", created.Unix())
	}
	if sid, has := internal.Get("sid"); !has || sid[0] != '"' {
		internal = internal.SetString("sid", uuid.New())
	}
	return internal, created
}

// Clear makes the cookies that log out a visitor whose request carried these. The connection
// tokens' cookies, __FC_0 and so on, open nothing by themselves and stay.
func (c *NextJSCookies) Clear(cookies []*http.Cookie) []*http.Cookie {
	return c.legacy.Replace(cookies, c.set.Expired(cookies))
}
