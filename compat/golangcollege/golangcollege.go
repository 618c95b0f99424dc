// Package golangcollege opens the sessions of golangcollege/sessions, so that visitors stay logged in when
// an application moves to signet. It only reads: the package has not changed since 2020, and moving is one-way.
package golangcollege

import (
	"cmp"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/gobvalue"
	"github.com/signet-go/signet/internal/base64url"
	"golang.org/x/crypto/nacl/secretbox"
)

// Config is a sessions.Session's. Key is required.
type Config struct {
	// Key and OldKeys are the arguments of sessions.New. As there, 32 bytes of each count: a shorter one is padded
	// with zeros, a longer one cut.
	Key     []byte
	OldKeys [][]byte
	// Domain and Path are those of the Session; empty are this host alone, and /.
	Domain, Path string
}

const (
	cookieName = "session" // the package has no other
	keySize    = 32
	nonceSize  = 24
)

// Cookies opens the sessions. It is safe for concurrent use, and prints its cookie's name alone.
type Cookies struct {
	set cookieset.Set
	// A closure, since fmt prints the bytes of an unexported field but only the address of a function.
	keys func() [][keySize]byte
}

// New makes Cookies. It returns all of cfg's problems, joined. Under GODEBUG=fips140=only it always does:
// XSalsa20-Poly1305 is not approved. It calls gob.Register([]any{}).
func New(cfg Config) (*Cookies, error) {
	c := &Cookies{set: cookieset.Set{
		Raw: true, Name: cookieName, Domain: cfg.Domain, Path: cmp.Or(cfg.Path, "/"), HTTPOnly: true, SameSite: http.SameSiteLaxMode,
	}}
	errs := []error{c.set.Check("golangcollege")}
	if fips.Only() {
		errs = append(errs, errors.New("golangcollege: XSalsa20-Poly1305 cannot be used under GODEBUG=fips140=only; let the sessions end in the old program"))
	}
	var keys [][keySize]byte
	for i, key := range append([][]byte{cfg.Key}, cfg.OldKeys...) {
		if len(key) == 0 && i == 0 {
			errs = append(errs, errors.New("golangcollege: Key is empty; give the first argument of sessions.New"))
		} else if len(key) == 0 {
			errs = append(errs, fmt.Errorf("golangcollege: OldKeys[%d] is empty", i-1))
		}
		var padded [keySize]byte
		copy(padded[:], key)
		keys = append(keys, padded)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	gob.Register([]any{})
	c.keys = func() [][keySize]byte { return keys }
	return c, nil
}

// Open opens the session that a request's cookies carry. Its Claims are the session's data as JSON.
//
// The error is [http.ErrNoCookie] if there is no such cookie; signet.ErrExpired for one past its end; and one that
// wraps signet.ErrInvalid for every other, which says what to do about a type that is not
// registered. It implements [signet.ForeignFormat].
func (c *Cookies) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	return c.set.Open(cookies, func(value string) (*signet.Foreign, error) { return c.open(value, now) })
}

// sealed has the fields of the package's own struct; gob goes by their names.
type sealed struct {
	Data   map[string]any
	Expiry time.Time
}

func (c *Cookies) open(value string, now time.Time) (*signet.Foreign, error) {
	box, ok := base64url.AppendDecode(nil, value)
	if !ok || len(box) < nonceSize+secretbox.Overhead {
		return nil, signet.ErrInvalid
	}
	plain, index, ok := c.unbox(box)
	if !ok {
		return nil, signet.ErrInvalid
	}
	var s sealed
	if err := gobvalue.Decode(plain, &s); err == signet.ErrInvalid {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("golangcollege: %w", err)
	}
	if now.After(s.Expiry) {
		return nil, signet.ErrExpired
	}
	if s.Data == nil {
		s.Data = map[string]any{}
	}
	claims, err := gobvalue.JSON(s.Data)
	if err != nil {
		return nil, fmt.Errorf("golangcollege: %w: %w", err, signet.ErrInvalid)
	}
	return &signet.Foreign{Claims: claims, Expires: s.Expiry.Add(time.Nanosecond), KeyIndex: index}, nil
}

func (c *Cookies) unbox(box []byte) (plain []byte, index int, ok bool) {
	nonce := [nonceSize]byte(box)
	for i, key := range c.keys() {
		if plain, ok := secretbox.Open(nil, box[nonceSize:], &nonce, &key); ok {
			return plain, i, true
		}
	}
	return nil, 0, false
}

// Format prints the cookie's name alone, for every verb.
func (c *Cookies) Format(f fmt.State, _ rune) { fmt.Fprint(f, "golangcollege.Cookies("+cookieName+")") }

// LogValue is the cookie's name alone.
func (c *Cookies) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON writes the cookie's name alone.
func (c *Cookies) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }
