package proxies_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/interop/internal/real"
)

// TestTheWarningComesBeforeThe502 walks up to where a stock nginx refuses the response, octet by octet of what base64url
// allows: no refusal comes without the warning, and the warning names the cure, which is tried.
func TestTheWarningComesBeforeThe502(t *testing.T) {
	a := startApp(t)
	stock := startNginx(t, a.address, false)
	first, warned, last := 0, 0, 0
	for wire := 3600; wire < 4096; wire++ {
		a.large.Store(0)
		status, _ := written(stock, wire)
		warns := a.large.Load() > 0
		if warns && warned == 0 {
			warned = wire
		}
		if status != 200 {
			require.Equal(t, 502, status)
			require.True(t, warns, "%d bytes were refused without a warning", wire)
			if first == 0 {
				first = wire
			}
			continue
		}
		last = wire
	}
	require.NotZero(t, first, "a stock nginx refuses somewhere")
	require.LessOrEqual(t, warned, first)
	t.Logf("stock nginx: warned from a session of %d bytes on, refused from %d, the last that passed %d", warned, first, last)
	require.Contains(t, a.log.String(), "proxy_buffer_size")
	require.Contains(t, a.log.String(), "proxy_buffers 8 16k")

	// The setting in the words of the warning.
	address := real.FreeAddress(t)
	real.Nginx(t, address, `server { listen `+address+`; proxy_buffer_size 16k; proxy_buffers 8 16k; location / { proxy_pass http://`+a.address+`; } }`)
	for _, wire := range []int{first, 4096, 6 << 10, 12 << 10} {
		status, _ := written("http://"+address, wire)
		require.Equal(t, 200, status, "%d bytes with the cure", wire)
	}
}
