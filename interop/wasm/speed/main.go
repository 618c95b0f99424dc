// Speed prints nanoseconds for one seal and one open of 512 bytes: version 1, then version 2.
package main

import (
	"fmt"
	"time"

	"github.com/signet-go/signet"
)

func main() {
	const v1 = `{"keys":[{"kty":"oct","alg":"signet-v1","k":"XrSMnhs0Z9J3i8W4VtT1cYqRfKxOaLpDgUoEvNmBzHQ"}]}`
	const v2 = `{"keys":[{"kty":"oct","alg":"signet-v1-chacha","k":"XrSMnhs0Z9J3i8W4VtT1cYqRfKxOaLpDgUoEvNmBzHQ"}]}`
	for _, file := range []string{v1, v2} {
		keys := signet.Must(signet.ParseKeyring([]byte(file)))
		text := make([]byte, 512)
		token := signet.Must(keys.Seal("speed", text, time.Hour))
		fmt.Print(best(func() { token = signet.Must(keys.Seal("speed", text, time.Hour)) }), " ",
			best(func() { signet.Must(keys.Open("speed", token)) }), " ")
	}
	fmt.Println()
}

// best is the least of many short averages: what else runs on the machine disturbs some of them.
func best(once func()) int64 {
	least := int64(1 << 62)
	for range 60 {
		start := time.Now()
		for range 50 {
			once()
		}
		least = min(least, int64(time.Since(start))/50)
	}
	return least
}
