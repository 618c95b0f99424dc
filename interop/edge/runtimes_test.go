package edge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signet-go/signet/interop/internal/real"
)

// batch is what harness.mjs runs.
type batch struct {
	Keys  string `json:"keys"`
	Touch string `json:"touch,omitempty"`
	Idle  int    `json:"idle,omitempty"`
	Name  string `json:"name,omitempty"`
	Cases []jsOp `json:"cases"`
}

// jsOp is one call of @signet-go/edge: open, seal, touch or clear.
type jsOp struct {
	Op      string         `json:"op,omitempty"`
	Header  string         `json:"header"`
	Now     int64          `json:"now,omitempty"`
	Session *jsSession     `json:"session,omitempty"`
	Options map[string]any `json:"options,omitempty"`
}

type jsSession struct {
	ID         string          `json:"id,omitempty"`
	Issued     int64           `json:"issued,omitempty"`
	Created    int64           `json:"created,omitempty"`
	Expires    int64           `json:"expires,omitempty"`
	Persistent bool            `json:"persistent,omitempty"`
	Touched    int64           `json:"touched,omitempty"`
	Lossy      bool            `json:"lossy,omitempty"`
	Data       json.RawMessage `json:"data"`
}

// answer is what the call gave.
type answer struct {
	Session *jsSession `json:"session"`
	Error   string     `json:"error"`
	Lines   []string   `json:"lines"`
	Thrown  string     `json:"thrown"`
}

// runtime runs a batch.
type runtime struct {
	name string
	run  func(t *testing.T, b batch) []answer
}

// runtimes are the same module in four engines.
var runtimes = []runtime{
	{"node", func(t *testing.T, b batch) []answer { return runFile(t, b, real.Binary(t, "node")) }},
	{"deno", func(t *testing.T, b batch) []answer {
		return runFile(t, b, packaged(t, "@deno/linux-x64-glibc/deno"), "run", "--allow-read", "--no-remote", "--quiet")
	}},
	{"bun", func(t *testing.T, b batch) []answer { return runFile(t, b, packaged(t, "@oven/bun-linux-x64/bin/bun")) }},
	{"workerd", func(t *testing.T, b batch) []answer {
		url := startWorkerd(t, "harness-worker.mjs", map[string]string{"harness.mjs": "harness.mjs"}, "", nil)
		res, err := http.Post(url, "application/json", bytes.NewReader(encode(t, b)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return decodeAnswers(t, res.Body, len(b.Cases))
	}},
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decodeAnswers(t *testing.T, from interface{ Read([]byte) (int, error) }, want int) []answer {
	t.Helper()
	var all []answer
	if err := json.NewDecoder(from).Decode(&all); err != nil {
		t.Fatal(err)
	}
	if len(all) != want {
		t.Fatalf("got %d answers to %d cases", len(all), want)
	}
	return all
}

func runFile(t *testing.T, b batch, binary string, args ...string) []answer {
	t.Helper()
	dir := real.NodeModules(t, ".")
	file := filepath.Join(t.TempDir(), "batch.json")
	if err := os.WriteFile(file, encode(t, b), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, append(args, filepath.Join(dir, "run.mjs"), file)...)
	cmd.Env = append(os.Environ(), "DENO_NO_UPDATE_CHECK=1", "DENO_DIR="+t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(binary), err, stderr.String())
	}
	return decodeAnswers(t, bytes.NewReader(out), len(b.Cases))
}

// packaged is a program that an npm package of this folder ships.
func packaged(t *testing.T, path string) string {
	t.Helper()
	return inPackages(t, ".", path)
}

func inPackages(t *testing.T, dir, path string) string {
	t.Helper()
	full := filepath.Join(real.NodeModules(t, dir), "node_modules", path)
	if _, err := os.Stat(full); err != nil {
		real.Missing(t, "%s from npm", path)
	}
	return full
}

const exampleDir = "../../examples/worker"

// startWorkerd runs main (a file of this folder, or any path) as a Worker that can import @signet-go/edge and the
// given modules, with the bindings in Cap'n Proto, and returns its address.
func startWorkerd(t *testing.T, main string, modules map[string]string, more string, env []string) string {
	t.Helper()
	binary := inPackages(t, exampleDir, "@cloudflare/workerd-linux-64/bin/workerd")
	dir := real.Dir(t)
	copyFile(t, main, filepath.Join(dir, "main.mjs"))
	copyFile(t, "../../js/signet.js", filepath.Join(dir, "signet.js"))
	list := `(name = "main.mjs", esModule = embed "main.mjs"), (name = "@signet-go/edge", esModule = embed "signet.js")`
	for name, path := range modules {
		copyFile(t, path, filepath.Join(dir, filepath.Base(path)))
		list += fmt.Sprintf(`, (name = %q, esModule = embed %q)`, name, filepath.Base(path))
	}
	services, bindings, _ := strings.Cut(more, "---")
	conf := `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)` + services + `],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (modules = [` + list + `], compatibilityDate = "2026-01-01", bindings = [` + bindings + `]);
`
	if err := os.WriteFile(filepath.Join(dir, "w.capnp"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "w.capnp", "--control-fd=3")
	cmd.Dir, cmd.ExtraFiles, cmd.Env = dir, []*os.File{w}, append(os.Environ(), env...)
	real.Start(t, cmd)
	w.Close()
	var listening struct {
		Port int `json:"port"`
	}
	if err := json.NewDecoder(r).Decode(&listening); err != nil || listening.Port == 0 {
		t.Fatalf("workerd did not say where it listens: %v", err)
	}
	t.Cleanup(func() { r.Close() })
	return fmt.Sprintf("http://127.0.0.1:%d", listening.Port)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
