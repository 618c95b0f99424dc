package explain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/cmd/signet/internal/explain"
)

func TestThePartsOfATokenLieSideBySide(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	for size := range 8 { // every remainder of characters and bytes
		text := signet.Must(ring.Seal("reset", make([]byte, size), time.Hour))
		token, err := explain.ParseToken(text, true)
		require.NoError(t, err)
		var froms, bytes []int
		at := 0
		for _, p := range token.Parts {
			require.Equal(t, at, p.From, p.Name)
			require.Greater(t, p.To, p.From, p.Name)
			froms, bytes, at = append(froms, p.From), append(bytes, p.Bytes), p.To
		}
		require.Equal(t, len(text), at)
		require.Equal(t, []int{0, 1, 7, 12, 28}, froms[:5])
		require.Equal(t, []int{1, 4, 4, 12, 4 + size, 16}, bytes)

		text = signet.Must(ring.SealAs(signet.JWE, "reset", make([]byte, size), time.Hour))
		token, err = explain.ParseToken(text, true)
		require.NoError(t, err)
		at = 0
		for _, p := range token.Parts {
			require.Equal(t, at, p.From, p.Name)
			at = p.To + len(".")
		}
		require.Equal(t, len(text)+1, at)
	}
}
