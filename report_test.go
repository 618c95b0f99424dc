package signet_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// report logs a figure, and appends it to the file that SIGNET_REPORT names: "go test" of several
// packages keeps the output of those that pass to itself.
func report(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Logf(format, args...)
	name := os.Getenv("SIGNET_REPORT")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer f.Close()
	_, err = fmt.Fprintf(f, "%s: %s\n", t.Name(), fmt.Sprintf(format, args...))
	require.NoError(t, err)
}
