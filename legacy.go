package signet

import (
	"encoding/json"
	"net/http"
	"time"
)

// A ForeignFormat opens the session cookies of another framework. The packages
// under compat implement it; an application can, too.
//
// Open looks at all cookies of a request, as [http.Request.Cookies] gives them,
// finds its own by name, and returns the session that they carry. It returns
// [http.ErrNoCookie] if there are none, and otherwise one of this package's
// errors: ErrInvalid, ErrExpired, ErrUnknownKey or ErrTorn.
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
