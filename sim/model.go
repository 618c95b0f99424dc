package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/signet-go/signet"
)

// session is one login of one person, from its beginning or Renew to the next Renew.
type session struct {
	number int
	id     string // "" until it was seen
	began  int64  // true time
	denied bool
}

// write is a session as one response set it.
type write struct {
	number          int
	site            int
	session         *session
	owner           *browser // nil: the attacker
	fields          fields
	key             *masterKey
	issued, created int64 // on the clock of the instance
	ends, expires   int64 // the session's end; and as sealed, which the key's end may cut
	persistent      bool
	format          signet.Format
	pieces          []string // the values of NAME, NAME.1, …
	at              int64    // true time
}

// touch is an idle clock as one response set it.
type touch struct {
	site            int
	session         *session
	key             *masterKey
	issued, expires int64
}

// model knows every cookie that was ever set.
type model struct {
	w        *World
	heads    map[string]*write
	touches  map[string]*touch
	sessions map[string]*session // by id
	writes   []*write
	allTouch []string
	count    int // of sessions
}

func newModel(w *World) *model {
	return &model{w: w, heads: map[string]*write{}, touches: map[string]*touch{}, sessions: map[string]*session{}}
}

func (m *model) isDenied(id string) bool {
	s := m.sessions[id]
	return s != nil && s.denied
}

func (m *model) newSession() *session {
	m.count++
	return &session{number: m.count, began: m.w.now}
}

// brought is what a request has under one name, split by hand.
type brought struct {
	heads   []string
	parts   [8][]string // by index; the first is not used
	touches []string
	has     [9]bool // by index; 8 is the touch
}

// gather splits Cookie fields as SPEC.md says: at semicolons and commas, equal values once, to its bounds.
func gather(fields []string, name string) (b brought) {
	left, ours := 65536, 0
	for _, field := range fields {
		if len(field) > left {
			field = field[:left+1]
			field, left = field[:strings.LastIndexAny(field, ";,")+1], 0
		} else {
			left -= len(field)
		}
		for pair := range strings.FieldsFuncSeq(field, func(r rune) bool { return r == ';' || r == ',' }) {
			n, value, ok := strings.Cut(strings.TrimLeft(pair, " \t"), "=")
			i := -1
			if rest, mine := strings.CutPrefix(n, name); ok && mine {
				i = slices.Index([]string{"", ".1", ".2", ".3", ".4", ".5", ".6", ".7", ".t"}, rest)
			}
			if i < 0 || ours == 64 {
				continue
			}
			ours++
			b.has[i] = true
			b.add(i, strings.Trim(value, " \t"))
		}
	}
	return b
}

func (b *brought) add(i int, value string) {
	list, held, most := &b.touches, len(b.touches), 4
	if i == 0 {
		list, held = &b.heads, len(b.heads)
	} else if i < 8 {
		list, held, most = &b.parts[i], len(slices.Concat(b.parts[:]...)), 32
	}
	if value != "" && held < most && !slices.Contains(*list, value) {
		*list = append(*list, value)
	}
}

func (b *brought) tail() bool { return slices.Contains(b.has[1:8], true) }

// verdict is what a request may see.
type verdict struct {
	w       *write // the session; nil for a new one
	err     error  // why there is none, if one was brought
	held    bool   // changes made by the way are not written
	touched int64  // when the idle clock was last set; 0 if not
	sure    bool   // err and held are exact: no part of the request was made up
}

// expect finds what a request must see at an instance, without opening anything.
func (m *model) expect(in *instance, site int, req *request) verdict {
	b := gather(req.lines, m.w.plan.sites[site].name)
	v := verdict{sure: true}
	if len(b.heads) == 0 {
		if b.tail() {
			v.err = signet.ErrTorn
		}
		v.held = b.has == [9]bool{} && req.crossSite && req.method == "POST"
		return v
	}
	var worst []error
	newer := false
	for _, head := range b.heads {
		w, err, known := m.try(in, site, &b, head)
		switch {
		case err != nil:
			worst = append(worst, err)
			v.sure = v.sure && known
			newer = newer || known && err != signet.ErrTorn && m.recent(in, w)
		case v.w == nil:
			v.w = w
		case v.w.session != w.session:
			v.err = signet.ErrAmbiguous
		case w.issued > v.w.issued:
			v.w = w
		}
	}
	if v.err == nil && v.w == nil {
		v.err = mostCareful(worst)
		v.held = v.err == signet.ErrClockSkew || v.err == signet.ErrUnknownKey && newer
		v.sure = v.sure && (v.held || v.err != signet.ErrUnknownKey || len(b.touches) == 0)
		return v
	}
	v.sure, v.held = true, false
	if v.err == nil {
		m.admitSession(in, site, &b, &v)
	}
	if v.err != nil {
		v.w = nil
	}
	return v
}

// recent says whether a write may come from an instance that is ahead of this one: a token of a key
// that this one does not know yet is not overwritten by the way.
func (m *model) recent(in *instance, w *write) bool {
	p := m.w.plan.policy
	return w.issued >= in.now()-secs(p.Propagation)-secs(p.Skew)
}

func mostCareful(all []error) error {
	for _, err := range []error{signet.ErrUnknownKey, signet.ErrClockSkew, signet.ErrTorn, signet.ErrRevoked, signet.ErrExpired} {
		if slices.Contains(all, err) {
			return err
		}
	}
	return signet.ErrInvalid
}

// try says whether one head and the pieces beside it are a write that is still good here.
func (m *model) try(in *instance, site int, b *brought, head string) (w *write, err error, known bool) {
	w = m.heads[head]
	if w == nil {
		return nil, signet.ErrInvalid, false
	}
	altered := false
	for i, want := range w.pieces[1:] {
		var of []string
		for _, value := range b.parts[i+1] {
			if strings.HasPrefix(value, want[:5]) {
				of = append(of, value)
			}
		}
		if len(of) != 1 || len(of[0]) == len("wwww.") {
			return w, signet.ErrTorn, true
		}
		altered = altered || of[0] != want
	}
	if altered {
		return w, signet.ErrInvalid, false
	}
	if err := m.admit(in, w.key, w.issued); err != nil {
		return w, err, true
	}
	if w.site != site {
		return w, signet.ErrInvalid, true
	}
	if in.now() > w.expires+secs(m.w.plan.policy.Leeway) {
		return w, signet.ErrExpired, true
	}
	return w, nil, true
}

// admit is what a token's key and time of sealing allow.
func (m *model) admit(in *instance, key *masterKey, issued int64) error {
	p, now := m.w.plan.policy, in.now()
	k := in.file.find(key.id)
	switch {
	case slices.Contains(in.file.revoked, key.id):
		return signet.ErrRevoked
	case k == nil:
		return signet.ErrUnknownKey
	case k.until != 0 && now >= k.until:
		return signet.ErrExpired
	case issued > now+secs(p.Skew):
		return signet.ErrClockSkew
	case now > issued+secs(p.Life)+secs(p.Leeway):
		return signet.ErrExpired
	}
	return nil
}

// admitSession is what speaks against a good token: data of another type, idleness, the deny list.
func (m *model) admitSession(in *instance, site int, b *brought, v *verdict) {
	if v.w.fields.shape != "" && strings.HasPrefix(v.w.fields.shape, "s") != (in.plan.version == 1) {
		v.err = signet.ErrInvalid
		v.held = m.recent(in, v.w)
		return
	}
	if idle := m.w.plan.sites[site].versions[in.plan.version].IdleTimeout; idle > 0 {
		v.touched, v.err = m.idle(in, site, b, v.w)
		if v.err != nil {
			v.held = v.err != signet.ErrExpired
			v.sure = false
			return
		}
	}
	if v.w.session.denied {
		v.err, v.held = errDenied, false
	}
}

// idleAllowance is the timeout, a tenth more, and the skew.
func (m *model) idleAllowance(site, version int) int64 {
	return secs(m.w.plan.sites[site].versions[version].IdleTimeout)*11/10 + secs(m.w.plan.policy.Skew)
}

func (m *model) idle(in *instance, site int, b *brought, w *write) (int64, error) {
	failed := signet.ErrExpired
	for _, value := range b.touches {
		t := m.touches[value]
		if t == nil {
			continue
		}
		err := m.admit(in, t.key, t.issued)
		if err == nil && t.site == site && t.session == w.session && in.now() <= t.expires+secs(m.w.plan.policy.Leeway) {
			return t.issued, nil
		}
		if err == signet.ErrUnknownKey || err == signet.ErrClockSkew {
			failed = err
		}
	}
	if in.now() <= w.issued+m.idleAllowance(site, in.plan.version) {
		return 0, nil
	}
	return 0, failed
}

// project is what a version of the program sees of a write.
func (f *fields) project(version int) fields {
	g := *f
	if version == 0 {
		g.new = ""
	} else {
		g.old = ""
	}
	return g
}

// apply is what a page's op makes of what it saw.
func (f fields) apply(o *op, version int) fields {
	f.marks = maps.Clone(f.marks)
	switch o.kind {
	case opWrite:
		f.seq, f.pad = o.n, padding(o.n, o.size)
	case opMark:
		if f.marks == nil {
			f.marks = map[string]int{}
		}
		f.marks[markNames[o.n%len(markNames)]]++
	case opFlash:
		f.flashes = append(slices.Clone(f.flashes), flashText(o.n))
	case opTake:
		f.flashes = nil
	case opOwn:
		if text := fmt.Sprint("own ", o.n); version == 0 {
			f.old = text
		} else {
			f.new = text
		}
	case opShape:
		f.shape = fmt.Sprint(o.n)
		if version == 1 {
			f.shape = "s" + f.shape
		}
	case opLogin:
		f.user, f.seq = o.user, o.n
	case opClear:
		f = fields{}
	}
	return f
}

// merge keeps what the other version wrote and this one does not know.
func (f fields) merge(was *write, version int) fields {
	if was == nil {
		return f
	}
	if version == 0 {
		f.new = was.fields.new
	} else {
		f.old = was.fields.old
	}
	return f
}

// sameReason compares a reason with the one that the model has found.
func sameReason(got, want error) bool {
	return got == want || want != nil && errors.Is(got, want)
}
