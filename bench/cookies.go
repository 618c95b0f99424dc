package main

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet"
)

var cookieBytes = question{
	name: "bytes",
	text: "Cookie bytes: name, equals sign and value, for 20 B, 200 B, 1 KB and 3 KB of data under one name",
	goal: "smallest of all AEAD peers in every row; chunk overhead ≤ 24 bytes a chunk",
	answer: func(l *lab, t *table) {
		sizes := []int{20, 200, 1024, 3072}
		t.head("", "", "20 B", "200 B", "1 KB", "3 KB")
		all := sizedCodecs()
		own := make([]float64, len(sizes))
		for _, c := range all {
			cells := []any{c.name, c.config}
			for i, size := range sizes {
				n := float64(len("session=") + len(c.seal(payload(size))))
				cells = append(cells, n)
				switch {
				case c.name == compactName:
					own[i] = n
				case c.aead && c.name != jweName && c.name != wrapName && !c.timeless:
					t.check(fmt.Sprintf("compact over %s, %d B", c.name, size), own[i]/n, "≤", 1, "×")
				case c.timeless:
					t.check(fmt.Sprintf("compact over %s without any time, %d B", c.name, size), own[i]/n, "≤", 1, "×").
						limit(1.18, "it carries neither an issue time nor an expiry, which take 8 bytes: with them it is as long, and a cookie without an end is not what is compared")
				}
			}
			t.row(cells...)
		}
		if l.node != nil {
			nodeBytes(l, t, sizes)
		}
		overhead := chunkOverhead()
		t.row("signet session", "a session instead of a token: id, created and flags, 21 bytes more", sessionBytes(20), sessionBytes(200), sessionBytes(1024), sessionBytes(3072))
		t.check("bytes that a further chunk adds beyond its name", overhead, "≤", 24, "B")
		t.note("Encrypted but not AEAD: gorilla/securecookie (AES-CTR with HMAC) and iron-session (AES-CBC with HMAC).")
	},
}

type sizedCodec struct {
	codec
	timeless bool // carries no time at which it ends
}

func sizedCodecs() []sizedCodec {
	raw, timed := tinkCodec(), tinkCodec()
	timed.name, timed.config = tinkName+" with times", "issue time and expiry, 8 bytes, in the plaintext"
	timed.seal = func(p []byte) string {
		now := uint32(time.Now().Unix())
		times := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, now), now+3600)
		return raw.seal(append(times, p...))
	}
	return []sizedCodec{
		{signetCodec(signet.Compact), false}, {signetCodec(signet.JWE), false}, {signetCodec(signet.JWEKeyWrap), false},
		{timed, false}, {raw, true},
		{joseCodec(jose.DIRECT), false}, {joseCodec(jose.A256KW), false}, {pasetoCodec(), false}, {jwxCodec(), false},
		{gorillaCodec(), false},
	}
}

func nodeBytes(l *lab, t *table, sizes []int) {
	for _, peer := range []string{ironSession, npmJose} {
		cells := []any{peer, nodeConfigs[peer]}
		for _, size := range sizes {
			text, _ := l.node.seal(peer, payload(size))
			cells = append(cells, float64(len("session=")+len(text)))
		}
		t.row(cells...)
	}
}

// page keeps one text of the given size in a session, and is the cookies that a browser sends.
type page struct {
	m       *signet.Manager[map[string]string]
	ring    *signet.Keyring
	cookies string
}

func newPage(ring *signet.Keyring, size int, name string) page {
	m := must(signet.New[map[string]string](ring, signet.Config{Cookie: signet.Cookie{Name: name, Budget: 24 << 10}}))
	login := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		m.Get(r.Context()).Data["d"] = text(size - len(`{"d":""}`))
	}))
	return page{m, ring, cookiesOf(login)}
}

func text(n int) string {
	if n <= 0 {
		return ""
	}
	return strings.Repeat("All work and no play makes Jack a dull boy. ", n/44+1)[:n]
}

func sessionBytes(size int) float64 {
	return float64(len(newPage(ringOf(1), size, "__Host-session").cookies) - len("__Host-session") + len("session"))
}

// chunkOverhead is what one more cookie adds to a Cookie field, beyond the name of the cookie.
func chunkOverhead() float64 {
	const name = "__Host-session"
	two, three := newPage(ringOf(1), 4500, name), newPage(ringOf(1), 7500, name)
	chunks := strings.Count(three.cookies, name) - strings.Count(two.cookies, name)
	data := (7500 - 4500) * 4 / 3
	return (float64(len(three.cookies)-len(two.cookies)-data))/float64(chunks) - float64(len(name))
}

// load opens the session of a request with the given cookies.
func (p page) load(cookies string) func() *signet.Session[map[string]string] {
	r := httptest.NewRequest("GET", "https://shop.example/", nil)
	r.Header.Set("Cookie", cookies)
	return func() *signet.Session[map[string]string] { return p.m.Load(r) }
}

var chunks = question{
	name:   "chunks",
	text:   "A chunked session of 12 KB against one of 3 KB: Load",
	goal:   "per byte no dearer",
	groups: chunkGroups,
	answer: func(l *lab, t *table) {
		t.head("", "", "ns", "ns a KB", "a KB, × that of 3 KB")
		g := chunkGroups(l)[0]
		took := interleave(l.effort, g)
		base := took["3 KB"]
		for i, s := range g.subjects {
			kb := float64(chunkSizes[i] >> 10)
			perByte := took[s.name].over(base) * 3 / kb
			t.row(s.name, s.config, took[s.name].median(), took[s.name].median()/kb, perByte)
			if kb == 12 {
				t.check("a KB of 12 over a KB of 3", perByte, "≤", 1, "×")
			}
		}
	},
}

var chunkSizes = []int{1 << 10, 3 << 10, 6 << 10, 12 << 10}

func chunkGroups(*lab) []group {
	g := group{name: "Load"}
	for _, size := range chunkSizes {
		p := newPage(ringOf(3), size, "")
		load := p.load(p.cookies)
		if got := load().Data["d"]; len(got) != size-len(`{"d":""}`) {
			panic("a chunked session does not come back")
		}
		g.subjects = append(g.subjects, subject{name: fmt.Sprintf("%d KB", size>>10), config: fmt.Sprintf("%d cookies", strings.Count(p.cookies, "=")), op: func() { load() }})
	}
	return []group{g}
}
