package signet

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cookie says how a session's cookies are named and set. The zero value is the strictest:
// __Host-Http-session; Path=/; Secure; HttpOnly; SameSite=Lax. Cookies are always
// HttpOnly, and Secure unless DangerouslyAllowHTTP says otherwise.
//
// A session that does not fit one cookie is split over several, of which the first has the
// name and the others the name followed by .1, .2 and so on.
type Cookie struct {
	// Name; empty is __Host-Http-session, or __Secure-session with a Domain or a Path other than /,
	// or session with DangerouslyAllowHTTP.
	Name string
	// Domain shares the cookie with every subdomain of it; empty is this host alone.
	Domain string
	// Path; empty is /.
	Path string
	// SameSite; zero is Lax. A None cookie is sent by every site's requests.
	SameSite http.SameSite
	// Partitioned gives the cookie a jar for each top-level site (CHIPS). Browsers allow 10,240
	// bytes in each, hence a Budget of at most 9,216 with it.
	Partitioned bool
	// Budget is how many bytes all cookies of one session may take in a request's
	// Cookie field, from 1,024 to 24,576; zero is 6,144. Above about 3,900 in one response a
	// stock nginx answers 502: see docs/limits.md.
	Budget int
	// DangerouslyAllowHTTP drops Secure, so that anyone on the network path can take the session over.
	// Browsers need it for plain HTTP on other hosts than localhost only.
	DangerouslyAllowHTTP bool
}

// What browsers count (RFC 6265bis §5.6, §5.7) and what is written here.
const (
	maxCookie         = 4096 // octets of name and value together
	maxChunks         = 8
	maxAge            = 400 * 24 * time.Hour
	maxNameLen        = 128
	defaultBudget     = 6 << 10
	minBudget         = 1 << 10
	maxBudget         = 24 << 10
	partitionedBudget = 9 << 10
	writeIDSize       = 4                 // characters
	chunkOverhead     = writeIDSize + 1   // "wwww."
	headOverhead      = chunkOverhead + 2 // "2.wwww."
	responseWarning   = 4000              // octets of response header, the last that a stock nginx takes
	touchIndex        = maxChunks         // the place of NAME.t in a carried set
	touchSuffix       = ".t"              // the idle clock
)

// cookie is a valid Cookie, with what every line of it repeats.
type cookie struct {
	name        string
	attributes  string // "; Path=/; HttpOnly; Secure; SameSite=Lax"
	partitioned bool
	budget      int
}

// build validates c and returns all its problems, joined.
func (c Cookie) build() (*cookie, error) {
	if c.Path == "" {
		c.Path = "/"
	}
	if c.Name == "" {
		c.Name = c.defaultName()
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	if c.Budget == 0 {
		c.Budget = defaultBudget
	}
	err := errors.Join(c.checkName(), c.checkPrefix(), c.checkScope(), c.checkSameSite(), c.checkBudget())
	return &cookie{c.Name, c.attributes(), c.Partitioned, c.Budget}, err
}

func (c Cookie) defaultName() string {
	switch {
	case c.DangerouslyAllowHTTP:
		return "session"
	case c.Domain != "" || c.Path != "/":
		return "__Secure-session"
	}
	return "__Host-Http-session"
}

func (c Cookie) checkName() error {
	if len(c.Name) > maxNameLen {
		return fmt.Errorf("signet: Cookie.Name has %d bytes, over the limit of %d", len(c.Name), maxNameLen)
	}
	for i := 0; i < len(c.Name); i++ {
		if b := c.Name[i]; b <= ' ' || b >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, b) >= 0 {
			return fmt.Errorf("signet: Cookie.Name %q holds %q, which no cookie name may (RFC 6265 §4.1.1)", c.Name, b)
		}
	}
	if stem := strings.TrimRight(c.Name, "0123456789"); stem != c.Name && strings.HasSuffix(stem, ".") || strings.HasSuffix(c.Name, touchSuffix) {
		return fmt.Errorf("signet: Cookie.Name %q ends like the name of a further cookie (.1, .t); choose another", c.Name)
	}
	return nil
}

// checkPrefix holds the rules of RFC 6265bis §4.1.3. Browsers compare the prefix
// without regard to case.
func (c Cookie) checkPrefix() error {
	has := func(prefix string) bool {
		return len(c.Name) >= len(prefix) && strings.EqualFold(c.Name[:len(prefix)], prefix)
	}
	var errs []error
	if (has("__Secure-") || has("__Host-") || has("__Http-")) && c.DangerouslyAllowHTTP {
		errs = append(errs, fmt.Errorf("signet: Cookie.Name %q needs Secure; browsers refuse it with DangerouslyAllowHTTP; drop the prefix", c.Name))
	}
	if has("__Host-") && c.Domain != "" {
		errs = append(errs, fmt.Errorf("signet: Cookie.Name %q may have no Domain; use the prefix __Secure-", c.Name))
	}
	if has("__Host-") && c.Path != "/" {
		errs = append(errs, fmt.Errorf("signet: Cookie.Name %q needs Path /; use the prefix __Secure-", c.Name))
	}
	return errors.Join(errs...)
}

func (c Cookie) checkScope() error {
	var errs []error
	if c.Path[0] != '/' || len(c.Path) > 1024 {
		errs = append(errs, fmt.Errorf("signet: Cookie.Path %q must begin with / and have at most 1,024 bytes", c.Path))
	}
	if i := strings.IndexFunc(c.Path, func(r rune) bool { return r < ' ' || r >= 0x7f || r == ';' }); i >= 0 {
		errs = append(errs, fmt.Errorf("signet: Cookie.Path %q holds an illegal character", c.Path))
	}
	if c.Domain == "" {
		return errors.Join(errs...)
	}
	if len(c.Domain) > 253 {
		errs = append(errs, fmt.Errorf("signet: Cookie.Domain has %d bytes, over the limit of 253", len(c.Domain)))
	}
	for _, label := range strings.Split(c.Domain, ".") {
		bad := strings.IndexFunc(label, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-')
		}) >= 0
		if label == "" || len(label) > 63 || bad || label[0] == '-' || label[len(label)-1] == '-' {
			errs = append(errs, fmt.Errorf("signet: Cookie.Domain %q is no host name; write it as in example.com, without scheme, port or leading dot", c.Domain))
			break
		}
	}
	return errors.Join(errs...)
}

func (c Cookie) checkSameSite() error {
	switch {
	case c.SameSite < http.SameSiteLaxMode || c.SameSite > http.SameSiteNoneMode:
		return errors.New("signet: Cookie.SameSite must be http.SameSiteLaxMode, SameSiteStrictMode or SameSiteNoneMode; leave it zero for Lax")
	case c.SameSite == http.SameSiteNoneMode && c.DangerouslyAllowHTTP:
		return errors.New("signet: Cookie.SameSite None needs Secure; browsers refuse it with DangerouslyAllowHTTP")
	case c.Partitioned && c.DangerouslyAllowHTTP:
		return errors.New("signet: Cookie.Partitioned needs Secure; browsers refuse it with DangerouslyAllowHTTP")
	}
	return nil
}

func (c Cookie) checkBudget() error {
	if c.Budget < minBudget || c.Budget > maxBudget {
		return fmt.Errorf("signet: Cookie.Budget %d is outside 1,024 to 24,576 bytes; leave it zero for 6,144", c.Budget)
	}
	if c.Partitioned && c.Budget > partitionedBudget {
		return fmt.Errorf("signet: Cookie.Budget %d is above 9,216 bytes: browsers evict silently above 10,240 of Partitioned cookies", c.Budget)
	}
	return nil
}

func (c Cookie) attributes() string {
	a := "; Path=" + c.Path
	if c.Domain != "" {
		a += "; Domain=" + c.Domain
	}
	a += "; HttpOnly"
	if !c.DangerouslyAllowHTTP {
		a += "; Secure"
	}
	switch c.SameSite {
	case http.SameSiteStrictMode:
		a += "; SameSite=Strict"
	case http.SameSiteNoneMode:
		a += "; SameSite=None"
	default:
		a += "; SameSite=Lax"
	}
	return a
}

// carried says which cookies of one name a request brought, or a response sets: bit 0
// is NAME, bit i NAME.i, bit touchIndex NAME.t.
type carried uint16

func (c *cookie) indexed(i int) string {
	switch i {
	case 0:
		return c.name
	case touchIndex:
		return c.name + touchSuffix
	}
	return c.name + "." + string(rune('0'+i))
}

// chunks is the number of cookies for a token of that length, or 0 if they would be
// more than 8.
func (c *cookie) chunks(tokenLen int) int {
	if len(c.name)+tokenLen <= maxCookie {
		return 1
	}
	rest := tokenLen - c.headRoom()
	n := 1 + (rest+c.tailRoom()-1)/c.tailRoom()
	if n > maxChunks {
		return 0
	}
	return n
}

func (c *cookie) headRoom() int { return maxCookie - len(c.name) - headOverhead }
func (c *cookie) tailRoom() int { return maxCookie - len(c.name) - len(".1") - chunkOverhead }

// wireSize is how many bytes the cookies of a token take in a Cookie field.
func (c *cookie) wireSize(tokenLen int) int {
	rest := max(tokenLen-c.headRoom(), 0)
	n := 1 + (rest+c.tailRoom()-1)/c.tailRoom()
	if len(c.name)+tokenLen <= maxCookie {
		return len(c.name) + len("=") + tokenLen
	}
	return tokenLen + n*(len(c.name)+len("=")+chunkOverhead) + len("2.") + (n-1)*(len(".1")+len("; "))
}

// set appends the Set-Cookie lines of a token to lines, and says which cookies they
// are. The token must have passed chunks.
func (c *cookie) set(lines []string, token []byte, maxAge int64) ([]string, carried) {
	tail := c.attributes
	if maxAge > 0 {
		tail = "; Max-Age=" + strconv.FormatInt(maxAge, 10) + tail
	}
	if c.partitioned {
		tail += "; Partitioned"
	}
	n := c.chunks(len(token))
	if n == 1 {
		return append(lines, setCookie(c.name, "=", token, tail)), 1
	}
	var random [3]byte
	rand.Read(random[:])
	id := base64.RawURLEncoding.EncodeToString(random[:])
	data := token[:c.headRoom()]
	lines = append(lines, setCookie(c.name, "="+string(rune('0'+n))+"."+id+".", data, tail))
	token = token[len(data):]
	for i := 1; i < n; i++ {
		data = token[:min(len(token), c.tailRoom())]
		token = token[len(data):]
		lines = append(lines, setCookie(c.indexed(i), "="+id+".", data, tail))
	}
	return lines, 1<<n - 1
}

// setCookie joins a Set-Cookie line without making a string of the data first.
func setCookie(name, before string, data []byte, tail string) string {
	var b strings.Builder
	b.Grow(len(name) + len(before) + len(data) + len(tail))
	b.WriteString(name)
	b.WriteString(before)
	b.Write(data)
	b.WriteString(tail)
	return b.String()
}

func (c *cookie) setTouch(lines []string, token []byte, maxAge int64) []string {
	line := c.indexed(touchIndex) + "=" + string(token)
	if maxAge > 0 {
		line += "; Max-Age=" + strconv.FormatInt(maxAge, 10)
	}
	line += c.attributes
	if c.partitioned {
		line += "; Partitioned"
	}
	return append(lines, line)
}

// expire appends the lines that delete the given cookies.
func (c *cookie) expire(lines []string, which carried) []string {
	for i := range touchIndex + 1 {
		if which&(1<<i) == 0 {
			continue
		}
		line := c.indexed(i) + "=; Max-Age=0" + c.attributes
		if c.partitioned {
			line += "; Partitioned"
		}
		lines = append(lines, line)
	}
	return lines
}

// expireTwins deletes the cookies of the same names outside the partition, which Chromium
// keeps beside the partitioned ones and sends as well.
func (c *cookie) expireTwins(lines []string, which carried) []string {
	if !c.partitioned {
		return lines
	}
	twin := *c
	twin.partitioned = false
	return twin.expire(lines, which)
}

// replaceLines returns old followed by lines, without those of old that set a cookie which one
// of lines sets again. A browser keys on the name and on Partitioned, and so does this;
// other cookies of the response, and what an earlier save of it wrote, stay.
func replaceLines(old, lines []string) []string {
	if len(old) == 0 {
		return lines
	}
	kept := make([]string, 0, len(old)+len(lines))
	for _, line := range old {
		name, _, _ := strings.Cut(line, "=")
		if !slices.ContainsFunc(lines, func(l string) bool {
			again, _, _ := strings.Cut(l, "=")
			return again == name && isPartitioned(l) == isPartitioned(line)
		}) {
			kept = append(kept, line)
		}
	}
	return append(kept, lines...)
}

func isPartitioned(line string) bool {
	_, attributes, _ := strings.Cut(line, ";")
	for a := range strings.SplitSeq(attributes, ";") {
		if strings.EqualFold(strings.TrimSpace(a), "Partitioned") {
			return true
		}
	}
	return false
}

// index tells which of our cookies text begins with, as "NAME=", "NAME.3=" or "NAME.t=", and
// what follows the equals sign.
func (c *cookie) index(text string) (i int, rest string, ours bool) {
	rest, ok := strings.CutPrefix(text, c.name)
	if !ok || rest == "" {
		return 0, "", false
	}
	if rest[0] == '=' {
		return 0, rest[1:], true
	}
	if len(rest) < 3 || rest[0] != '.' || rest[2] != '=' {
		return 0, "", false
	}
	switch d := rest[1]; {
	case d == 't':
		return touchIndex, rest[3:], true
	case d >= '1' && d < '0'+maxChunks:
		return int(d - '0'), rest[3:], true
	}
	return 0, "", false
}

// Bounds of reading a stranger's Cookie fields.
const (
	maxScan        = 64 << 10 // bytes of Cookie fields that are looked at
	maxOccurrences = 64       // of our cookies in them
	maxHeads       = 4        // tokens that are opened
	maxParts       = 32       // different further cookies that are looked at
)

// received is what a request brought of one cookie. Values are distinct: equal
// ones count once, since a Lambda function URL delivers every cookie twice.
type received struct {
	heads   []string
	parts   []part
	touches []string
	carried carried
}

type part struct {
	index int
	value string
}

// read finds our cookies in all Cookie fields of a request: a hop may have split them over
// lines, or joined lines with a comma, which no value of ours holds.
// It looks for the name instead of splitting everything, which is what a long
// header of other cookies costs least.
func (c *cookie) read(fields []string, in *received) {
	scan, occurrences := maxScan, 0
	for _, field := range fields {
		whole := len(field) <= scan
		field = field[:min(len(field), scan+1)] // with what may end the last pair
		scan -= min(len(field), scan)
		for at := 0; occurrences < maxOccurrences; {
			next := strings.Index(field[at:], c.name)
			if next < 0 {
				break
			}
			at += next
			// Only ours count: the name within another cookie's value must not hide them.
			if i, value, ours := c.index(field[at:]); ours && startsPair(field[:at]) {
				value, ended := cutValue(value)
				if !whole && !ended {
					break // it goes beyond maxScan, and half a piece would make a good session torn
				}
				in.add(i, value)
				occurrences++
			}
			at += len(c.name)
		}
	}
}

// startsPair reports whether what comes next begins a cookie pair.
func startsPair(before string) bool {
	before = strings.TrimRight(before, " \t")
	return before == "" || before[len(before)-1] == ';' || before[len(before)-1] == ','
}

// cutValue returns the value that rest begins with, and whether it ends before rest does.
func cutValue(rest string) (value string, ended bool) {
	value, _, semicolon := strings.Cut(rest, ";")
	value, _, comma := strings.Cut(value, ",")
	value = strings.Trim(value, " \t")
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1] // as net/http reads it
	}
	return value, semicolon || comma
}

func (in *received) add(i int, value string) {
	in.carried |= 1 << i
	if value == "" {
		return // on its way out, or damaged beyond telling
	}
	switch {
	case i == touchIndex:
		in.touches = addDistinct(in.touches, value, maxHeads)
	case i == 0:
		in.heads = addDistinct(in.heads, value, maxHeads)
	case len(in.parts) < maxParts:
		for _, p := range in.parts {
			if p.index == i && p.value == value {
				return
			}
		}
		if in.parts == nil {
			in.parts = make([]part, 0, maxChunks)
		}
		in.parts = append(in.parts, part{i, value})
	}
}

func addDistinct(values []string, value string, limit int) []string {
	if len(values) == limit {
		return values
	}
	for _, v := range values {
		if v == value {
			return values
		}
	}
	return append(values, value)
}

// token joins what a head names. Count and write id are a stranger's until the token has
// authenticated: they select among values that are there and allocate nothing.
// The error is ErrInvalid, or ErrTorn if a piece is missing or contested.
func (in *received) token(head string) (string, error) {
	if head[0] < '0' || head[0] > '9' {
		return head, nil // a whole token: compact begins with A, a JWE with ey
	}
	count := int(head[0] - '0')
	if len(head) < headOverhead || head[1] != '.' || head[1+chunkOverhead] != '.' || count < 2 || count > maxChunks {
		return "", ErrInvalid
	}
	id := head[2:headOverhead] // "wwww."
	var pieces [maxChunks]string
	pieces[0] = head[headOverhead:]
	size := len(pieces[0])
	var found carried
	for _, p := range in.parts {
		data, match := strings.CutPrefix(p.value, id)
		if !match || p.index >= count {
			continue // of another write
		}
		if found&(1<<p.index) != 0 {
			return "", ErrTorn
		}
		found |= 1 << p.index
		pieces[p.index] = data
		size += len(data)
	}
	if size > maxToken {
		return "", ErrInvalid // before anything of that size is allocated
	}
	if slices.Contains(pieces[:count], "") {
		return "", ErrTorn // before anything is allocated for what cannot be whole
	}
	return strings.Join(pieces[:count], ""), nil
}
