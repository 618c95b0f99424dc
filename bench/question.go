package main

import (
	"fmt"
	"strings"
)

// question is one line of what the bench answers.
type question struct {
	name string // for -only
	text string
	goal string
	// groups are the subjects that it measures, for interleave and for go test -bench. A
	// question that measures something else than time in a loop has none.
	groups func(*lab) []group
	answer func(*lab, *table)
}

// lab is what a run has at hand.
type lab struct {
	effort
	short bool
	dir   string       // of this module's source, for the parts that are compiled or run from it
	node  *nodeProcess // nil where it is not installed
}

// table is the answer to a question.
type table struct {
	Name     string
	Question string
	Goal     string
	Head     []string
	Rows     [][]string
	Notes    []string
	Checks   []check
}

// check is a figure that has a goal. Figures are ratios wherever the machine matters, so
// that they hold on another one.
type check struct {
	What    string
	Got     float64
	Goal    float64
	AtLeast bool // otherwise at most
	Unit    string
	// Bound is enforced in place of Goal, where the goal cannot be met for the stated reason.
	Bound  float64 `json:",omitempty"`
	Reason string  `json:",omitempty"`
}

func (c check) meets(goal, slack float64) bool {
	if c.AtLeast {
		return c.Got >= goal/slack
	}
	return c.Got <= goal*slack
}

func (c check) met() bool { return c.meets(c.Goal, 1) }

// holds is what CI asks: no more than slack beyond the goal, or beyond the stated bound.
func (c check) holds(slack float64) bool {
	if c.Bound != 0 {
		return c.meets(c.Bound, slack)
	}
	return c.meets(c.Goal, slack)
}

func (c check) isDuration() bool { return c.Unit == "ns" || c.Unit == "ms" }

func (c check) verdict() string {
	switch {
	case c.met():
		return "met"
	case c.Bound != 0 && c.meets(c.Bound, 1):
		return "limit"
	}
	return "missed"
}

func (c check) sign() string {
	if c.AtLeast {
		return "≥"
	}
	return "≤"
}

func (c check) String() string {
	s := fmt.Sprintf("%s: %s %s, goal %s %s: %s", c.What, number(c.Got), c.Unit, c.sign(), number(c.Goal), c.verdict())
	if c.verdict() == "limit" {
		s += " (" + c.Reason + ")"
	}
	return s
}

func (t *table) row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case float64:
			row[i] = number(c)
		default:
			row[i] = fmt.Sprint(c)
		}
	}
	t.Rows = append(t.Rows, row)
}

func (t *table) head(names ...string) { t.Head = names }
func (t *table) note(format string, args ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, args...))
}

// check adds a figure. Its goal begins with its direction: "≤" or "≥".
func (t *table) check(what string, got float64, sign string, goal float64, unit string) *check {
	t.Checks = append(t.Checks, check{What: what, Got: got, Goal: goal, AtLeast: sign == "≥", Unit: unit})
	return &t.Checks[len(t.Checks)-1]
}

// limit states that a goal cannot be met: what holds instead, and why.
func (c *check) limit(bound float64, reason string) { c.Bound, c.Reason = bound, reason }

// number is v with three significant digits.
func number(v float64) string {
	s := fmt.Sprintf("%.3g", v)
	if strings.Contains(s, "e") {
		s = fmt.Sprintf("%.0f", v)
	}
	return s
}

// questions in the order in which they are asked and printed.
func questions() []question {
	return []question{
		tokens, untouched, requests, bigRing, cores, cookieBytes, chunks, garbage, rotation, coldStart, memory, wasm, breakdown, duplicates,
	}
}

// run answers one question.
func (q question) run(l *lab) *table {
	t := &table{Name: q.name, Question: q.text, Goal: q.goal}
	q.answer(l, t)
	return t
}
