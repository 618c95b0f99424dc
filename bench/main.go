// Command bench measures signet against what a user would pick instead, and against the
// physical limit: one table a question, each with its goal and verdict.
//
//	go run ./bench                      all questions; writes RESULTS.md, results.json and chart.svg
//	go run ./bench -short               the same in less time; writes nothing
//	go run ./bench -only tokens,chunks  some of them; writes nothing
//	go test -bench . ./bench/...        the same subjects as Go benchmarks
//
// Peers are interleaved within one run, A B C A B C …, so that a noisy machine slows all alike.
// Ratios are the result, each taken within a round; absolute times are only shown.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	short := flag.Bool("short", false, "fewer and shorter rounds; nothing is written")
	only := flag.String("only", "", "comma-separated questions; nothing is written")
	dir := flag.String("dir", "", "folder of the bench, where it writes; default ./bench or .")
	flag.Parse()
	if *dir == "" {
		*dir = ownFolder()
	}
	l := newLab(*dir, *short)
	defer l.node.stop()
	start := time.Now()
	r := newReport(l)
	for _, q := range questions() {
		if *only != "" && !strings.Contains(","+*only+",", ","+q.name+",") {
			continue
		}
		t := q.run(l)
		t.print(os.Stdout)
		r.Tables = append(r.Tables, t)
	}
	fmt.Printf("%d goals met, %d at a stated limit, %d missed; %.0f s\n", r.count("met"), r.count("limit"), r.count("missed"), time.Since(start).Seconds())
	if *only != "" || *short {
		return
	}
	if err := r.write(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// ownFolder is where this module is, seen from its own folder or from the one above.
func ownFolder() string {
	if _, err := os.Stat(filepath.Join("bench", "tokens.go")); err == nil {
		return "bench"
	}
	return "."
}

func newLab(dir string, short bool) *lab {
	// Slices are long enough for the garbage collector to run in each, where a subject leaves garbage.
	// The bench writes cookies as large as they come; the library's warning of that is for servers.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	l := &lab{effort: effort{rounds: 41, slice: 10 * time.Millisecond}, short: short, dir: dir}
	if short {
		l.effort = effort{rounds: 15, slice: 10 * time.Millisecond}
	}
	node, err := startNode(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: without the peers in node:", err)
	} else {
		l.node = node
	}
	return l
}
