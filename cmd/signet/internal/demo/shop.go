// Package demo is a small shop that keeps all it knows of a visitor in signet sessions, and
// beside it a laboratory that lays their cookies open.
//
// The shop, in this file, is what an application writes. The laboratory (lab.go, experiments.go,
// wire.go) is not: no application shows or damages its visitors' cookies.
package demo

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/signet-go/signet"
)

// Visitor is all that the shop knows of somebody. It lives in their cookies and nowhere else.
type Visitor struct {
	Name    string         `json:"name,omitempty"`
	Basket  []Letter       `json:"basket,omitempty"`
	Flashes signet.Flashes `json:"flashes,omitempty"`
}

// Letter is one that the shop is to write.
type Letter struct {
	Wax  string `json:"wax"`
	Text string `json:"text"`
}

// The cookie has a name of its own: cookies of localhost are shared by all its ports, and a
// ring given with -keys may be that of a real application.
const cookieName = "__Host-Http-demo"

// budget is above the default of 6 KB, so that there are three cookies to look at.
const budget = 10 << 10

type shop struct {
	sessions *signet.Manager[Visitor]
	lab      *lab
}

func newShop(keys *signet.Keyring, lab *lab) (*shop, error) {
	sessions, err := signet.New[Visitor](keys, signet.Config{
		Cookie:       signet.Cookie{Name: cookieName, Budget: budget},
		Validate:     signet.Validate(lab.validate),
		Observer:     lab,
		ErrorHandler: basketFull,
	})
	return &shop{sessions, lab}, err
}

func (shop *shop) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", shop.home)
	mux.HandleFunc("POST /login", shop.login)
	mux.HandleFunc("POST /basket", shop.add)
	mux.HandleFunc("POST /basket/remove", shop.remove)
	mux.HandleFunc("POST /logout", shop.logout)
}

func (shop *shop) home(w http.ResponseWriter, r *http.Request) {
	s := shop.sessions.Get(r.Context())
	messages := s.Data.Flashes.Take() // before the page begins to be written
	shop.lab.render(w, r, s, messages)
}

func (shop *shop) login(w http.ResponseWriter, r *http.Request) {
	s := shop.sessions.Get(r.Context())
	name := strings.TrimSpace(cut(r.FormValue("name"), 40))
	if name == "" {
		s.Data.Flashes.Add("warning", "Please tell us a name.")
		back(w, r)
		return
	}
	s.Renew() // a new id, so that nobody can fix one beforehand
	s.SetPersistent(r.FormValue("remember") != "")
	s.Data.Name = name
	s.Data.Flashes.Add("info", "Welcome, "+name+".")
	back(w, r)
}

func (shop *shop) add(w http.ResponseWriter, r *http.Request) {
	s := shop.sessions.Get(r.Context())
	if r.FormValue("five") != "" {
		s.Data.Basket = append(s.Data.Basket, samples...)
		s.Data.Flashes.Add("info", "Five letters that we had lying about.")
		back(w, r)
		return
	}
	letter := Letter{Wax: wax(r.FormValue("wax")), Text: strings.TrimSpace(cut(r.FormValue("text"), 400))}
	if letter.Text == "" {
		s.Data.Flashes.Add("warning", "An empty letter needs no seal. Please write something.")
		back(w, r)
		return
	}
	s.Data.Basket = append(s.Data.Basket, letter)
	s.Data.Flashes.Add("info", "One letter, sealed in "+letter.Wax+".")
	back(w, r)
}

func (shop *shop) remove(w http.ResponseWriter, r *http.Request) {
	s := shop.sessions.Get(r.Context())
	i, err := strconv.Atoi(r.FormValue("letter"))
	switch {
	case r.FormValue("letter") == "all":
		s.Data.Basket = nil
	case err == nil && i >= 0 && i < len(s.Data.Basket):
		s.Data.Basket = append(s.Data.Basket[:i], s.Data.Basket[i+1:]...)
	}
	back(w, r)
}

func (shop *shop) logout(w http.ResponseWriter, r *http.Request) {
	s := shop.sessions.Get(r.Context())
	shop.lab.keepForReplay(r, s) // the thief of this demo; an application has no such line
	s.Destroy()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// basketFull answers when a session is over its budget. Nothing of this request was saved, and what
// the browser holds stays valid.
func basketFull(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, signet.ErrTooLarge) {
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/?full", http.StatusSeeOther)
}

// back shows the shop again after a change. The page checks that the cookie came back.
func back(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/?set", http.StatusSeeOther)
}

// cut bounds what a form brings, in characters.
func cut(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit])
	}
	return text
}

// waxes are the colours that the shop has.
var waxes = []string{"red", "blue", "green", "gold"}

func wax(name string) string {
	for _, w := range waxes {
		if w == name {
			return w
		}
	}
	return waxes[0]
}
