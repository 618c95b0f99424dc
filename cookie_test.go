package signet_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/stretchr/testify/require"
)

type bag map[string]string

func newManager(t testing.TB, cfg signet.Config) *signet.Manager[bag] {
	t.Helper()
	m, err := signet.New[bag](newRing(t), cfg)
	require.NoError(t, err)
	return m
}

// browser keeps cookies by name and Partitioned, as Chromium does, and holds every line to the
// limits at which a browser would drop it.
type browser struct {
	t     testing.TB
	order []string
	jar   map[string]string // name, with "/p" behind it if partitioned → value
}

func newBrowser(t testing.TB) *browser { return &browser{t: t, jar: map[string]string{}} }

func (b *browser) header() string {
	var pairs []string
	for _, key := range b.order {
		if value, kept := b.jar[key]; kept {
			pairs = append(pairs, strings.TrimSuffix(key, "/p")+"="+value)
		}
	}
	return strings.Join(pairs, "; ")
}

func (b *browser) take(lines []string) {
	b.t.Helper()
	for _, line := range lines {
		c, err := http.ParseSetCookie(line)
		require.NoError(b.t, err, line)
		require.LessOrEqual(b.t, len(c.Name)+len(c.Value), 4096, "a browser would drop %s", c.Name)
		key := c.Name
		if c.Partitioned {
			key += "/p"
		}
		if c.MaxAge < 0 {
			delete(b.jar, key)
			b.order = slices.DeleteFunc(b.order, func(k string) bool { return k == key })
			continue
		}
		if _, known := b.jar[key]; !known {
			b.order = append(b.order, key)
		}
		b.jar[key] = c.Value
	}
}

// visit runs one request with the jar's cookies and takes what comes back.
func (b *browser) visit(m interface {
	Handler(http.Handler) http.Handler
}, h http.HandlerFunc) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	if header := b.header(); header != "" {
		r.Header.Set("Cookie", header)
	}
	w := httptest.NewRecorder()
	m.Handler(h).ServeHTTP(w, r)
	b.take(w.Header()["Set-Cookie"])
	return w
}

func put(m *signet.Manager[bag], name, value string) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) { m.Get(r.Context()).Data[name] = value }
}

// seen loads a session from Cookie fields.
func seen[T any](m *signet.Manager[T], fields ...string) *signet.Session[T] {
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	if len(fields) > 0 {
		r.Header["Cookie"] = fields
	}
	return m.Load(r)
}

// noise is text that does not compress, of n bytes.
func noise(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}

func TestACookieThatABrowserWouldRefuseIsAnErrorAtConstruction(t *testing.T) {
	for _, row := range []struct {
		name   string
		cookie signet.Cookie
		want   []string // all of these; none: it is fine
	}{
		{"the zero value is fine", signet.Cookie{}, nil},
		{"a Domain is fine", signet.Cookie{Domain: "example.com"}, nil},
		{"a Path is fine", signet.Cookie{Path: "/app"}, nil},
		{"Strict is fine", signet.Cookie{SameSite: http.SameSiteStrictMode}, nil},
		{"None with Secure is fine", signet.Cookie{SameSite: http.SameSiteNoneMode}, nil},
		{"Partitioned with None is fine", signet.Cookie{Partitioned: true, SameSite: http.SameSiteNoneMode}, nil},
		{"plain HTTP with a plain name is fine", signet.Cookie{DangerouslyAllowHTTP: true}, nil},
		{"__Host- with a Domain", signet.Cookie{Name: "__Host-s", Domain: "example.com"}, []string{"may have no Domain", "__Secure-"}},
		{"__Host- with a Path", signet.Cookie{Name: "__Host-s", Path: "/a"}, []string{"needs Path /"}},
		{"__Host-Http- with a Domain", signet.Cookie{Name: "__Host-Http-s", Domain: "example.com"}, []string{"may have no Domain"}},
		{"the prefix counts in any case of letters", signet.Cookie{Name: "__hOST-s", Domain: "example.com"}, []string{"may have no Domain"}},
		{"__Host- without Secure", signet.Cookie{Name: "__Host-s", DangerouslyAllowHTTP: true}, []string{"needs Secure"}},
		{"__Secure- without Secure", signet.Cookie{Name: "__Secure-s", DangerouslyAllowHTTP: true}, []string{"needs Secure"}},
		{"__Http- without Secure", signet.Cookie{Name: "__Http-s", DangerouslyAllowHTTP: true}, []string{"needs Secure"}},
		{"None without Secure", signet.Cookie{SameSite: http.SameSiteNoneMode, DangerouslyAllowHTTP: true}, []string{"SameSite None needs Secure"}},
		{"Partitioned without Secure", signet.Cookie{Partitioned: true, DangerouslyAllowHTTP: true}, []string{"Partitioned needs Secure"}},
		{"a SameSite that is none", signet.Cookie{SameSite: 9}, []string{"SameSite must be"}},
		{"SameSiteDefaultMode, which browsers read as they like", signet.Cookie{SameSite: http.SameSiteDefaultMode}, []string{"leave it zero for Lax"}},
		{"a blank in the name", signet.Cookie{Name: "my session"}, []string{"no cookie name may"}},
		{"a semicolon in the name", signet.Cookie{Name: "a;b"}, []string{"no cookie name may"}},
		{"an equals sign in the name", signet.Cookie{Name: "a=b"}, []string{"no cookie name may"}},
		{"a comma in the name", signet.Cookie{Name: "a,b"}, []string{"no cookie name may"}},
		{"a line break in the name", signet.Cookie{Name: "a\r\nb"}, []string{"no cookie name may"}},
		{"a letter outside ASCII in the name", signet.Cookie{Name: "sessión"}, []string{"no cookie name may"}},
		{"a name over 128 bytes", signet.Cookie{Name: strings.Repeat("n", 129)}, []string{"129 bytes", "128"}},
		{"a name that ends like a further cookie", signet.Cookie{Name: "s.1"}, []string{"ends like"}},
		{"a name that ends in several digits", signet.Cookie{Name: "s.12"}, []string{"ends like"}},
		{"a name that ends like the idle clock", signet.Cookie{Name: "s.t"}, []string{"ends like"}},
		{"a path without a slash", signet.Cookie{Path: "app"}, []string{"must begin with /"}},
		{"a path over 1,024 bytes", signet.Cookie{Path: "/" + strings.Repeat("p", 1024)}, []string{"1,024"}},
		{"a semicolon in the path", signet.Cookie{Path: "/a;b"}, []string{"illegal character"}},
		{"a line break in the path", signet.Cookie{Path: "/a\nb"}, []string{"illegal character"}},
		{"a scheme in the domain", signet.Cookie{Domain: "https://example.com"}, []string{"without scheme"}},
		{"a port in the domain", signet.Cookie{Domain: "example.com:8080"}, []string{"without scheme, port"}},
		{"a leading dot in the domain", signet.Cookie{Domain: ".example.com"}, []string{"leading dot"}},
		{"a semicolon in the domain", signet.Cookie{Domain: "example.com;a"}, []string{"no host name"}},
		{"a domain over 253 bytes", signet.Cookie{Domain: strings.Repeat("a.", 127)}, []string{"254 bytes"}},
		{"a budget under 1 KB", signet.Cookie{Budget: 1023}, []string{"1,024 to 24,576"}},
		{"a negative budget", signet.Cookie{Budget: -1}, []string{"1,024 to 24,576"}},
		{"a budget over 24 KB", signet.Cookie{Budget: 24<<10 + 1}, []string{"1,024 to 24,576"}},
		{"a budget over what browsers keep in a partition", signet.Cookie{Budget: 9217, Partitioned: true}, []string{"evict silently"}},
		{"several problems are told at once", signet.Cookie{Name: "__Host-s t", Domain: "example.com", Path: "app", Budget: 1},
			[]string{"no cookie name may", "may have no Domain", "must begin with /", "1,024 to 24,576"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := signet.New[bag](newRing(t), signet.Config{Cookie: row.cookie})
			if row.want == nil {
				require.NoError(t, err)
				return
			}
			for _, want := range row.want {
				require.ErrorContains(t, err, want)
			}
			_, err = signet.New[bag](newRing(t), signet.Config{Previous: []signet.Cookie{row.cookie}})
			require.ErrorContains(t, err, "Config.Previous[0]", "a previous cookie is held to the same")
		})
	}
}

func TestNamesAndAttributesOfTheCookie(t *testing.T) {
	for _, row := range []struct {
		name   string
		cookie signet.Cookie
		want   string // the line without its value
	}{
		{"the default is the strictest", signet.Cookie{}, "__Host-Http-session=; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"a Domain needs another prefix", signet.Cookie{Domain: "example.com"}, "__Secure-session=; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		{"so does a Path", signet.Cookie{Path: "/app"}, "__Secure-session=; Path=/app; HttpOnly; Secure; SameSite=Lax"},
		{"Strict", signet.Cookie{SameSite: http.SameSiteStrictMode}, "__Host-Http-session=; Path=/; HttpOnly; Secure; SameSite=Strict"},
		{"None", signet.Cookie{SameSite: http.SameSiteNoneMode}, "__Host-Http-session=; Path=/; HttpOnly; Secure; SameSite=None"},
		{"Partitioned", signet.Cookie{Partitioned: true}, "__Host-Http-session=; Path=/; HttpOnly; Secure; SameSite=Lax; Partitioned"},
		{"the one way to lose Secure loses nothing else", signet.Cookie{DangerouslyAllowHTTP: true}, "session=; Path=/; HttpOnly; SameSite=Lax"},
		{"a name of one's own", signet.Cookie{Name: "id"}, "id=; Path=/; HttpOnly; Secure; SameSite=Lax"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newManager(t, signet.Config{Cookie: row.cookie})
			w := newBrowser(t).visit(m, put(m, "user", "ada"))
			name, rest, _ := strings.Cut(w.Header()["Set-Cookie"][0], "=")
			_, attributes, _ := strings.Cut(rest, ";")
			require.Equal(t, row.want, name+"=;"+attributes)
		})
	}
}

// sized is the data of a session whose token takes about n characters.
func sized(n int) string { return noise(max(0, (n-130)*3/4)) }

func TestASessionGrowsAndShrinksInAnyOrder(t *testing.T) {
	for _, format := range formats {
		t.Run(format.String(), func(t *testing.T) {
			m := newManager(t, signet.Config{Format: format, Cookie: signet.Cookie{Budget: 24 << 10}})
			b := newBrowser(t)
			for step := range 120 {
				want := sized(rand.IntN(23000))
				b.visit(m, put(m, "v", want))
				s := seen(m, b.header())
				require.NoError(t, s.Err(), "step %d", step)
				require.Equal(t, want, s.Data["v"], "step %d", step)
				total := len(b.header())
				require.LessOrEqual(t, total, 24<<10)
				if first := b.jar["__Host-Http-session"]; first[1] == '.' {
					require.Equal(t, int(first[0]-'0'), len(b.jar), "step %d: no stale cookie stays", step)
				} else {
					require.Len(t, b.jar, 1, "step %d: no stale cookie stays", step)
				}
			}
		})
	}
}

func TestTheLimitsOfOneCookieAreExact(t *testing.T) {
	m := newManager(t, signet.Config{Cookie: signet.Cookie{Budget: 24 << 10}})
	most, fewestSplit := 0, 1<<20
	for n := 2800; n < 3200; n++ {
		b := newBrowser(t)
		b.visit(m, put(m, "v", strings.Repeat("x", n)))
		whole := len("__Host-Http-session") + len(b.jar["__Host-Http-session"])
		if len(b.jar) == 1 {
			most = max(most, whole)
		} else {
			fewestSplit = min(fewestSplit, n)
			require.Len(t, b.jar, 2)
			require.Equal(t, 4096, whole, "the first of several is filled")
		}
	}
	require.GreaterOrEqual(t, most, 4094, "base64 steps over single characters")
	require.LessOrEqual(t, most, 4096)
	require.Less(t, fewestSplit, 3200)
}

func TestAChunkCostsAtMost24Bytes(t *testing.T) {
	m := newManager(t, signet.Config{Cookie: signet.Cookie{Name: "s", Budget: 24 << 10}})
	for _, n := range []int{4000, 7000, 10000, 13000, 16000} {
		b := newBrowser(t)
		b.visit(m, put(m, "v", strings.Repeat("x", n)))
		payload := 0
		for _, value := range b.jar {
			data := value[strings.LastIndexByte(value, '.')+1:]
			payload += len(data)
		}
		overhead := float64(len(b.header())-payload) / float64(len(b.jar))
		require.LessOrEqual(t, overhead, 24.0, "%d bytes in %d cookies", n, len(b.jar))
	}
}

func TestOverTheBudgetNothingIsWritten(t *testing.T) {
	for _, format := range formats {
		for _, size := range []int{5000, 30000, 200000} {
			t.Run(fmt.Sprint(format, size), func(t *testing.T) {
				var failed error
				m := newManager(t, signet.Config{Format: format, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
					failed = err
					w.WriteHeader(http.StatusInsufficientStorage)
				}})
				b := newBrowser(t)
				b.visit(m, put(m, "user", "ada"))
				w := b.visit(m, func(w http.ResponseWriter, r *http.Request) {
					s := m.Get(r.Context())
					s.Data["basket"] = strings.Repeat("x", size)
					s.Data["small"] = "y"
					s.Data["history"] = strings.Repeat("z", 200)
					fmt.Fprint(w, "a page that must not be sent")
				})
				require.Equal(t, http.StatusInsufficientStorage, w.Code)
				require.Empty(t, w.Body.String())
				require.Empty(t, w.Header()["Set-Cookie"])
				var tooLarge *signet.TooLargeError
				require.ErrorAs(t, failed, &tooLarge)
				require.ErrorIs(t, failed, signet.ErrTooLarge)
				require.Equal(t, 6144, tooLarge.Limit)
				require.Greater(t, tooLarge.Size, size*4/3)
				require.Equal(t, []string{fmt.Sprintf("basket (%d)", size+2), "history (202)", `user (5)`, `small (3)`}, tooLarge.Fields)
				require.ErrorContains(t, failed, fmt.Sprintf("%d bytes of at most 6144", tooLarge.Size))
				require.Equal(t, "ada", seen(m, b.header()).Data["user"], "the old cookie stays valid")
			})
		}
	}
}

func TestTheBudgetIsExactToTheByte(t *testing.T) {
	for _, budget := range []int{1024, 4000, 6144, 9000} {
		m := newManager(t, signet.Config{Cookie: signet.Cookie{Budget: budget}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {}})
		largest := 0
		for n := budget*3/4 - 300; n < budget*3/4+20; n++ {
			b := newBrowser(t)
			b.visit(m, put(m, "v", strings.Repeat("x", n)))
			if len(b.jar) > 0 {
				require.LessOrEqual(t, len(b.header()), budget)
				largest = max(largest, len(b.header()))
			}
		}
		require.GreaterOrEqual(t, largest, budget-2, "what fits the budget is written")
	}
}

// large is a session of three cookies, and its parts by name.
func large(t testing.TB, m *signet.Manager[bag], text string) *browser {
	b := newBrowser(t)
	b.visit(m, put(m, "v", text))
	require.Len(t, b.jar, 3)
	return b
}

func TestTornAndForgedAreToldApart(t *testing.T) {
	m := newManager(t, signet.Config{Cookie: signet.Cookie{Name: "s", Budget: 24 << 10}})
	ada, grace := large(t, m, strings.Repeat("a", 7000)), large(t, m, strings.Repeat("g", 7000))
	again := large(t, m, strings.Repeat("a", 7001)) // a later write of Ada's
	a0, a1, a2 := "s="+ada.jar["s"], "s.1="+ada.jar["s.1"], "s.2="+ada.jar["s.2"]
	g1 := "s.1=" + grace.jar["s.1"]
	swapID := func(chunk, like string) string { return chunk[:4] + like[4:8] + chunk[8:] } // s.1=wwww.
	for _, row := range []struct {
		name   string
		header string
		want   error
	}{
		{"all three in order open", a0 + "; " + a1 + "; " + a2, nil},
		{"all three in any order open", a2 + "; " + a0 + "; " + a1, nil},
		{"all three, each twice, open", a0 + "; " + a0 + "; " + a1 + "; " + a1 + "; " + a2 + "; " + a2, nil},
		{"a stale piece of an earlier write is ignored", a0 + "; " + a1 + "; " + a2 + "; s.1=" + again.jar["s.1"], nil},
		{"a piece too many is ignored", a0 + "; " + a1 + "; " + a2 + "; s.3=" + ada.jar["s.1"], nil},
		{"without the second it is torn", a0 + "; " + a2, signet.ErrTorn},
		{"without the last it is torn", a0 + "; " + a1, signet.ErrTorn},
		{"the first alone is torn", a0, signet.ErrTorn},
		{"pieces without the first are torn", a1 + "; " + a2, signet.ErrTorn},
		{"with a piece of another person it is torn", a0 + "; " + g1 + "; " + a2, signet.ErrTorn},
		{"with a piece of another write it is torn", a0 + "; s.1=" + again.jar["s.1"] + "; " + a2, signet.ErrTorn},
		{"with another person's piece under its write id it is forged", a0 + "; " + swapID(g1, a1) + "; " + a2, signet.ErrInvalid},
		{"with two pieces swapped it is forged", a0 + "; s.1=" + ada.jar["s.2"] + "; s.2=" + ada.jar["s.1"], signet.ErrInvalid},
		{"with a piece repeated it is forged", a0 + "; " + a1 + "; s.2=" + ada.jar["s.1"], signet.ErrInvalid},
		{"a contested piece makes it torn", a0 + "; " + a1 + "; " + a1 + "A; " + a2, signet.ErrTorn},
		{"a piece cut short is forged", a0 + "; " + a1 + "; " + a2[:len(a2)-4], signet.ErrInvalid},
		{"a piece with more behind it is forged", a0 + "; " + a1 + "; " + a2 + "AAAA", signet.ErrInvalid},
		{"an empty piece is torn", a0 + "; " + a1 + "; s.2=" + ada.jar["s.2"][:5], signet.ErrTorn},
		{"a lower count is forged", "s=2" + ada.jar["s"][1:] + "; " + a1 + "; " + a2, signet.ErrInvalid},
		{"a higher count is torn", "s=4" + ada.jar["s"][1:] + "; " + a1 + "; " + a2, signet.ErrTorn},
		{"a count of 9 is forged", "s=9" + ada.jar["s"][1:] + "; " + a1 + "; " + a2, signet.ErrInvalid},
		{"a count of 1 is forged", "s=1" + ada.jar["s"][1:] + "; " + a1 + "; " + a2, signet.ErrInvalid},
		{"a count of 0 is forged", "s=0" + ada.jar["s"][1:] + "; " + a1 + "; " + a2, signet.ErrInvalid},
		{"a count of two digits is forged", "s=33" + ada.jar["s"][1:] + "; " + a1 + "; " + a2, signet.ErrInvalid},
		{"a head without its dots is forged", "s=3abcd" + ada.jar["s"][7:], signet.ErrInvalid},
		{"a head of one character is forged", "s=3", signet.ErrInvalid},
		{"the name alone is nothing", "s=", nil},
		{"text that is no token is forged", "s=hello", signet.ErrInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := seen(m, row.header)
			require.Equal(t, row.want, s.Err())
			if row.want == nil && !s.IsNew() {
				require.Equal(t, strings.Repeat("a", 7000), s.Data["v"])
			}
			if row.want != nil {
				require.True(t, s.IsNew())
				require.Empty(t, s.Data)
			}
		})
	}
}

func TestEveryPairOfPiecesOfTwoWritesIsRefused(t *testing.T) {
	m := newManager(t, signet.Config{Cookie: signet.Cookie{Name: "s", Budget: 24 << 10}})
	writes := []*browser{large(t, m, noise(7000)), large(t, m, noise(7000)), large(t, m, noise(7000))}
	opened := 0
	for i := range 27 {
		from := [3]int{i % 3, i / 3 % 3, i / 9}
		header := ""
		for part, name := range []string{"s", "s.1", "s.2"} {
			header += "; " + name + "=" + writes[from[part]].jar[name]
		}
		s := seen(m, header[2:])
		if from[0] == from[1] && from[1] == from[2] {
			require.NoError(t, s.Err())
			opened++
			continue
		}
		require.True(t, s.IsNew())
		require.Equal(t, signet.ErrTorn, s.Err(), "%v", from)
	}
	require.Equal(t, 3, opened)
}

func TestATornSessionHealsWithTheNextSave(t *testing.T) {
	m := newManager(t, signet.Config{Cookie: signet.Cookie{Name: "s", Budget: 24 << 10}})
	b := large(t, m, noise(7000))
	delete(b.jar, "s.1") // evicted
	require.Equal(t, signet.ErrTorn, seen(m, b.header()).Err())
	b.visit(m, put(m, "v", "new"))
	require.Len(t, b.jar, 1, "no stale piece stays in the jar")
	require.Equal(t, "new", seen(m, b.header()).Data["v"])
}

// one is the Cookie field of a visitor whose session holds value.
func one(t testing.TB, m *signet.Manager[bag], value string) string {
	b := newBrowser(t)
	b.visit(m, put(m, "v", value))
	return b.header()
}

func TestDuplicates(t *testing.T) {
	clock := time.Now()
	ring := newRing(t)
	ring.SetClock(func() time.Time { return clock })
	m := signet.Must(signet.New[bag](ring, signet.Config{Cookie: signet.Cookie{Name: "s", Domain: "example.com"}}))
	older := newBrowser(t)
	older.visit(m, put(m, "v", "older"))
	clock = clock.Add(time.Second)
	newer := newBrowser(t)
	newer.take([]string{older.header()})
	newer.visit(m, put(m, "v", "newer"))
	stranger := one(t, m, "stranger")
	o, n := older.header(), newer.header()
	forged := func(i int) string { return fmt.Sprintf("s=AQ%s%d", strings.Repeat("B", 80), i) }
	for _, row := range []struct {
		name   string
		fields []string
		want   string
		err    error
	}{
		{"one of it", []string{n}, "newer", nil},
		{"the same twice counts once", []string{n + "; " + n}, "newer", nil},
		{"the newest of one session counts, first", []string{n + "; " + o}, "newer", nil},
		{"the newest of one session counts, last", []string{o + "; " + n}, "newer", nil},
		{"of two different sessions neither counts", []string{n + "; " + stranger}, "", signet.ErrAmbiguous},
		{"in either order", []string{stranger + "; " + n}, "", signet.ErrAmbiguous},
		{"on two lines too", []string{stranger, n}, "", signet.ErrAmbiguous},
		{"a forged one before it does no harm", []string{forged(1) + "; " + n}, "newer", nil},
		{"three forged ones before it do no harm", []string{forged(1) + "; " + forged(2) + "; " + forged(3) + "; " + n}, "newer", nil},
		{"a fifth different value is not looked at", []string{forged(1) + "; " + forged(2) + "; " + forged(3) + "; " + forged(4) + "; " + n}, "", signet.ErrUnknownKey},
		{"the same forged value many times counts once", []string{strings.Repeat(forged(1)+"; ", 30) + n}, "newer", nil},
		{"the name within another's value does not count", []string{"x=" + strings.Repeat(n+"&", 100) + "; " + n}, "newer", nil},
		{"the name as the end of another's name does not count", []string{"my" + n, n}, "newer", nil},
		{"fields on several lines are all read", []string{"a=1", "b=2; " + n, "c=3"}, "newer", nil},
		{"two lines joined by a comma are read (Apache httpd)", []string{"a=1, " + n + ", c=3"}, "newer", nil},
		{"blanks and tabs around it are fine", []string{"a=1;\t " + n + " \t; c=3"}, "newer", nil},
		{"no blank after the semicolon is fine", []string{"a=1;" + n + ";c=3"}, "newer", nil},
		{"quotes around the value are fine, as in net/http", []string{`s="` + n[2:] + `"`}, "newer", nil},
		{"no cookie at all is no error", nil, "", nil},
		{"an empty field is no error", []string{""}, "", nil},
		{"other cookies are no error", []string{"a=1; b=2"}, "", nil},
		{"semicolons alone are no error", []string{";;; ;"}, "", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := seen(m, row.fields...)
			require.Equal(t, row.err, s.Err())
			require.Equal(t, row.want, s.Data["v"])
			require.Equal(t, row.want == "", s.IsNew())
		})
	}
}

// Half a cookie at the bound is none: as a second, different piece it would make the session torn.
func TestWhatTheBoundOfAHeaderCutsDoesNotCount(t *testing.T) {
	m := newManager(t, signet.Config{Cookie: signet.Cookie{Name: "s", Budget: 24 << 10}})
	b := newBrowser(t)
	b.visit(m, put(m, "v", strings.Repeat("x", 8000)))
	whole := b.header()
	pieces := strings.Split(whole, "; ")
	require.Len(t, pieces, 3)
	// pad is another cookie, after which the next pair begins at that octet.
	pad := func(before, begin int) string { return "p=" + strings.Repeat("p", begin-before-len("p=; ")) + "; " }
	const bound = 65536
	all := len(whole + "; ")
	for _, row := range []struct {
		name   string
		fields []string
		err    error
		isNew  bool
	}{
		{"a session, and half of one of its pieces again", []string{whole + "; " + pad(all, bound-2000) + pieces[1]}, nil, false},
		{"the same joined by a comma", []string{whole + "; " + strings.TrimSuffix(pad(all, bound-1999), "; ") + "," + pieces[1]}, nil, false},
		{"the same on a line of its own", []string{whole + "; " + strings.TrimSuffix(pad(all, bound-2000+2), "; "), pieces[1]}, nil, false},
		{"a session, and half of its head again", []string{whole + "; " + pad(all, bound-2000) + pieces[0]}, nil, false},
		{"a session whose end is the end of the line and the bound", []string{pad(0, bound-len(whole)) + whole}, nil, false},
		{"one that goes beyond it by an octet", []string{pad(0, bound-len(whole)+1) + whole}, signet.ErrTorn, true},
		{"one that ends there, with a line that goes on", []string{pad(0, bound-len(whole)) + whole + "; x=y"}, nil, false},
		{"one that goes beyond it by an octet in a line that goes on", []string{pad(0, bound-len(whole)+1) + whole + "; x=y"}, signet.ErrTorn, true},
		{"one beyond it", []string{pad(0, bound) + whole}, nil, true},
		{"one on the line after it", []string{strings.TrimSuffix(pad(0, bound+2), "; "), whole}, nil, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := seen(m, row.fields...)
			require.Equal(t, row.err, s.Err())
			require.Equal(t, row.isNew, s.IsNew())
		})
	}
}

func TestAMixtureOfManyHeadsOpensAtMostFour(t *testing.T) {
	ring := newRing(t)
	m := signet.Must(signet.New[bag](ring, signet.Config{Cookie: signet.Cookie{Name: "s"}}))
	valid := one(t, m, "x")
	opens := testing.AllocsPerRun(20, func() { seen(m, valid) })
	var many []string
	for i := range 200 { // each differs in its last characters, so each would have to be opened
		many = append(many, fmt.Sprintf("%s%04d", valid[:len(valid)-4], i))
	}
	header := strings.Join(many, "; ")
	require.Less(t, testing.AllocsPerRun(20, func() { seen(m, header) }), 4*opens)
}

func TestAStrangersHeaderIsBounded(t *testing.T) {
	m := newManager(t, signet.Config{Cookie: signet.Cookie{Name: "s", Budget: 24 << 10}})
	for name, header := range map[string]string{
		"8,000 cookies":                   strings.Repeat("s=AQAAAAAAAAAA; ", 8000),
		"8,000 pieces":                    strings.Repeat("s.1=abcd.AAAA; s.7=abcd.BBBB; ", 4000),
		"a megabyte in one value":         "s=" + strings.Repeat("A", 1<<20),
		"a megabyte of semicolons":        strings.Repeat(";", 1<<20),
		"a megabyte of blanks":            strings.Repeat(" ", 1<<20) + "s=A",
		"a megabyte of the name":          strings.Repeat("s", 1<<20),
		"a head that promises 8 of these": "s=8.abcd." + strings.Repeat("A", 30000) + strings.Repeat("; s.1=abcd."+strings.Repeat("B", 30000), 20),
	} {
		t.Run(name, func(t *testing.T) {
			var used float64
			require.NotPanics(t, func() { used = testing.AllocsPerRun(3, func() { seen(m, header) }) })
			require.Less(t, used, 60.0)
			require.True(t, seen(m, header).IsNew())
		})
	}
}

func TestPartitionedTwinsAreExpired(t *testing.T) {
	ring := newRing(t)
	plain := signet.Must(signet.New[bag](ring, signet.Config{}))
	chips := signet.Must(signet.New[bag](ring, signet.Config{Cookie: signet.Cookie{Partitioned: true}}))
	b := newBrowser(t)
	b.visit(plain, put(plain, "v", "before"))
	require.Contains(t, b.jar, "__Host-Http-session")

	b.visit(chips, put(chips, "v", "after"))
	require.Equal(t, map[string]string{"__Host-Http-session/p": b.jar["__Host-Http-session/p"]}, b.jar, "Chromium would keep and send both")
	require.Equal(t, "after", seen(chips, b.header()).Data["v"])

	b.visit(chips, put(chips, "v", noise(4200)))
	require.Len(t, b.jar, 2)
	b.visit(chips, func(_ http.ResponseWriter, r *http.Request) { chips.Get(r.Context()).Destroy() })
	require.Empty(t, b.jar)
}

func TestOtherCookiesOfTheResponseStay(t *testing.T) {
	m := newManager(t, signet.Config{})
	w := newBrowser(t).visit(m, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
		s := m.Get(r.Context())
		for i := range 5 {
			s.Data["v"] = fmt.Sprint(i)
			require.NoError(t, m.Save(w, r, s))
		}
		http.SetCookie(w, &http.Cookie{Name: "__Host-Http-session2", Value: "another's"})
	})
	lines := w.Header()["Set-Cookie"]
	require.Len(t, lines, 3, "five saves leave one line")
	require.Equal(t, "theme=dark", lines[0])
	require.Contains(t, strings.Join(lines, "\n"), "__Host-Http-session2=another's")
}

func TestASecondSaveInOneResponseLosesNothingOfTheFirst(t *testing.T) {
	clock := time.Now()
	ring := newRing(t)
	ring.SetClock(func() time.Time { return clock })
	m := signet.Must(signet.New[bag](ring, signet.Config{IdleTimeout: 10 * time.Second}))
	b := newBrowser(t)
	b.visit(m, func(w http.ResponseWriter, r *http.Request) {
		s := m.Get(r.Context())
		s.Data["v"] = "kept"
		require.NoError(t, m.Save(w, r, s))
		clock = clock.Add(3 * time.Second) // now the idle clock alone is due again
	})
	require.Equal(t, "kept", seen(m, b.header()).Data["v"])
}

func TestPreviousCookiesMoveToTheCurrentOne(t *testing.T) {
	ring := newRing(t)
	old := signet.Cookie{Name: "sid", Domain: "example.com"}
	before := signet.Must(signet.New[bag](ring, signet.Config{Cookie: old}))
	after := signet.Must(signet.New[bag](ring, signet.Config{Previous: []signet.Cookie{old}}))
	b := newBrowser(t)
	b.visit(before, put(before, "v", noise(4200)))
	require.Len(t, b.jar, 2)
	want := seen(before, b.header())

	w := b.visit(after, func(_ http.ResponseWriter, r *http.Request) {
		s := after.Get(r.Context())
		require.False(t, s.IsNew())
		require.Equal(t, want.ID(), s.ID())
		require.Equal(t, want.Expires(), s.Expires())
	})
	for name := range b.jar {
		require.True(t, strings.HasPrefix(name, "__Host-Http-session"), "the old cookies are expired: %s", name)
	}
	for _, line := range w.Header()["Set-Cookie"] {
		if strings.HasPrefix(line, "sid") {
			require.Contains(t, line, "Domain=example.com", "an expiry reaches only the cookie of its own domain")
		}
	}
	require.Equal(t, want.Data, seen(after, b.header()).Data)
	_, err := signet.New[bag](ring, signet.Config{Previous: []signet.Cookie{{}}})
	require.ErrorContains(t, err, "has the name of Config.Cookie")
}

func TestAMovedCookieDoesNotOpen(t *testing.T) {
	ring := newRing(t)
	manager := func(name, tenant string, idle time.Duration) *signet.Manager[bag] {
		return signet.Must(signet.New[bag](ring, signet.Config{Cookie: signet.Cookie{Name: name}, Tenant: tenant, IdleTimeout: idle}))
	}
	here := manager("a", "", 0)
	_, value, _ := strings.Cut(one(t, here, "x"), "=")
	require.Equal(t, "x", seen(here, "a="+value).Data["v"])
	require.Equal(t, signet.ErrInvalid, seen(manager("b", "", 0), "b="+value).Err(), "to another name")
	require.Equal(t, signet.ErrInvalid, seen(manager("a", "t", 0), "a="+value).Err(), "to another tenant")
	_, err := ring.Open("a", value)
	require.Equal(t, signet.ErrInvalid, err, "to a token's purpose")
	token := signet.Must(ring.Seal("a", []byte(`{"v":"forged"}`), time.Hour))
	require.Equal(t, signet.ErrInvalid, seen(here, "a="+token).Err(), "from a token's purpose")
	b := newBrowser(t)
	idle := manager("a", "", time.Hour)
	b.visit(idle, put(idle, "v", "y"))
	require.Equal(t, signet.ErrInvalid, seen(idle, "a="+b.jar["a.t"]).Err(), "the idle clock is no session")
}

func TestHomoglyphNamesAreOthers(t *testing.T) {
	m := newManager(t, signet.Config{})
	_, value, _ := strings.Cut(one(t, m, "x"), "=")
	for _, name := range []string{"__Host-Http-sessi\u043en", "__host-http-session", "__Host-Http-session ", "__Host-Http-session\x00", "__Host-Http-session.", "__Host-Http-session.0", "__Host-Http-session.8", "__Host-Http-session.01"} {
		s := seen(m, name+"="+value)
		require.True(t, s.IsNew(), name)
		require.NoError(t, s.Err(), name)
	}
}
