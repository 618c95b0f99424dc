package signet

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// A ForeignFormat opens the session cookies of another framework. The packages
// under compat implement it; an application can, too.
//
// Open looks at all cookies of a request, as [http.Request.Cookies] gives them,
// finds its own by name, and returns the session that they carry. It returns
// [http.ErrNoCookie] if there are none, and otherwise one of this package's
// errors: ErrInvalid, ErrExpired, ErrUnknownKey, ErrClockSkew or ErrTorn.
// It must be safe for concurrent use.
type ForeignFormat interface {
	Open(cookies []*http.Cookie, now time.Time) (*Foreign, error)
}

// Foreign is a session that another framework sealed.
type Foreign struct {
	// Claims is the session's data, a JSON object, as it was sealed where the
	// format is JSON.
	Claims json.RawMessage
	// Issued and Expires are what the cookie itself proves; zero where it does not.
	Issued, Expires time.Time
	// KeyIndex is the position of the secret that opened it; 0 is the newest.
	KeyIndex int
	// Cookies are the cookies that it came in, all chunks of it, with the attributes
	// they were set with, so that they can be expired.
	Cookies []*http.Cookie
}

// Legacy is a foreign format together with the way from its claims to an application's
// data. Make one with [Migrate] and list it in Config.Legacy.
type Legacy struct {
	format  ForeignFormat
	convert func(*Foreign) (any, error) // to a *T
	target  string                      // T, for the error of New
}

// Migrate opens sessions of format where a request has none of ours that opens, and hands
// them over: convert makes the application's data of the claims, the session is sealed as
// one of ours with the same response, and the old cookies are expired. It keeps the age that
// the old cookie proves, so that moving extends no session. An error of convert makes the visitor new.
//
// Where both are present, ours counts; Destroy expires the old one as well. One of ours that another
// instance may still open (ErrUnknownKey, ErrClockSkew, ErrAmbiguous) is not replaced. The old cookie may have
// the name of ours: it is replaced then.
func Migrate[T any](format ForeignFormat, convert func(*Foreign) (T, error)) Legacy {
	return Legacy{
		format: format,
		convert: func(f *Foreign) (any, error) {
			data, err := convert(f)
			return &data, err
		},
		target: fmt.Sprintf("%T", *new(T)),
	}
}

// Validator is a hook that sees every session that opened. Make one with [Validate].
type Validator struct {
	check  func(*http.Request, any) error
	target string
}

// Validate makes a hook for Config.Validate: the application's own word on a session
// that opened, such as a revoked id, a disabled user or another address. If it
// returns an error, the visitor is new and Session.Err is that error.
func Validate[T any](check func(*http.Request, *Session[T]) error) Validator {
	return Validator{
		check:  func(r *http.Request, s any) error { return check(r, s.(*Session[T])) },
		target: fmt.Sprintf("%T", *new(T)),
	}
}
