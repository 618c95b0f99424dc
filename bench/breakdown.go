package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/internal/base64url"
	"github.com/signet-go/signet/internal/plainjson"
)

var breakdown = question{
	name:   "breakdown",
	text:   "Where the nanoseconds go: the parts of sealing and opening 256 bytes, and of a request that reads and writes a session of 96",
	goal:   "shown",
	groups: breakdownGroups,
	answer: func(l *lab, t *table) {
		t.head("", "part", "ns", "quickest round, ns")
		e := l.effort
		e.pinned = true
		for _, g := range breakdownGroups(l) {
			took := interleave(e, g)
			for _, s := range g.subjects {
				t.row(g.name, s.name, took[s.name].median(), took[s.name].least())
			}
		}
		t.note("Each part is measured alone; a whole is a little more than its parts. An HKDF miss comes once an hour for each key and purpose.")
	},
}

// Sinks keep results alive, so that no part is compiled away.
var (
	sinkString string
	sinkBytes  []byte
	sinkTime   int64
	_          = []any{&sinkString, &sinkBytes, &sinkTime}
)

func breakdownGroups(*lab) []group {
	return []group{
		{"token of 256 B", append(tokenParts(256), ringTrip("whole: seal and open", "", ringOf(3)))},
		{"a miss", missParts()},
		{"request", requestParts()},
	}
}

func tokenParts(size int) []subject {
	sealed := make([]byte, size+41) // header, nonce, expiry and tag
	rand.Read(sealed)
	text := base64url.Append(nil, sealed)
	word, room := string(text), make([]byte, 0, 2*len(text))
	aead := must(cipher.NewGCM(must(aes.NewCipher(key32))))
	nonce, additional := make([]byte, 12), make([]byte, 9)
	ciphertext := aead.Seal(nil, nonce, sealed[:size+4], additional)
	return []subject{
		{name: "clock, twice", op: func() { sinkTime = time.Now().Unix() + time.Now().Unix() }},
		{name: "nonce", op: func() { rand.Read(nonce[:]) }},
		{name: "AES-GCM seal", op: func() { sinkBytes = aead.Seal(room[:0], nonce, sealed[:size+4], additional) }},
		{name: "AES-GCM open", op: func() { sinkBytes, _ = aead.Open(room[:0], make([]byte, 12), ciphertext, additional) }},
		{name: "base64url, encode", op: func() { sinkBytes = base64url.Append(room[:0], sealed) }},
		{name: "base64url, decode", op: func() { sinkBytes, _ = base64url.AppendDecode(room[:0], word) }},
		{name: "encoding/base64, encode, for comparison", op: func() { sinkBytes = base64.RawURLEncoding.AppendEncode(room[:0], sealed) }},
		{name: "encoding/base64, decode, for comparison", op: func() { sinkBytes, _ = base64.RawURLEncoding.AppendDecode(room[:0], text) }},
		{name: "the token's string", op: func() { sinkString = string(text) }},
		{name: "the opened bytes", op: func() { sinkBytes = make([]byte, len(sealed)) }},
	}
}

func missParts() []subject {
	prk := must(hkdf.Extract(sha256.New, key32, nil))
	return []subject{
		{name: "two HKDF-Expands", op: func() {
			purpose := must(hkdf.Expand(sha256.New, prk, "purpose", 32))
			sinkBytes = must(hkdf.Expand(sha256.New, purpose, "hour", 32))
		}},
		{name: "AES key schedule and GCM tables", op: func() { must(cipher.NewGCMWithRandomNonce(must(aes.NewCipher(key32)))) }},
	}
}

func requestParts() []subject {
	codec := plainjson.For(reflect.TypeFor[visitor]())
	raw := must(json.Marshal(known))
	room := make([]byte, 0, 1024)
	keys := must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	m := must(signet.New[visitor](keys, signet.Config{}))
	untouched := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(okBody) })
	site := signetSite(signet.Compact)
	cookies := cookiesOf(site.login)
	decode := func(v *visitor) bool {
		ok, _ := codec.Decode(raw, reflect.ValueOf(v).Elem())
		return ok
	}
	return []subject{
		{name: "the exchange: writer, request and context in one allocation", op: visit(m.Handler(untouched), "")},
		{name: fmt.Sprintf("JSON, decode %d bytes", len(raw)), op: func() {
			if !decode(new(visitor)) {
				panic("the plain codec gave up")
			}
		}},
		{name: "JSON, encode", op: func() { sinkBytes, _ = codec.Append(room[:0], reflect.ValueOf(&known).Elem()) }},
		{name: "encoding/json, decode, for comparison", op: func() { _ = json.Unmarshal(raw, new(visitor)) }},
		{name: "encoding/json, encode, for comparison", op: func() { sinkBytes, _ = json.Marshal(&known) }},
		{name: "the header: Vary, Cache-Control and a line of Set-Cookie", op: headerWork(cookies)},
		{name: "whole: read", op: visit(site.read, cookies)},
		{name: "whole: read and write", op: visit(site.write, cookies)},
	}
}

// headerWork makes the fields that a saved session makes.
func headerWork(cookies string) func() {
	h := make(http.Header)
	return func() {
		clear(h)
		var line strings.Builder
		line.Grow(len(cookies) + 64)
		line.WriteString(cookies)
		line.WriteString("; Path=/; HttpOnly; Secure; SameSite=Lax")
		h["Vary"], h["Cache-Control"] = []string{"Cookie"}, []string{`private, no-cache="Set-Cookie"`}
		h["Set-Cookie"] = []string{line.String()}
	}
}

var duplicates = question{
	name:   "duplicates",
	text:   "How cost grows with duplicates: Load with 1 to 32 different cookies of our name, forged but for the last that counts",
	goal:   "no more than four are opened: 32 ≤ 2.5 × of 4, which is the search of a header eight times as long",
	groups: duplicateGroups,
	answer: func(l *lab, t *table) {
		t.head("cookies of 1 KB", "ns", "× one")
		g := duplicateGroups(l)[0]
		took := interleave(l.effort, g)
		for _, s := range g.subjects {
			t.row(s.name, took[s.name].median(), took[s.name].over(took["1"]))
		}
		t.check("32 over 4", took["32"].over(took["4"]), "≤", 2.5, "×")
	},
}

func duplicateGroups(*lab) []group {
	p := newPage(ringOf(3), 700, "")
	forged := func(i int) string { // another character of the tag in each
		at := len(p.cookies) - 2 - i
		c := "A"
		if p.cookies[at:at+1] == c {
			c = "B"
		}
		return p.cookies[:at] + c + p.cookies[at+1:]
	}
	g := group{name: "Load"}
	for _, n := range []int{1, 2, 4, 8, 16, 32} {
		pairs := make([]string, 0, n)
		for i := range min(n, 4) - 1 {
			pairs = append(pairs, forged(i))
		}
		pairs = append(pairs, p.cookies)
		for i := 4; i < n; i++ {
			pairs = append(pairs, forged(i))
		}
		load := p.load(strings.Join(pairs, "; "))
		if load().IsNew() {
			panic("the honest cookie among the forged does not open")
		}
		g.subjects = append(g.subjects, subject{name: fmt.Sprint(n), op: func() { load() }})
	}
	return []group{g}
}
