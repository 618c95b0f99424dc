package object_test

import (
	"testing"

	"github.com/signet-go/signet/compat/internal/object"
	"github.com/stretchr/testify/require"
)

func TestInt(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "17": 17, "-3": -3, "1.9": 1, "1e3": 1000, "9007199254740991": 1<<53 - 1} {
		n, ok := object.Int([]byte(text))
		require.True(t, ok, text)
		require.Equal(t, want, n, text)
	}
	for _, text := range []string{"", "null", `"1"`, "[1]", "0x10", "1e400", "9007199254740992", "99999999999999999999", "NaN", "Infinity", "1_000"} {
		_, ok := object.Int([]byte(text))
		require.False(t, ok, text)
	}
}
