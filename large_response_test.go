package signet_test

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// TestALargeResponseIsCountedAsAProxyCountsIt walks past 4,096 octets, where a stock nginx answers 502: it counts the
// whole header as it is on the wire, with the lines that net/http adds after the session is saved.
func TestALargeResponseIsCountedAsAProxyCountsIt(t *testing.T) {
	for _, row := range []struct {
		name   string
		status int
	}{{"an ordinary page", http.StatusOK}, {"the longest status line", http.StatusNetworkAuthenticationRequired}} {
		t.Run(row.name, func(t *testing.T) {
			warned := false
			m := signet.Must(signet.New[map[string]string](signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))), signet.Config{
				Observer: observerFunc(func(e signet.Event) { warned = warned || e.Kind == "large-response" }), Logger: quiet(),
			}))
			size := 0
			server := httptest.NewServer(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				m.Get(r.Context()).Data["fill"] = strings.Repeat("f", size)
				w.WriteHeader(row.status)
				_, _ = w.Write(make([]byte, 1000))
			})))
			defer server.Close()
			conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
			require.NoError(t, err)
			defer conn.Close()
			from := bufio.NewReader(conn)
			for size = 2500; size < 2800; size++ {
				warned = false
				_, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
				require.NoError(t, err)
				header := readHeader(t, from)
				if header > 4096 {
					require.True(t, warned, "%d octets on the wire", header)
				}
				if header < 3800 {
					require.False(t, warned, "%d octets on the wire", header)
				}
			}
		})
	}
}

// readHeader reads one response and returns the octets of its header.
func readHeader(t *testing.T, from *bufio.Reader) int {
	t.Helper()
	var header bytes.Buffer
	for !bytes.HasSuffix(header.Bytes(), []byte("\r\n\r\n")) {
		line, err := from.ReadBytes('\n')
		require.NoError(t, err)
		header.Write(line)
	}
	_, err := from.Discard(1000)
	require.NoError(t, err)
	return header.Len()
}

type observerFunc func(signet.Event)

func (f observerFunc) Observe(_ context.Context, e signet.Event) { f(e) }
