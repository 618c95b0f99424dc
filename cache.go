package signet

import (
	"net"
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
	targeted := targetedFields(h)
	narrowed = narrowed || len(targeted) > 0
	if narrowed && m.cfg.DangerouslyAllowSharedCaching {
		return
	}
	for _, name := range targeted {
		delete(h, name)
	}
	value := `private, no-cache="Set-Cookie"`
	if len(kept) > 0 {
		value += ", " + strings.Join(kept, ", ")
	}
	h["Cache-Control"] = []string{value}
	if narrowed {
		m.observe(r.Context(), Event{Kind: "made-private", Path: pathOf(r)})
		m.warnOnce(r.Context(), "signet: a response that sets a session cookie said Cache-Control: public or s-maxage, or had a field for a CDN alone; these were removed, since a shared cache would give this visitor's session to others", "path", pathOf(r))
	}
}

// targetedFields are those that a content delivery network obeys instead of Cache-Control: RFC 9213
// and the Surrogate-Control from before it.
func targetedFields(h http.Header) (names []string) {
	for name := range h {
		if name == "Surrogate-Control" || strings.HasSuffix(name, "Cdn-Cache-Control") {
			names = append(names, name)
		}
	}
	return names
}

// addedByServer is what net/http adds to a header after it is saved here: the status line, Date,
// Content-Type, Content-Length and the empty line. A proxy counts them, too.
const addedByServer = 140

// warnLarge says once, before a proxy does with a 502, that the response header grows large.
func (m *Manager[T]) warnLarge(h http.Header, r *http.Request) {
	size := addedByServer
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

// warnPlain says once what a developer with Safari would search for long. Behind a proxy that ends
// TLS every request is plain too, so only this machine's own names tell.
func (m *Manager[T]) warnPlain(r *http.Request) {
	if r.TLS != nil || m.cfg.Cookie.DangerouslyAllowHTTP || !isLocal(r.Host) || r.Header["X-Forwarded-Proto"] != nil || r.Header["Forwarded"] != nil {
		return
	}
	m.warnOnce(r.Context(), "signet: a Secure cookie was set over plain HTTP on this machine; Chromium and Firefox keep it, Safari drops it: serve HTTPS in development (signet demo -tls shows how), or set Cookie.DangerouslyAllowHTTP there")
}

func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
