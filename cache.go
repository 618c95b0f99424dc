package signet

import (
	"net/http"
	"strings"
)

// addVary says that the response depends on the Cookie field, unless it says so already.
func addVary(h http.Header) {
	for _, field := range h["Vary"] {
		for name := range strings.SplitSeq(field, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, "Cookie") {
				return
			}
		}
	}
	h["Vary"] = append(h["Vary"], "Cookie")
}

// keepPrivate makes sure that no shared cache stores a response that sets a session
// cookie: RFC 9111 §5.2.2 lets one store a Set-Cookie under public or s-maxage, and Apache's does,
// whatever Vary says.
func (m *Manager[T]) keepPrivate(h http.Header, r *http.Request) {
	var kept []string
	narrowed := false
	for _, field := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(field, ",") {
			directive = strings.TrimSpace(directive)
			name, _, _ := strings.Cut(strings.ToLower(directive), "=")
			switch {
			case directive == "" || name == "private" || strings.HasPrefix(strings.ToLower(directive), `no-cache="set-cookie"`):
			case name == "public" || name == "s-maxage":
				narrowed = true
			default:
				kept = append(kept, directive)
			}
		}
	}
	if narrowed && m.cfg.DangerouslyAllowSharedCaching {
		return
	}
	h["Cache-Control"] = []string{strings.Join(append([]string{"private", `no-cache="Set-Cookie"`}, kept...), ", ")}
	if narrowed {
		m.observe(r.Context(), Event{Kind: "made-private", Path: pathOf(r)})
		m.warnOnce(r.Context(), "signet: a response that sets a session cookie said Cache-Control: public or s-maxage; both were removed, since a shared cache would give this visitor's session to others", "path", pathOf(r))
	}
}

// warnLarge says once, before a proxy does with a 502, that the response header grows large.
func (m *Manager[T]) warnLarge(h http.Header, r *http.Request) {
	size := 0
	for name, values := range h {
		for _, v := range values {
			size += len(name) + len(": ") + len(v) + len("\r\n")
		}
	}
	if size <= responseWarning {
		return
	}
	m.observe(r.Context(), Event{Kind: "large-response", Bytes: size, Path: pathOf(r)})
	m.warnOnce(r.Context(), "signet: the response header is over 4,000 octets; a stock nginx or ingress-nginx in front answers 502: raise proxy_buffer_size to 16k with proxy_buffers 8 16k there, or keep less in the session",
		"bytes", size, "path", pathOf(r))
}
