package explain

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxInput bounds what is read, in bytes: far above what any server takes as a header.
const MaxInput = 64 << 10

// maxCookies bounds how many cookies are looked at.
const maxCookies = 256

// Cookie is one cookie as it travels: from a Cookie field, or with attributes from a
// Set-Cookie line, or a bare value, which has no name.
type Cookie struct {
	Name, Value string
	Set         bool // from a Set-Cookie line
	Attributes  []Attribute
}

// Attribute is one of a Set-Cookie line, as written.
type Attribute struct{ Name, Value string }

// Size is what a browser counts: octets of name and value (RFC 6265bis §5.6).
func (c Cookie) Size() int { return len(c.Name) + len(c.Value) }

// Attribute is the last one of that name, which is the one that counts.
func (c Cookie) Attribute(name string) (value string, ok bool) {
	for _, a := range c.Attributes {
		if strings.EqualFold(a.Name, name) {
			value, ok = a.Value, true
		}
	}
	return value, ok
}

// Expires reports whether this line deletes the cookie.
func (c Cookie) Expires() bool {
	age, ok := c.Attribute("Max-Age")
	n, err := strconv.Atoi(age)
	return ok && err == nil && n <= 0
}

// Read finds the cookies in what somebody pasted: a token, a cookie's value, a Cookie field with
// or without its name, Set-Cookie lines, or all the header lines of a request or a response as
// curl -v and browsers show them.
func Read(text string) ([]Cookie, error) {
	if len(text) > MaxInput {
		return nil, fmt.Errorf("the input is over %d bytes; give the Cookie or Set-Cookie lines alone", MaxInput)
	}
	var found []Cookie
	var bare []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(line), "<> \t"))
		name, value, _ := strings.Cut(line, ":")
		switch {
		case strings.EqualFold(name, "Cookie"):
			found = append(found, cookieField(value)...)
		case strings.EqualFold(name, "Set-Cookie"):
			found = append(found, setCookie(value))
		case line != "":
			bare = append(bare, line)
		}
		if len(found) > maxCookies {
			return nil, fmt.Errorf("more than %d cookies; give those of the session alone", maxCookies)
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case len(bare) == 0:
		return nil, errors.New("nothing to inspect; give a cookie's value, a Cookie header or a token on stdin")
	case !strings.Contains(text, "="):
		return []Cookie{{Value: strings.Join(bare, "")}}, nil // a token, perhaps broken over lines
	}
	for _, line := range bare {
		if looksSet(line) {
			found = append(found, setCookie(line))
		} else {
			found = append(found, cookieField(line)...)
		}
	}
	if len(found) == 0 || len(found) > maxCookies {
		return nil, errors.New("no cookie in it; give a cookie's value, a Cookie header or a token on stdin")
	}
	return found, nil
}

func cookieField(text string) []Cookie {
	var all []Cookie
	for pair := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == ',' }) {
		if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && len(all) <= maxCookies {
			all = append(all, Cookie{Name: name, Value: unquote(value)})
		}
	}
	return all
}

func setCookie(text string) Cookie {
	pair, rest, _ := strings.Cut(text, ";")
	name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
	c := Cookie{Name: strings.TrimSpace(name), Value: unquote(strings.TrimSpace(value)), Set: true}
	for text := range strings.SplitSeq(rest, ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(text), "="); name != "" {
			c.Attributes = append(c.Attributes, Attribute{name, value})
		}
	}
	return c
}

// looksSet tells a Set-Cookie line without its name from a Cookie field without it.
func looksSet(line string) bool {
	_, rest, _ := strings.Cut(line, ";")
	for text := range strings.SplitSeq(rest, ";") {
		name, _, _ := strings.Cut(strings.TrimSpace(text), "=")
		if slices.ContainsFunc([]string{"Path", "HttpOnly", "Secure", "SameSite", "Max-Age", "Expires"}, func(a string) bool { return strings.EqualFold(a, name) }) {
			return true
		}
	}
	return false
}

func unquote(value string) string {
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1]
	}
	return value
}

// Session is the cookies of one token: one, or a head that counts and its further pieces.
type Session struct {
	Name    string // of the first cookie; empty for a bare value
	Touch   bool   // the idle clock of the session without the .t
	Pieces  []Piece
	Count   int    // how many cookies the head says; 1 if the token is whole in one
	WriteID string // of a split one
	Torn    string // what is missing, empty if complete
	Token   Token
}

// Piece is one cookie of a session and what it carries of the token.
type Piece struct {
	Cookie
	Prefix string // "3.wwww." of a head, "wwww." of a further one
	From   int    // where in the token its data begins
}

// Data is the piece of the token.
func (p Piece) Data() string { return p.Value[len(p.Prefix):] }

// Sessions sorts cookies into sessions and those that are none of signet's. Lines
// that delete a cookie are among the others.
func Sessions(cookies []Cookie) (sessions []Session, others []Cookie) {
	taken := make([]bool, len(cookies))
	for i, c := range cookies {
		if s, ok := sessionOf(c, cookies, taken); ok {
			taken[i] = true
			sessions = append(sessions, s)
		}
	}
	for i, c := range cookies {
		if taken[i] {
			continue
		}
		if s, ok := orphan(c, cookies); ok {
			sessions = append(sessions, s)
			continue
		}
		others = append(others, c)
	}
	return sessions, others
}

// sessionOf makes the session whose first cookie is c, if it is one.
func sessionOf(c Cookie, all []Cookie, taken []bool) (Session, bool) {
	s := Session{Name: c.Name, Count: 1, Pieces: []Piece{{Cookie: c}}}
	s.Name, s.Touch = strings.CutSuffix(c.Name, ".t")
	if count, id, ok := splitHead(c.Value); ok {
		s.Count, s.WriteID = count, id
		s.Pieces[0].Prefix = c.Value[:len("3.wwww.")]
		s.join(all, taken)
	}
	text := ""
	for _, p := range s.Pieces {
		text += p.Data()
	}
	var err error
	s.Token, err = ParseToken(text, s.Torn == "")
	return s, err == nil
}

// splitHead reads "3.wwww." before the data.
func splitHead(value string) (count int, id string, ok bool) {
	if len(value) < 8 || value[0] < '2' || value[0] > '8' || value[1] != '.' || value[6] != '.' {
		return 0, "", false
	}
	return int(value[0] - '0'), value[2:6], true
}

// join finds the further pieces of s: those of its write id, one for each index.
func (s *Session) join(all []Cookie, taken []bool) {
	at := len(s.Pieces[0].Data())
	for i := 1; i < s.Count; i++ {
		name, prefix := fmt.Sprintf("%s.%d", cmp.Or(s.Name, "NAME"), i), s.WriteID+"."
		var values []string
		for j, c := range all {
			if c.Name != name || !strings.HasPrefix(c.Value, prefix) {
				continue
			}
			taken[j] = true
			if !slices.Contains(values, c.Value) {
				values = append(values, c.Value)
				s.Pieces = append(s.Pieces, Piece{Cookie: c, Prefix: prefix, From: at})
			}
		}
		switch len(values) {
		case 0:
			s.tear(fmt.Sprintf("cookie %s of write %s is missing", name, s.WriteID))
		case 1:
			at += len(values[0]) - len(prefix)
		default:
			s.tear(fmt.Sprintf("there are %d different cookies %s of write %s", len(values), name, s.WriteID))
		}
	}
}

func (s *Session) tear(why string) {
	if s.Torn != "" {
		why = s.Torn + "; " + why
	}
	s.Torn = why
}

// orphan is a further piece whose head is missing, or which a later write left behind.
func orphan(c Cookie, all []Cookie) (Session, bool) {
	base, ok := pieceOf(c.Name)
	if !ok || len(c.Value) < 6 || c.Value[4] != '.' {
		return Session{}, false
	}
	s := Session{Name: base, WriteID: c.Value[:4], Pieces: []Piece{{Cookie: c, Prefix: c.Value[:5]}}}
	s.Torn = "its first cookie, " + base + ", is missing"
	if slices.ContainsFunc(all, func(o Cookie) bool { return o.Name == base }) {
		s.Torn = "it is of another write than " + base + "; servers ignore it"
	}
	return s, true
}

// pieceOf cuts the .1 to .7 off the name of a further cookie.
func pieceOf(name string) (base string, ok bool) {
	n := len(name) - 2
	if n < 1 || name[n] != '.' || name[n+1] < '1' || name[n+1] > '7' {
		return "", false
	}
	return name[:n], true
}
