package edge_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNoDisagreement gives 10,000 Cookie fields, good and bad, to Go and to the same module in four
// runtimes. Session or reason, all must say the same.
func TestNoDisagreement(t *testing.T) {
	const n = 10000
	w := newWorld(t)
	b := batch{Keys: w.export(t, "session"), Name: cookieName}
	headers := w.mixed(t, n, 0, 10, 200, 900, 2000, 4000, 9000)
	for _, header := range headers {
		b.Cases = append(b.Cases, jsOp{Header: latin1(header), Now: time.Now().Unix()})
	}
	count := map[string]int{}
	for _, js := range runtimes {
		start := time.Now()
		answers := js.run(t, b)
		took := time.Since(start)
		for i, got := range answers {
			reason, s := w.verdict(headers[i])
			if s == nil {
				count[reason]++
				require.Equal(t, reason, got.Error, "%s, case %d: %q", js.name, i, headers[i])
				continue
			}
			if got.Error == "unknown-key" && sealedOtherwise(headers[i]) {
				count["JWE or version 2"]++ // passed on to Go, which opens it
				continue
			}
			count["a session"]++
			require.NotNil(t, got.Session, "%s, case %d says %q: %q", js.name, i, got.Error, headers[i])
			require.Equal(t, s.ID(), got.Session.ID)
			require.Equal(t, s.Expires().Unix(), got.Session.Expires)
			require.Equal(t, s.Created().Unix(), got.Session.Created)
			require.JSONEq(t, string(encode(t, s.Data)), string(got.Session.Data))
		}
		t.Logf("%-8s agrees with Go on %d Cookie fields (%v, with its start)", js.name, n, took.Round(time.Millisecond))
	}
	for reason, times := range count {
		t.Logf("%-18s %6d", reason, times/len(runtimes))
		require.Greater(t, times/len(runtimes), 100, reason)
	}
	require.Len(t, count, 9, "every answer is among them")
}
