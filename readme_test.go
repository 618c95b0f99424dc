package signet_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's Go code stands word for word in files that are compiled with the tests or
// the examples, so that it cannot drift.
func TestEverySnippetOfTheReadmeIsCompiled(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	files, err := filepath.Glob("examples/*/*.go")
	require.NoError(t, err)
	var compiled strings.Builder
	for _, name := range append(files, "example_test.go") {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		compiled.WriteString(withoutIndent(string(text)))
	}
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.Greater(t, len(snippets), 5)
	for _, snippet := range snippets {
		require.Contains(t, compiled.String(), withoutIndent(snippet[1]), "a snippet of the README that nothing compiles")
	}
}

func withoutIndent(text string) string {
	return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(text, "")
}
