package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math"
	"strings"

	"github.com/signet-go/signet"
)

var garbage = question{
	name:   "garbage",
	text:   "Garbage: what a stranger's cookie costs, against an honest one of 4 KB",
	goal:   "each ≤ the honest one (duplicates ≤ 4 ×, the most that are opened), no allocation that grows with the lie",
	groups: garbageGroups,
	answer: answerGarbage,
}

const almost = "a header of 1 MB of almost our name"

const pageName = "__Host-Http-session"

// lie is a Cookie field that grows with n.
type lie struct {
	name  string
	bound float64
	make  func(n int) string
}

func lies(p page, foreign page) []lie {
	honest := p.cookies
	wrongTag := func(i int) string {
		c := byte('A')
		if honest[len(honest)-10-i] == c {
			c = 'B'
		}
		return honest[:len(honest)-10-i] + string(c) + honest[len(honest)-9-i:]
	}
	repeat := func(count int, pair func(i int) string) string {
		pairs := make([]string, count)
		for i := range pairs {
			pairs[i] = pair(i)
		}
		return strings.Join(pairs, "; ")
	}
	again := newPage(p.ring, 2900, "")
	return []lie{
		{"a random cookie of 4 KB", 1, func(n int) string { return pageName + "=" + randomText(4000*n) }},
		{"a right header, a wrong tag", 1, func(int) string { return wrongTag(0) }},
		{"an unknown key", 1, func(int) string { return foreign.cookies }},
		{"100 different forgeries of our name", 4, func(n int) string { return repeat(100*n, func(i int) string { return wrongTag(i % 2000) }) }},
		{"100 short duplicates of our name", 4, func(n int) string {
			return repeat(100*n, func(i int) string { return fmt.Sprintf("%s=%s%d", pageName, honest[len(pageName)+1:][:60], i) })
		}},
		{"100 honest ones of two sessions", 4, func(n int) string {
			return repeat(100*n, func(i int) string { return []string{honest, again.cookies}[i%2] })
		}},
		{"a header of 1 MB of other cookies", 1, func(n int) string {
			return repeat(2048*n, func(i int) string { return fmt.Sprintf("other%d=%s", i, strings.Repeat("x", 500)) })
		}},
		{almost, 1, func(n int) string { return strings.Repeat("__Host-Http-sessio; ", 50_000*n) }},
		{"a chunk count of 8 and one chunk", 1, func(n int) string { return pageName + "=8.abcd." + randomText(4000*n) }},
	}
}

func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)[:n]
}

func garbagePages() (honest, foreign page) {
	const data = 2920 // makes a cookie of 4 KB
	return newPage(ringOf(3), data, ""), newPage(ringOf(3), data, "")
}

func garbageGroups(*lab) []group {
	p, foreign := garbagePages()
	honest := p.load(p.cookies)
	if honest().IsNew() {
		panic("the honest cookie does not open")
	}
	g := group{name: "Load", subjects: []subject{{name: "an honest cookie of 4 KB", op: func() { honest() }}}}
	for _, lie := range lies(p, foreign) {
		load := p.load(lie.make(1))
		if s := load(); !s.IsNew() && lie.bound == 1 {
			panic(lie.name + " opens")
		}
		g.subjects = append(g.subjects, subject{name: lie.name, op: func() { load() }})
	}
	return []group{g}
}

func answerGarbage(l *lab, t *table) {
	t.head("", "ns", "× honest", "bytes allocated", "bytes allocated, twice the lie")
	g := garbageGroups(l)[0]
	took := interleave(l.effort, g)
	honest := took[g.subjects[0].name]
	_, size := allocations(g.subjects[0].op)
	t.row(g.subjects[0].name, honest.median(), 1.0, size, "")
	p, foreign := garbagePages()
	for i, lie := range lies(p, foreign) {
		s := g.subjects[i+1]
		once, twice := bytesOf(p.load(lie.make(1))), bytesOf(p.load(lie.make(2)))
		t.row(lie.name, took[s.name].median(), took[s.name].over(honest), once, twice)
		c := t.check(lie.name+", over honest", took[s.name].over(honest), "≤", lie.bound, "×")
		if lie.name == almost {
			c.limit(6, "the search for a name goes at 0.5 ns a byte where every byte begins it almost, and ends after 64 KB, at some 30 µs; net/http has then read, checked and copied the whole of it")
		}
		t.check(lie.name+", bytes allocated over those of an honest one", once/size, "≤", lie.bound, "×")
		t.check(lie.name+", growth of allocation as the lie doubles", math.Round(100*(twice+64)/(once+64))/100, "≤", 1, "×")
	}
}

func bytesOf(load func() *signet.Session[map[string]string]) float64 {
	_, size := allocations(func() { load() })
	return size
}
