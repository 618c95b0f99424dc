package demo

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/cmd/signet/internal/explain"
)

// view is what the laboratory shows.
type view struct {
	Outcome outcome
	Cookies []cookieView
	Size    int // of all of them in a Cookie field
	Budget  int
	Field   string // the Cookie field, for signet inspect
	Parts   []explain.Part
	Session sessionView
	Keys    []signet.KeyInfo
	Source  string
	Now     time.Time
	SealKey string // of the token; empty if there is none

	Events  []event
	Totals  []total
	Restore bool // there are good cookies to put back
	Replay  bool // there are stolen ones
	Refuse  bool
}

type cookieView struct {
	Name   string
	Size   int
	From   int // where in the bar of the budget it begins
	Pieces []segment
	Faults []string
}

// segment is a run of a cookie's value that belongs to one part.
type segment struct {
	Class, Title string
	Text         string
	Elided       int  // characters that are left out in the middle of it
	Hit          bool // damaged
}

type sessionView struct {
	Open, Persistent bool
	ID, KeyID        string
	Created, Expires time.Time
	JSON             string
	Size             int
	Reason, Error    string
	Meaning          string
}

type total struct {
	Name string
	N    int
}

func (l *lab) view(r *http.Request, s *signet.Session[Visitor]) view {
	cookies := cookiesOf(r)
	found, _ := explain.Sessions(cookies)
	v := view{Budget: budget, Keys: l.keys.Keys(), Source: l.source, Now: time.Now(), Session: describe(s)}
	l.mu.Lock()
	visit := seen(r.Context()).visit
	v.Events = slices.Clone(visit.events)
	for name, n := range visit.totals {
		v.Totals = append(v.Totals, total{name, n})
	}
	v.Outcome = l.outcome(visit, s)
	v.Restore, v.Replay, v.Refuse = len(visit.good.cookies) > 0 && s.IsNew(), len(visit.stolen.cookies) > 0, visit.refuse
	hit := visit.experiment
	l.mu.Unlock()
	slices.Reverse(v.Events)
	slices.Reverse(v.Keys)
	slices.SortFunc(v.Totals, func(a, b total) int { return strings.Compare(a.Name, b.Name) })

	if hit.name != "damage" || !s.IsNew() {
		hit = experiment{}
	}
	var pairs []string
	for _, c := range cookies {
		shown := cookieView{Name: c.Name, Size: c.Size(), From: v.Size, Pieces: []segment{{Class: "unknown", Title: "no signet token", Text: c.Value}}}
		shown.Faults, _ = c.Browser()
		for _, session := range found {
			for _, piece := range session.Pieces {
				if piece.Name == c.Name && piece.Value == c.Value {
					shown.Pieces = segments(session, piece, hit)
					shown.Faults = append(shown.Faults, session.Token.Faults...)
				}
			}
		}
		v.Cookies = append(v.Cookies, shown)
		pairs = append(pairs, c.Name+"="+c.Value)
		v.Size += c.Size() + len("=; ")
	}
	v.Size = max(v.Size-len("; "), 0)
	v.Field = strings.Join(pairs, "; ")
	if len(found) > 0 {
		v.Parts, v.SealKey = found[0].Token.Parts, found[0].Token.KeyID
	}
	return v
}

// Characters that are shown of a long part: of its beginning and of its end.
const (
	headShown = 100
	tailShown = 40
)

// segments cuts the piece of a token that one cookie carries into its parts.
func segments(s explain.Session, piece explain.Piece, hit experiment) []segment {
	var all []segment
	if piece.Prefix != "" {
		count, id := "", strings.TrimSuffix(piece.Prefix, ".")
		if i := strings.IndexByte(id, '.'); i >= 0 {
			count, id = id[:i], id[i+1:]
			all = append(all, segment{Class: "count", Title: "count: the session is in " + count + " cookies", Text: count + "."})
		}
		all = append(all, segment{Class: "write", Title: "write id: the same in all cookies of one write", Text: id + "."})
	}
	from, to := piece.From, piece.From+len(piece.Data())
	for _, p := range s.Token.Parts {
		for _, cut := range [][2]int{{p.From, min(p.To, max(hit.from, p.From))}, {max(p.From, hit.from), min(p.To, hit.to)}, {max(p.From, min(hit.to, p.To)), p.To}} {
			a, b := max(cut[0], from), min(cut[1], to)
			if a >= b {
				continue
			}
			seg := segment{Class: class(p.Name), Title: title(p), Text: s.Token.Text[a:b], Hit: hit.to > 0 && a >= hit.from && b <= hit.to}
			all = append(all, elide(seg)...)
		}
	}
	return all
}

// elide leaves out the middle of a long run.
func elide(s segment) []segment {
	if len(s.Text) <= headShown+tailShown+40 {
		return []segment{s}
	}
	head, gap, tail := s, s, s
	head.Text, tail.Text = s.Text[:headShown], s.Text[len(s.Text)-tailShown:]
	gap.Text, gap.Elided = "", len(s.Text)-headShown-tailShown
	return []segment{head, gap, tail}
}

func class(part string) string { return strings.ReplaceAll(part, " ", "-") }

func title(p explain.Part) string {
	text := p.Name + ", " + count(p.Bytes, "byte")
	if p.Value != "" {
		text += ": " + p.Value
	}
	return text + ". " + p.Meaning
}

// describe is the session as an application has it.
func describe(s *signet.Session[Visitor]) sessionView {
	v := sessionView{Open: !s.IsNew(), Persistent: s.Persistent(), Reason: reason(s.Err())}
	if s.Err() != nil {
		v.Error = s.Err().Error()
	}
	v.Meaning = meanings[v.Reason]
	if !v.Open {
		return v
	}
	v.ID, v.Created, v.Expires = s.ID(), s.Created(), s.Expires()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s.Data) != nil {
		return v
	}
	v.Size = b.Len() - 1
	var indented bytes.Buffer
	if json.Indent(&indented, b.Bytes(), "", "  ") == nil {
		v.JSON = strings.TrimSpace(indented.String())
	}
	return v
}

// meanings say what a reason is to the operator. The visitor is told none of them.
var meanings = map[string]string{
	"":                    "No cookie of ours came with the request.",
	"invalid":             "Forged, damaged, cut or moved here from another purpose: one answer to all.",
	"torn":                "A cookie of several is missing, so there is nothing to open.",
	"unknown key":         "Sealed with a key that this ring does not hold, or not yet. What is there is not overwritten.",
	"expired":             "Past its end, whatever the browser says.",
	"clock skew":          "Sealed in the future: one of two clocks is wrong.",
	"ambiguous":           "Two different sessions in one request: neither is believed.",
	"revoked key":         "Its key has been revoked.",
	"refused by Validate": "It opened, and the application’s own hook said no.",
}
