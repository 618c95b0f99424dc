package explain

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxCookie is what browsers take: octets of name and value (RFC 6265bis §5.6).
const MaxCookie = 4096

const maxAge = 400 * 24 * 3600 // seconds; RFC 6265bis §5.5

// Browser says what a browser makes of a cookie: why it would drop it, and what it would change.
// Both are empty if it takes the cookie as it is. Of a cookie without attributes the
// size alone can be judged.
func (c Cookie) Browser() (refused, changed []string) {
	if c.Size() > MaxCookie {
		refused = append(refused, fmt.Sprintf("name and value have %d octets, over the %d that browsers take", c.Size(), MaxCookie))
	}
	if i := strings.IndexFunc(c.Name+c.Value, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		refused = append(refused, "it holds a control character")
	}
	if !c.Set {
		return refused, nil
	}
	refused = append(refused, c.prefixRules()...)
	if site, _ := c.Attribute("SameSite"); strings.EqualFold(site, "None") && !c.has("Secure") {
		refused = append(refused, "SameSite=None needs Secure")
	}
	if c.has("Partitioned") && !c.has("Secure") {
		refused = append(refused, "Partitioned needs Secure")
	}
	for _, a := range c.Attributes {
		if len(a.Value) > 1024 {
			changed = append(changed, fmt.Sprintf("attribute %.32q is over 1,024 octets and ignored", a.Name))
		}
	}
	if age, ok := c.Attribute("Max-Age"); ok {
		if n, err := strconv.Atoi(age); err != nil {
			changed = append(changed, "Max-Age is no number and ignored")
		} else if n > maxAge {
			changed = append(changed, "Max-Age is above 400 days and cut to that")
		}
	}
	return refused, changed
}

func (c Cookie) has(attribute string) bool {
	_, ok := c.Attribute(attribute)
	return ok
}

// prefixRules are those of RFC 6265bis §4.1.3 and of the newer __Http- and __Host-Http-. Names are
// compared without regard to case.
func (c Cookie) prefixRules() (broken []string) {
	lower := strings.ToLower(c.Name)
	need := func(prefix, what string, ok bool) {
		if strings.HasPrefix(lower, prefix) && !ok {
			broken = append(broken, "a name with "+c.Name[:len(prefix)]+" needs "+what)
		}
	}
	path, _ := c.Attribute("Path")
	domain, _ := c.Attribute("Domain")
	need("__secure-", "Secure", c.has("Secure"))
	need("__host-", "Secure", c.has("Secure"))
	need("__host-", "Path=/", path == "/")
	need("__host-", "no Domain", domain == "")
	need("__http-", "Secure and HttpOnly", c.has("Secure") && c.has("HttpOnly"))
	need("__host-http-", "HttpOnly", c.has("HttpOnly"))
	return broken
}
