package lambda_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/contrib/lambda"
	"github.com/signet-go/signet/contrib/lambda/lambdatest"
)

// build builds a program of this module once, as a function is built.
func build(t *testing.T, pkg string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux, where functions run")
	}
	builds.Lock()
	defer builds.Unlock()
	if path, done := builds.paths[pkg]; done {
		return path
	}
	dir, err := os.MkdirTemp("", "sg")
	require.NoError(t, err)
	path := filepath.Join(dir, "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags=-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	builds.paths[pkg] = path
	return path
}

var builds = struct {
	sync.Mutex
	paths map[string]string
}{paths: map[string]string{}}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, path := range builds.paths {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// visitor is a browser before a function: it keeps cookies by name and sends them in the way of its trigger.
type visitor struct {
	t    *testing.T
	kind lambdatest.Kind
	emu  *lambdatest.Emulator
	jar  map[string]string
	sent []string // Set-Cookie lines of the last answer

	streams bool
}

func (v *visitor) do(method, target, body string) (int, http.Header, string) {
	v.t.Helper()
	var cookies []string
	for name, value := range v.jar {
		cookies = append(cookies, name+"="+value)
	}
	a := v.emu.Invoke(v.t, v.kind.Event(v.t, method, target, body, cookies))
	require.Equal(v.t, v.streams && !strings.HasPrefix(v.kind.Name, "load"), a.Streaming)
	status, header, text := v.kind.Response(v.t, a)
	v.sent = header["Set-Cookie"]
	for _, line := range v.sent {
		c, err := http.ParseSetCookie(line)
		require.NoError(v.t, err)
		if c.MaxAge < 0 {
			delete(v.jar, c.Name)
			continue
		}
		v.jar[c.Name] = c.Value
	}
	return status, header, text
}

// keyFile is a ring's file that can be rotated as an operator does.
type keyFile struct {
	t    *testing.T
	path string
	ring *signet.Keyring
}

func newKeyFile(t *testing.T) *keyFile {
	f := &keyFile{t: t, path: filepath.Join(t.TempDir(), "keys.json")}
	f.publish(signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))))
	return f
}

func (f *keyFile) publish(r *signet.Keyring) {
	f.t.Helper()
	text, err := r.SecretJWKS()
	require.NoError(f.t, err)
	require.NoError(f.t, os.WriteFile(f.path+".new", text, 0o600))
	require.NoError(f.t, os.Rename(f.path+".new", f.path))
	f.ring = r
}

// edit publishes the ring with its file changed: a member of the JSON set, and the generation raised.
func (f *keyFile) edit(change func(file map[string]any)) {
	f.t.Helper()
	text, err := f.ring.SecretJWKS()
	require.NoError(f.t, err)
	var file map[string]any
	require.NoError(f.t, json.Unmarshal(text, &file))
	generation, _ := file["generation"].(float64)
	file["generation"] = generation + 1
	change(file)
	text, err = json.Marshal(file)
	require.NoError(f.t, err)
	r, err := signet.ParseKeyring(text)
	require.NoError(f.t, err)
	f.publish(r)
}

// addKey adds one that seals from now on.
func (f *keyFile) addKey() {
	fresh := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Now())))
	text, err := fresh.SecretJWKS()
	require.NoError(f.t, err)
	var one map[string]any
	require.NoError(f.t, json.Unmarshal(text, &one))
	f.edit(func(file map[string]any) { file["keys"] = append(file["keys"].([]any), one["keys"].([]any)[0]) })
}

// TestASessionBehindEveryTrigger logs in, grows to several cookies, shrinks and logs out, with the
// real runtime loop in a real process. Every Set-Cookie line arrives, those of others too.
func TestASessionBehindEveryTrigger(t *testing.T) {
	binary := build(t, "./internal/function")
	for _, mode := range []string{"", "STREAM=1"} {
		for _, kind := range lambdatest.Kinds {
			name := kind.Name
			if mode != "" {
				name += ", streaming"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				emu := lambdatest.Start(t, binary, "KEYS_FILE="+newKeyFile(t).path, mode)
				v := &visitor{t: t, kind: kind, emu: emu, jar: map[string]string{}, streams: mode != ""}
				status, _, _ := v.do("POST", "/login", "name=Ada+L")
				require.Equal(t, 200, status)
				require.Len(t, v.sent, 2, "the session's and the application's")
				_, header, body := v.do("GET", "/", "")
				require.Contains(t, body, "name=Ada L fill=0 err=<nil> host="+hostOf(kind)+" from=203.0.113.7:0")
				require.Equal(t, "text/plain; charset=utf-8", header.Get("Content-Type"))
				require.Contains(t, header.Get("Vary"), "Cookie")
				require.Empty(t, v.sent, "a read writes nothing")
				for n, cookies := range map[int]int{9000: 3, 4000: 2} {
					v.do("POST", "/fill?n="+itoa(n), "")
					require.GreaterOrEqual(t, len(v.sent), cookies)
					_, _, body = v.do("GET", "/", "")
					require.Contains(t, body, "name=Ada L fill="+itoa(n)+" err=<nil>")
				}
				v.do("POST", "/fill?n=1", "")
				require.Len(t, v.jar, 2, "the further cookies are gone")
				v.do("POST", "/logout", "")
				require.Equal(t, map[string]string{"theme": "dark"}, v.jar)
				_, _, body = v.do("GET", "/", "")
				require.Contains(t, body, "name= fill=0 err=<nil>")
				require.NotContains(t, emu.Log(), "Ada")
			})
		}
	}
}

func hostOf(kind lambdatest.Kind) string {
	return map[string]string{"HTTP API": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com", "function URL": "abcdefgh.lambda-url.eu-central-1.on.aws",
		"REST API": "1a2b3c.execute-api.eu-central-1.amazonaws.com"}[kind.Name] + strings.Repeat("lb-1.eu-central-1.elb.amazonaws.com", strings.Count(kind.Name, "load"))
}

func itoa(n int) string { text, _ := json.Marshal(n); return string(text) }

// TestRotationBetweenInvocations: a ring that grows while the function runs, and a key that is revoked.
func TestRotationBetweenInvocations(t *testing.T) {
	t.Parallel()
	keys := newKeyFile(t)
	emu := lambdatest.Start(t, build(t, "./internal/function"), "KEYS_FILE="+keys.path)
	v := &visitor{t: t, kind: lambdatest.Kinds[0], emu: emu, jar: map[string]string{}}
	v.do("POST", "/login", "name=Ada")
	before := v.jar["__Host-Http-session"]
	keys.addKey()
	eventually(t, func() bool {
		v.do("POST", "/login", "name=Ada")
		return v.jar["__Host-Http-session"][2:8] != before[2:8] // the key id
	}, "the new key seals")
	v.jar["__Host-Http-session"] = before
	_, _, body := v.do("GET", "/", "")
	require.Contains(t, body, "name=Ada", "what the old key sealed still opens")
}

func eventually(t *testing.T, done func() bool, what string) {
	t.Helper()
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(100 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("not within 20 s: %s", what)
}

// TestFrozenAcrossARotationAndARevocation stops the process, as the platform does between invocations, while an operator rotates and revokes.
// No goroutine of it has run; the first request after the thaw knows the new key and the revoked one.
func TestFrozenAcrossARotationAndARevocation(t *testing.T) {
	t.Parallel()
	keys := newKeyFile(t)
	first := keys.ring.Keys()[0].ID
	emu := lambdatest.Start(t, build(t, "./internal/function"), "KEYS_FILE="+keys.path)
	v := &visitor{t: t, kind: lambdatest.Kinds[1], emu: emu, jar: map[string]string{}}
	v.do("POST", "/login", "name=Ada")
	old := v.jar["__Host-Http-session"]

	emu.Freeze(t)
	keys.addKey()
	elsewhere := sealedElsewhere(t, keys.ring)
	time.Sleep(6500 * time.Millisecond) // past the least time between two loads of a ring
	emu.Thaw(t)
	v.jar["__Host-Http-session"] = elsewhere
	_, _, body := v.do("GET", "/", "")
	require.Contains(t, body, "name=elsewhere fill=0 err=<nil>", "the first request opens what another instance sealed with the new key")

	emu.Freeze(t)
	keys.edit(func(file map[string]any) { file["revoked"] = []string{first} })
	time.Sleep(6500 * time.Millisecond)
	emu.Thaw(t)
	v.jar["__Host-Http-session"] = old
	_, _, body = v.do("GET", "/", "")
	require.Contains(t, body, "name= fill=0 err=signet: token of a revoked key")
}

// sealedElsewhere is the cookie of another instance with the newest ring.
func sealedElsewhere(t *testing.T, ring *signet.Keyring) string {
	t.Helper()
	m := signet.Must(signet.New[map[string]string](ring, signet.Config{}))
	r, _ := http.NewRequest("GET", "/", nil)
	s := m.Load(r)
	s.Data["name"] = "elsewhere"
	w := recorder{http.Header{}}
	require.NoError(t, m.Save(w, r, s))
	c, err := http.ParseSetCookie(w.h["Set-Cookie"][0])
	require.NoError(t, err)
	return c.Value
}

type recorder struct{ h http.Header }

func (r recorder) Header() http.Header         { return r.h }
func (r recorder) WriteHeader(int)             {}
func (r recorder) Write(b []byte) (int, error) { return len(b), nil }

// TestRequestsAndResponses: what the conversion must not lose, for each trigger.
func TestRequestsAndResponses(t *testing.T) {
	emu := lambdatest.Start(t, build(t, "./internal/function"), "KEYS_FILE="+newKeyFile(t).path)
	for _, kind := range lambdatest.Kinds {
		t.Run(kind.Name, func(t *testing.T) {
			v := &visitor{t: t, kind: kind, emu: emu, jar: map[string]string{}}
			_, _, body := v.do("GET", "/search/a%20b?q=x&q=y", "")
			if kind.Name == "load balancer, single headers" {
				require.Equal(t, `"a b" ["y"]`, body, "this mode has one value of a name")
			} else {
				require.Equal(t, `"a b" ["x" "y"]`, body)
			}
			_, _, body = v.do("GET", "/bytes", "")
			require.Equal(t, "\xff\xfe\x00\x01", body)
			_, _, body = v.do("POST", "/echo", "é\u2028<&>")
			require.Equal(t, "é\u2028<&>", body)
			status, header, _ := v.do("GET", "/panic", "")
			require.Equal(t, 500, status)
			require.Empty(t, header.Get("X-Left-Over"))
			status, _, _ = v.do("GET", "/nowhere", "")
			require.Equal(t, 404, status)
			status, _, _ = v.do("GET", "//evil.example/x", "")
			require.Less(t, status, 500)
		})
	}
	require.Contains(t, emu.Log(), "on purpose")
}

// TestMalformedEvents: an answer of the event's shape, no panic, and nothing of a cookie in a log or an error.
func TestMalformedEvents(t *testing.T) {
	const secret = "AQcafebabe-cookie-value"
	binary := build(t, "./internal/function")
	emu := lambdatest.Start(t, binary, "KEYS_FILE="+newKeyFile(t).path)
	rows := []struct {
		name, event string
		kind        int // in lambdatest.Kinds
		status      int // 0 is an error of the invocation
	}{
		{"cookies are null", `{"version":"2.0","rawPath":"/","cookies":null,"headers":{},"requestContext":{"http":{"method":"GET"}}}`, 0, 200},
		{"cookies are missing, the header is not", `{"version":"2.0","rawPath":"/","headers":{"cookie":"a=` + secret + `"},"requestContext":{"http":{"method":"GET"}}}`, 0, 200},
		{"headers are null", `{"version":"2.0","rawPath":"/","cookies":["__Host-Http-session=` + secret + `"],"headers":null,"requestContext":{"http":{"method":"GET"}}}`, 0, 200},
		{"cookies are text", `{"version":"2.0","rawPath":"/","cookies":"` + secret + `","requestContext":{"http":{"method":"GET"}}}`, 0, 400},
		{"a cookie is a number", `{"version":"2.0","rawPath":"/","cookies":[1,"` + secret + `"],"requestContext":{"http":{"method":"GET"}}}`, 0, 400},
		{"headers are an array", `{"version":"2.0","rawPath":"/","headers":["cookie","` + secret + `"],"requestContext":{"http":{"method":"GET"}}}`, 0, 400},
		{"no method", `{"version":"2.0","rawPath":"/","requestContext":{}}`, 0, 400},
		{"a method with a blank", `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GE T"}}}`, 0, 400},
		{"no path", `{"version":"2.0","requestContext":{"http":{"method":"GET"}}}`, 0, 200},
		{"a query that is no query", `{"version":"2.0","rawPath":"/","rawQueryString":"%zz;&&=","requestContext":{"http":{"method":"GET"}}}`, 0, 200},
		{"a path with an octet that no request line has", `{"version":"2.0","rawPath":"/a b\u0000\n?x","requestContext":{"http":{"method":"GET"}}}`, 0, 404},
		{"a body that is not base64", `{"version":"2.0","rawPath":"/echo","body":"%%%","isBase64Encoded":true,"requestContext":{"http":{"method":"POST"}}}`, 0, 400},
		{"base64 with line breaks and cut padding", `{"version":"2.0","rawPath":"/echo","body":"YW\nI","isBase64Encoded":true,"requestContext":{"http":{"method":"POST"}}}`, 0, 400},
		{"isBase64Encoded is text", `{"version":"2.0","rawPath":"/","body":"x","isBase64Encoded":"true","requestContext":{"http":{"method":"GET"}}}`, 0, 400},
		{"a body that is an object", `{"version":"2.0","rawPath":"/","body":{"a":1},"requestContext":{"http":{"method":"GET"}}}`, 0, 400},
		{"header names in any case", `{"version":"2.0","rawPath":"/","headers":{"CoOkIe":"__Host-Http-session=` + secret + `","HOST":"h"},"requestContext":{"http":{"method":"GET"}}}`, 0, 200},
		{"payload 1: multi-value headers are null, single ones are not", `{"httpMethod":"GET","path":"/","headers":{"Cookie":"a=` + secret + `"},"multiValueHeaders":null}`, 2, 200},
		{"payload 1: a value of a header is no array", `{"httpMethod":"GET","path":"/","multiValueHeaders":{"Cookie":"` + secret + `"}}`, 2, 400},
		{"payload 1: body not base64", `{"httpMethod":"POST","path":"/echo","body":"a=b","isBase64Encoded":true}`, 2, 400},
		{"load balancer: an empty multi-value header", `{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","multiValueHeaders":{"cookie":[],"":[""]}}`, 3, 200},
		{"load balancer: a null among values", `{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","multiValueHeaders":{"cookie":null}}`, 3, 200},
		{"load balancer, single: no headers at all", `{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/"}`, 4, 200},
		{"load balancer, single: headers of the other mode", `{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","headers":{"cookie":["` + secret + `"]}}`, 4, 400},
		{"huge cookies", `{"version":"2.0","rawPath":"/","cookies":["__Host-Http-session=` + strings.Repeat("A", 1<<20) + `"],"requestContext":{"http":{"method":"GET"}}}`, 0, 200},
		{"ten thousand cookies", `{"version":"2.0","rawPath":"/","cookies":[` + strings.Repeat(`"__Host-Http-session=A",`, 9999) + `"a=b"],"requestContext":{"http":{"method":"GET"}}}`, 0, 200},
		{"an event of another service", `{"Records":[{"eventSource":"aws:sqs","body":"` + secret + `"}]}`, 0, 0},
		{"a scheduled one", `{"version":"0","detail-type":"Scheduled Event","detail":{}}`, 0, 0},
		{"no object", `[]`, 0, 0}, {"null", `null`, 0, 0}, {"text", `"` + secret + `"`, 0, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			a := emu.Invoke(t, []byte(row.event))
			require.NotContains(t, string(a.Body), secret)
			if row.status == 0 {
				require.True(t, a.Error, "%s", a.Body)
				require.Contains(t, string(a.Body), "not an HTTP request")
				return
			}
			status, _, _ := lambdatest.Kinds[row.kind].Response(t, a)
			require.Equal(t, row.status, status)
		})
	}
	require.NotContains(t, emu.Log(), secret)
	require.NotContains(t, emu.Log(), "panic")

	for _, f := range []func(context.Context, json.RawMessage) (any, error){lambda.Function(http.NotFoundHandler()), lambda.StreamingFunction(http.NotFoundHandler())} {
		for _, broken := range []string{"", "{", `{"version":"2.0"`, "\xff"} {
			_, err := f(context.Background(), json.RawMessage(broken))
			require.ErrorContains(t, err, "not an HTTP request")
		}
	}
}
