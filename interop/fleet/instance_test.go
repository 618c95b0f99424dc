package fleet_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/signet-go/signet"
)

// The whole test binary is also the application: started with these variables it is one
// instance of the fleet.
const (
	envKeys    = "FLEET_KEYS"    // path of this instance's own copy of the key file
	envAddress = "FLEET_ADDRESS" // where it listens
	envEpoch   = "FLEET_EPOCH"   // Unix milliseconds at which the fleet's clock started
	envSkew    = "FLEET_SKEW"    // seconds by which this instance's clock is ahead
	envNaive   = "FLEET_NAIVE"   // "1": obey the file exactly, whatever it loses
)

func TestMain(m *testing.M) {
	if os.Getenv(envKeys) != "" {
		instance()
	}
	os.Exit(m.Run())
}

// speed is how much faster than the real one the fleet's clock goes, so that 50 rotations fit in a minute.
const speed = 20

// fleetClock is the shared time of the fleet, before any skew.
func fleetClock(epoch int64) func() time.Time {
	start := time.UnixMilli(epoch)
	return func() time.Time { return start.Add(speed * time.Since(start)) }
}

type visitor struct {
	Name  string `json:"name,omitempty"`
	N     int    `json:"n,omitempty"`
	Bulky string `json:"bulky,omitempty"`
}

const budget = 12 << 10

func instance() {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the test counts answers, not log lines
	epoch, _ := strconv.ParseInt(os.Getenv(envEpoch), 10, 64)
	skew, _ := strconv.Atoi(os.Getenv(envSkew))
	base := fleetClock(epoch)
	clock := func() time.Time { return base().Add(time.Duration(skew) * time.Second) }

	load := signet.FromFile(os.Getenv(envKeys))
	keys, err := load(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) // a broken file at start-up: the test starts it again
	}
	keys.SetClock(clock)
	if os.Getenv(envNaive) == "1" {
		go swapAtOnce(keys, load)
	} else {
		go func() { _ = keys.Watch(context.Background(), poll, load) }()
	}
	sessions := signet.Must(signet.New[visitor](keys, signet.Config{Cookie: signet.Cookie{Budget: budget}}))
	l, err := net.Listen("tcp", os.Getenv(envAddress))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = http.Serve(l, sessions.Handler(application(sessions)))
	os.Exit(1)
}

// poll is the real time between two looks at the file.
const poll = 100 * time.Millisecond

// swapAtOnce is the habit of others: whatever the file says is obeyed as soon as it is seen.
func swapAtOnce(keys *signet.Keyring, load func(context.Context) (*signet.Keyring, error)) {
	for range time.Tick(poll) {
		if next, err := load(context.Background()); err == nil {
			_ = keys.Replace(next)
		}
	}
}

// application logs in, reads and writes. Its answer says what it saw before it changed anything.
func application(sessions *signet.Manager[visitor]) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, s *signet.Session[visitor], was visitor) {
		fmt.Fprintf(w, "%s %d %d %d", was.Name, was.N, len(was.Bulky), s.Expires().Unix())
	}
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		n, _ := strconv.Atoi(r.FormValue("bulk"))
		s.Data = visitor{Name: r.FormValue("name"), Bulky: bulk(n)}
		answer(w, s, s.Data)
	})
	mux.HandleFunc("GET /read", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		answer(w, s, s.Data)
	})
	mux.HandleFunc("GET /write", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		was := s.Data
		s.Data.N, _ = strconv.Atoi(r.FormValue("n"))
		answer(w, s, was)
	})
	return mux
}

func bulk(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return string(b)
}
