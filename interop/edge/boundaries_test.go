package edge_test

import (
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// TestBoundaries: to the second, the edge says what Go says: where a token is still too new, already too old, past its own end and leeway, and
// where its key ends; and to the character, one spelling of a token opens.
func TestBoundaries(t *testing.T) {
	ring := func(policy string) *signet.Keyring {
		return signet.Must(signet.ParseKeyring([]byte(`{"keys":[{"kty":"oct","alg":"signet-v1","k":"XrSMnhs0Z9J3i8W4VtT1cYqRfKxOaLpDgUoEvNmBzHQ","nbf":1,"exp":1800000000}],` + policy + `}`)))
	}
	const day = 24 * time.Hour
	for name, keys := range map[string]*signet.Keyring{"the default policy": ring(`"generation":1`), "one of its own": ring(`"policy":{"skew":"7s","life":"1h","leeway":"3s"}`)} {
		t.Run(name, func(t *testing.T) {
			const sealed = int64(1799990000)
			clock := sealed
			life := day
			if keys.Policy().Life != 0 {
				life = keys.Policy().Life
			}
			keys.SetClock(func() time.Time { return time.Unix(clock, 0) })
			m := signet.Must(signet.New[map[string]string](keys, signet.Config{Lifetime: 30 * time.Minute}))
			header, _, _ := save(t, m, "", "", 10)
			headers := []string{header}
			for i := range 64 { // every last character
				headers = append(headers, header[:len(header)-1]+string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[i]))
			}
			b := batch{Keys: string(signet.Must(keys.ExportPurpose(signet.Compact, "session", cookieName, "")))}
			var want []string
			add := func(header string, now int64) {
				clock = now
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set("Cookie", header)
				err := m.Load(r).Err()
				want = append(want, map[error]string{nil: "", signet.ErrInvalid: "invalid", signet.ErrExpired: "expired", signet.ErrClockSkew: "clock-skew"}[err])
				b.Cases = append(b.Cases, jsOp{Header: header, Now: now})
			}
			for _, near := range []int64{sealed - 300, sealed - 7, sealed, sealed + 1800, sealed + 1803, sealed + 1860, sealed + 3600, 1800000000} {
				for now := near - 2; now <= near+2; now++ {
					add(header, now)
				}
			}
			for _, h := range headers {
				add(h, sealed)
			}
			// Two that their own end does not reach first: the longest life, and a key that ends before.
			longest := signet.Must(signet.New[map[string]string](keys, signet.Config{Lifetime: life}))
			for _, at := range []int64{1799900000, 1799999900} {
				clock = at
				header, _, _ := save(t, longest, "", "", 10)
				for _, near := range []int64{at + 3600, at + 86400, 1800000000} {
					for now := near - 2; now <= near+62; now++ {
						add(header, now)
					}
				}
			}
			for i, got := range runtimes[0].run(t, b) {
				require.Equal(t, want[i], got.Error, "%d s after sealing, %s", b.Cases[i].Now-sealed, b.Cases[i].Header)
			}
			all := strings.Join(want, " ")
			for _, reason := range []string{"expired", "clock-skew", "invalid"} {
				require.Contains(t, all, reason)
			}
		})
	}
}

// TestTheBoundOfAHeader: what of a Cookie field near its 65,536th octet counts is the same in both.
func TestTheBoundOfAHeader(t *testing.T) {
	w := newWorld(t)
	pieces := w.write(t, "main", 0, map[string]any{"fill": strings.Repeat("y", 9000)})
	whole := strings.Join(pieces, "; ")
	require.Greater(t, len(pieces), 2)
	b := batch{Keys: w.export(t, "session"), Name: cookieName}
	var headers []string
	for near := -3; near <= 3; near++ {
		for _, tail := range []string{whole, whole + "; x=y", whole + ",x=y", pieces[1] + "; " + pieces[0]} {
			for _, before := range []string{"", whole + "; "} {
				for _, begin := range []int{65536 - len(whole), 65536 - len(pieces[1]), 65536 - 2000, 65536} {
					pad := "p=" + strings.Repeat("p", begin+near-len(before)-len("p=; ")) + "; "
					headers = append(headers, before+pad+tail)
				}
			}
		}
	}
	for _, header := range headers {
		b.Cases = append(b.Cases, jsOp{Header: header, Now: time.Now().Unix()})
	}
	count := map[string]int{}
	for i, got := range runtimes[0].run(t, b) {
		reason, s := w.verdict(headers[i])
		if s != nil {
			reason = ""
		}
		require.Equal(t, reason, got.Error, "case %d, of %d octets", i, len(headers[i]))
		count[reason]++
	}
	require.Subset(t, []string{"", "none", "torn"}, slices.Collect(maps.Keys(count)))
	require.Len(t, count, 3, "every answer is among them: %v", count)
}
