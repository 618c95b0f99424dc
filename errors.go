package signet

import (
	"errors"
	"fmt"
	"strings"
)

// What opening a token or a session can answer. Branch with [errors.Is].
//
// A client learns none of this: to it a cookie that does not open is the cookie
// of a new visitor. The reason is for logs and metrics.
var (
	// ErrInvalid is the one answer to everything that was forged, damaged, cut
	// or sealed for another purpose. It carries no further detail.
	ErrInvalid = errors.New("signet: invalid token")
	// ErrUnknownKey says that the token names a key that this ring does not hold,
	// or does not hold yet. It is no sign of forgery.
	ErrUnknownKey = errors.New("signet: token of an unknown key")
	// ErrExpired says that the token is past its end, or its session was idle for too long.
	ErrExpired = errors.New("signet: token has expired")
	// ErrClockSkew says that the token was sealed further in the future than the
	// policy's skew allows: the clock of this machine is slow, or the other's fast.
	ErrClockSkew = errors.New("signet: token was sealed in the future; check this machine's clock")
	// ErrAmbiguous says that one request carried two different valid sessions.
	// Neither is believed, since a sibling domain can set cookies too.
	ErrAmbiguous = errors.New("signet: two different valid sessions in one request")
	// ErrRevoked says that the token's key has been revoked.
	ErrRevoked = errors.New("signet: token of a revoked key")
	// ErrTorn says that a session of several cookies arrived incomplete.
	ErrTorn = errors.New("signet: some cookies of the session are missing")
	// ErrTooLarge says that a session does not fit its budget. The error that is
	// returned is a [*TooLargeError].
	ErrTooLarge = errors.New("signet: session too large")
)

// TooLargeError says by how much a session is over its budget and what fills it.
// Nothing was written, and the cookies that the browser holds stay valid.
type TooLargeError struct {
	Size   int      // bytes that the cookies would take in a request's Cookie field
	Limit  int      // bytes that they may take: Cookie.Budget
	Fields []string // the largest top-level members of the data, "name (bytes)", largest first
}

func (e *TooLargeError) Error() string {
	largest := "none"
	if len(e.Fields) > 0 {
		largest = strings.Join(e.Fields, ", ")
	}
	return fmt.Sprintf("signet: session too large: its cookies take %d bytes of at most %d; largest fields: %s; keep less in the session or raise Cookie.Budget",
		e.Size, e.Limit, largest)
}

// Unwrap makes errors.Is(err, ErrTooLarge) true.
func (e *TooLargeError) Unwrap() error { return ErrTooLarge }

// Must returns v, or panics with err. It is for the start of a program, where a
// configuration that is wrong should end it.
func Must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}
