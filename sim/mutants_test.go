package sim

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var (
	mutantsFlag = flag.Bool("mutants", false, "build the mutants and catch each; done anyway with SIGNET_REQUIRE_ALL=1")
	mutantFlag  = flag.String("mutant", "", "only those whose mistake holds this text")
)

// mutant is a mistake that somebody could make in the library: what is replaced by what, in a
// copy that the compiler is shown in place of the file. The tree is never touched.
type mutant struct {
	mistake string
	file    string
	changes [][2]string
}

var mutants = []mutant{
	{"revoked keys open", "keyring.go", [][2]string{{"if g.revoked[id] {\n\t\treturn nil, ErrRevoked\n\t}", ""}}},
	{"the end of a token is ignored", "token.go", [][2]string{{"if now > expires+seconds(g.policy.leeway()) {", "if false {"}}},
	{"the end of a key is ignored when opening", "keyring.go", [][2]string{{"case !k.liveAt(now):\n\t\treturn nil, ErrExpired", ""}}},
	{"additional data is skipped", "token.go", [][2]string{
		{"sealer.Seal(b[:compact.HeaderSize], nil, b[compact.HeaderSize:], b[:compact.HeaderSize])", "sealer.Seal(b[:compact.HeaderSize], nil, b[compact.HeaderSize:], nil)"},
		{"a.Open(sealed[:0], nil, sealed, additional)", "a.Open(sealed[:0], nil, sealed, additional[:0:0])"},
		{"s.raw = sealer.Seal(s.raw[:0], nil, s.raw, text[:header])", "s.raw = sealer.Seal(s.raw[:0], nil, s.raw, text[:header][:0])"}}},
	{"an unknown id is tried with the newest key", "keyring.go", [][2]string{{"case !known:\n\t\treturn nil, ErrUnknownKey", "case !known:\n\t\treturn g.keys[len(g.keys)-1], nil"}}},
	{"a token of the future opens", "token.go", [][2]string{{"if issued > now+seconds(g.policy.skew()) {", "if false {"}}},
	{"the next key seals at once", "keyring.go", [][2]string{{"passed := sort.Search(len(g.keys), func(i int) bool { return g.keys[i].notBefore > now })", "passed := sort.Search(len(g.keys), func(i int) bool { return g.keys[i].issued > now })"}}},
	{"stale pieces are not expired", "session.go", [][2]string{{"stale := s.carried &^ set &^ (1 << touchIndex)", "stale := s.carried & 0"}}},
	{"log-out expires the first cookie alone", "session.go", [][2]string{{"gone := s.carried | 1\n", "gone := carried(1)\n"}}},
	{"a read seals anew", "session.go", [][2]string{{"changed := s.rewrite || s.renewed || !m.unchanged(s, body)", "changed := s.raw != nil || s.rewrite || s.renewed || !m.unchanged(s, body)"}}},
	{"a write extends the life", "session.go", [][2]string{{"c := content{expires: s.expires, session: &s.head, data: body}", "c := content{expires: now + wholeSeconds(s.lifetime), session: &s.head, data: body}"}}},
	{"a torn cookie is opened as far as it goes", "cookie.go", [][2]string{{"if slices.Contains(pieces[:count], \"\") {", "if slices.Contains(pieces[:1], \"\") {"}}},
	{"pieces of any write are joined", "cookie.go", [][2]string{{"data, match := strings.CutPrefix(p.value, id)\n", "data, match := p.value[min(len(p.value), len(id)):], true\n"}}},
	{"the first of two different sessions is believed", "session.go", [][2]string{{"case o.session.id != best.session.id:\n\t\t\treturn opened{}, ErrAmbiguous\n", "case o.session.id != best.session.id:\n"}}},
	{"of two writes of a session the older counts", "session.go", [][2]string{{"case o.issued > best.issued:", "case o.issued < best.issued:"}}},
	{"the purpose leaves the tenant out", "subkey.go", [][2]string{{"{format, p.kind, p.name, p.tenant}", "{format, p.kind, p.name}"}}},
	{"the purpose leaves the name out", "subkey.go", [][2]string{{"{format, p.kind, p.name, p.tenant}", "{format, p.kind, p.tenant}"}}},
	{"the purpose leaves the kind out", "subkey.go", [][2]string{{"{format, p.kind, p.name, p.tenant}", "{format, p.name, p.tenant}"}}},
	{"idleness is ignored", "touch.go", [][2]string{{"failed := ErrExpired\n", "return 0, nil\n\tfailed := ErrExpired\n"}}},
	{"anybody's idle clock counts", "touch.go", [][2]string{{" && string(touch.data) == string(o.session.id[:])", ""}}},
	{"a change is written although the instance may lag", "session.go", [][2]string{{"if changed && s.withheld != nil && !s.renewed {", "if false {"}}},
	{"an unknown key is overwritten", "session.go", [][2]string{{"\tcase ErrUnknownKey:\n\t\tg, stateErr", "\tcase http.ErrNoCookie:\n\t\tg, stateErr"}}},
	{"Renew keeps the id", "session.go", [][2]string{{"s.hasHead, s.renewed = false, true", "s.renewed = true"}}},
	{"what another version wrote is dropped", "session.go", [][2]string{{"sealed = m.codec.carryOver(kept, s.raw)", "sealed = kept"}}},
	{"what another version wrote in another type is overwritten", "session.go", [][2]string{{"ok && other.recent {", "ok && other.recent && false {"}}},
	{"the budget is not kept", "session.go", [][2]string{{"if m.cookie.wireSize(len(token)) > m.cookie.budget || n == 0 {", "if n == 0 {"}}},
	{"equal cookies count twice", "cookie.go", [][2]string{{"if p.index == i && p.value == value {", "if p.index < 0 {"}}},
	{"half a piece at the bound of a header counts", "cookie.go", [][2]string{{"if !whole && !ended {", "if !whole && !ended && false {"}}},
	{"public stays on a response that sets a session", "cache.go", [][2]string{{"case name == \"public\" || name == \"s-maxage\":\n\t\t\t\tnarrowed = true\n", ""}}},
	{"the deny list is not asked", "session.go", [][2]string{{"if s.m.cfg.Validate.check == nil {", "if true {"}}},
	{"a file that lacks a key drops it", "update.go", [][2]string{{"if !k.liveAt(t) || c.old.revoked", "if true || c.old.revoked"}}},
	{"an older file is taken", "update.go", [][2]string{{"\tc.generations()\n\tfor", "\tfor"}}},
	{"the next key does not wait until everybody knows it", "rotate.go", [][2]string{{"max(began+seconds(p.period()), t+p.spread())", "t"}}},
	{"a followed key ends when the next one seals", "rotate.go", [][2]string{{"end = min(followed+p.tail()+seconds(p.skew()), math.MaxUint32)", "end = min(followed+1, math.MaxUint32)"}}},
	{"the twin outside of the partition stays", "cookie.go", [][2]string{{"if !c.partitioned {\n\t\treturn lines", "if true {\n\t\treturn lines"}}},
	{"remember-me is forgotten", "token.go", [][2]string{{"flags |= flagPersistent", ""}}},
}

// mutantSteps is within how many requests a mutant has to fall.
const mutantSteps = 200_000

// TestMutants shows that the simulation sees: each mistake is caught. A mutant whose text is not in
// the library any more fails, so that the table follows the code.
func TestMutants(t *testing.T) {
	if !*mutantsFlag && *mutantFlag == "" && !required() {
		t.Skip("builds the library once for each mutant; run with -mutants")
	}
	mutants := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !strings.Contains(m.mistake, *mutantFlag) })
	seed, fell := mutantSeed(), make([]string, len(mutants))
	var running sync.WaitGroup
	slots := make(chan struct{}, 2)
	for i, m := range mutants {
		running.Add(1)
		go func() {
			defer running.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			fell[i] = m.fall(t, seed)
		}()
	}
	running.Wait()
	var b strings.Builder
	caught := 0
	for i, m := range mutants {
		if fell[i] != "" {
			caught++
		}
		fmt.Fprintf(&b, "  %-58s %s\n", m.mistake, fell[i])
	}
	report("mutants: %d of %d caught within %d requests from seed %d; the request at which each fell, and by which promise:\n%s", caught, len(mutants), mutantSteps, seed, &b)
}

// mutantSeed is the same in every run: a mistake that shows in one world of fifty would else escape now and then.
// Fresh seeds are for the library itself.
func mutantSeed() uint64 {
	if *seedFlag != 0 {
		return *seedFlag
	}
	return 892147791
}

// fall builds a simulation of the mutant and runs it until it is caught.
func (m mutant) fall(t *testing.T, seed uint64) string {
	dir := t.TempDir()
	overlay, err := m.overlay(dir)
	if err != nil {
		t.Errorf("%s: %v", m.mistake, err)
		return ""
	}
	binary := filepath.Join(dir, "mutant.test")
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Errorf("%s: it does not build: %v\n%s", m.mistake, err, out)
		return ""
	}
	run := exec.Command(binary, "-test.run", "^TestSimulation$", "-seed", fmt.Sprint(seed), "-steps", fmt.Sprint(mutantSteps))
	run.Env = append(os.Environ(), "SIGNET_SIM_STORY=0")
	out, err := run.CombinedOutput()
	found := regexp.MustCompile(`(?m)^FELL (\d+) (.+)$`).FindSubmatch(out)
	if err == nil || found == nil {
		t.Errorf("%s: not caught (%v):\n%s", m.mistake, err, bytes.TrimSpace(out[max(0, len(out)-2000):]))
		return ""
	}
	n, _ := strconv.Atoi(string(found[1]))
	return fmt.Sprintf("%7d  %s", n, found[2])
}

// overlay writes the changed file and tells the go command to read it in place of the real one.
func (m mutant) overlay(dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join("..", m.file))
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := string(source)
	for _, c := range m.changes {
		if n := strings.Count(text, c[0]); n != 1 {
			return "", fmt.Errorf("the text to change is in %s %d times, not once:\n%s", m.file, n, c[0])
		}
		text = strings.Replace(text, c[0], c[1], 1)
	}
	changed := filepath.Join(dir, m.file)
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, list, 0o600)
}
