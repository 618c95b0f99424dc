package attacks_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryTestThatASVSNamesExists keeps docs/asvs.md true: a test that was renamed or dropped is found here.
func TestEveryTestThatASVSNamesExists(t *testing.T) {
	text, err := os.ReadFile("../../docs/asvs.md")
	require.NoError(t, err)
	names := regexp.MustCompile("`(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(names), 60)
	exists := map[string]bool{}
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(source, -1) {
			exists[string(m[1])] = true
		}
		return err
	})
	require.NoError(t, err)
	for _, name := range names {
		require.True(t, exists[name[1]], "docs/asvs.md names %s, which is no test", name[1])
	}
}
