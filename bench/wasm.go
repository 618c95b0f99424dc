package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

var wasm = question{
	name:   "wasm",
	text:   "Both ciphers compiled to WebAssembly, in node, against native: seal and open",
	goal:   "shown, with the advice which to use where",
	answer: answerWASM,
}

func answerWASM(l *lab, t *table) {
	bin, err := os.MkdirTemp("", "signet-bench")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(bin)
	runs := 3
	if l.short {
		runs = 1
	}
	native, wasm := map[string]series{}, map[string]series{}
	for range runs {
		collect(native, build(l, filepath.Join(bin, "aeads"), nil))
		if l.node != nil {
			collect(wasm, build(l, filepath.Join(bin, "aeads.wasm"), []string{"GOOS=js", "GOARCH=wasm"}))
		}
	}
	t.head("", "native, ns", "WebAssembly, ns", "WebAssembly, × native")
	for _, name := range sortedNames(native) {
		if w := wasm[name]; w != nil {
			t.row(name, native[name].median(), w.median(), w.over(native[name]))
		} else {
			t.row(name, native[name].median(), "node is missing", "")
		}
	}
	advise(t, native, wasm)
}

func advise(t *table, native, wasm map[string]series) {
	const aes, chacha = "AES-256-GCM, 3072 B", "ChaCha20-Poly1305, 3072 B"
	t.note("Native, with the processor's AES instructions: ChaCha20-Poly1305 takes %s × the time of AES-GCM at 3 KB. Leave the key's alg at signet-v1, which FIPS 140 requires as well.", number(native[chacha].over(native[aes])))
	if wasm[aes] == nil {
		return
	}
	t.note("In WebAssembly, without them: AES-GCM takes %s × the time of ChaCha20-Poly1305, and its table look-ups are not constant-time there. A ring whose cookies are opened by Go compiled to WebAssembly, or on processors without AES instructions, should have keys of alg signet-v1-chacha.", number(wasm[aes].over(wasm[chacha])))
	t.note("A worker in JavaScript has WebCrypto, which is native AES-GCM and knows no ChaCha20: signet-v1 there.")
}

// build makes the program for a target and returns how to run it.
func build(l *lab, path string, target []string) *exec.Cmd {
	make := exec.Command("go", "build", "-o", path, "./internal/aeads")
	make.Dir, make.Env = l.dir, append(os.Environ(), target...)
	if out, err := make.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("building aeads: %v\n%s", err, out))
	}
	if target == nil {
		return exec.Command(path)
	}
	root := strings.TrimSpace(string(must(exec.Command("go", "env", "GOROOT").Output())))
	return exec.Command("node", filepath.Join(root, "lib", "wasm", "wasm_exec_node.js"), path)
}

func collect(into map[string]series, run *exec.Cmd) {
	run.Stderr = os.Stderr
	var figures map[string]float64
	if err := json.Unmarshal(must(run.Output()), &figures); err != nil {
		panic(err)
	}
	for name, ns := range figures {
		into[name] = append(into[name], ns)
	}
}

// sortedNames puts the sizes together, the smaller first.
func sortedNames(m map[string]series) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if c := len(a[strings.LastIndex(a, ", "):]) - len(b[strings.LastIndex(b, ", "):]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return names
}
