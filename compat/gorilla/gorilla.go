// Package gorilla opens and seals the sessions of gorilla/sessions' CookieStore, and of gin-contrib/sessions, whose
// cookies are the same, so that visitors stay logged in when an application moves to signet, or
// while it runs on both. It needs neither package.
package gorilla

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/gobvalue"
	"github.com/signet-go/signet/compat/internal/object"
)

// Config is a CookieStore's. KeyPairs and Name are required.
type Config struct {
	// KeyPairs are the arguments of NewCookieStore, after the session's name: hash key, block key, hash key, block key and
	// so on. A block key is nil, or missing at the end, where sessions are signed and not encrypted. The
	// first pair seals, and all are tried.
	KeyPairs [][]byte
	// Name is the session's, and so the cookie's: the second argument of store.Get. It is in the MAC.
	Name string
	// MaxAge is what store.MaxAge was called with. Zero is 30 days, which holds, too, where only
	// store.Options.MaxAge was assigned, or sessions.Options of gin: that changes the browser's attribute alone.
	MaxAge time.Duration
	// Options is store.Options; nil is that of NewCookieStore in gorilla/sessions 1.4: Path /, Secure, SameSite=None.
	Options *Options
	// JSON is securecookie.JSONEncoder as the serializer, instead of gob.
	JSON bool
	// ClockSkew is by how much a cookie may be stamped ahead of this machine's clock. gorilla takes any, and
	// such a session lives longer by as much; zero is 5 minutes.
	ClockSkew time.Duration
}

// Options are the attributes of the cookie, in the names of gorilla/sessions.
type Options struct {
	Path, Domain string
	// MaxAge is the browser's, in seconds; zero is until it ends.
	MaxAge                        int
	Secure, HttpOnly, Partitioned bool
	SameSite                      http.SameSite
}

const (
	defaultAge  = 30 * 24 * time.Hour
	defaultSkew = 5 * time.Minute
	maxAge      = 400 * 24 * time.Hour
	maxLength   = 4096 // securecookie's MaxLength, of a value
)

// Cookies opens and seals the sessions of a CookieStore. It is safe for concurrent use, and
// prints its cookie's name alone.
type Cookies struct {
	set       cookieset.Set
	age, skew int64
	browser   int // seconds that a browser keeps the cookie
	json      bool
	// A closure, since fmt prints the bytes of an unexported field but only the address of a function.
	pairs func() []pair
}

type pair struct {
	hash  []byte
	block cipher.Block // nil signs only
}

// New makes Cookies. It returns all of cfg's problems, joined. Under GODEBUG=fips140=only it works with hash keys of at
// least 14 bytes. It calls gob.Register([]any{}), as gorilla/sessions does, for flashes.
func New(cfg Config) (*Cookies, error) {
	if cfg.Options == nil {
		cfg.Options = &Options{Path: "/", MaxAge: int(defaultAge / time.Second), Secure: true, SameSite: http.SameSiteNoneMode}
	}
	o := cfg.Options
	c := &Cookies{
		set: cookieset.Set{
			Raw: true, Name: cfg.Name, Domain: o.Domain, Path: cmp.Or(o.Path, "/"), SameSite: max(o.SameSite, 0),
			Secure: o.Secure, HTTPOnly: o.HttpOnly, Partitioned: o.Partitioned,
		},
		age: int64(cmp.Or(cfg.MaxAge, defaultAge) / time.Second), skew: int64(cmp.Or(cfg.ClockSkew, defaultSkew) / time.Second),
		browser: o.MaxAge, json: cfg.JSON,
	}
	errs := []error{c.set.Check("gorilla")}
	if cfg.MaxAge < 0 || cfg.MaxAge > maxAge || c.age < 1 {
		errs = append(errs, fmt.Errorf("gorilla: MaxAge %v is outside one second to 400 days; where the store has MaxAge(0), sessions have no end: choose one", cfg.MaxAge))
	}
	if cfg.ClockSkew < 0 || cfg.ClockSkew > maxAge {
		errs = append(errs, fmt.Errorf("gorilla: ClockSkew %v is outside 0 to 400 days", cfg.ClockSkew))
	}
	pairs, err := cfg.pairs()
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	gob.Register([]any{})
	c.pairs = func() []pair { return pairs }
	return c, nil
}

func (cfg Config) pairs() ([]pair, error) {
	if len(cfg.KeyPairs) == 0 {
		return nil, errors.New("gorilla: KeyPairs is empty; give the arguments of NewCookieStore")
	}
	var pairs []pair
	var errs []error
	for i := 0; i < len(cfg.KeyPairs); i += 2 {
		p := pair{hash: bytes.Clone(cfg.KeyPairs[i])}
		if len(p.hash) == 0 {
			errs = append(errs, fmt.Errorf("gorilla: KeyPairs[%d], a hash key, is empty", i))
		} else if fips.Only() && len(p.hash) < fips.MinKey {
			errs = append(errs, fmt.Errorf("gorilla: KeyPairs[%d], a hash key, has %d bytes, and GODEBUG=fips140=only allows none under %d", i, len(p.hash), fips.MinKey))
		}
		if i+1 < len(cfg.KeyPairs) && len(cfg.KeyPairs[i+1]) > 0 {
			var err error
			if p.block, err = aes.NewCipher(cfg.KeyPairs[i+1]); err != nil {
				errs = append(errs, fmt.Errorf("gorilla: KeyPairs[%d], a block key, has %d bytes; it needs 16, 24 or 32", i+1, len(cfg.KeyPairs[i+1])))
			}
		}
		pairs = append(pairs, p)
	}
	return pairs, errors.Join(errs...)
}

// Open opens the session that a request's cookies carry. Its Claims are the session's values as JSON; see
// [Cookies.OpenValues] for the values themselves. Issued is when it was last saved.
//
// The error is [http.ErrNoCookie] if there is no such cookie; signet.ErrExpired for one older than MaxAge;
// signet.ErrClockSkew for one stamped in the future; and one that wraps signet.ErrInvalid for every other, which
// says what to do about a type that is not registered. It implements [signet.ForeignFormat].
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	return c.set.Open(cookies, func(value string) (*signet.Foreign, error) {
		f, _, err := c.open(value, now)
		return f, err
	})
}

// OpenValues is Open for gob's own types: an int64 is one, and keys need not be strings.
func (c *Cookies) OpenValues(cookies []*http.Cookie, now time.Time) (map[any]any, error) {
	if c.json {
		return nil, errors.New("gorilla: OpenValues with Config.JSON; use Open")
	}
	var values map[any]any
	_, err := c.set.Open(cookies, func(value string) (*signet.Foreign, error) {
		f, v, err := c.open(value, now)
		if err == nil {
			values = v
		}
		return f, err
	})
	return values, err
}

// open tries the next pair after every failure: a pair that only signs takes the MAC of one that
// encrypts with the same hash key, and finds no gob.
func (c *Cookies) open(value string, now time.Time) (*signet.Foreign, map[any]any, error) {
	if len(value) > maxLength {
		return nil, nil, signet.ErrInvalid
	}
	raw, ok := strictBase64(value)
	if !ok {
		return nil, nil, signet.ErrInvalid
	}
	parts := bytes.SplitN(raw, []byte("|"), 3) // the MAC may hold a | of its own
	if len(parts) != 3 {
		return nil, nil, signet.ErrInvalid
	}
	failed := signet.ErrInvalid
	for i, p := range c.pairs() {
		if !hmac.Equal(parts[2], p.mac(c.set.Name, parts[0], parts[1])) {
			continue
		}
		f, values, err := c.read(p, string(parts[0]), string(parts[1]), now)
		if err == nil {
			f.KeyIndex = i
			return f, values, nil
		}
		if failed == signet.ErrInvalid {
			failed = err
		}
	}
	return nil, nil, failed
}

func (p pair) mac(name string, stamp, data []byte) []byte {
	m := hmac.New(sha256.New, p.hash)
	for _, part := range [][]byte{[]byte(name), []byte("|"), stamp, []byte("|"), data} {
		m.Write(part)
	}
	return m.Sum(nil)
}

func strictBase64(text string) ([]byte, bool) {
	raw, err := base64.URLEncoding.Strict().DecodeString(text)
	return raw, err == nil && base64.URLEncoding.EncodedLen(len(raw)) == len(text) // no line breaks
}

// read takes a cookie apart whose MAC has held.
func (c *Cookies) read(p pair, stamp, data string, now time.Time) (*signet.Foreign, map[any]any, error) {
	issued, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || issued < 0 || issued >= 1<<40 {
		return nil, nil, signet.ErrInvalid
	}
	switch age := now.Unix() - issued; {
	case age < -c.skew:
		return nil, nil, signet.ErrClockSkew
	case age > c.age:
		return nil, nil, signet.ErrExpired
	}
	plain, ok := strictBase64(data)
	if ok && p.block != nil {
		plain, ok = p.decrypt(plain)
	}
	if !ok {
		return nil, nil, signet.ErrInvalid
	}
	claims, values, err := c.decode(plain)
	if err == signet.ErrInvalid {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, fmt.Errorf("gorilla: %w", err)
	}
	return &signet.Foreign{
		Claims: claims, Issued: time.Unix(issued, 0).UTC(), Expires: time.Unix(issued+c.age+1, 0).UTC(),
	}, values, nil
}

func (p pair) decrypt(b []byte) ([]byte, bool) {
	if len(b) <= aes.BlockSize {
		return nil, false
	}
	plain := make([]byte, len(b)-aes.BlockSize)
	cipher.NewCTR(p.block, b[:aes.BlockSize]).XORKeyStream(plain, b[aes.BlockSize:])
	return plain, true
}

func (c *Cookies) decode(plain []byte) (json.RawMessage, map[any]any, error) {
	if c.json {
		text := bytes.TrimSuffix(plain, []byte("\n"))
		return text, nil, object.Check(text)
	}
	var values map[any]any
	if err := gobvalue.Decode(plain, &values); err != nil {
		return nil, nil, err
	}
	if values == nil {
		values = map[any]any{}
	}
	claims, err := gobvalue.JSON(values)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, signet.ErrInvalid)
	}
	return claims, values, nil
}

// Seal makes the cookie of a new session with these claims, under the first pair. In gob, whole numbers are int and others
// float64, lists are []any and objects map[string]any, which the old program must have registered. It returns a
// [*signet.TooLargeError] for a cookie that gorilla would refuse.
func (c *Cookies) Seal(claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	return c.Update(nil, claims, now)
}

// Update is Seal for a visitor whose request carried cookies. Members that have not changed keep the Go type that they had
// in the old program, and so do others where it fits.
func (c *Cookies) Update(cookies []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	if err := object.Check(claims); err != nil {
		return nil, fmt.Errorf("gorilla: these claims are no session: %w", err)
	}
	if c.json {
		var b bytes.Buffer
		_ = json.Compact(&b, claims) // it was parsed
		return c.seal(append(b.Bytes(), '\n'), claims, now)
	}
	old, err := c.OpenValues(cookies, now)
	if err != nil {
		old = nil
	}
	values, err := retype(claims, old)
	if err != nil {
		return nil, fmt.Errorf("gorilla: %w", err)
	}
	return c.sealValues(values, claims, now)
}

// SealValues is Seal for Go's own values, with the types that the old program expects.
func (c *Cookies) SealValues(values map[any]any, now time.Time) ([]*http.Cookie, error) {
	if c.json {
		return nil, errors.New("gorilla: SealValues with Config.JSON; use Seal")
	}
	claims, _ := gobvalue.JSON(values) // only for the names of the largest
	return c.sealValues(values, claims, now)
}

func (c *Cookies) sealValues(values map[any]any, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(values); err != nil {
		return nil, fmt.Errorf("gorilla: %w; register the type as the old program does", err)
	}
	return c.seal(b.Bytes(), claims, now)
}

func (c *Cookies) seal(plain []byte, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	p := c.pairs()[0]
	if p.block != nil {
		sealed := make([]byte, aes.BlockSize+len(plain))
		rand.Read(sealed[:aes.BlockSize])
		cipher.NewCTR(p.block, sealed[:aes.BlockSize]).XORKeyStream(sealed[aes.BlockSize:], plain)
		plain = sealed
	}
	stamp, data := strconv.AppendInt(nil, now.Unix(), 10), base64.URLEncoding.AppendEncode(nil, plain)
	raw := bytes.Join([][]byte{stamp, data, p.mac(c.set.Name, stamp, data)}, []byte("|"))
	value := base64.URLEncoding.EncodeToString(raw)
	fresh := c.set.Whole(value, c.life(now))
	o, _ := object.Parse(claims)
	if len(value) > maxLength {
		return nil, cookieset.TooLarge(len(c.set.Name)+len(value), maxLength, o.Largest())
	}
	if err := cookieset.Fits(fresh, 1, o.Largest()); err != nil {
		return nil, err
	}
	return fresh, nil
}

func (c *Cookies) life(now time.Time) cookieset.Life {
	d := time.Duration(c.browser) * time.Second
	if d <= 0 {
		return cookieset.Life{}
	}
	return cookieset.Life{MaxAge: d, Expires: now.UTC().Add(d)}
}

// Clear makes the cookies that log out a visitor whose request carried these.
func (c *Cookies) Clear(cookies []*http.Cookie) []*http.Cookie { return c.set.Expired(cookies) }

// Format prints the cookie's name alone, for every verb.
func (c *Cookies) Format(f fmt.State, _ rune) {
	name := ""
	if c != nil {
		name = c.set.Name
	}
	fmt.Fprintf(f, "gorilla.Cookies(%s)", name)
}

// LogValue is the cookie's name alone.
func (c *Cookies) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON writes the cookie's name alone.
func (c *Cookies) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }
