package demo

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/signet-go/signet"
)

//go:embed page.html style.css page.js seal.svg
var files embed.FS

// policy lets the page load its own files and nothing else: no inline script or style, no
// other host, no frame around it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers that every answer has.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

func static(mux *http.ServeMux) {
	for _, name := range []string{"style.css", "page.js", "seal.svg"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			http.ServeFileFS(w, r, files, name)
		})
	}
}

func templates() *template.Template {
	return template.Must(template.New("page.html").Funcs(template.FuncMap{
		"bytes": thousands,
		"clock": func(t time.Time) string { return t.Format("15:04:05") },
		"stamp": func(t time.Time) string { return t.Local().Format("2 Jan 15:04:05") },
		"class": class,
		// An SVG's own attributes, since the policy allows no style attribute.
		"scale": func(n, of int) string { return strconv.FormatFloat(100*float64(n)/float64(of), 'f', 2, 64) },
		"add":   func(a, b int) int { return a + b },
		"state": keyState,
		"count": count,
	}).ParseFS(files, "page.html"))
}

// page is the shop, with the laboratory beside it.
type page struct {
	Visitor  Visitor
	Messages []signet.Flash
	Full     bool // the last change was over the budget
	Lost     bool // the cookie that was just set did not come back
	HTTPS    bool
	Host     string
	Budget   int
	Sample   Letter
	Waxes    []string
	Lab      view
}

func (l *lab) render(w http.ResponseWriter, r *http.Request, s *signet.Session[Visitor], messages []signet.Flash) {
	_, set := r.URL.Query()["set"]
	_, full := r.URL.Query()["full"]
	p := page{
		Visitor: s.Data, Messages: messages, HTTPS: l.https, Host: r.Host, Budget: budget, Waxes: waxes,
		Full:   full,
		Lost:   set && s.IsNew() && len(cookiesOf(r)) == 0,
		Sample: samples[(len(s.Data.Basket)*3)%len(samples)],
		Lab:    l.view(r, s),
	}
	l.write(w, "page.html", p)
}

func (l *lab) renderLab(w http.ResponseWriter, r *http.Request, s *signet.Session[Visitor]) {
	l.write(w, "lab", l.view(r, s))
}

// write renders before the first octet is sent, so that a fault is a clean 500.
func (l *lab) write(w http.ResponseWriter, name string, data any) {
	var b bytes.Buffer
	if err := l.pages.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, fmt.Sprintf("demo: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(b.Bytes())
}

// keyState is what a key does at now.
func keyState(k signet.KeyInfo, now time.Time) string {
	switch {
	case k.Revoked:
		return "revoked"
	case k.Sealing:
		return "seals"
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return "expired"
	case k.NotBefore.After(now):
		return "waits"
	}
	return "opens"
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}

func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// samples are letters for visitors who would rather click than write.
var samples = []Letter{
	{"red", "Dear neighbour, the pears are ripe and the ladder is yours. Take what you can carry, leave the highest branch to the blackbirds, and come for supper on Sunday: we shall need help with the rest."},
	{"blue", "To the keeper of the lighthouse: your lamp was seen from the harbour wall last night, through rain, at eleven miles. The children counted the beats between the flashes and have asked me to say thank you."},
	{"green", "Dear aunt, the seeds you sent in March have taken over the balcony, the stairs and a good part of the neighbour's goodwill. Please send more, and a letter to the neighbour in your best handwriting."},
	{"gold", "To the orchestra: the second bassoon was late by half a bar on Tuesday, and it was the best half bar of the evening. Whoever it was, do it again. Row F, seat nine, is yours whenever you are not playing."},
	{"red", "Dear Ada, the machine has been running since breakfast and the numbers agree with yours to the ninth place. I have checked the tenth by hand, twice, and I am sorry to report that you were right there, too."},
}
