package edge_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
)

const packageDir = "../../js"

// TestTypes checks the module against its declarations, and a program against them.
func TestTypes(t *testing.T) {
	dir := real.NodeModules(t, packageDir)
	cmd := exec.Command(filepath.Join(dir, "node_modules/.bin/tsc"), "-p", dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// TestBundleSize: everything that the package exports, minified and compressed, is 3 KiB at most.
func TestBundleSize(t *testing.T) {
	all := bundle(t, `export * from "@signet-go/edge"`)
	opens := bundle(t, `export { open, parseKeys } from "@signet-go/edge"`)
	jose := bundle(t, `export { jwtDecrypt, base64url } from "jose"`)
	t.Logf("@signet-go/edge: %d bytes minified, %d with gzip; what only opens: %d and %d; jose's jwtDecrypt: %d and %d",
		len(all), zipped(t, all), len(opens), zipped(t, opens), len(jose), zipped(t, jose))
	require.LessOrEqual(t, zipped(t, all), 3<<10)
}

func bundle(t *testing.T, entry string) []byte {
	t.Helper()
	dir, here := real.NodeModules(t, packageDir), real.NodeModules(t, ".")
	cmd := exec.Command(filepath.Join(dir, "node_modules/.bin/esbuild"), "--bundle", "--minify", "--format=esm", "--target=es2022", "--loader=js")
	cmd.Dir, cmd.Stdin = here, strings.NewReader(entry)
	out, err := cmd.Output()
	require.NoError(t, err)
	return out
}

func zipped(t *testing.T, b []byte) int {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	require.NoError(t, err)
	_, err = z.Write(b)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return out.Len()
}

// jweSession is a token of a session in JWE, its id, and the keys for it.
func jweSession(t *testing.T, size int) (keys *signet.Keyring, token, id string) {
	t.Helper()
	keys = signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}), signet.GenerateKey(time.Unix(1, 0))))
	m := signet.Must(signet.New[map[string]string](keys, signet.Config{Format: signet.JWE}))
	header, _, s := save(t, m, "", "", size)
	return keys, strings.TrimPrefix(header, cookieName+"="), s.ID()
}

// TestJoseOpensASessionInFiveLines runs the lines of the package's README as they stand there.
func TestJoseOpensASessionInFiveLines(t *testing.T) {
	readme, err := os.ReadFile(packageDir + "/README.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```js\n(import [^`]*from 'jose'.*?)```").FindSubmatch(readme)
	require.NotNil(t, block)
	lines := regexp.MustCompile(`(?m)^.+$`).FindAll(block[1], -1)
	require.Len(t, lines, 5)
	keys, token, id := jweSession(t, 100)
	run := func(token, export string) (string, error) {
		cmd := exec.Command(real.Binary(t, "node"), "--input-type=module", "-e",
			"import process from 'node:process'; const env = process.env, token = env.TOKEN\n"+string(block[1]))
		cmd.Dir = real.NodeModules(t, ".")
		cmd.Env = append(os.Environ(), "SIGNET_EDGE_KEYS="+export, "TOKEN="+token)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	export := string(signet.Must(keys.ExportPurpose(signet.JWE, "session", cookieName, "")))
	out, err := run(token, export)
	require.NoError(t, err, out)
	require.Contains(t, out, id)
	require.Contains(t, out, "yyyy")
	forged := token[:len(token)-3] + string("AQgw"[strings.IndexByte("QgwA", token[len(token)-1])%4]) + token[len(token)-2:]
	_, err = run(forged, export)
	require.Error(t, err, "a forged token")
	_, err = run(token, string(signet.Must(keys.ExportPurpose(signet.JWE, "session", "__Host-other", ""))))
	require.Error(t, err, "the keys of another cookie")
	_, err = run(token, string(signet.Must(keys.ExportPurpose(signet.JWE, "token", cookieName, ""))))
	require.Error(t, err, "the keys of another kind")
}

// TestTimes prints what one open costs; nothing is asserted of it.
func TestTimes(t *testing.T) {
	keys, token, _ := jweSession(t, 400)
	m := signet.Must(signet.New[map[string]string](keys, signet.Config{}))
	header, _, _ := save(t, m, "", "", 400)
	input := map[string]any{
		"keys": string(signet.Must(keys.ExportPurpose(signet.Compact, "session", cookieName, ""))), "header": header,
		"jweKeys": string(signet.Must(keys.ExportPurpose(signet.JWE, "session", cookieName, ""))), "token": token,
		"name": cookieName, "count": 2000,
	}
	t.Logf("µs per open of a session of about 480 bytes; Cookie field %d, JWE %d characters", len(header), len(token))
	t.Logf("%-8s %8s %14s", "", "compact", "JWE with jose")
	for _, js := range []struct {
		name, binary string
		args         []string
	}{
		{"node", real.Binary(t, "node"), nil},
		{"deno", packaged(t, "@deno/linux-x64-glibc/deno"), []string{"run", "--allow-read", "--no-remote", "--quiet"}},
		{"bun", packaged(t, "@oven/bun-linux-x64/bin/bun"), nil},
	} {
		file := filepath.Join(t.TempDir(), "input.json")
		require.NoError(t, os.WriteFile(file, encode(t, input), 0o600))
		cmd := exec.Command(js.binary, append(js.args, filepath.Join(real.NodeModules(t, "."), "bench-run.mjs"), file)...)
		cmd.Env = append(os.Environ(), "DENO_NO_UPDATE_CHECK=1", "DENO_DIR="+t.TempDir())
		out, err := cmd.Output()
		require.NoError(t, err)
		var times struct{ Compact, JWE float64 }
		require.NoError(t, json.Unmarshal(out, &times))
		t.Logf("%-8s %8.1f %14.1f", js.name, times.Compact, times.JWE)
	}
	file := filepath.Join(t.TempDir(), "bench.mjs")
	require.NoError(t, os.WriteFile(file, bundle(t, `export { default } from "./bench.mjs"`), 0o600))
	url := startWorkerd(t, file, nil, "", nil)
	perOpen := func(format string) float64 {
		took := func(count int) time.Duration {
			input["format"], input["count"] = format, count
			start := time.Now()
			res, err := http.Post(url, "application/json", bytes.NewReader(encode(t, input)))
			require.NoError(t, err)
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			require.Len(t, body, 22, "the session's id")
			return time.Since(start)
		}
		took(500)
		return float64((took(2001) - took(1)).Microseconds()) / 2000
	}
	t.Logf("%-8s %8.1f %14.1f", "workerd", perOpen("compact"), perOpen("jwe"))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", header)
	start := time.Now()
	for range 3000 {
		require.False(t, m.Load(r).IsNew())
	}
	compact := time.Since(start)
	r.Header.Set("Cookie", cookieName+"="+token)
	start = time.Now()
	for range 3000 {
		require.False(t, m.Load(r).IsNew())
	}
	t.Logf("%-8s %8.1f %14.1f (no jose: Load, with its JSON)", "Go", float64(compact.Microseconds())/3000, float64(time.Since(start).Microseconds())/3000)
}
