package proxies_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

var sizes = []int{1 << 10, 2 << 10, 4 << 10, 6 << 10, 24 << 10}

const largest = 24 << 10

// TestSessionsThroughProxies prints what passes each proxy at its defaults, and requires that everything does with the limit raised.
func TestSessionsThroughProxies(t *testing.T) {
	a := startApp(t)
	doc, err := os.ReadFile("../../docs/limits.md")
	require.NoError(t, err)
	table := []string{fmt.Sprintf("%-16s %-34s %-34s %s", "", "requests: sizes that pass", "responses: sizes that pass", "first refused in, out (status)")}
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			base := p.start(t, a.address, false)
			requests, responses := a.passing(t, base, 200)
			in, inStatus := a.firstRefused(t, func(wire int) (int, bool) {
				pairs, _ := a.cookies(t, wire)
				return read(base, []string{strings.Join(pairs, "; ")}, wire)
			})
			out, outStatus := a.firstRefused(t, func(wire int) (int, bool) {
				status, lines := written(base, wire)
				return status, lines > 0 && status == 200
			})
			table = append(table, fmt.Sprintf("%-16s %-34s %-34s %s, %s", p.name, kilobytes(requests), kilobytes(responses), refused(in, inStatus), refused(out, outStatus)))
			a.oneCookiePasses(t, base)
			a.cookieFieldsOfEveryForm(t, base)
			if p.raise == "" {
				require.Equal(t, len(sizes), len(requests)+0, "the defaults take every size")
				require.Equal(t, len(sizes), len(responses))
				return
			}
			require.Contains(t, string(doc), p.raise, "docs/limits.md has the setting")
			requests, responses = a.passing(t, p.start(t, a.address, true), 20)
			require.Equal(t, sizes, requests, "with the limit raised")
			require.Equal(t, sizes, responses, "with the limit raised")
		})
	}
	t.Logf("sessions of 1, 2, 4, 6 and 24 KB (bytes of a Cookie field) 200 times beside %d bytes of other cookies:\n%s", len(other), strings.Join(table, "\n"))
}

// passing is which sizes pass in each direction, n times out of n.
func (a *app) passing(t *testing.T, base string, n int) (requests, responses []int) {
	t.Helper()
	for _, wire := range sizes {
		pairs, lines := a.cookies(t, wire)
		field := []string{other + "; " + strings.Join(pairs, "; ")}
		in := times(n, func() bool { _, whole := read(base, field, wire); return whole })
		out := times(n, func() bool { status, got := written(base, wire); return status == 200 && got == len(lines) })
		require.Contains(t, []int{0, n}, in, "%d bytes: the same answer each time", wire)
		require.Contains(t, []int{0, n}, out, "%d bytes: the same answer each time", wire)
		if in == n {
			requests = append(requests, wire)
		}
		if out == n {
			responses = append(responses, wire)
		}
	}
	return requests, responses
}

// times does one request and, if it is answered well, the others over four connections.
func times(n int, once func() bool) int {
	if !once() {
		n = min(n, 5) // a refusal closes the connection; five say as much
		for range n - 1 {
			if once() {
				return -1
			}
		}
		return 0
	}
	var ok atomic.Int64
	ok.Add(1)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < n-1; i += 4 {
				if once() {
					ok.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return int(ok.Load())
}

// firstRefused searches the least size that does not pass, and what is answered then. Zero is none up to the largest budget.
func (a *app) firstRefused(t *testing.T, try func(wire int) (status int, ok bool)) (wire, status int) {
	t.Helper()
	if _, ok := try(largest); ok {
		return 0, 0
	}
	low, high := 256, largest
	for high-low > 4 {
		middle := (low + high) / 2
		if _, ok := try(middle); ok {
			low = middle
		} else {
			high = middle
		}
	}
	status, _ = try(high)
	return high, status
}

func kilobytes(sizes []int) string {
	var out []string
	for _, s := range sizes {
		out = append(out, fmt.Sprint(s>>10))
	}
	return strings.Join(out, ", ")
}

func refused(wire, status int) string {
	switch {
	case wire == 0:
		return "none"
	case status == 0:
		return fmt.Sprintf("%d (cut)", wire)
	}
	return fmt.Sprintf("%d (%d)", wire, status)
}

// oneCookiePasses: a session in one Set-Cookie line of 3,500 octets passes every proxy as it comes, both ways.
func (a *app) oneCookiePasses(t *testing.T, base string) {
	t.Helper()
	const attributes = len("; Path=/; HttpOnly; Secure; SameSite=Lax")
	wire := 3500 - attributes
	pairs, lines := a.cookies(t, wire)
	require.Len(t, lines, 1)
	require.InDelta(t, 3500, len(lines[0]), 4)
	_, whole := read(base, []string{other + "; " + pairs[0]}, wire)
	require.True(t, whole, "request")
	status, n := written(base, wire)
	require.Equal(t, []int{200, 1}, []int{status, n}, "response")
}

// cookieFieldsOfEveryForm: doubled, a line for each cookie, all in one line, in reverse: each is read right.
func (a *app) cookieFieldsOfEveryForm(t *testing.T, base string) {
	t.Helper()
	for _, wire := range []int{1 << 10, 5 << 10} {
		pairs, _ := a.cookies(t, wire)
		joined := strings.Join(pairs, "; ")
		reversed := append([]string{other}, pairs...)
		for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
			reversed[i], reversed[j] = reversed[j], reversed[i]
		}
		forms := map[string][]string{
			"a line for each cookie": append([]string{other}, pairs...), "all in one line": {other + "; " + joined}, "in reverse": reversed,
			"joined with a comma before": {other + ", " + joined}, "joined with commas": {strings.Join(pairs, ", ")},
		}
		if wire < 2<<10 {
			forms["doubled in one line"] = []string{joined + "; " + other + "; " + joined}
			forms["doubled, a line each"] = []string{joined, joined}
		}
		for form, fields := range forms {
			status, whole := read(base, fields, wire)
			require.True(t, whole, "%d bytes, %s: %d", wire, form, status)
		}
	}
}
