package signet_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A promise in a document points to the test that shows it; here that test is looked for.
func TestEveryTestThatADocumentNamesExists(t *testing.T) {
	defined := map[string]bool{}
	var documents []string
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != "."):
			return fs.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			text, err := os.ReadFile(path)
			for _, match := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example|Benchmark)\w*)\(`).FindAllStringSubmatch(string(text), -1) {
				defined[match[1]] = true
			}
			return err
		case strings.HasSuffix(path, ".md") && d.Name() != "CHANGELOG.md":
			documents = append(documents, path)
		}
		return nil
	}))
	named := 0
	for _, path := range documents {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, match := range regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Z]\\w*(?:_\\w+)?|Example\\w*_\\w+)`").FindAllStringSubmatch(string(text), -1) {
			named++
			require.True(t, defined[match[1]], "%s names %s, which does not exist", path, match[1])
		}
	}
	require.Greater(t, named, 20)
}

func TestEveryLinkBetweenDocumentsLeadsSomewhere(t *testing.T) {
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	links := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".md") {
			return nil
		}
		text, err := os.ReadFile(path)
		prose := code.ReplaceAllString(string(text), "")
		for _, match := range links.FindAllStringSubmatch(prose, -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(path), match[1]))
			require.NoError(t, err, "%s links to %s", path, match[1])
		}
		return err
	}))
}
