// Package cookieset finds the cookies of another framework's session in a request, joins
// its chunks, and makes the cookies of a response. It holds no keys.
package cookieset

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet"
)

// Bounds of what a stranger may send.
const (
	maxJoined  = 16 << 10 // bytes of all chunks together
	maxChunks  = 8        // that are joined
	maxIndex   = 64       // of a stray chunk that is still expired
	maxDoubles = 4        // cookies of one name that are tried
	maxName    = 128
	maxCookie  = 4096 // octets of a whole Set-Cookie line, or of name and value together
)

// Set describes the cookies of one session: NAME, and NAME + Separator + 0, 1, … for
// one that was split.
type Set struct {
	Name string
	// Separator stands between the name and the number of a chunk; empty is never split.
	Separator string
	// Raw keeps percent-encoded values as they are.
	Raw bool
	// Complete ends the joining at the first chunk for which it is true, so that stale chunks
	// behind it do no harm. Nil joins all.
	Complete func(joined string) bool
	// LastWins tries the last cookie of the name first, as the original takes that one.
	LastWins bool

	Domain, Path string
	SameSite     http.SameSite
	Secure       bool
	HTTPOnly     bool
	Partitioned  bool
}

// Check returns all problems of the names and attributes, joined. The errors begin with prefix.
func (s Set) Check(prefix string) error {
	var errs []error
	keep := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(prefix+": "+format, args...))
	}
	if s.Name == "" {
		keep("the cookie's name is missing")
	} else if err := (&http.Cookie{Name: s.Name, Value: "x"}).Valid(); err != nil || len(s.Name) > maxName {
		keep("%q cannot be a cookie's name", s.Name)
	}
	if err := (&http.Cookie{Name: "x", Path: s.Path, Domain: s.Domain}).Valid(); err != nil {
		keep("Domain %q or Path %q cannot be a cookie's", s.Domain, s.Path)
	}
	if s.Path != "" && s.Path[0] != '/' {
		keep("Path %q must begin with /", s.Path)
	}
	if s.SameSite < 0 || s.SameSite > http.SameSiteNoneMode {
		keep("SameSite must be http.SameSiteLaxMode, SameSiteStrictMode or SameSiteNoneMode; leave it zero for the original's default")
	}
	if !s.Secure && (s.SameSite == http.SameSiteNoneMode || s.Partitioned || hasPrefix(s.Name, "__Secure-") || hasPrefix(s.Name, "__Host-")) {
		keep("a cookie %q with these attributes needs Secure; browsers refuse it otherwise", s.Name)
	}
	if hasPrefix(s.Name, "__Host-") && (s.Domain != "" || s.Path != "/") {
		keep("a cookie %q may have no Domain and no Path but /", s.Name)
	}
	return errors.Join(errs...)
}

func hasPrefix(name, prefix string) bool {
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// Open finds the session's cookies, joins them, and gives what it found to open. Where a name
// came more than once, each is tried in order, at most four; the first that opens
// counts. The Cookies of the answer are all that must be expired. The error is
// http.ErrNoCookie if there was none, or signet's.
func (s Set) Open(cookies []*http.Cookie, open func(value string) (*signet.Foreign, error)) (*signet.Foreign, error) {
	found := s.find(cookies)
	if len(found.values) == 0 {
		if found.torn {
			return nil, signet.ErrTorn
		}
		return nil, http.ErrNoCookie
	}
	var failed error
	for _, value := range found.values {
		f, err := open(value)
		if err == nil {
			f.Cookies = s.Expired(cookies)
			return f, nil
		}
		failed = worse(failed, err)
	}
	if found.torn && errors.Is(failed, signet.ErrInvalid) {
		return nil, signet.ErrTorn
	}
	return nil, failed
}

// worse keeps the failure that says most.
func worse(a, b error) error {
	for _, err := range []error{signet.ErrClockSkew, signet.ErrUnknownKey, signet.ErrExpired} {
		if errors.Is(a, err) {
			return a
		}
	}
	return b
}

type found struct {
	values []string
	torn   bool // chunks behind a gap, or too many
}

func (s Set) find(cookies []*http.Cookie) found {
	var f found
	var first, last [maxIndex]string
	highest := -1
	if s.LastWins {
		cookies = slices.Clone(cookies)
		slices.Reverse(cookies)
	}
	for _, c := range cookies {
		i, ours := s.index(c.Name)
		if !ours || c.Value == "" || len(c.Value) > maxJoined {
			continue
		}
		if i < 0 {
			f.values = addDistinct(f.values, c.Value)
			continue
		}
		if first[i] == "" {
			first[i] = c.Value
		}
		last[i] = c.Value
		highest = max(highest, i)
	}
	for i, value := range f.values {
		f.values[i] = s.decode(value)
	}
	if len(f.values) > 0 || highest < 0 {
		return f
	}
	for _, chunks := range [][maxIndex]string{first, last} {
		value, torn := s.join(chunks[:highest+1])
		f.torn = f.torn || torn
		if value != "" {
			f.values = addDistinct(f.values, value)
		}
	}
	return f
}

func (s Set) decode(value string) string {
	if s.Raw || strings.IndexByte(value, '%') < 0 {
		return value
	}
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}

// join joins the chunks from 0 to the first gap.
func (s Set) join(chunks []string) (value string, torn bool) {
	for i, chunk := range chunks {
		if chunk == "" || i == maxChunks || len(value)+len(chunk) > maxJoined {
			if i == maxChunks {
				return "", true
			}
			return value, true
		}
		value += s.decode(chunk)
		if s.Complete != nil && s.Complete(value) {
			return value, false
		}
	}
	return value, false
}

func addDistinct(values []string, value string) []string {
	for _, v := range values {
		if v == value {
			return values
		}
	}
	if len(values) == maxDoubles {
		return values
	}
	return append(values, value)
}

// index tells whether name is one of ours, and which: -1 is NAME itself.
func (s Set) index(name string) (int, bool) {
	if name == s.Name {
		return -1, true
	}
	if s.Separator == "" {
		return 0, false
	}
	digits, ok := strings.CutPrefix(name, s.Name+s.Separator)
	if !ok || digits == "" || len(digits) > 2 || len(digits) == 2 && digits[0] == '0' {
		return 0, false
	}
	i, err := strconv.Atoi(digits)
	return i, err == nil && digits[0] != '+' && digits[0] != '-' && i < maxIndex
}

// Expired are cookies that delete all of the session's that a request carried.
func (s Set) Expired(cookies []*http.Cookie) []*http.Cookie {
	return s.expired(cookies, func(string) bool { return false })
}

func (s Set) expired(cookies []*http.Cookie, keep func(name string) bool) []*http.Cookie {
	var gone []*http.Cookie
	seen := map[string]bool{}
	for _, c := range cookies {
		if _, ours := s.index(c.Name); ours && !seen[c.Name] && !keep(c.Name) {
			seen[c.Name] = true
			e := s.cookie(c.Name, "")
			e.MaxAge = -1
			gone = append(gone, e)
		}
	}
	return gone
}

// Life says how long a browser keeps a cookie: both zero is until it ends.
type Life struct {
	MaxAge  time.Duration
	Expires time.Time
}

// Whole is value in one cookie, whatever its size.
func (s Set) Whole(value string, life Life) []*http.Cookie {
	c := s.cookie(s.Name, value)
	c.MaxAge, c.Expires = int(life.MaxAge/time.Second), life.Expires
	return []*http.Cookie{c}
}

// Split is value in one cookie if it has at most size characters, and in as many of that size as it
// takes otherwise.
func (s Set) Split(value string, size int, life Life) []*http.Cookie {
	if len(value) <= size || s.Separator == "" {
		return s.Whole(value, life)
	}
	var all []*http.Cookie
	for i := 0; len(value) > 0; i++ {
		n := min(size, len(value))
		c := s.cookie(s.Name+s.Separator+strconv.Itoa(i), value[:n])
		c.MaxAge, c.Expires = int(life.MaxAge/time.Second), life.Expires
		all = append(all, c)
		value = value[n:]
	}
	return all
}

// Replace adds to fresh what deletes the cookies of the request that fresh does not set anew.
func (s Set) Replace(carried, fresh []*http.Cookie) []*http.Cookie {
	return append(fresh, s.expired(carried, func(name string) bool {
		for _, c := range fresh {
			if c.Name == name {
				return true
			}
		}
		return false
	})...)
}

func (s Set) cookie(name, value string) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Domain: s.Domain, Path: s.Path,
		SameSite: s.SameSite, Secure: s.Secure, HttpOnly: s.HTTPOnly, Partitioned: s.Partitioned,
	}
}

// Room is what is left of 4,096 octets for the value of a cookie, with all that its line repeats,
// the way that some of the originals count.
func Room(c *http.Cookie) int {
	empty := *c
	empty.Value = ""
	return maxCookie - len(empty.String())
}

// TooLarge is the error for a value that does not fit: size of at most limit octets.
func TooLarge(size, limit int, fields []string) error {
	return &signet.TooLargeError{Size: size, Limit: limit, Fields: fields}
}

// Fits returns an error if browsers would drop a cookie, or there are more than limit of them,
// or they are more than what is read back.
func Fits(cookies []*http.Cookie, limit int, fields []string) error {
	total, over := 0, len(cookies) > limit
	for _, c := range cookies {
		total += len(c.Name) + len(c.Value)
		over = over || len(c.Name)+len(c.Value) > maxCookie
	}
	if most := min(limit*maxCookie, maxJoined); over || total > most {
		return TooLarge(total, most, fields)
	}
	return nil
}
