package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// report is everything that a run found.
type report struct {
	Date     string
	Machine  string
	Clock    string
	Versions map[string]string
	Tables   []*table
}

func newReport(l *lab) *report {
	r := &report{Date: time.Now().UTC().Format(time.DateOnly), Machine: machine(), Clock: clockName, Versions: map[string]string{"go": runtime.Version()}}
	peers := []string{"aidanwoods.dev/go-paseto", "alexedwards/scs", "go-jose", "gorilla/securecookie", "gorilla/sessions", "lestrrat-go/jwx", "tink-go"}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if slices.ContainsFunc(peers, func(p string) bool { return strings.Contains(dep.Path, p) }) {
				r.Versions[dep.Path] = dep.Version
			}
		}
	}
	if l.node != nil {
		for name, version := range l.node.versions {
			r.Versions[name] = version
		}
	}
	return r
}

// machine is its class: no name of it, and no path on it.
func machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s/%s, %s, %d cores", runtime.GOOS, runtime.GOARCH, model, runtime.NumCPU())
}

func (r *report) count(verdict string) (n int) {
	for _, t := range r.Tables {
		for _, c := range t.Checks {
			if c.verdict() == verdict {
				n++
			}
		}
	}
	return n
}

// print writes a table for a terminal.
func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s  [%s]\ngoal: %s\n\n", t.Question, t.Name, t.Goal)
	rows := append([][]string{t.Head}, t.Rows...)
	widths := make([]int, len(t.Head))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if isNumber(cell) {
				fmt.Fprint(w, "  ", pad, cell)
			} else {
				fmt.Fprint(w, "  ", cell, pad)
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	for _, c := range t.Checks {
		fmt.Fprintln(w, " ", c)
	}
	for _, n := range t.Notes {
		fmt.Fprintln(w, "  ·", n)
	}
}

func isNumber(s string) bool { return s != "" && (s[0] >= '0' && s[0] <= '9' || s[0] == '-') }

// write puts RESULTS.md, results.json and chart.svg into dir.
func (r *report) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "RESULTS.md"), []byte(r.markdown()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "chart.svg"), []byte(r.chart()), 0o644)
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Results\n\nWritten by `go run ./bench` on %s. Machine: %s. Time is %s; ratios are medians of the quieter half of the rounds, in which all\nsubjects take turns, and hold on other machines better than the times do.\n\n", r.Date, r.Machine, r.Clock)
	names := make([]string, 0, len(r.Versions))
	for name := range r.Versions {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = name + " " + r.Versions[name]
	}
	fmt.Fprintf(&b, "Versions: %s.\n\n", strings.Join(names, ", "))
	fmt.Fprintf(&b, "%d goals met, %d at a stated limit, %d missed.\n\n![signet against its peers](chart.svg)\n", r.count("met"), r.count("limit"), r.count("missed"))
	for _, t := range r.Tables {
		t.markdown(&b)
	}
	return b.String()
}

func (t *table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\nGoal: %s.\n\n", t.Question, t.Goal)
	line := func(cells []string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.Head)
	rule := make([]string, len(t.Head))
	for i := range rule {
		rule[i] = "---"
		if len(t.Rows) > 0 && isNumber(t.Rows[len(t.Rows)-1][i]) {
			rule[i] = "---:"
		}
	}
	line(rule)
	for _, row := range t.Rows {
		line(row)
	}
	if len(t.Checks) > 0 {
		fmt.Fprint(b, "\n| figure | measured | goal | |\n| --- | ---: | ---: | --- |\n")
	}
	for _, c := range t.Checks {
		verdict := c.verdict()
		if verdict == "limit" {
			verdict += ": " + c.Reason
		}
		fmt.Fprintf(b, "| %s | %s %s | %s %s | %s |\n", c.What, number(c.Got), c.Unit, c.sign(), number(c.Goal), verdict)
	}
	for _, n := range t.Notes {
		fmt.Fprintf(b, "\n%s\n", n)
	}
}
