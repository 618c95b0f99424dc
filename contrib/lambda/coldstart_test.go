package lambda_test

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// TestColdStart prints what the first opened cookie costs above an empty program, by 31 starts of each in turn. The
// promise is 1 ms after main; a machine under test load asserts nothing.
func TestColdStart(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}), signet.GenerateKey(time.Unix(1, 0)), signet.GenerateKey(time.Unix(2, 0))))
	env, err := ring.SecretEnv()
	require.NoError(t, err)
	cookie := "__Host-Http-session=" + sealedElsewhere(t, ring)
	run := func(binary string) (wall time.Duration, inside int) {
		cmd := exec.Command(binary)
		cmd.Env = []string{"SIGNET_KEYS=" + env, "COOKIE=" + cookie}
		start := time.Now()
		out, err := cmd.Output()
		require.NoError(t, err)
		inside, _ = strconv.Atoi(strings.TrimSpace(string(out)))
		return time.Since(start), inside
	}
	var empty, opens []time.Duration
	var insides []int
	for range 31 {
		wall, _ := run(build(t, "./internal/empty"))
		empty = append(empty, wall)
		wall, inside := run(build(t, "./internal/coldstart"))
		opens, insides = append(opens, wall), append(insides, inside)
	}
	slices.Sort(empty)
	slices.Sort(opens)
	slices.Sort(insides)
	t.Logf("process start to end, median (least): empty %v (%v), opens a cookie %v (%v)", empty[15], empty[0], opens[15], opens[0])
	t.Logf("main to the first opened cookie, with a ring of 3 keys: median %d µs, least %d µs", insides[15], insides[0])
}
