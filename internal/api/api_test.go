// Package api_test compares what the public packages export with api/v0.txt, until there
// is a release to compare with.
package api_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write api/v0.txt anew")

const file = "../../api/v0.txt"

// TestNothingIsTakenAway fails if an exported name is gone or has another type. What was added is no
// break; -update writes it down.
func TestNothingIsTakenAway(t *testing.T) {
	now := exported(t)
	if *update {
		text := "# What the public packages export. Written by: go test ./internal/api -update\n" + strings.Join(now, "\n") + "\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if !strings.HasPrefix(line, "#") && !slices.Contains(now, line) {
			t.Errorf("gone or changed: %s\nif that is meant: go test ./internal/api -update", line)
		}
	}
}

// exported is one line for each exported declaration, field and method: "path: declaration".
func exported(t *testing.T) (lines []string) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		rel, err := filepath.Rel("../..", path)
		if err != nil {
			return err
		}
		if rel != "." && rel != "signettest" && rel != "compat" && !strings.HasPrefix(rel, "compat"+string(filepath.Separator)) || strings.Contains(rel, "internal") || strings.Contains(rel, "testdata") {
			return filepath.SkipDir
		}
		lines = append(lines, ofDir(t, path, filepath.ToSlash(rel))...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

func ofDir(t *testing.T, dir, name string) (lines []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.FileExports(f)
		for _, d := range f.Decls {
			for _, text := range ofDecl(fset, d) {
				lines = append(lines, name+": "+strings.Join(strings.Fields(text), " "))
			}
		}
	}
	return lines
}

func ofDecl(fset *token.FileSet, d ast.Decl) (texts []string) {
	show := func(n any) string {
		var b strings.Builder
		if err := printer.Fprint(&b, fset, n); err != nil {
			return err.Error()
		}
		return b.String()
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil && !receiverIsExported(d.Recv.List[0].Type) {
			return nil
		}
		d.Body, d.Doc = nil, nil
		for _, fields := range []*ast.FieldList{d.Recv, d.Type.Params, d.Type.Results} {
			dropNames(fields)
		}
		return []string{show(d)}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				texts = append(texts, ofType(s, show)...)
			case *ast.ValueSpec:
				for _, name := range s.Names {
					text := d.Tok.String() + " " + name.Name
					if s.Type != nil {
						text += " " + show(s.Type)
					}
					texts = append(texts, text)
				}
			}
		}
	}
	return texts
}

func receiverIsExported(t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiverIsExported(t.X)
	case *ast.IndexExpr:
		return receiverIsExported(t.X)
	case *ast.Ident:
		return t.IsExported()
	}
	return true
}

// dropNames leaves the types alone, one for each parameter: a parameter that is renamed breaks nobody.
func dropNames(fields *ast.FieldList) {
	if fields == nil {
		return
	}
	var bare []*ast.Field
	for _, f := range fields.List {
		for range max(len(f.Names), 1) {
			bare = append(bare, &ast.Field{Type: f.Type})
		}
	}
	fields.List = bare
}

// ofType is a struct's head and a line for each field, so that a field that is added breaks
// nothing; any other type is one line.
func ofType(s *ast.TypeSpec, show func(any) string) []string {
	s.Doc, s.Comment = nil, nil
	st, ok := s.Type.(*ast.StructType)
	if !ok {
		return []string{"type " + show(s)}
	}
	texts := []string{fmt.Sprintf("type %s struct", s.Name)}
	for _, f := range st.Fields.List {
		for _, name := range f.Names {
			texts = append(texts, fmt.Sprintf("type %s struct, field %s %s", s.Name, name, show(f.Type)))
		}
	}
	return texts
}
