package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

type bar struct {
	name  string
	times float64 // of signet's cost
}

// panel is one question of the chart: how many times signet's cost the others are.
type panel struct {
	title   string
	bars    []bar
	outside []string // bars too long to be drawn beside the others, in words
}

// longestBar is the most that is drawn, in multiples of signet's cost.
const longestBar = 60

// chart draws the panels as an SVG that reads on light and dark pages alike.
func (r *report) chart() string {
	const width, left, lineHeight, titleHeight = 760, 230, 24, 44
	panels := r.panels()
	height := 16
	for _, p := range panels {
		height += titleHeight + lineHeight*len(p.bars)
		if p.outside != nil {
			height += lineHeight
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="system-ui,sans-serif" font-size="13" role="img">`, width, height, width, height)
	fmt.Fprintf(&b, "\n<title>Cost in multiples of signet's</title>\n<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#fff\"/>\n", width, height)
	y := 8
	for _, p := range panels {
		fmt.Fprintf(&b, `<text x="16" y="%d" font-weight="600" fill="#1f2933">%s</text>`+"\n", y+28, escape(p.title))
		y += titleHeight
		longest := 1.0
		for _, one := range p.bars {
			longest = max(longest, one.times)
		}
		for _, one := range p.bars {
			length := math.Max(2, one.times/longest*(width-left-80))
			colour := "#9aa5b1"
			if strings.HasPrefix(one.name, "signet") {
				colour = "#0f7a4d"
			}
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#1f2933">%s</text><rect x="%d" y="%d" width="%.1f" height="16" rx="2" fill="%s"/><text x="%.1f" y="%d" fill="#1f2933">%s ×</text>`+"\n",
				left-10, y+13, escape(one.name), left, y, length, colour, float64(left)+length+6, y+13, number(one.times))
			y += lineHeight
		}
		if p.outside != nil {
			fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#52606d">outside the picture: %s</text>`+"\n", left, y+13, escape(strings.Join(p.outside, ", ")))
			y += lineHeight
		}
	}
	return b.String() + "</svg>\n"
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func (r *report) panels() []panel {
	return []panel{
		r.panel("tokens", "Sealing and opening 256 bytes: time, in multiples of signet's", "256 B, ns", compactName, compactName, jweName, tinkName, gorillaName, pasetoName, joseDir, jwxName, ironSession, npmJose),
		r.panel("requests", "A request that reads the session: cost above an empty handler", "read two fields: ns", compactName, compactName, "alexedwards/scs memstore", "gorilla/sessions CookieStore"),
		r.panel("bytes", "Cookie bytes for 200 bytes of data", "200 B", compactName, compactName, jweName, gorillaName, pasetoName, joseDir, ironSession),
	}
}

// panel reads one column of a table, in multiples of the row reference.
func (r *report) panel(table, title, column, reference string, names ...string) panel {
	values := map[string]float64{}
	for _, t := range r.Tables {
		if t.Name != table {
			continue
		}
		for _, row := range t.Rows {
			for i, head := range t.Head {
				if v, err := strconv.ParseFloat(row[i], 64); err == nil && head == column {
					values[row[0]] = v
				}
			}
		}
	}
	p := panel{title: title}
	for _, name := range names {
		v, measured := values[name]
		switch times := v / values[reference]; {
		case !measured:
		case times > longestBar:
			p.outside = append(p.outside, name+" "+number(times)+" ×")
		default:
			p.bars = append(p.bars, bar{name, times})
		}
	}
	return p
}
