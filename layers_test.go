package signet_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/signet-go/signet"

// source is one Go file of the root module.
type source struct {
	path    string // slash-separated, from the root
	file    *ast.File
	imports []string
}

// sources parses every Go file of the root module, which nested modules are not part of.
func sources(t testing.TB) (all []source) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, noModule := os.Stat(filepath.Join(name, "go.mod"))
			if name != "." && (noModule == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s := source{path: filepath.ToSlash(name), file: file}
		for _, i := range file.Imports {
			s.imports = append(s.imports, strings.Trim(i.Path.Value, `"`))
		}
		all = append(all, s)
		return nil
	})
	require.NoError(t, err)
	return all
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// layer is the first element of a file's folder, "" for the root package.
func layer(file string) string {
	first, _, nested := strings.Cut(file, "/")
	if !nested {
		return ""
	}
	return first
}

func TestImportsPointDownOnly(t *testing.T) {
	// What each layer of the module may import of the module.
	below := map[string][]string{
		"":           {"internal"},
		"internal":   {"internal"},
		"compat":     {"", "internal", "compat"},
		"signettest": {"", "internal"},
		"cmd":        {"", "internal", "compat", "cmd"},
	}
	files := 0
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		files++
		allowed, known := below[layer(s.path)]
		require.True(t, known, "%s is in no layer; say in layers_test.go what it may import", s.path)
		for _, imported := range s.imports {
			of, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			require.Contains(t, allowed, layer(strings.TrimPrefix(of, "/")+"/"), "%s imports %s, which is not below it", s.path, imported)
		}
	}
	require.Greater(t, files, 20)
	report(t, "%d files", files)
}

func TestInternalPackagesKnowNoKeyringNoClockAndNoNetwork(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || layer(s.path) != "internal" {
			continue
		}
		for _, imported := range s.imports {
			require.NotContains(t, []string{module, "net/http", "net", "time", "os", "log/slog", "crypto/rand"}, imported, s.path)
		}
	}
}

func TestKeysAndTokensDoNotKnowHTTPAndCookiesNoKeys(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		seen[s.path] = true
		switch s.path {
		case "keyring.go", "keyfile.go", "subkey.go", "keywrap.go", "token.go", "rotate.go", "check.go", "update.go", "watch.go", "errors.go":
			require.NotContains(t, s.imports, "net/http", s.path)
		case "cookie.go":
			for _, imported := range s.imports {
				require.False(t, strings.HasPrefix(imported, module) || strings.HasPrefix(imported, "crypto/") && imported != "crypto/rand", "cookie.go imports %s", imported)
			}
			ast.Inspect(s.file, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					require.NotRegexp(t, `(?i)key|^ring$|aead|subkey|purpose|^opened$|^sealedBy$`, id.Name, "cookie.go handles strings, never keys")
				}
				return true
			})
		}
	}
	for _, name := range []string{"keyring.go", "keyfile.go", "subkey.go", "token.go", "rotate.go", "cookie.go"} {
		require.True(t, seen[name], "%s is not there; where did it go?", name)
	}
}

func TestTheRootModuleRequiresThreeModules(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	require.Contains(t, string(text), "\ngo 1.25.0\n", "the floor")
	require.NotContains(t, string(text), "\ntoolchain ")
	require.NotContains(t, string(text), "replace ")
	var direct []string
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\s*(\S+) v\S+$`).FindAllStringSubmatch(string(text), -1) {
		direct = append(direct, m[1]) // a line that ends in "// indirect" does not match
	}
	require.ElementsMatch(t, []string{"github.com/go-jose/go-jose/v4", "github.com/stretchr/testify", "golang.org/x/crypto"}, direct)
}

func TestAUserOfTheRootPullsInNothingElse(t *testing.T) {
	var outside []string
	for _, s := range sources(t) {
		if s.isTest() || layer(s.path) != "" && layer(s.path) != "internal" {
			continue
		}
		for _, imported := range s.imports {
			if strings.Contains(strings.Split(imported, "/")[0], ".") && !strings.HasPrefix(imported, module) && !slices.Contains(outside, imported) {
				outside = append(outside, imported)
			}
		}
	}
	require.Equal(t, []string{"golang.org/x/crypto/chacha20poly1305"}, outside, "what the root package imports beside the standard library")
}

// exportedNames are the exported top-level names of the root package, types apart.
func exportedNames(t testing.TB) (names, types []string) {
	for _, s := range sources(t) {
		if s.isTest() || path.Dir(s.path) != "." {
			continue
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() {
					names = append(names, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						if spec.Name.IsExported() {
							names, types = append(names, spec.Name.Name), append(types, spec.Name.Name)
						}
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							if n.IsExported() {
								names = append(names, n.Name)
							}
						}
					}
				}
			}
		}
	}
	return names, types
}

func TestTheRootPackageStaysSmall(t *testing.T) {
	names, types := exportedNames(t)
	require.LessOrEqual(t, len(names), 50)
	report(t, "%d exported top-level names, %d of them types", len(names), len(types))
}
