package lambdatest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"testing"
)

// Kind is a trigger, with the shape of its events and answers.
type Kind struct {
	Name   string
	event  func(method, path, query, body string, cookies []string) map[string]any
	answer func(a map[string]any) (header http.Header)
}

// Kinds are the triggers, as recorded: developer guides of Lambda, API Gateway and Elastic Load Balancing.
var Kinds = []Kind{
	{"HTTP API", func(method, path, query, body string, cookies []string) map[string]any {
		e := payload2(method, path, query, body, "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com")
		e["routeKey"], e["cookies"] = "$default", cookies
		return e
	}, cookiesApart},
	{"function URL", func(method, path, query, body string, cookies []string) map[string]any {
		e := payload2(method, path, query, body, "abcdefgh.lambda-url.eu-central-1.on.aws")
		if len(cookies) > 0 { // in both places
			e["cookies"] = cookies
			e["headers"].(map[string]string)["cookie"] = strings.Join(cookies, "; ")
		}
		return e
	}, cookiesApart},
	{"REST API", func(method, path, query, body string, cookies []string) map[string]any {
		single, multi := headers("1a2b3c.execute-api.eu-central-1.amazonaws.com"), map[string][]string{}
		for name, value := range single {
			multi[name] = []string{value}
		}
		if len(cookies) > 0 {
			multi["Cookie"], single["Cookie"] = []string{strings.Join(cookies, "; ")}, strings.Join(cookies, "; ")
		}
		return map[string]any{"resource": "/{proxy+}", "path": path, "httpMethod": method, "headers": single, "multiValueHeaders": multi,
			"queryStringParameters": firsts(query), "multiValueQueryStringParameters": all(query), "pathParameters": map[string]string{"proxy": path[1:]}, "stageVariables": nil,
			"requestContext": map[string]any{"stage": "prod", "httpMethod": method, "domainName": "1a2b3c.execute-api.eu-central-1.amazonaws.com", "identity": map[string]any{"sourceIp": "203.0.113.7", "user": nil}},
			"body":           orNull(body), "isBase64Encoded": false}
	}, multiValue},
	{"load balancer, multi-value headers", func(method, path, query, body string, cookies []string) map[string]any {
		multi := map[string][]string{}
		for name, value := range headers("lb-1.eu-central-1.elb.amazonaws.com") {
			multi[strings.ToLower(name)] = []string{value}
		}
		if len(cookies) > 0 {
			multi["cookie"] = cookies // one line for each
		}
		e := loadBalanced(method, path, body)
		e["multiValueHeaders"], e["multiValueQueryStringParameters"] = multi, all(query)
		return e
	}, multiValue},
	{"load balancer, single headers", func(method, path, query, body string, cookies []string) map[string]any {
		single := map[string]string{}
		for name, value := range headers("lb-1.eu-central-1.elb.amazonaws.com") {
			single[strings.ToLower(name)] = value
		}
		if len(cookies) > 0 {
			single["cookie"] = strings.Join(cookies, "; ")
		}
		e := loadBalanced(method, path, body)
		e["headers"], e["queryStringParameters"] = single, firsts(query)
		return e
	}, singleValue},
}

func headers(host string) map[string]string {
	return map[string]string{"Accept": "*/*", "Host": host, "User-Agent": "curl/8.5.0", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Port": "443",
		"X-Forwarded-Proto": "https", "X-Amzn-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700", "Content-Type": "application/x-www-form-urlencoded"}
}

func payload2(method, path, query, body, host string) map[string]any {
	h := map[string]string{}
	for name, value := range headers(host) {
		h[strings.ToLower(name)] = value
	}
	return map[string]any{"version": "2.0", "rawPath": path, "rawQueryString": query, "headers": h, "isBase64Encoded": true,
		"body": base64.StdEncoding.EncodeToString([]byte(body)), "requestContext": map[string]any{"accountId": "123456789012", "domainName": host, "stage": "$default",
			"http": map[string]string{"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "curl/8.5.0"}}}
}

func loadBalanced(method, path, body string) map[string]any {
	return map[string]any{"requestContext": map[string]any{"elb": map[string]string{"targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop/73e2d6bc24d8a067"}},
		"httpMethod": method, "path": path, "body": body, "isBase64Encoded": false}
}

func orNull(body string) any {
	if body == "" {
		return nil
	}
	return body
}

func all(query string) map[string][]string {
	values := map[string][]string{}
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' }) {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = append(values[name], value)
	}
	return values
}

func firsts(query string) map[string]string {
	values := map[string]string{}
	for name, list := range all(query) {
		values[name] = list[len(list)-1]
	}
	return values
}

// Event is a request as this trigger sends it. Cookies are "name=value" each.
func (k Kind) Event(t testing.TB, method, target, body string, cookies []string) []byte {
	t.Helper()
	path, query, _ := strings.Cut(target, "?")
	event, err := json.Marshal(k.event(method, path, query, body, cookies))
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// Response reads an answer as this trigger does, and fails the test if it has not its shape.
func (k Kind) Response(t testing.TB, a Answer) (status int, header http.Header, body string) {
	t.Helper()
	if a.Error {
		t.Fatalf("%s: the function failed: %s", k.Name, a.Body)
	}
	text, rest := a.Body, []byte(nil)
	if a.Streaming {
		var found bool
		if text, rest, found = bytes.Cut(a.Body, make([]byte, 8)); !found {
			t.Fatalf("%s: no eight zero bytes after the prelude: %.200q", k.Name, a.Body)
		}
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s: the answer is no JSON: %v", k.Name, err)
	}
	code, _ := out["statusCode"].(float64)
	if strings.HasPrefix(k.Name, "load balancer") && out["statusDescription"] != fmt.Sprintf("%d %s", int(code), http.StatusText(int(code))) {
		t.Fatalf("%s: statusDescription is %v", k.Name, out["statusDescription"])
	}
	body, _ = out["body"].(string)
	if out["isBase64Encoded"] == true {
		raw, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			t.Fatal(err)
		}
		body = string(raw)
	}
	if a.Streaming {
		body = string(rest)
	}
	return int(code), k.answer(out), body
}

func cookiesApart(a map[string]any) http.Header {
	h := singleValue(a)
	h.Del("Set-Cookie") // payload 2 takes them from cookies alone
	cookies, _ := a["cookies"].([]any)
	for _, c := range cookies {
		h.Add("Set-Cookie", c.(string))
	}
	return h
}

func multiValue(a map[string]any) http.Header {
	h := http.Header{}
	all, _ := a["multiValueHeaders"].(map[string]any)
	for name, values := range all {
		for _, v := range values.([]any) {
			h.Add(name, v.(string))
		}
	}
	return h
}

func singleValue(a map[string]any) http.Header {
	h := http.Header{}
	all, _ := a["headers"].(map[string]any)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		h.Add(name, all[name].(string))
	}
	return h
}
