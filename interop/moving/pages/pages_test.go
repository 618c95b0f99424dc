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
func follow(t *testing.T, name string, programs ...string) {
	real.Binary(t, "curl")
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	dir := real.Dir(t)
	require.NoError(t, os.Symlink(root, filepath.Join(dir, "signet")))
	work, bin := filepath.Join(dir, "moved"), filepath.Join(dir, "bin")
	require.NoError(t, os.Mkdir(work, 0o700))
	require.NoError(t, os.Mkdir(bin, 0o700))
	for _, program := range programs { // Debian's, which have the framework, before any other
		require.NoError(t, os.Symlink("/usr/bin/"+program, filepath.Join(bin, program)))
	}
	old, young := port(t), port(t)
	localise := strings.NewReplacer("5000", old, "8080", young).Replace
	var script, want strings.Builder
	fmt.Fprintf(&script, "set -eu\n")
	for _, b := range blocks(page(t, name)) {
		switch {
		case b.name != "":
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

func port(t *testing.T) string {
	_, p, err := net.SplitHostPort(real.FreeAddress(t))
	require.NoError(t, err)
	return p
}

func TestThePagesDoWhatTheySay(t *testing.T) {
	for name, programs := range map[string][]string{
		"flask": {"python3"},
	} {
		t.Run(name, func(t *testing.T) { follow(t, name, programs...) })
	}
}

// Every piece of Go on a page stands in a file that is compiled, and the files of a page are those of its example.
func TestEverySnippetIsCompiled(t *testing.T) {
	for _, name := range []string{"flask"} {
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
