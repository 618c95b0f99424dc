// Package rails opens and seals the encrypted session cookies of Ruby on Rails (session_store
// :cookie_store, 5.2 and later; JSON), so that visitors stay logged in when an application moves to
// Go, or while it runs in both.
package rails

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/object"
)

// Config is a Rails application's, in the words of its configuration. SecretKeyBase and SessionKey are
// required, and one of ExpireAfter and AcceptUntil.
type Config struct {
	// SecretKeyBase is secret_key_base.
	SecretKeyBase string
	// HashDigest is config.active_support.key_generator_hash_digest_class: SHA256, the default of
	// load_defaults 7.0 and later and of an empty HashDigest, or SHA1, before.
	HashDigest string
	// CBC is config.action_dispatch.use_authenticated_cookie_encryption = false: AES-256-CBC with HMAC-SHA1,
	// as up to Rails 5.1, instead of AES-256-GCM.
	CBC bool
	// Rotations are what is only opened: config.action_dispatch.cookies_rotations. Where an application went over to
	// load_defaults 7.0, list Rotation{HashDigest: "SHA1"}.
	Rotations []Rotation
	// SessionKey is the key of session_store, such as _app_session. It is sealed in.
	SessionKey string
	// ExpireAfter is expire_after of session_store; zero is none.
	ExpireAfter time.Duration
	// AcceptUntil ends sessions that have no end: without expire_after a stolen cookie is good for ever in
	// Rails. The zero time refuses them.
	AcceptUntil time.Time
	// AllowWithoutPurpose opens what config.action_dispatch.use_cookies_with_metadata = false wrote. Nothing binds
	// that to a cookie's name: any encrypted cookie that holds an object with a session_id is taken for the session.
	AllowWithoutPurpose bool
	// Domain, Path, Secure and SameSite are those of session_store; empty are this host alone, /, false, and Lax.
	Domain, Path string
	Secure       bool
	SameSite     http.SameSite
}

// Rotation is an older way of encrypting.
type Rotation struct {
	// SecretKeyBase; empty is the one of Config.
	SecretKeyBase string
	// HashDigest is SHA256 or SHA1; empty is the one of Config.
	HashDigest string
	// CBC is as in Config.
	CBC bool
}

const maxAge = 400 * 24 * time.Hour

// Cookies opens and seals a Rails application's sessions. It is safe for concurrent use, and
// prints its cookie's name alone.
type Cookies struct {
	set            cookieset.Set
	expireAfter    time.Duration
	acceptUntil    time.Time
	withoutPurpose bool
	// A closure, since fmt prints the bytes of an unexported field but only the address of a function.
	boxes func() []box
}

// New makes Cookies, with 1,000 rounds of PBKDF2 for each secret. It returns all of cfg's problems, joined. Under
// GODEBUG=fips140=only it works with HashDigest SHA256 and without CBC, and otherwise returns an error.
func New(cfg Config) (*Cookies, error) {
	c := &Cookies{
		set: cookieset.Set{
			Raw: true, Name: cfg.SessionKey, Domain: cfg.Domain, Path: cmp.Or(cfg.Path, "/"),
			Secure: cfg.Secure, HTTPOnly: true, SameSite: cmp.Or(cfg.SameSite, http.SameSiteLaxMode),
		},
		expireAfter: cfg.ExpireAfter, acceptUntil: cfg.AcceptUntil, withoutPurpose: cfg.AllowWithoutPurpose,
	}
	errs := []error{c.set.Check("rails")}
	switch {
	case cfg.ExpireAfter == 0 && cfg.AcceptUntil.IsZero():
		errs = append(errs, errors.New("rails: without expire_after a session has no end; set ExpireAfter if Rails has expire_after, or AcceptUntil to the day on which the last old session may end"))
	case cfg.ExpireAfter < 0 || cfg.ExpireAfter > 0 && cfg.ExpireAfter < time.Second || cfg.ExpireAfter > maxAge:
		errs = append(errs, fmt.Errorf("rails: ExpireAfter %v is outside one second to 400 days", cfg.ExpireAfter))
	}
	var boxes []box
	first := Rotation{cfg.SecretKeyBase, cmp.Or(cfg.HashDigest, "SHA256"), cfg.CBC}
	for i, r := range append([]Rotation{first}, cfg.Rotations...) {
		field := "SecretKeyBase"
		if i > 0 {
			field = fmt.Sprintf("Rotations[%d]", i-1)
		}
		r.SecretKeyBase = cmp.Or(r.SecretKeyBase, first.SecretKeyBase)
		r.HashDigest = cmp.Or(r.HashDigest, first.HashDigest)
		b, err := newBox(r)
		if err != nil {
			errs = append(errs, fmt.Errorf("rails: %s: %w", field, err))
		}
		boxes = append(boxes, b)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c.boxes = func() []box { return boxes }
	return c, nil
}

var (
	errMarshal = fmt.Errorf("rails: the session is Ruby Marshal, which is a program and not data; set config.action_dispatch.cookies_serializer = :hybrid one release earlier, so that sessions are written again as JSON: %w", signet.ErrInvalid)
	errServer  = fmt.Errorf("rails: the cookie is the id of a session that Rails keeps on the server; set session_store :cookie_store one release earlier: %w", signet.ErrInvalid)
	errPurpose = fmt.Errorf("rails: the session is not bound to its cookie; set config.action_dispatch.use_cookies_with_metadata = true one release earlier, or AllowWithoutPurpose: %w", signet.ErrInvalid)
)

// Open opens the session that a request's cookies carry. Expires is that of expire_after, or AcceptUntil. Rails
// does not say when a session was written.
//
// The error is [http.ErrNoCookie] if there is no such cookie; signet.ErrExpired for one that is too old,
// or has no end and comes after AcceptUntil; and one that wraps signet.ErrInvalid for every other, which
// says what to set in Rails first where that helps. It implements [signet.ForeignFormat].
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	return c.set.Open(cookies, func(value string) (*signet.Foreign, error) { return c.open(value, now) })
}

func (c *Cookies) open(value string, now time.Time) (*signet.Foreign, error) {
	if isSessionID(value) {
		return nil, errServer
	}
	value, err := url.QueryUnescape(value)
	if err != nil {
		return nil, signet.ErrInvalid
	}
	for i, b := range c.boxes() {
		if plain, ok := b.open(value); ok {
			f, err := c.read(plain, now)
			if err == nil {
				f.KeyIndex = i
			}
			return f, err
		}
	}
	return nil, signet.ErrInvalid
}

// isSessionID tells the id of a session on the server: 32 hexadecimal digits.
func isSessionID(value string) bool {
	_, err := hex.DecodeString(value)
	return err == nil && len(value) == 32
}

// envelope is what binds a message to its cookie and its end.
type envelope struct {
	Rails struct {
		Message *string `json:"message"`
		Expires *string `json:"exp"`
		Purpose *string `json:"pur"`
	} `json:"_rails"`
}

// Rails 7.1 and later know an envelope by its first bytes, whatever JSON says of the order of members.
const envelopePrefix = `{"_rails":{"message":`

// read takes what was decrypted out of its envelope.
func (c *Cookies) read(plain []byte, now time.Time) (*signet.Foreign, error) {
	end := c.acceptUntil
	if !bytes.HasPrefix(plain, []byte(envelopePrefix)) {
		return c.claims(plain, end, false, now)
	}
	var e envelope
	if json.Unmarshal(plain, &e) != nil || e.Rails.Message == nil {
		return nil, signet.ErrInvalid
	}
	if e.Rails.Purpose != nil && *e.Rails.Purpose != "cookie."+c.set.Name {
		return nil, signet.ErrInvalid
	}
	if e.Rails.Expires != nil {
		var err error
		if end, err = time.Parse(time.RFC3339, *e.Rails.Expires); err != nil {
			return nil, signet.ErrInvalid
		}
	}
	text, ok := strictBase64(*e.Rails.Message)
	if !ok {
		return nil, signet.ErrInvalid
	}
	return c.claims(text, end, e.Rails.Purpose != nil, now)
}

func (c *Cookies) claims(text []byte, end time.Time, bound bool, now time.Time) (*signet.Foreign, error) {
	switch {
	case bytes.HasPrefix(text, []byte{4, 8}):
		return nil, errMarshal
	case !bound && !c.withoutPurpose:
		return nil, errPurpose
	case !now.Before(end):
		return nil, signet.ErrExpired
	}
	if err := object.Check(text); err == signet.ErrInvalid {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("rails: %w", err)
	}
	if o, err := object.Parse(text); err != nil || !hasID(o) {
		return nil, signet.ErrInvalid // Rails sees no session without it
	}
	return &signet.Foreign{Claims: text, Expires: end.UTC()}, nil
}

// hasID asks for the member by its exact name, as Ruby does and a struct's tag does not.
func hasID(o object.Object) bool {
	var id string
	raw, ok := o.Get("session_id")
	return ok && json.Unmarshal(raw, &id) == nil && id != ""
}

func strictBase64(text string) ([]byte, bool) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	return raw, err == nil && base64.StdEncoding.EncodedLen(len(raw)) == len(text) // no line breaks
}

// Seal makes the cookie that Rails would set for a session, encrypted with SecretKeyBase. Keep what Open
// gave and your program does not know: session_id, _csrf_token, flash. A session_id that is
// missing is made. It returns a [*signet.TooLargeError] for a cookie that browsers would drop, about 2,200
// bytes of claims.
func (c *Cookies) Seal(claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	if err := object.Check(claims); err != nil {
		return nil, fmt.Errorf("rails: these claims would make Rails fail: %w", err)
	}
	o, err := object.Parse(claims)
	if err != nil {
		return nil, fmt.Errorf("rails: %w", err)
	}
	if !hasID(o) {
		var random [16]byte
		rand.Read(random[:])
		o = o.SetString("session_id", hex.EncodeToString(random[:]))
	}
	value := url.QueryEscape(c.boxes()[0].seal(c.wrap(o.Text(), now)))
	var life cookieset.Life
	if c.expireAfter > 0 {
		life.Expires = now.UTC().Add(c.expireAfter)
	}
	fresh := c.set.Whole(value, life)
	if err := cookieset.Fits(fresh, 1, o.Largest()); err != nil {
		return nil, err
	}
	return fresh, nil
}

// wrap writes the envelope, whose members must be in this order.
func (c *Cookies) wrap(text []byte, now time.Time) []byte {
	exp := "null"
	if c.expireAfter > 0 {
		exp = `"` + now.UTC().Add(c.expireAfter).Format("2006-01-02T15:04:05.000Z") + `"`
	}
	pur, _ := json.Marshal("cookie." + c.set.Name) // a string always encodes
	return []byte(envelopePrefix + `"` + base64.StdEncoding.EncodeToString(text) + `","exp":` + exp + `,"pur":` + string(pur) + `}}`)
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

// Format prints the cookie's name alone, for every verb.
func (c *Cookies) Format(f fmt.State, _ rune) {
	name := ""
	if c != nil {
		name = c.set.Name
	}
	fmt.Fprintf(f, "rails.Cookies(%s)", name)
}

// LogValue is the cookie's name alone.
func (c *Cookies) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON writes the cookie's name alone.
func (c *Cookies) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }
