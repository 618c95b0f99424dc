package sim

import (
	"slices"
	"strconv"
	"strings"
)

// stored is a cookie in a jar (RFC 6265bis §5.7).
type stored struct {
	name, value, domain, path string
	hostOnly, httpOnly, lax   bool
	partitioned               bool // CHIPS: a jar of its own beside the one without
	persistent                bool
	expires                   int64 // if persistent
	created, used             int   // counts, for the order of sending and of eviction
}

// browser is a person's browser: a jar, and what happens to jars.
type browser struct {
	number      int
	jar         []stored
	saved       []stored // an earlier jar: a backup, or a restored session
	savedTossed bool
	count       int      // of stores and uses
	version     int      // of the jar
	evicted     bool     // a cookie was pushed out for the bytes of a partition
	tossed      bool     // a sibling domain's cookie may be in it
	latest      []*write // by site: what the last response that it got set, if anything
	touched     []int64  // by site, true time: when the idle clock in the jar was set
}

// Limits of a jar.
const (
	maxPair      = 4096 // octets of name and value
	maxPerDomain = 180
	purgeTo      = 150
	maxAgeLimit  = 400 * 24 * 3600
	maxPartition = 10240 // octets of partitioned cookies of a domain
)

// set stores one Set-Cookie line of a response from host, as RFC 6265bis §5.6 and §5.7 say.
func (b *browser) set(host, line string, now int64) {
	c := stored{domain: host, path: "/", hostOnly: true}
	secure := false
	pair, attributes, _ := strings.Cut(line, ";")
	c.name, c.value, _ = strings.Cut(pair, "=")
	c.name, c.value = strings.TrimSpace(c.name), strings.TrimSpace(c.value)
	if len(c.name)+len(c.value) > maxPair {
		return
	}
	for a := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(a), "=")
		if len(value) > 1024 {
			continue
		}
		switch strings.ToLower(name) {
		case "secure":
			secure = true
		case "partitioned":
			c.partitioned = true
		case "httponly":
			c.httpOnly = true
		case "path":
			c.path = value
		case "samesite":
			c.lax = !strings.EqualFold(value, "none")
		case "max-age":
			n, err := strconv.ParseInt(value, 10, 64)
			if err == nil {
				c.persistent, c.expires = true, now+min(n, maxAgeLimit)
			}
		case "domain":
			if host != value && !strings.HasSuffix(host, "."+value) {
				return
			}
			c.domain, c.hostOnly = value, false
		}
	}
	if !prefixHolds(&c, secure) || c.partitioned && !secure {
		return
	}
	b.put(c, now)
}

// prefixHolds is RFC 6265bis §4.1.3.
func prefixHolds(c *stored, secure bool) bool {
	has := func(prefix string) bool {
		return len(c.name) >= len(prefix) && strings.EqualFold(c.name[:len(prefix)], prefix)
	}
	switch {
	case has("__Host-Http-"):
		return secure && c.httpOnly && c.hostOnly && c.path == "/"
	case has("__Host-"):
		return secure && c.hostOnly && c.path == "/"
	case has("__Http-"):
		return secure && c.httpOnly
	case has("__Secure-"):
		return secure
	}
	return true
}

func (b *browser) put(c stored, now int64) {
	b.version++
	b.count++
	c.created, c.used = b.count, b.count
	same := func(o stored) bool {
		return o.name == c.name && o.domain == c.domain && o.path == c.path && o.hostOnly == c.hostOnly && o.partitioned == c.partitioned
	}
	if i := slices.IndexFunc(b.jar, same); i >= 0 {
		c.created = b.jar[i].created
		b.jar = slices.Delete(b.jar, i, i+1)
	}
	if c.persistent && c.expires <= now {
		return
	}
	b.jar = append(b.jar, c)
	b.purge(c.domain)
	b.purgePartition(c.domain)
}

// purgePartition keeps the bytes of a domain's partition, as Chromium does: the oldest go, without a word.
func (b *browser) purgePartition(domain string) {
	for {
		size, oldest := 0, -1
		for i := range b.jar {
			if c := &b.jar[i]; c.partitioned && c.domain == domain {
				size += len(c.name) + len(c.value)
				if oldest < 0 || c.used < b.jar[oldest].used {
					oldest = i
				}
			}
		}
		if size <= maxPartition {
			return
		}
		b.jar = slices.Delete(b.jar, oldest, oldest+1)
		b.evicted = true
	}
}

// purge drops what a domain has above its share, least recently used first.
func (b *browser) purge(domain string) {
	of := func(o stored) bool { return o.domain == domain }
	n := 0
	for _, o := range b.jar {
		if of(o) {
			n++
		}
	}
	if n <= maxPerDomain {
		return
	}
	slices.SortStableFunc(b.jar, func(x, y stored) int { return x.used - y.used })
	b.jar = slices.DeleteFunc(b.jar, func(o stored) bool {
		if of(o) && n > purgeTo {
			n--
			return true
		}
		return false
	})
}

// cookies is the Cookie field of a request to host (RFC 6265bis §5.8.3): longer paths first, then
// the older ones. A cross-site POST carries no Lax cookie.
func (b *browser) cookies(host string, now int64, crossSitePost bool) string {
	b.expire(now)
	slices.SortStableFunc(b.jar, func(x, y stored) int {
		if len(x.path) != len(y.path) {
			return len(y.path) - len(x.path)
		}
		return x.created - y.created
	})
	var field strings.Builder
	for i := range b.jar {
		c := &b.jar[i]
		if c.domain != host && (c.hostOnly || !strings.HasSuffix(host, "."+c.domain)) || crossSitePost && c.lax {
			continue
		}
		b.count++
		c.used = b.count
		if field.Len() > 0 {
			field.WriteString("; ")
		}
		field.WriteString(c.name)
		field.WriteByte('=')
		field.WriteString(c.value)
	}
	return field.String()
}

func (b *browser) expire(now int64) {
	n := len(b.jar)
	b.jar = slices.DeleteFunc(b.jar, func(c stored) bool { return c.persistent && c.expires <= now })
	if len(b.jar) != n {
		b.version++
	}
}

// close ends the browser's session: what is not persistent is gone, unless it is restored.
func (b *browser) close() {
	b.version++
	b.jar = slices.DeleteFunc(b.jar, func(c stored) bool { return !c.persistent })
}

// holds lists what the jar has under a name or its further names.
func (b *browser) holds(host, name string) (held []stored) {
	for _, c := range b.jar {
		if c.domain != host && (c.hostOnly || !strings.HasSuffix(host, "."+c.domain)) {
			continue
		}
		if rest, ok := strings.CutPrefix(c.name, name); ok && (rest == "" || rest[0] == '.') {
			held = append(held, c)
		}
	}
	return held
}
