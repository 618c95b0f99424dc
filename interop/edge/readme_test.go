package edge_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/interop/internal/real"
)

// TestTheExampleByItsReadme runs the commands of examples/worker as they stand there, but for npm ci, which CI does for
// all folders: a ring, an export, the application, workerd, and three requests of curl.
func TestTheExampleByItsReadme(t *testing.T) {
	dir := real.NodeModules(t, exampleDir)
	real.Binary(t, "curl")
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(readme, -1)
	require.Len(t, blocks, 2)
	for _, port := range []string{"8080", "8081"} {
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		require.NoError(t, err, "the README uses port %s", port)
		l.Close()
	}
	t.Cleanup(func() {
		for _, made := range []string{"keys.json", "edge.json", "jar"} {
			_ = os.Remove(filepath.Join(dir, made))
		}
	})
	commands := strings.Replace(string(blocks[0][1]), "npm ci --ignore-scripts\n", "", 1)
	servers := bash(t, dir, commands+"wait\n")
	servers.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what it starts can be ended with it
	out, err := os.CreateTemp(t.TempDir(), "out")
	require.NoError(t, err)
	servers.Stdout, servers.Stderr = out, out
	require.NoError(t, servers.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-servers.Process.Pid, syscall.SIGKILL)
		_ = servers.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(out.Name())
			t.Logf("the servers printed:\n%s", text)
		}
	})
	for _, port := range []string{"8081", "8080"} {
		for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
				conn.Close()
				break
			}
			require.Less(t, time.Since(start), 2*time.Minute, "port %s", port)
		}
	}
	var said []string
	for _, line := range strings.Split(strings.TrimSpace(string(blocks[1][1])), "\n") {
		text, err := bash(t, dir, line).Output()
		require.NoError(t, err, line)
		said = append(said, string(text))
	}
	require.Len(t, said, 3)
	require.Contains(t, said[0], "401 Unauthorized")
	require.Contains(t, said[1], "200 OK")
	require.Contains(t, said[1], "__Host-Http-session=A")
	require.Contains(t, said[2], "Ada from NZ")
	require.Contains(t, said[2], "__Host-Http-session=A", "the Worker wrote the session")
}

func bash(t *testing.T, dir, commands string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("bash", "-ec", commands)
	cmd.Dir = dir
	return cmd
}
