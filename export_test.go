package signet_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

func TestExportPurposeCarriesThePolicyInSeconds(t *testing.T) {
	rows := []struct {
		name   string
		policy signet.Policy
		want   map[string]int64
	}{
		{"the defaults are written out", signet.Policy{}, map[string]int64{"skew": 300, "life": 86400, "leeway": 60}},
		{"what the key file says is what the edge does", signet.Policy{Skew: time.Minute, Life: 48 * time.Hour, Leeway: 2 * time.Second},
			map[string]int64{"skew": 60, "life": 172800, "leeway": 2}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			keys, err := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))).WithPolicy(row.policy)
			require.NoError(t, err)
			for _, f := range []signet.Format{signet.Compact, signet.JWE, signet.JWEKeyWrap} {
				text, err := keys.ExportPurpose(f, "session", "__Host-Http-session", "")
				require.NoError(t, err)
				var set struct {
					Keys   []map[string]any `json:"keys"`
					Policy map[string]int64 `json:"policy"`
				}
				require.NoError(t, json.Unmarshal(text, &set))
				require.Len(t, set.Keys, 1, f)
				require.Equal(t, row.want, set.Policy, f)
			}
		})
	}
}
