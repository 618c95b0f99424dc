package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// kind is the shape of an event, and so of its answer.
type kind int

const (
	payload2           kind = iota // HTTP API, function URL
	payload1                       // REST API, HTTP API with payload 1
	loadBalancer                   // with lambda.multi_value_headers.enabled
	loadBalancerSingle             // without, which is the default
)

// event is the union of what the kinds carry. Members of a wrong type are left empty.
type event struct {
	kind kind

	Version    string
	HTTPMethod string

	Path    string // payload 1, load balancer
	RawPath string

	RawQueryString                  string
	QueryStringParameters           map[string]string
	MultiValueQueryStringParameters map[string][]string

	Headers           map[string]string
	MultiValueHeaders map[string][]string
	Cookies           []string

	Body            string
	IsBase64Encoded bool

	RequestContext struct {
		ELB        json.RawMessage
		DomainName string
		Identity   struct{ SourceIP string }
		HTTP       struct{ Method, SourceIP string }
	}
}

var errBadRequest = errors.New("signet/lambda: malformed event")

// parse returns the event and the request that it is. The event is nil if it is of no known kind;
// otherwise an error means that no request can be made of it.
func parse(ctx context.Context, payload []byte) (*event, *http.Request, error) {
	e := new(event)
	// A member of a wrong type is reported after all others have been decoded. The error
	// quotes nothing here since it is not passed on.
	malformed := json.Unmarshal(payload, e) != nil
	switch {
	case e.RequestContext.ELB != nil && e.MultiValueHeaders != nil:
		e.kind = loadBalancer
	case e.RequestContext.ELB != nil:
		e.kind = loadBalancerSingle
	case e.Version == "2.0":
		e.kind = payload2
	case e.HTTPMethod != "":
		e.kind = payload1
	default:
		return nil, nil, errNotHTTP
	}
	if malformed {
		return e, nil, errBadRequest
	}
	r, err := e.request(ctx)
	return e, r, err
}

func (e *event) request(ctx context.Context) (*http.Request, error) {
	header := e.header()
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.Strict().DecodeString(e.Body); err != nil {
			return nil, errBadRequest
		}
	}
	method, ip := e.HTTPMethod, e.RequestContext.Identity.SourceIP
	if e.kind == payload2 {
		method, ip = e.RequestContext.HTTP.Method, e.RequestContext.HTTP.SourceIP
	}
	target := e.target()
	r, err := http.NewRequestWithContext(ctx, method, "/", bytes.NewReader(body))
	if err != nil || method == "" {
		return nil, errBadRequest
	}
	// As a server reads a request line: //host/path is a path here and names no host.
	if r.URL, err = url.ParseRequestURI(target); err != nil {
		return nil, errBadRequest
	}
	r.Header, r.RequestURI = header, target
	r.Host = header.Get("Host")
	if r.Host == "" {
		r.Host = e.RequestContext.DomainName
	}
	header.Del("Host")
	if ip == "" { // a load balancer appends the address that it saw
		forwarded := strings.Split(strings.Join(header["X-Forwarded-For"], ","), ",")
		ip = strings.TrimSpace(forwarded[len(forwarded)-1])
	}
	r.RemoteAddr = net.JoinHostPort(ip, "0")
	return r, nil
}

// header is the request's header, names in any case. Cookies come as an array of their own, in
// the header, or from a function URL in both; equal ones count once at signet.
func (e *event) header() http.Header {
	h := http.Header{}
	for name, values := range e.MultiValueHeaders {
		h[http.CanonicalHeaderKey(name)] = append(h[http.CanonicalHeaderKey(name)], values...)
	}
	if e.MultiValueHeaders == nil {
		for name, value := range e.Headers {
			h.Add(name, value)
		}
	}
	if e.kind == payload2 && len(e.Cookies) > 0 {
		h["Cookie"] = []string{strings.Join(e.Cookies, "; ")}
	}
	return h
}

// target is the path and query, as in a request line. A load balancer passes the query as it came;
// payload 1 decodes it.
func (e *event) target() string {
	path, query := e.Path, ""
	switch e.kind {
	case payload2:
		path, query = e.RawPath, e.RawQueryString
	case payload1:
		values := url.Values(e.MultiValueQueryStringParameters)
		if e.MultiValueQueryStringParameters == nil {
			values = url.Values{}
			for name, value := range e.QueryStringParameters {
				values.Set(name, value)
			}
		}
		query = values.Encode()
	case loadBalancer, loadBalancerSingle:
		var pairs []string
		for name, values := range e.MultiValueQueryStringParameters {
			for _, value := range values {
				pairs = append(pairs, name+"="+value)
			}
		}
		for name, value := range e.QueryStringParameters {
			pairs = append(pairs, name+"="+value)
		}
		query = strings.Join(pairs, "&")
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	// An HTTP API decodes the path, so that it may hold what a request line cannot.
	if u, err := url.ParseRequestURI(path); err == nil && u.RawQuery == "" {
		path = u.EscapedPath()
	} else {
		path = (&url.URL{Path: path}).EscapedPath()
	}
	if query != "" {
		path += "?" + query
	}
	return path
}

// answer is the response in the shape of the event's kind.
func (e *event) answer(w *buffered) any {
	w.finish()
	body, encoded := w.text()
	out := response{StatusCode: w.status, Body: body, IsBase64Encoded: encoded}
	switch e.kind {
	case payload2:
		out.Headers, out.Cookies = single(w.sent)
	case payload1:
		out.MultiValueHeaders = w.sent
	case loadBalancer:
		out.StatusDescription = strconv.Itoa(w.status) + " " + http.StatusText(w.status)
		out.MultiValueHeaders = w.sent
	case loadBalancerSingle:
		out.StatusDescription = strconv.Itoa(w.status) + " " + http.StatusText(w.status)
		var cookies []string
		out.Headers, cookies = single(w.sent)
		for i, cookie := range cookies {
			out.Headers[respelled("set-cookie", i)] = cookie
		}
	}
	return out
}

type response struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription,omitempty"`
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	Cookies           []string            `json:"cookies,omitempty"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// single joins values of one name with a comma, which every header but Set-Cookie allows (RFC 9110 §5.3).
func single(h http.Header) (headers map[string]string, cookies []string) {
	headers = make(map[string]string, len(h))
	for name, values := range h {
		if name == "Set-Cookie" {
			cookies = values
			continue
		}
		headers[name] = strings.Join(values, ",")
	}
	return headers, cookies
}

// respelled is the i-th spelling of a header's name in capitals and small letters: a load balancer without multi-value
// headers sends one line for each, so that several cookies arrive. Names are read in any case (RFC 9110 §5.1).
func respelled(name string, i int) string {
	b := []byte(name)
	for at := range b {
		if b[at] != '-' {
			if i&1 == 1 {
				b[at] -= 'a' - 'A'
			}
			i >>= 1
		}
	}
	return string(b)
}
