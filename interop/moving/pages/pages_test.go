// Package pages_test follows each page of docs/moving word by word, in an empty folder.
package pages_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signet-go/signet/interop/internal/real"
	"github.com/stretchr/testify/require"
)

// block is a fenced block of a page: "```LANGUAGE NAME".
type block struct{ language, name, text string }

func blocks(page string) (all []block) {
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*) ?([^\n]*)\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		all = append(all, block{m[1], m[2], m[3]})
	}
	return all
}

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/moving/" + name + ".md")
	require.NoError(t, err)
	return string(text)
}

// follow writes the files of a page, runs its commands in their order, and requires the output it shows. The
// ports of the page become free ones.
func follow(t *testing.T, parent, name string, programs ...string) {
	real.Binary(t, "curl")
	for _, program := range programs {
		args := map[string][]string{"python3": {"-c", "import " + name}, "ruby": {"-e", `require "action_controller"; require "webrick"`}}[program]
		if args == nil {
			continue
		}
		if err := exec.Command("/usr/bin/"+program, args...).Run(); err != nil {
			real.Missing(t, "/usr/bin/%s with %s", program, name)
		}
	}
	dir := real.Dir(t)
	work, bin := filepath.Join(parent, name), filepath.Join(dir, "bin")
	require.NoError(t, os.Mkdir(work, 0o700))
	require.NoError(t, os.Mkdir(bin, 0o700))
	for _, program := range programs { // Debian's, which have the framework, before any other
		if program == "npm" {
			installed(t, bin)
			continue
		}
		require.NoError(t, os.Symlink("/usr/bin/"+program, filepath.Join(bin, program)))
	}
	old, young := port(t), port(t)
	localise := strings.NewReplacer("5000", old, "8080", young).Replace
	var script, want strings.Builder
	fmt.Fprintf(&script, "set -eu\n")
	for _, b := range blocks(page(t, name)) {
		switch {
		case b.name != "":
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(work, b.name)), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(work, b.name), []byte(localise(b.text)), 0o600))
		case b.language == "sh" && strings.Contains(b.text, " &\n"):
			fmt.Fprintf(&script, "{\n%s} >servers.log 2>&1\n", localise(b.text))
			for _, p := range []string{old, young} {
				fmt.Fprintf(&script, "for i in $(seq 600); do (exec 3<>/dev/tcp/localhost/%s) 2>/dev/null && break; sleep .1; done\n", p)
			}
		case b.language == "sh":
			script.WriteString(localise(b.text))
		case b.language == "text":
			want.WriteString(localise(b.text))
		}
	}
	cmd := exec.Command("bash", "-c", script.String())
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GOWORK=off", "GOFLAGS=-mod=mod", "PWD="+work)
	out, err := os.Create(filepath.Join(dir, "out"))
	require.NoError(t, err)
	defer out.Close()
	errors, err := os.Create(filepath.Join(dir, "errors"))
	require.NoError(t, err)
	defer errors.Close()
	cmd.Stdout, cmd.Stderr = out, errors // files, so that Wait does not wait for the servers
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // the servers, which are its children
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err = <-done:
	case <-time.After(2 * time.Minute):
		t.Error("the commands of the page do not end")
	}
	got, readErr := os.ReadFile(out.Name())
	require.NoError(t, readErr)
	servers, _ := os.ReadFile(filepath.Join(work, "servers.log"))
	said, _ := os.ReadFile(errors.Name())
	require.NoError(t, err, "%s\n%s\n%s", got, said, servers)
	require.Equal(t, want.String(), string(got), "%s", servers)
}

// installed puts an npm into bin that installs what interop/moving/js has installed, at the versions that the
// page names, which are its versions.
func installed(t *testing.T, bin string) {
	modules := filepath.Join(real.NodeModules(t, "../js"), "node_modules")
	script := fmt.Sprintf(`#!/usr/bin/env bash
set -eu
for package in "$@"; do
	case $package in
	install | --silent) ;;
	*) grep -q "\"version\": \"${package##*@}\"" %[1]s/"${package%%@*}"/package.json || { echo "$package is not the version that is tested" >&2; exit 1; } ;;
	esac
done
ln -s %[1]s node_modules
`, modules)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "npm"), []byte(script), 0o700))
}

func port(t *testing.T) string {
	_, p, err := net.SplitHostPort(real.FreeAddress(t))
	require.NoError(t, err)
	return p
}

// pages are those of docs/moving, with the programs that run their old applications.
var pages = map[string][]string{
	"flask":         {"python3"},
	"django":        {"python3"},
	"rails":         {"ruby"},
	"gorilla":       {},
	"golangcollege": {},
	"ironsession":   {"npm"},
	"h3":            {"npm"},
	"authjs":        {"npm"},
	"auth0":         {"npm"},
	"fastify":       {"npm"},
	"cookiesession": {"npm"},
	"remix":         {"npm"},
}

func TestEveryPageIsFollowed(t *testing.T) {
	paths, err := filepath.Glob("../../../docs/moving/*.md")
	require.NoError(t, err)
	require.Len(t, paths, len(pages))
	for _, path := range paths {
		require.Contains(t, pages, strings.TrimSuffix(filepath.Base(path), ".md"))
	}
}

func TestThePagesDoWhatTheySay(t *testing.T) {
	// One checkout beside all of the folders, since Go builds what it has not seen at that path.
	parent := real.Dir(t)
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(root, filepath.Join(parent, "signet")))
	for name, programs := range pages {
		t.Run(name, func(t *testing.T) { follow(t, parent, name, programs...) })
	}
}

// Every piece of Go on a page stands in a file that is compiled, and the files of a page are those of its example.
func TestEverySnippetIsCompiled(t *testing.T) {
	for name := range pages {
		t.Run(name, func(t *testing.T) {
			var compiled strings.Builder
			paths, err := filepath.Glob("../../../compat/*/example_test.go")
			require.NoError(t, err)
			for _, path := range paths {
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				compiled.WriteString(withoutIndent(string(text)))
			}
			for _, b := range blocks(page(t, name)) {
				if b.name != "" {
					text, err := os.ReadFile("../../../examples/moving-" + name + "/" + b.name)
					require.NoError(t, err)
					require.Equal(t, string(text), b.text, "examples/moving-%s/%s differs", name, b.name)
				} else if b.language == "go" {
					require.Contains(t, compiled.String(), withoutIndent(b.text))
				}
			}
		})
	}
}

func withoutIndent(text string) string {
	return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(text, "")
}
