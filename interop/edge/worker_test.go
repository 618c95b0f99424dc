package edge_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// seen is what the application answers: what it made of the request that reached it.
type seen struct {
	ID   string
	New  bool
	Data map[string]any
}

// startOrigin is the Go application behind the Worker.
func startOrigin(t *testing.T, m *signet.Manager[map[string]any]) string {
	t.Helper()
	origin := httptest.NewServer(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := m.Get(r.Context())
		_ = json.NewEncoder(w).Encode(seen{s.ID(), s.IsNew(), s.Data})
	})))
	t.Cleanup(origin.Close)
	return strings.TrimPrefix(origin.URL, "http://")
}

// startExample is the Worker of examples/worker before the application.
func startExample(t *testing.T, origin, export string) string {
	t.Helper()
	return startWorkerd(t, exampleDir+"/worker.js", nil,
		fmt.Sprintf(`, (name = "origin", external = (address = %q, http = ()))---(name = "SIGNET_EDGE_KEYS", fromEnvironment = "SIGNET_EDGE_KEYS"), (name = "ORIGIN", service = "origin")`, origin),
		[]string{"SIGNET_EDGE_KEYS=" + export})
}

// TestWorkerBeforeTheApplication sends 10,000 mixed requests through the example's Worker in workerd. It
// answers 401 exactly where Go sees no session, changes a field exactly where Go sees one, and
// passes on untouched what only Go can decide.
func TestWorkerBeforeTheApplication(t *testing.T) {
	const n = 10000
	w := newWorld(t)
	base := startExample(t, startOrigin(t, w.main), w.export(t, "session"))
	headers := w.mixed(t, n, 0, 10, 200, 900, 2000, 4000)
	count := map[string]int{}
	var mu sync.Mutex
	next := make(chan int)
	var wg sync.WaitGroup
	start := time.Now()
	for range 4 {
		wg.Go(func() {
			for i := range next {
				kind, err := w.throughWorker(base, headers[i], fmt.Sprint("C", i%3))
				mu.Lock()
				count[kind]++
				if err != nil {
					t.Errorf("request %d, %q: %v", i, headers[i], err)
				}
				mu.Unlock()
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	t.Logf("%d requests through workerd to Go in %v: %v", n, time.Since(start).Round(time.Millisecond), count)
	for _, kind := range []string{"401", "changed", "passed on"} {
		require.Greater(t, count[kind], 500, kind)
	}
}

// throughWorker sends one request and compares what came of it with what Go says of the same Cookie field.
func (w *world) throughWorker(base, header, country string) (string, error) {
	r, _ := http.NewRequest("GET", base+"/account", nil)
	if header != "" {
		r.Header["Cookie"] = []string{header}
	}
	r.Header.Set("cf-ipcountry", country)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	reason, s := w.verdict(header)
	lines := res.Header["Set-Cookie"]
	switch {
	case s == nil && reason != "unknown-key" && reason != "clock-skew":
		if res.StatusCode != 401 || len(lines) != 0 {
			return "401", fmt.Errorf("Go says %q, the Worker answered %d with %d cookies", reason, res.StatusCode, len(lines))
		}
		return "401", nil
	case res.StatusCode != 200:
		return "200", fmt.Errorf("Go says %q, the Worker answered %d: %s", reason, res.StatusCode, body)
	}
	var got seen
	if err := json.Unmarshal(body, &got); err != nil {
		return "200", err
	}
	if s == nil || sealedOtherwise(header) {
		if len(lines) != 0 || got.New != (s == nil) || s != nil && got.ID != s.ID() {
			return "passed on", fmt.Errorf("Go says %q, the application saw %+v and set %d cookies", reason, got, len(lines))
		}
		return "passed on", nil
	}
	return "changed", w.changed(header, country, s, got, lines)
}

// changed checks that the application saw the changed field, and that the browser holds it afterwards.
func (w *world) changed(header, country string, s *signet.Session[map[string]any], got seen, lines []string) error {
	s.Data["country"] = country
	want, _ := json.Marshal(s.Data)
	if have, _ := json.Marshal(got.Data); got.New || got.ID != s.ID() || string(have) != string(want) {
		return fmt.Errorf("the application saw %.200s, not %.200s", have, want)
	}
	reason, after := w.verdict(afterwards(header, lines))
	if after == nil {
		return fmt.Errorf("what the browser holds afterwards is %q", reason)
	}
	if have, _ := json.Marshal(after.Data); after.ID() != s.ID() || string(have) != string(want) || !after.Expires().Equal(s.Expires()) {
		return fmt.Errorf("the browser holds %.200s, not %.200s", have, want)
	}
	return nil
}

// afterwards is the Cookie field of a browser that held header and received lines. A browser holds
// one value of a name.
func afterwards(header string, lines []string) string {
	set := map[string]bool{}
	var pairs []string
	for _, line := range lines {
		pair, _, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		set[name] = true
		if value != "" {
			pairs = append(pairs, pair)
		}
	}
	for _, pair := range strings.FieldsFunc(header, func(r rune) bool { return r == ';' || r == ',' }) {
		name, _, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if !set[name] {
			pairs = append(pairs, strings.TrimSpace(pair))
		}
	}
	return strings.Join(pairs, "; ")
}

// TestWorkerHasNoRoom: a session so full that the Worker's field does not fit is passed on as it is.
func TestWorkerHasNoRoom(t *testing.T) {
	w := newWorld(t)
	base := startExample(t, startOrigin(t, w.main), w.export(t, "session"))
	header := strings.Join(w.write(t, "main", 0, map[string]any{"fill": strings.Repeat("x", 4600)}), "; ")
	r, _ := http.NewRequest("GET", base+"/account", nil)
	r.Header.Set("Cookie", header)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	var got seen
	require.NoError(t, json.NewDecoder(res.Body).Decode(&got))
	_, s := w.verdict(header)
	require.Equal(t, s.ID(), got.ID)
	require.NotContains(t, got.Data, "country")
	require.Empty(t, res.Header["Set-Cookie"])
}

// without and only pick cookies of a field by name.
func without(header, name string) string { return pick(header, name, false) }
func only(header, name string) string    { return pick(header, name, true) }

func pick(header, name string, want bool) string {
	var kept []string
	for _, pair := range strings.Split(header, "; ") {
		if strings.HasPrefix(pair, name+"=") == want {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "; ")
}
