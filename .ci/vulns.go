// Vulns reads the JSON of govulncheck from its standard input, and prints one line for each known vulnerability. It
// exits with status 1 if one of a module is called and .ci/vulns.accepted does not say why it stays. One
// of the standard library is that of the Go toolchain of this machine, which everybody who
// builds a program chooses himself: it is printed.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

type message struct {
	Finding *struct {
		OSV   string `json:"osv"`
		Fixed string `json:"fixed_version"`
		Trace []struct{ Module, Version, Package, Function string }
	}
}

type vuln struct{ id, module, version, fixed string }

func main() {
	found, err := read(os.Stdin)
	accepted, acceptedErr := os.ReadFile(".ci/vulns.accepted")
	if err = errors.Join(err, acceptedErr); err != nil {
		fmt.Fprintln(os.Stderr, "vulns:", err)
		os.Exit(2)
	}
	var lines []string
	called, toolchain := 0, 0
	for v, reach := range found {
		if v.module == "stdlib" {
			if reach == 2 {
				toolchain++
			}
			continue
		}
		line := fmt.Sprintf("  %s in %s@%s, fixed in %s: %s", v.id, v.module, v.version, v.fixed, [...]string{"required, not imported", "imported, not called", "called"}[reach])
		if reach == 2 {
			why := reason(string(accepted), v)
			if why == "" {
				called++
				why = "UPDATE IT"
			}
			line += "; " + why
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
	fmt.Printf("  %d findings in modules, %d of them called and not accepted; %d called in the standard library of this toolchain\n", len(lines), called, toolchain)
	if called > 0 {
		os.Exit(1)
	}
}

// read returns how far each vulnerability reaches: 0 required, 1 imported, 2 called.
func read(r io.Reader) (map[vuln]int, error) {
	found := map[vuln]int{}
	for in := json.NewDecoder(r); ; {
		var m message
		if err := in.Decode(&m); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		if m.Finding == nil || len(m.Finding.Trace) == 0 {
			continue
		}
		at, reach := m.Finding.Trace[0], 0
		switch {
		case at.Function != "":
			reach = 2
		case at.Package != "":
			reach = 1
		}
		v := vuln{m.Finding.OSV, at.Module, at.Version, m.Finding.Fixed}
		found[v] = max(found[v], reach)
	}
}

// reason is why a vulnerability stays.
func reason(accepted string, v vuln) string {
	for line := range strings.Lines(accepted) {
		if why, ok := strings.CutPrefix(line, v.id+" "+v.module+" "); ok {
			return "accepted: " + strings.TrimSpace(why)
		}
	}
	return ""
}
