// Package wasm_test builds the library for WebAssembly and runs its own tests there: under GOOS=js in node, and
// under GOOS=wasip1 (WASI preview 1) in wazero, the two engines on which the Go project tests these ports. (WASI in
// node 20 is experimental, and crashed in one of some thirty runs.)
package wasm_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/interop/internal/real"
)

const root = "../.."

// left are tests of the root package that the platform cannot run. WebAssembly has one thread and Go does not
// preempt there, so a goroutine that never waits keeps all others from running.
var left = map[string]string{
	"TestPermissionLostKeepsTheRing":                 "WASI preview 1 knows no permissions that could be taken away",
	"TestATimedOutHandlerMayGoOnWriting":             "its handler spins on purpose, and no other goroutine runs then",
	"TestRequestsOfOneVisitorWhileTheRingIsReplaced": "one goroutine replaces the ring without a pause",
	"TestConcurrentRequestsAndReloads":               "its requests ask without a pause while the ring is reloaded",
	"TestTheSwapOfARingIsAtomic":                     "one goroutine swaps the ring without a pause",
}

// A target runs what was built for an operating system: start gives a function that makes the command of a binary.
type target struct {
	goos  string
	start func(t *testing.T) func(binary string, args ...string) *exec.Cmd
}

var targets = []target{
	{"js", func(t *testing.T) func(string, ...string) *exec.Cmd {
		script := filepath.Join(strings.TrimSpace(tool(t, "", "env", "GOROOT")), "lib/wasm/wasm_exec_node.js")
		node := real.Binary(t, "node")
		return func(binary string, args ...string) *exec.Cmd {
			return exec.Command(node, append([]string{"--stack-size=8192", script, binary}, args...)...)
		}
	}},
	{"wasip1", func(t *testing.T) func(string, ...string) *exec.Cmd {
		dir := t.TempDir()
		wazero := filepath.Join(dir, "wazero")
		tool(t, "", "build", "-o", wazero, "github.com/tetratelabs/wazero/cmd/wazero")
		return func(binary string, args ...string) *exec.Cmd {
			return exec.Command(wazero, append([]string{"run", "-cachedir=" + filepath.Join(dir, "compiled"), "-mount=/:/", "-env-inherit", binary}, args...)...)
		}
	}},
}

func tool(t *testing.T, goos string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	if goos != "" {
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=wasm")
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "go %s: %s", strings.Join(args, " "), out)
	return string(out)
}

// TestTheLibraryAsWebAssembly runs the tests of the root package and of every internal one.
func TestTheLibraryAsWebAssembly(t *testing.T) {
	const withTests = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}"
	packages := strings.Fields(tool(t, "", "list", "-f", withTests, ".", "./internal/..."))
	require.GreaterOrEqual(t, len(packages), 4)
	var names []string
	for name := range left {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, target := range targets {
		t.Run(target.goos, func(t *testing.T) {
			t.Parallel()
			run := target.start(t)
			tool(t, target.goos, "build", ".", "./internal/...")
			for i := 0; i < len(packages); i += 2 {
				importPath, dir := packages[i], packages[i+1]
				binary := filepath.Join(t.TempDir(), "tests.wasm")
				tool(t, target.goos, "test", "-c", "-o", binary, importPath)
				if i == 0 {
					listed := output(t, run(binary, "-test.list", "."), dir)
					for _, name := range names {
						require.Contains(t, listed, name+"\n", "a test that is left out exists")
						t.Logf("%s: %s is left out: %s", target.goos, name, left[name])
					}
				}
				text := output(t, run(binary, "-test.v", "-test.timeout=9m", "-test.skip", "^("+strings.Join(names, "|")+")$"), dir)
				passed := len(regexp.MustCompile(`(?m)^--- PASS`).FindAllString(text, -1))
				skipped := regexp.MustCompile(`(?m)^--- SKIP: (\S+)`).FindAllStringSubmatch(text, -1)
				require.Positive(t, passed)
				t.Logf("%s: %s: %d tests pass, %d skip themselves %v", target.goos, importPath, passed, len(skipped), skipped)
			}
		})
	}
}

// output runs cmd for ten minutes at most: where a goroutine spins, the time-out of the tests themselves never fires.
func output(t *testing.T, cmd *exec.Cmd, dir string) string {
	t.Helper()
	cmd.Dir = dir
	end := time.AfterFunc(10*time.Minute, func() { _ = cmd.Process.Kill() })
	defer end.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		text := string(out)
		if at := strings.Index(text, "\n--- FAIL"); at >= 0 { // what a test printed comes before
			t.Fatalf("%v\n%s", err, text[max(0, at-3000):min(len(text), at+1000)])
		}
		t.Fatalf("%v\n%s", err, text[max(0, len(text)-4000):])
	}
	return string(out)
}

// TestSpeed prints what version 2 saves where there are no AES instructions.
func TestSpeed(t *testing.T) {
	dir := t.TempDir()
	native := filepath.Join(dir, "speed")
	measure := func(cmd *exec.Cmd) (ns [4]float64) {
		out := output(t, cmd, dir)
		_, err := fmt.Sscan(out, &ns[0], &ns[1], &ns[2], &ns[3])
		require.NoError(t, err, out)
		return ns
	}
	tool(t, "", "build", "-o", native, "./interop/wasm/speed")
	rows := map[string][4]float64{runtime.GOARCH: measure(exec.Command(native))}
	order := []string{runtime.GOARCH}
	for _, target := range targets {
		binary := filepath.Join(dir, target.goos+".wasm")
		tool(t, target.goos, "build", "-o", binary, "./interop/wasm/speed")
		rows[target.goos] = measure(target.start(t)(binary))
		order = append(order, target.goos)
	}
	t.Logf("µs for 512 bytes   %12s %12s %12s %12s   version 1 : version 2", "v1 seal", "v1 open", "v2 seal", "v2 open")
	for _, name := range order {
		ns := rows[name]
		t.Logf("%-18s %12.2f %12.2f %12.2f %12.2f   %.1f and %.1f", name, ns[0]/1e3, ns[1]/1e3, ns[2]/1e3, ns[3]/1e3, ns[0]/ns[2], ns[1]/ns[3])
	}
}
