// Package browser drives a real Chromium through the demo.
package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/signet-go/signet/interop/internal/real"
)

var update = flag.Bool("update", false, "write docs/demo.png (looks as intended with the fonts Inter and JetBrains Mono)")

const sessionCookie = "__Host-Http-demo"

var binary string // the real command, built once for all tests

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "sg")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "signet")
	build := exec.Command("go", "build", "-o", binary, "./cmd/signet")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// startDemo runs the command and returns the address that it prints.
func startDemo(t *testing.T, args ...string) string {
	t.Helper()
	p := real.Start(t, exec.Command(binary, append([]string{"demo", "-addr", "127.0.0.1:0"}, args...)...))
	address := regexp.MustCompile(`the demo runs at (\S+)`)
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		if found := address.FindStringSubmatch(p.Output()); found != nil {
			return found[1]
		}
	}
	t.Fatalf("the demo printed no address:\n%s", p.Output())
	return ""
}

// browser is one tab of a Chromium with a profile of its own.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string

	mu         sync.Mutex
	complaints []string // of the console, the log and the auditor
}

func open(t *testing.T, url string, flags ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	options := append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(real.Binary(t, "chromium", "chromium-browser", "google-chrome")),
		chromedp.UserDataDir(real.Dir(t)),
		chromedp.Headless, chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.WindowSize(1360, 1000),
	}, flags...)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(func(format string, args ...any) {
		// A browser newer than the protocol's definitions sends events that they do not know.
		if text := fmt.Sprintf(format, args...); !strings.Contains(text, "could not unmarshal event") {
			t.Log(text)
		}
	}))
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, url: url}
	chromedp.ListenTarget(ctx, b.listen)
	b.run(cdplog.Enable(), runtime.Enable(), network.Enable(), audits.Enable(), chromedp.Navigate(url))
	b.settle()
	return b
}

func (b *browser) listen(event any) {
	complaint := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			complaint = fmt.Sprintf("console.%s", e.Type)
			for _, arg := range e.Args {
				complaint += " " + string(arg.Value)
			}
		}
	case *runtime.EventExceptionThrown:
		complaint = "exception: " + e.ExceptionDetails.Error()
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.LevelError || e.Entry.Level == cdplog.LevelWarning {
			complaint = fmt.Sprintf("log %s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		details, _ := json.Marshal(e.Issue.Details)
		complaint = fmt.Sprintf("issue: %s %s", e.Issue.Code, details)
	}
	if complaint != "" {
		b.mu.Lock()
		b.complaints = append(b.complaints, complaint)
		b.mu.Unlock()
	}
}

func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		b.t.Errorf("the browser complains: %s", c)
	}
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// settle waits until a change has been answered and shown.
func (b *browser) settle() {
	b.t.Helper()
	b.until(`document.readyState === "complete" && !document.body.hasAttribute("aria-busy")`)
}

func (b *browser) until(expression string) {
	b.t.Helper()
	for start := time.Now(); time.Since(start) < 15*time.Second; time.Sleep(15 * time.Millisecond) {
		if b.js(expression) == "true" {
			return
		}
	}
	b.t.Fatalf("still not: %s; the page says:\n%s", expression, b.text("body"))
}

func (b *browser) js(expression string) string {
	b.t.Helper()
	var value string
	b.run(chromedp.Evaluate("String("+expression+")", &value))
	return value
}

func (b *browser) text(selector string) string {
	b.t.Helper()
	return b.js(fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

func (b *browser) has(selector, want string) {
	b.t.Helper()
	if got := b.text(selector); !strings.Contains(got, want) {
		b.t.Fatalf("%s says %q, not %q", selector, got, want)
	}
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.run(chromedp.Click(selector, chromedp.ByQuery))
	b.settle()
}

func (b *browser) reload() {
	b.t.Helper()
	b.run(chromedp.Navigate(b.url))
	b.settle()
}

// jar is the session's cookies as the browser itself holds them.
func (b *browser) jar() map[string]*network.Cookie {
	b.t.Helper()
	held := map[string]*network.Cookie{}
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		all, err := storage.GetCookies().Do(ctx)
		for _, c := range all {
			if strings.HasPrefix(c.Name, sessionCookie) {
				held[c.Name] = c
			}
		}
		return err
	}))
	return held
}

func (b *browser) names() []string {
	b.t.Helper()
	names := []string{}
	for name := range b.jar() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (b *browser) holds(suffixes ...string) {
	b.t.Helper()
	want := []string{}
	for _, suffix := range suffixes {
		want = append(want, sessionCookie+suffix)
	}
	if got := b.names(); !slices.Equal(got, want) {
		b.t.Fatalf("the browser holds %v, not %v", got, want)
	}
}

func (b *browser) login(name string) {
	b.t.Helper()
	b.run(chromedp.SendKeys("#name", name+"\r", chromedp.ByQuery)) // by keyboard alone
	b.until(`document.querySelector("#logout") !== null`)
	b.settle()
}

// grow adds letters until the session takes n cookies.
func (b *browser) grow(n int) {
	b.t.Helper()
	for len(b.names()) < n {
		b.click("#add-five")
		b.has(".messages", "Five letters that we had lying about.")
	}
}

func TestTheWholeDemo(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		args []string
	}{
		{"over http://localhost", nil},
		{"over HTTPS", []string{"-tls"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := open(t, startDemo(t, row.args...))
			b.visitorsGetNoCookieUntilTheyChangeSomething()
			b.loggingInSetsOneCookieAsStrictAsItCanBe()
			b.theBasketGrowsOverSeveralCookiesUpToTheBudget()
			b.rotatingKeepsTheSession()
			b.everyDamageIsRefusedAndTheGoodCookieStillOpens()
			b.aLostCookieTearsTheSession()
			b.theBasketShrinksToOneCookie()
			b.aCopyOutlivesLogOutUnlessTheHookRefusesIt()
			b.theServerSawItAllByReason()
			b.quiet()
		})
	}
}

func (b *browser) visitorsGetNoCookieUntilTheyChangeSomething() {
	b.t.Helper()
	b.has(".wire", "No cookie yet.")
	b.has("#opened-title + .pill", "new visitor")
	b.holds()
}

func (b *browser) loggingInSetsOneCookieAsStrictAsItCanBe() {
	b.t.Helper()
	b.run(chromedp.Click("#remember", chromedp.ByQuery))
	b.login("Ada")
	b.has(".hello", "Signed in as Ada")
	b.has(".messages", "Welcome, Ada.")
	b.holds("")
	c := b.jar()[sessionCookie]
	if !c.HTTPOnly || !c.Secure || c.SameSite != network.CookieSameSiteLax || c.Path != "/" || c.Domain != "localhost" {
		b.t.Fatalf("the cookie is %+v", c)
	}
	if life := time.Until(time.Unix(int64(c.Expires), 0)); c.Session || life < 23*time.Hour || life > 24*time.Hour {
		b.t.Fatalf("the cookie of a remembered visitor lives for %v (session: %v)", life, c.Session)
	}
	if got := b.js("document.cookie"); got != "" {
		b.t.Fatalf("a script sees %q", got)
	}
	b.has(".opened", `"name": "Ada"`)
	b.has(".opened", "until it expires (remember me)")
	b.reload()
	if strings.Contains(b.text("body"), "Welcome, Ada.") {
		b.t.Fatal("a flash message is shown twice")
	}
	b.has(".hello", "Signed in as Ada")
	for _, part := range []string{"version", "key-id", "time", "nonce", "ciphertext", "tag"} {
		if b.js(fmt.Sprintf("document.querySelector('.value .part-%s').title.length > 20", part)) != "true" {
			b.t.Fatalf("the %s has no hover text", part)
		}
	}
	shown := b.js(`[...document.querySelectorAll(".value .part")].map(e => e.textContent).join("")`)
	if held := b.jar()[sessionCookie].Value; shown != held {
		b.t.Fatalf("the page shows %q, the browser holds %q", shown, held)
	}
}

func (b *browser) theBasketGrowsOverSeveralCookiesUpToTheBudget() {
	b.t.Helper()
	b.click("#add")
	b.has(".messages", "One letter, sealed in red.")
	b.grow(3)
	b.holds("", ".1", ".2")
	total := -len("; ")
	for name, c := range b.jar() {
		size := len(name) + len(c.Value)
		if size > 4096 {
			b.t.Fatalf("%s has %d octets", name, size)
		}
		total += size + len("=; ")
	}
	if got := strings.ReplaceAll(b.text("#wire-size"), ",", ""); got != fmt.Sprint(total) {
		b.t.Fatalf("the page says %s bytes, the browser holds %d", got, total)
	}
	if got := b.js(`document.querySelectorAll(".cookie").length`); got != "3" {
		b.t.Fatalf("the page shows %s cookies", got)
	}
	for range 20 {
		before := b.jar()
		b.click("#add-five")
		if !strings.Contains(b.text(".messages"), "Your basket is full.") {
			continue
		}
		for name, c := range b.jar() {
			if before[name] == nil || before[name].Value != c.Value {
				b.t.Fatalf("%s changed although the session was over its budget", name)
			}
		}
		b.has(".saw", "too-large: too large")
		b.has(".saw", "largest fields: basket (")
		return
	}
	b.t.Fatal("the basket is never full")
}

func (b *browser) rotatingKeepsTheSession() {
	b.t.Helper()
	old := b.text(".keys li code")
	b.click("#rotate")
	b.has("#outcome", "The keys are rotated")
	b.has(".keys", "seals from")
	b.until(`document.querySelectorAll(".keys .seals").length === 1 && document.querySelectorAll(".keys .opens").length === 1`)
	b.has(".hello", "Signed in as Ada")
	b.has(".keys .opens", "your cookie")
	b.has(".keys .opens", old)
	b.click("#remove-0")
	b.has(".keys .seals", "your cookie")
	b.has(".hello", "Signed in as Ada")
}

func (b *browser) everyDamageIsRefusedAndTheGoodCookieStillOpens() {
	b.t.Helper()
	b.click("#empty")
	b.holds("")
	for part, reason := range map[string]string{
		"version": "invalid", "key id": "unknown key", "time": "invalid", "nonce": "invalid", "ciphertext": "invalid", "tag": "invalid",
	} {
		good := b.jar()[sessionCookie].Value
		b.run(chromedp.SetValue("#part", part, chromedp.ByQuery))
		b.click("#damage")
		bad := b.jar()[sessionCookie].Value
		if len(bad) != len(good) || bad == good {
			b.t.Fatalf("damaging the %s made %q of %q", part, bad, good)
		}
		b.has("#reason", reason)
		b.has("#outcome", "One bit in the "+part+" is wrong")
		b.has("#login", "Log in")
		b.click("#restore")
		b.has(".hello", "Signed in as Ada")
		if b.jar()[sessionCookie].Value != good {
			b.t.Fatal("the good cookie did not come back")
		}
	}
}

func (b *browser) aLostCookieTearsTheSession() {
	b.t.Helper()
	if b.js(`document.querySelector("#drop").disabled`) != "true" {
		b.t.Fatal("a chunk of one can be dropped")
	}
	b.grow(3)
	b.click("#drop")
	b.holds("", ".2")
	b.has("#reason", "torn")
	b.has("#outcome", "The session is torn")
	b.click("#restore")
	b.holds("", ".1", ".2")
	b.has(".hello", "Signed in as Ada")
}

func (b *browser) theBasketShrinksToOneCookie() {
	b.t.Helper()
	for len(b.names()) > 2 {
		b.click("#remove-0")
	}
	b.holds("", ".1")
	b.click("#empty")
	b.holds("")
	b.has(".hello", "Signed in as Ada")
}

func (b *browser) aCopyOutlivesLogOutUnlessTheHookRefusesIt() {
	b.t.Helper()
	b.grow(2)
	b.click("#logout")
	b.holds()
	b.has("#login", "Log in")
	b.click("#replay")
	b.has("#outcome", "It still opens")
	b.has(".hello", "Signed in as Ada")
	b.click("#refuse")
	b.until(`document.querySelector("#reason")?.innerText === "refused by Validate"`)
	b.has("#login", "Log in")
	b.click("#replay")
	b.has("#outcome", "Refused")
	b.login("Grace")
	b.has(".hello", "Signed in as Grace")
	b.holds("")
}

func (b *browser) theServerSawItAllByReason() {
	b.t.Helper()
	for _, want := range []string{"failed: invalid", "failed: unknown key", "failed: torn", "failed: refused by Validate", "cleared", "sealed", "opened", "too-large: too large"} {
		b.has(".totals", want)
	}
}

// Safari drops a Secure cookie on http://localhost; every browser does on plain HTTP elsewhere.
func TestThePageNoticesACookieThatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	address := startDemo(t)
	other := strings.Replace(address, "localhost", "shop.test", 1)
	b := open(t, other, chromedp.Flag("host-resolver-rules", "MAP shop.test 127.0.0.1"))
	b.run(chromedp.SendKeys("#name", "Ada\r", chromedp.ByQuery))
	b.until(`document.querySelector("#lost") !== null`)
	b.has("#lost", "Your browser did not send the cookie back.")
	b.has("#lost", "signet demo -tls")
	b.holds()
}

func TestTheDemoWorksWithoutScript(t *testing.T) {
	t.Parallel()
	b := open(t, startDemo(t))
	b.run(emulation.SetScriptExecutionDisabled(true))
	b.reload()
	b.run(chromedp.SendKeys("#name", "Ada\r", chromedp.ByQuery), chromedp.WaitVisible("#add-five", chromedp.ByQuery))
	for range 6 {
		b.run(chromedp.Click("#add-five", chromedp.ByQuery), chromedp.Sleep(50*time.Millisecond), chromedp.WaitVisible("#add-five", chromedp.ByQuery))
	}
	b.holds("", ".1", ".2")
	b.run(chromedp.Click("#logout", chromedp.ByQuery), chromedp.WaitVisible("#login", chromedp.ByQuery))
	b.holds()
	b.quiet()
}

// With SIGNET_SCREENSHOTS=DIR it leaves what it saw there, for the eye.
func TestThePageFitsEveryWidthInLightAndDark(t *testing.T) {
	t.Parallel()
	b := open(t, startDemo(t))
	b.login("Ada")
	b.grow(3)
	b.click("#damage")
	b.click("#rotate")
	b.click("#damage")
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1600, 1280, 1000, 768, 360} {
			b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500))
			if got := b.js(`document.documentElement.scrollWidth <= innerWidth`); got != "true" {
				t.Errorf("%s, %d pixels wide: the page is %s pixels wide", scheme, width, b.js("document.documentElement.scrollWidth"))
			}
			if dir := os.Getenv("SIGNET_SCREENSHOTS"); dir != "" {
				var png []byte
				b.run(chromedp.FullScreenshot(&png, 100))
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", scheme, width)), png, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	b.quiet()
}

// The picture in the README: a session of three cookies, a rotated ring, and reasons.
func TestThePictureInTheReadme(t *testing.T) {
	t.Parallel()
	if !*update {
		info, err := os.Stat(picture)
		if err != nil {
			t.Fatalf("%v; run: go test ./browser -run Picture -update", err)
		}
		if info.Size() > 300<<10 {
			t.Fatalf("docs/demo.png has %d bytes, over 300 KB", info.Size())
		}
		return
	}
	b := open(t, startDemo(t))
	b.run(emulation.SetDeviceMetricsOverride(1240, 1200, 1.4, false))
	b.login("Ada")
	b.grow(2)
	b.run(chromedp.SetValue("#part", "tag", chromedp.ByQuery))
	b.click("#damage")
	b.click("#restore")
	b.click("#drop")
	b.click("#restore")
	b.click("#rotate")
	b.until(`document.querySelectorAll(".keys .seals").length === 1 && document.querySelectorAll(".keys .opens").length === 1`)
	b.grow(3)
	b.run(chromedp.Evaluate(`document.activeElement.blur(); scrollTo(0, 0)`, nil))
	var shot []byte
	b.run(chromedp.CaptureScreenshot(&shot))
	small, err := paletted(shot)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(picture, small, 0o644); err != nil {
		t.Fatal(err)
	}
}

var picture = filepath.Join("..", "..", "docs", "demo.png")

// paletted makes a picture of at most 256 colours, a third of the size: those that occur most,
// and for the others the nearest of them.
func paletted(shot []byte) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		return nil, err
	}
	counts := map[color.Color]int{}
	bounds := full.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[full.At(x, y)]++
		}
	}
	small := image.NewPaletted(bounds, paletteOf(counts))
	draw.Draw(small, bounds, full, bounds.Min, draw.Src)
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small)
	return out.Bytes(), err
}

// paletteOf takes the colours that occur most, and then those that are furthest from all so far.
func paletteOf(counts map[color.Color]int) color.Palette {
	all := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	palette := color.Palette(all[:min(len(all), 176)])
	rest := slices.DeleteFunc(all[len(palette):], func(c color.Color) bool { return counts[c] < 8 })
	for len(palette) < 256 && len(rest) > 0 {
		furthest, most := 0, -1
		for i, c := range rest {
			if d := distance(c, palette.Convert(c)); d > most {
				furthest, most = i, d
			}
		}
		palette = append(palette, rest[furthest])
		rest = slices.Delete(rest, furthest, furthest+1)
	}
	return palette
}

func distance(a, b color.Color) (sum int) {
	ar, ag, ab, _ := a.RGBA()
	br, bg, bb, _ := b.RGBA()
	for _, d := range []int{int(ar) - int(br), int(ag) - int(bg), int(ab) - int(bb)} {
		sum += d / 256 * (d / 256)
	}
	return sum
}
