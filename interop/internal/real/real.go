// Package real starts the real programs that the live tests talk to, and ends each by
// its own process.
package real

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Missing says that a real part is not there: the test is skipped, or fails where
// SIGNET_REQUIRE_ALL=1 says that everything must be.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	if os.Getenv("SIGNET_REQUIRE_ALL") == "1" {
		t.Fatalf("missing, and SIGNET_REQUIRE_ALL=1: %s", reason)
	}
	t.Skipf("needs a real part: %s; install it with: bash .ci/install", reason)
}

// Binary is the path of the first of these programs that is installed.
func Binary(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/bin/" + name} {
			if path, err := exec.LookPath(candidate); err == nil {
				return path
			}
		}
	}
	Missing(t, "%s", strings.Join(names, " or "))
	return ""
}

// NodeModules is dir, made absolute, if the packages of its package-lock.json are installed there.
func NodeModules(t testing.TB, dir string) string {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	Binary(t, "node")
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		Missing(t, "the npm packages of %s", filepath.Base(dir))
	}
	return dir
}

// Process is a program that a test started.
type Process struct {
	cmd *exec.Cmd
	out output
	end chan struct{}
}

// Start runs cmd until the test ends, then kills it by its own process id. What it
// printed is logged if the test failed.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, end: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.out
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	go func() {
		_ = cmd.Wait()
		close(p.end)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(cmd.Path), p.Output())
		}
	})
	return p
}

// Kill ends the process at once and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.end
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the process has ended by itself or was killed.
func (p *Process) Ended() <-chan struct{} { return p.end }

// Output is what the process printed so far.
func (p *Process) Output() string { return p.out.String() }

type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Dial waits until network (tcp or unix) address takes connections.
func (p *Process) Dial(t testing.TB, network, address string) {
	t.Helper()
	p.waitFor(t, address, func() bool {
		conn, err := net.DialTimeout(network, address, time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// Answer waits until url answers with any status.
func (p *Process) Answer(t testing.TB, client *http.Client, url string) {
	t.Helper()
	p.waitFor(t, url, func() bool {
		res, err := client.Get(url)
		if err != nil {
			return false
		}
		return res.Body.Close() == nil
	})
}

func (p *Process) waitFor(t testing.TB, what string, ready func() bool) {
	t.Helper()
	for start := time.Now(); time.Since(start) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.end:
			t.Fatalf("%s ended before %s was ready:\n%s", filepath.Base(p.cmd.Path), what, p.Output())
		default:
		}
		if ready() {
			return
		}
	}
	t.Fatalf("%s: %s was not ready within 30 s:\n%s", filepath.Base(p.cmd.Path), what, p.Output())
}

// FreeAddress is a loopback address whose port was free a moment ago, for programs that
// cannot pick one and say which.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Dir is a temporary directory with a path short enough for a unix socket in it (107 bytes).
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Nginx runs a real nginx with the given content of its http block, whose listen
// directives should use addresses of FreeAddress or sockets below the directory
// that it is given. It returns when address answers a TCP connection.
func Nginx(t testing.TB, address, http string) *Process {
	t.Helper()
	binary := Binary(t, "nginx")
	dir := Dir(t)
	var temp strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path tmp;\n", kind)
	}
	conf := "daemon off;\nmaster_process off;\npid n.pid;\nevents { worker_connections 4096; }\nhttp {\naccess_log off;\n" + temp.String() + http + "\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "n.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-p", dir+"/", "-e", "stderr", "-c", "n.conf")
	p := Start(t, cmd)
	p.Dial(t, "tcp", address)
	return p
}
