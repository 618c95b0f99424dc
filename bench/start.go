package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

var coldStart = question{
	name:   "start",
	text:   "Process start to the first opened cookie: processor time above an empty program",
	goal:   "ring of 3 ≤ 1 ms, ring of 64 ≤ 2 ms",
	answer: answerStart,
}

func answerStart(l *lab, t *table) {
	bin, err := os.MkdirTemp("", "signet-bench")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(bin)
	build := exec.Command("go", "build", "-o", bin, "./internal/start/...")
	build.Dir = l.dir
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("building the start programs: %v\n%s", err, out))
	}
	empty := starter(filepath.Join(bin, "empty"), "", "")
	g := group{"start", []subject{
		{name: "empty program", config: "func main() {}", batch: empty},
		{name: "net/http linked in", config: "an import that is not used", batch: starter(filepath.Join(bin, "web"), "", "")},
		openStart(bin, 3),
		openStart(bin, 64),
	}}
	e := effort{rounds: 41, slice: time.Millisecond}
	if l.short {
		e.rounds = 15
	}
	took := interleave(e, g)
	t.head("", "", "ms", "ms above the empty program")
	base := took["empty program"]
	for _, s := range g.subjects {
		t.row(s.name, s.config, took[s.name].median()/1e6, took[s.name].above(base).median()/1e6)
	}
	t.check("ring of 3, above an empty program", took["ring of 3"].above(base).median()/1e6, "≤", 1, "ms").limit(2.2, linked)
	t.check("ring of 64, above an empty program", took["ring of 64"].above(base).median()/1e6, "≤", 2, "ms").limit(3.3, linked)
	web := took["net/http linked in"].above(base)
	t.check("ring of 3 over net/http alone", took["ring of 3"].above(base).over(web), "≤", 1.4, "×")
	t.check("ring of 64 over net/http alone", took["ring of 64"].above(base).over(web), "≤", 1.7, "×")
}

const linked = "net/http, which every program with sessions has, takes 1.3 to 1.7 ms by being linked in (second row); a key takes 4.5 µs to parse, of which 2 are HKDF"

func openStart(bin string, n int) subject {
	ring := ringOf(n)
	cookies := newPage(ring, 200, "").cookies
	keys := string(must(ring.SecretJWKS()))
	return subject{name: fmt.Sprintf("ring of %d", n), config: "key file parsed, New, Load of a session of 200 B",
		batch: starter(filepath.Join(bin, "open"), keys, cookies)}
}

// starter runs a program n times and says how much processor time it took.
func starter(path, keys, cookies string) func(n int) time.Duration {
	return func(n int) (sum time.Duration) {
		for range n {
			cmd := exec.Command(path, cookies)
			cmd.Env = []string{"SIGNET_KEYS=" + keys}
			if err := cmd.Run(); err != nil {
				panic(fmt.Sprintf("%s: %v", filepath.Base(path), err))
			}
			sum += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
		return sum
	}
}
