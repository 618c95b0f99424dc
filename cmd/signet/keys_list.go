package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/signet-go/signet"
)

// keysList shows what each key does over the past and coming weeks.
func keysList(std stdio, args []string) error {
	flags := newFlags("keys list")
	policy := addPolicyFlags(flags)
	asJSON := flags.Bool("json", false, "print JSON")
	svg := flags.String("svg", "", "also draw it into this `file`")
	seenFile := flags.String("seen", "", "a JSON `file` that says when each key was last used, or how often")
	names, err := parseMixed(flags, std, args, 1, 1)
	if err != nil {
		return err
	}
	ring, err := readRing(std, names[0])
	if err != nil {
		return err
	}
	if ring, err = ring.WithPolicy(policy.over(ring.Policy())); err != nil {
		return err
	}
	seen, err := readSeen(*seenFile)
	if err != nil {
		return err
	}
	l := newListing(ring, now(), seen)
	if *svg != "" {
		if err := os.WriteFile(*svg, l.svg(), 0o644); err != nil {
			return fmt.Errorf("signet: writing the drawing: %w", withoutPath(err))
		}
	}
	if *asJSON {
		err = writeJSON(std, l)
	} else {
		_, err = std.out.Write(l.text(styleOf(std)))
	}
	if err == nil && len(l.Findings) > 0 {
		err = fmt.Errorf("signet: %d found; run: signet keys check FILE", len(l.Findings))
	}
	return err
}

// listing is all that there is to say of a ring at one time.
type listing struct {
	Now        int64         `json:"now"`
	Generation uint64        `json:"generation"`
	Keys       []listedKey   `json:"keys"`
	Next       string        `json:"next"`
	Findings   []jsonFinding `json:"findings"`

	ring     *signet.Keyring
	at       time.Time
	from, to time.Time // of the drawing
}

type listedKey struct {
	ID        string `json:"id"`
	Algorithm string `json:"alg"`
	State     state  `json:"state"`
	Issued    int64  `json:"iat,omitempty"`
	NotBefore int64  `json:"nbf"`
	Expires   int64  `json:"exp,omitempty"`
	Seen      *seen  `json:"seen,omitempty"`
}

// state is what a key does at one moment.
type state string

const (
	absent    state = "not yet"
	published state = "published"
	sealing   state = "seals"
	opening   state = "opens"
	ended     state = "ended"
	revoked   state = "revoked"
)

func newListing(ring *signet.Keyring, at time.Time, seen map[string]seen) *listing {
	l := &listing{Now: at.Unix(), Generation: ring.Generation(), Next: nextEvent(ring, at), ring: ring, at: at}
	l.Findings = jsonFindings(findings(ring.Policy().Check(ring, ring, at)))
	states := statesAt(ring, at)
	for i, k := range ring.Keys() {
		listed := listedKey{ID: k.ID, Algorithm: k.Algorithm, State: states[i], Issued: seconds(k.Issued), NotBefore: seconds(k.NotBefore), Expires: seconds(k.Expires)}
		if s, ok := seen[k.ID]; ok {
			listed.Seen = &s
		}
		l.Keys = append(l.Keys, listed)
	}
	l.from, l.to = l.window()
	return l
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// statesAt asks the ring itself what each of its keys does at a time.
func statesAt(ring *signet.Keyring, at time.Time) []state {
	ring.SetClock(func() time.Time { return at })
	defer ring.SetClock(nil)
	var states []state
	for _, k := range ring.Keys() {
		s := opening
		switch {
		case k.Revoked:
			s = revoked
		case !k.Expires.IsZero() && !at.Before(k.Expires):
			s = ended
		case !k.Issued.IsZero() && at.Before(k.Issued):
			s = absent
		case k.Sealing:
			s = sealing
		case at.Before(k.NotBefore):
			s = published
		}
		states = append(states, s)
	}
	return states
}

// window is from a little before the first thing that the ring tells of to a little after the last, and
// at most two periods either way.
func (l *listing) window() (from, to time.Time) {
	period := l.ring.Policy().Period
	if period == 0 {
		period = 30 * 24 * time.Hour
	}
	from, to = l.at.Add(-period/8), l.at.Add(period/2)
	for _, k := range l.ring.Keys() {
		for _, t := range []time.Time{k.Issued, k.NotBefore, k.Expires} {
			if t.IsZero() || t.Before(l.at.Add(-2*period)) || t.After(l.at.Add(2*period)) {
				continue
			}
			if t.Before(from) {
				from = t
			}
			if t.After(to) {
				to = t
			}
		}
	}
	margin := to.Sub(from) / 20
	return from.Add(-margin), to.Add(margin)
}

// nextEvent says in words what happens next by itself.
func nextEvent(ring *signet.Keyring, at time.Time) string {
	var first time.Time
	text := "nothing changes by itself; run: signet keys rotate FILE"
	for _, k := range ring.Keys() {
		if k.Revoked {
			continue
		}
		for _, e := range []struct {
			at   time.Time
			does string
		}{{k.NotBefore, "begins to seal"}, {k.Expires, "ends"}} {
			if e.at.After(at) && (first.IsZero() || e.at.Before(first)) {
				first = e.at
				text = fmt.Sprintf("next, key %s %s at %s, %s", k.ID, e.does, when(e.at), distance(at, e.at))
			}
		}
	}
	return text
}

func when(t time.Time) string {
	if t.IsZero() {
		return "the beginning"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// distance is how far t is from at, in two units at most.
func distance(at, t time.Time) string {
	d := t.Sub(at).Round(time.Second)
	if d.Abs() > time.Hour {
		d = d.Round(time.Minute)
	}
	switch {
	case t.IsZero() || d == 0:
		return "now"
	case d < 0:
		return span(-d) + " ago"
	}
	return "in " + span(d)
}

func span(d time.Duration) string {
	units := []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.d {
			continue
		}
		text := fmt.Sprintf("%d %s", d/u.d, u.name)
		if i+1 < len(units) {
			if rest := d % u.d / units[i+1].d; rest > 0 {
				text += fmt.Sprintf(" %d %s", rest, units[i+1].name)
			}
		}
		return text
	}
	return "0 s"
}

// seen is what the instances have counted of a key.
type seen struct {
	Last  int64 `json:"last,omitempty"` // Unix seconds
	Count int64 `json:"count,omitempty"`
}

// UnmarshalJSON takes {"last": …, "count": …} or a bare number, which is a time if it can be one.
func (s *seen) UnmarshalJSON(text []byte) error {
	var n int64
	if json.Unmarshal(text, &n) == nil {
		if n >= 1_000_000_000 {
			s.Last = n
		} else {
			s.Count = n
		}
		return nil
	}
	type plain seen
	return json.Unmarshal(text, (*plain)(s))
}

func (s *seen) String() string {
	var parts []string
	if s.Last != 0 {
		parts = append(parts, "last opened "+when(time.Unix(s.Last, 0)))
	}
	if s.Count != 0 || s.Last == 0 {
		parts = append(parts, fmt.Sprintf("%d opened", s.Count))
	}
	return strings.Join(parts, ", ")
}

func readSeen(name string) (map[string]seen, error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("signet: reading the file of -seen: %w", withoutPath(err))
	}
	var all map[string]seen
	if json.Unmarshal(text, &all) != nil {
		return nil, errors.New(`signet: the file of -seen is to be JSON, as in {"8ecfff22": {"last": 1790000000, "count": 12}}`)
	}
	return all, nil
}
