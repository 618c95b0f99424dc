package migrate

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/signet-go/signet/interop/internal/real"
	"github.com/stretchr/testify/require"
)

const selfVariable = "SIGNET_OLD_APPLICATION" // address, name and secrets, a line each

// Main runs the tests, or, where Self has started the test program again, the old application: a Go
// program of its own, as gob's registry is the process's.
func Main(m *testing.M, application func(name string, secrets []string) http.Handler) {
	if lines := strings.Split(os.Getenv(selfVariable), "\n"); len(lines) > 2 {
		if err := http.ListenAndServe(lines[0], application(lines[1], lines[2:])); err != nil {
			os.Stderr.WriteString(err.Error())
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Self is a Stack's Start for the application of that name.
func Self(name string) func(testing.TB, string, []string) *real.Process {
	return func(t testing.TB, address string, secrets []string) *real.Process {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), selfVariable+"="+strings.Join(append([]string{address, name}, secrets...), "\n"))
		return real.Start(t, cmd)
	}
}

// Modules names Go modules with their versions, which a test program does not know of itself.
func Modules(t testing.TB, paths ...string) string {
	out, err := exec.Command("go", append([]string{"list", "-m"}, paths...)...).Output()
	require.NoError(t, err)
	return strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(string(out), "github.com/", "")), "\n", ", ")
}
