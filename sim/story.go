package sim

import (
	"fmt"
	"slices"
	"strings"
)

// replay runs a plan over given events.
func replay(seed uint64, all []event, story func(string)) *Violation {
	p, _ := newPlan(seed)
	w, err := newWorld(p)
	if err != nil {
		return &Violation{Seed: seed, Property: "a valid plan starts", Detail: err.Error()}
	}
	w.story = story
	i := 0
	_, _, v := w.run(func() (event, bool) {
		if i == len(all) {
			return event{}, false
		}
		i++
		return all[i-1], true
	})
	return v
}

// Shrink finds few events of a world that break the same promise, and tells them in words.
func Shrink(failed *Violation) string {
	all := events(failed.Seed, failed.Request*3+200)
	breaks := func(some []event) bool {
		v := replay(failed.Seed, some, nil)
		return v != nil && v.Property == failed.Property
	}
	if !breaks(all) {
		return "the seed does not fail again: something outside of it decides"
	}
	// Cut the end first, by halving, and then ever smaller pieces anywhere.
	for low, high := 0, len(all); ; {
		if high-low < 2 {
			all = all[:high]
			break
		}
		if mid := (low + high) / 2; breaks(all[:mid]) {
			high = mid
		} else {
			low = mid
		}
	}
	for size := len(all) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(all); {
			less := slices.Concat(all[:at], all[at+size:])
			if breaks(less) {
				all = less
			} else {
				at += size
			}
		}
	}
	p, _ := newPlan(failed.Seed)
	var b strings.Builder
	fmt.Fprintf(&b, "%s%d events are enough:\n", p, len(all))
	replay(failed.Seed, all, func(line string) { b.WriteString("  " + line + "\n") })
	return b.String()
}
