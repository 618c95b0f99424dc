package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's walk from an empty folder to a rotated ring, word by word.
func TestTheReadmesWayToARotatedRing(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(readme), "## Keys and how to rotate them")
	require.True(t, ok)
	_, snippet, ok := strings.Cut(section, "```sh\n")
	require.True(t, ok)
	snippet, _, _ = strings.Cut(snippet, "```")

	cmd := exec.Command("sh", "-euc", snippet)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Regexp(t, `(?m)│█+▒* +seals$`, string(out))
	require.Regexp(t, `(?m)│░+█+ published$`, string(out))
	require.Contains(t, string(out), "safe to deploy")
	require.Len(t, ringIn(t, filepath.Join(cmd.Dir, "keys.json")).Keys(), 2)
}
