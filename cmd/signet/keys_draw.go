package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// style is how a listing is printed: with colours on a terminal, plain elsewhere.
type style struct {
	width  int
	colour bool
}

func styleOf(std stdio) style {
	s := style{width: 78}
	f, ok := std.out.(*os.File)
	if !ok {
		return s
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return s
	}
	s.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n >= 40 {
		s.width = min(n-1, 160)
	}
	return s
}

// looks is how each state is drawn: a character, an ANSI colour, an SVG fill.
var looks = map[state]struct {
	char, ansi, fill string
}{
	absent:    {" ", "", "none"},
	published: {"░", "36", "#9cc7e8"},
	sealing:   {"█", "32", "#3a9d5d"},
	opening:   {"▒", "33", "#e3c567"},
	ended:     {" ", "", "none"},
	revoked:   {"x", "31", "#c8503c"},
}

func (s style) paint(code, text string) string {
	if !s.colour || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const labelWidth = 10

func (l *listing) text(s style) []byte {
	var b bytes.Buffer
	columns := s.width - labelWidth - 10
	step := l.to.Sub(l.from) / time.Duration(columns)
	mark := int(l.at.Sub(l.from) / step)
	rows := make([][]state, columns)
	for c := range rows {
		rows[c] = statesAt(l.ring, l.from.Add(time.Duration(c)*step+step/2))
	}
	fmt.Fprintf(&b, "%*s%*s\n", labelWidth, "", mark+3, "now")
	for i, k := range l.Keys {
		fmt.Fprintf(&b, "%-*s", labelWidth, k.ID)
		for c := range columns {
			if c == mark {
				b.WriteString(s.paint("1", "│"))
				continue
			}
			look := looks[rows[c][i]]
			b.WriteString(s.paint(look.ansi, look.char))
		}
		fmt.Fprintf(&b, " %s\n", k.State)
	}
	layout := "2006-01-02"
	if l.to.Sub(l.from) < 7*24*time.Hour {
		layout = "2006-01-02 15:04"
	}
	from, to := l.from.UTC().Format(layout), l.to.UTC().Format(layout)
	fmt.Fprintf(&b, "%*s%s%*s\n", labelWidth, "", from, columns-len(from), to)
	fmt.Fprintf(&b, "%*s%s published  %s seals  %s opens only\n", labelWidth, "", s.paint("36", "░"), s.paint("32", "█"), s.paint("33", "▒"))
	for _, k := range l.Keys {
		if k.Seen != nil {
			fmt.Fprintf(&b, "key %s: %s\n", k.ID, k.Seen)
		}
	}
	fmt.Fprintln(&b, l.Next)
	for _, f := range l.Findings {
		fmt.Fprintln(&b, s.paint("31", "! "+f.Text))
	}
	return b.Bytes()
}

// svg is the same for a runbook: it needs no script and no font of its own.
func (l *listing) svg() []byte {
	const left, width, row, top = 90, 720, 26, 40
	var b bytes.Buffer
	height := top + row*len(l.Keys) + 60
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="ui-monospace, monospace" font-size="12">`+"\n", left+width+90, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	x := func(t time.Time) float64 {
		return left + width*float64(t.Sub(l.from))/float64(l.to.Sub(l.from))
	}
	for i, k := range l.Keys {
		y := top + row*i
		fmt.Fprintf(&b, `<text x="8" y="%d">%s</text>`+"\n", y+16, k.ID)
		for _, s := range l.segments(i) {
			fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"><title>%s %s from %s to %s</title></rect>`+"\n",
				x(s.from), y+3, x(s.to)-x(s.from), row-8, looks[s.state].fill, k.ID, s.state, when(s.from), when(s.to))
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", left+width+8, y+16, k.State)
	}
	bottom := top + row*len(l.Keys)
	fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#222222" stroke-width="1.5"/><text x="%.1f" y="%d" text-anchor="middle">now, %s</text>`+"\n",
		x(l.at), top-6, x(l.at), bottom+4, x(l.at), top-12, when(l.at))
	fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text><text x="%d" y="%d" text-anchor="end">%s</text>`+"\n",
		left, bottom+20, when(l.from), left+width, bottom+20, when(l.to))
	for i, s := range []state{published, sealing, opening} {
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			left+width-250+i*100, bottom+34, looks[s].fill, left+width-232+i*100, bottom+44, s)
	}
	fmt.Fprintf(&b, `<text x="8" y="%d">%s</text>`+"\n</svg>\n", bottom+44, strings.NewReplacer("<", "&lt;", "&", "&amp;").Replace(l.Next))
	return b.Bytes()
}

// segment is a time in which a key's state stays the same.
type segment struct {
	state    state
	from, to time.Time
}

// segments are the drawn ones of key i, at the resolution of a pixel.
func (l *listing) segments(i int) []segment {
	const pixels = 720
	var all []segment
	step := l.to.Sub(l.from) / pixels
	for c := range pixels {
		from := l.from.Add(time.Duration(c) * step)
		s := statesAt(l.ring, from)[i]
		if n := len(all); n > 0 && all[n-1].state == s {
			all[n-1].to = from.Add(step)
			continue
		}
		all = append(all, segment{s, from, from.Add(step)})
	}
	drawn := all[:0]
	for _, s := range all {
		if looks[s.state].fill != "none" {
			drawn = append(drawn, s)
		}
	}
	return drawn
}
