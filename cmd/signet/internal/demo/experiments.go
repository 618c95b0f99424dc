package demo

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/cmd/signet/internal/explain"
	"github.com/signet-go/signet/internal/base64url"
)

// experiment is what was last done to the cookies.
type experiment struct {
	name     string // "rotate", "damage", "drop", "replay", "restore"
	part     string // of the token that was damaged
	from, to int    // its characters
	note     string // why it did not happen
}

// maxRing bounds how often the ring can be rotated.
const maxRing = 12

func (l *lab) routes(mux *http.ServeMux, sessions *signet.Manager[Visitor]) {
	do := func(name string, run func(http.ResponseWriter, *http.Request, *signet.Session[Visitor], *visit) experiment) {
		mux.HandleFunc("POST /lab/"+name, func(w http.ResponseWriter, r *http.Request) {
			s := sessions.Get(r.Context())
			l.mu.Lock()
			v := seen(r.Context()).visit
			v.experiment = run(w, r, s, v)
			l.mu.Unlock()
			http.Redirect(w, r, "/", http.StatusSeeOther)
		})
	}
	do("rotate", l.rotate)
	do("damage", damage)
	do("drop", drop)
	do("restore", restore)
	do("replay", replay)
	do("refuse", refuse)
	mux.HandleFunc("GET /lab", func(w http.ResponseWriter, r *http.Request) {
		l.renderLab(w, r, sessions.Get(r.Context()))
	})
}

// quickly is the policy of p with times that one can wait for: a key seals four seconds after it was
// published. A fleet's policy gives its slowest instance an hour.
func quickly(p signet.Policy) signet.Policy {
	p.Propagation, p.Skew = 3*time.Second, time.Second
	return p
}

// rotate publishes a key, for every visitor, and does not wait for the period to end.
func (l *lab) rotate(http.ResponseWriter, *http.Request, *signet.Session[Visitor], *visit) experiment {
	done := experiment{name: "rotate"}
	before := len(l.keys.Keys())
	if before >= maxRing {
		done.note = "The ring has twelve keys, which is enough for a demo. Start it again for a fresh one."
		return done
	}
	next, err := l.keys.Policy().Hasten(l.keys, l.keys.FreshKey(), time.Now())
	if err == nil {
		err = l.keys.Replace(next)
	}
	switch {
	case err != nil:
		done.note = err.Error()
	case len(l.keys.Keys()) == before:
		done.note = "A key waits already, and seals in a moment. Rotating again does nothing until then."
	}
	return done
}

// damage flips one bit of one byte of the token, and hands the browser the result.
func damage(w http.ResponseWriter, r *http.Request, s *signet.Session[Visitor], v *visit) experiment {
	done := experiment{name: "damage", part: r.FormValue("part")}
	found, _ := explain.Sessions(cookiesOf(r))
	if len(found) == 0 || found[0].Torn != "" {
		done.note = "There is no whole session to damage. Log in first."
		return done
	}
	token := found[0].Token
	raw, ok := base64url.AppendDecode(nil, token.Text)
	at := slices.IndexFunc(token.Parts, func(p explain.Part) bool { return p.Name == done.part })
	if !ok || at < 0 {
		done.note = "That part is not in this token."
		return done
	}
	first := 0 // the byte at which the part begins
	for _, p := range token.Parts[:at] {
		first += p.Bytes
	}
	hit := first + token.Parts[at].Bytes - 1
	raw[hit] ^= max(raw[hit]&-raw[hit], 1) // the lowest bit that is set, so that a time never moves into the future
	done.from, done.to = hit*8/6, (hit*8+7)/6+1
	if !s.IsNew() {
		v.good = jarOf(r, s)
	}
	text := string(base64url.Append(nil, raw))
	var changed []explain.Cookie
	for _, piece := range found[0].Pieces {
		n := len(piece.Data())
		changed = append(changed, explain.Cookie{Name: piece.Name, Value: piece.Prefix + text[:n]})
		text = text[n:]
	}
	jar{changed, v.good.maxAge}.set(w)
	return done
}

// drop makes the browser forget one cookie of several.
func drop(w http.ResponseWriter, r *http.Request, s *signet.Session[Visitor], v *visit) experiment {
	held := cookiesOf(r)
	if len(held) < 2 {
		return experiment{name: "drop", note: "The session is in one cookie. Put more letters into the basket first."}
	}
	if !s.IsNew() {
		v.good = jarOf(r, s)
	}
	forget(w, held[1].Name)
	return experiment{name: "drop", part: held[1].Name}
}

func restore(w http.ResponseWriter, r *http.Request, _ *signet.Session[Visitor], v *visit) experiment {
	if len(v.good.cookies) == 0 {
		return experiment{name: "restore", note: "Nothing was damaged."}
	}
	v.good.replace(w, r)
	v.good = jar{}
	return experiment{name: "restore"}
}

func replay(w http.ResponseWriter, r *http.Request, _ *signet.Session[Visitor], v *visit) experiment {
	if len(v.stolen.cookies) == 0 {
		return experiment{name: "replay", note: "Nobody has logged out yet."}
	}
	v.stolen.replace(w, r)
	return experiment{name: "replay"}
}

// refuse switches the Validate hook on or off.
func refuse(_ http.ResponseWriter, r *http.Request, _ *signet.Session[Visitor], v *visit) experiment {
	v.refuse = r.FormValue("refuse") != ""
	return v.last // which may have another outcome now
}

// replace makes the browser hold j and nothing else of the session.
func (j jar) replace(w http.ResponseWriter, r *http.Request) {
	for _, c := range cookiesOf(r) {
		if !slices.ContainsFunc(j.cookies, func(o explain.Cookie) bool { return o.Name == c.Name }) {
			forget(w, c.Name)
		}
	}
	j.set(w)
}

func (j jar) set(w http.ResponseWriter) {
	for _, c := range j.cookies {
		http.SetCookie(w, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", MaxAge: j.maxAge, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
	}
}

func forget(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
}

// outcome says what came of an experiment, by what the server makes of the cookies now.
type outcome struct {
	Title, Text string
	Good        bool
}

func (l *lab) outcome(v *visit, s *signet.Session[Visitor]) outcome {
	e, opened := v.experiment, !s.IsNew()
	if e.note != "" {
		return outcome{Title: "Not done", Text: e.note}
	}
	switch e.name {
	case "rotate":
		return outcome{"The keys are rotated", "A new key is published. It opens at once and seals a few seconds later, when every instance of a fleet would know it. Your cookie was not rewritten and still opens: its key stays until nothing that it sealed can be alive. Change the basket after that, and the cookie moves to the new key.", true}
	case "restore":
		return outcome{"The good cookies are back", "The server kept nothing meanwhile: all that it needs is in them.", true}
	case "damage":
		return l.damageOutcome(e, opened, s.Err())
	case "drop":
		return outcome{"The session is torn", "Your browser lost " + e.part + ". A part of a token opens nothing, so you are a new visitor for now; the write id in the other cookies tells this apart from forgery.", opened}
	case "replay":
		return replayOutcome(opened, v.refuse)
	}
	return outcome{}
}

func (l *lab) damageOutcome(e experiment, opened bool, err error) outcome {
	text := "One bit in the " + e.part + " is wrong, and the server says: “" + strings.TrimPrefix(errText(err), "signet: ") + "”. "
	switch reason(err) {
	case "unknown key":
		text += "It may be a key that another instance has already and this one has not, so your cookie is not overwritten by the way: wait, or put the good one back."
	default:
		text += "It is the one answer to everything that was changed, and says no more, so that nobody learns from it. You are a new visitor until you log in again or put the good cookie back."
	}
	return outcome{"One byte is enough", text, opened}
}

func errText(err error) string {
	if err == nil {
		return "nothing wrong"
	}
	return err.Error()
}

func replayOutcome(opened, refuse bool) outcome {
	switch {
	case opened:
		return outcome{"It still opens", "Log-out cleared your browser, not the copy that was made before. No stateless session can do otherwise by itself: it opens until it expires. Tick “refuse sessions that logged out”: a Validate hook with a deny list ends them.", false}
	case refuse:
		return outcome{"Refused", "The Validate hook knows that this session has logged out, so the copy is worth nothing.", true}
	}
	return outcome{"It does not open", "The copy has expired, or its key has gone.", true}
}
