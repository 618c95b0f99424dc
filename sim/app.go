package sim

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet"
)

// common is what both versions of the program know of a visitor.
type common struct {
	User    string         `json:"user,omitempty"`
	Seq     int            `json:"seq,omitempty"`
	Pad     string         `json:"pad,omitempty"`
	Marks   map[string]int `json:"marks,omitempty"`
	Flashes signet.Flashes `json:"flashes,omitempty"`
}

// older and newer are the two versions that a rolling deploy runs side by side. Each has
// a field that the other does not know, and in some worlds they disagree on one.
type older struct {
	common
	Old   string `json:"old,omitempty"`
	Shape int    `json:"shape,omitempty"`
}

type newer struct {
	common
	New   string `json:"new,omitempty"`
	Shape string `json:"shape,omitempty"`
}

type document interface {
	shared() *common
	own() *string
	reshape(n int)
	shape() string
}

func (d *older) shared() *common { return &d.common }
func (d *newer) shared() *common { return &d.common }
func (d *older) own() *string    { return &d.Old }
func (d *newer) own() *string    { return &d.New }
func (d *older) reshape(n int)   { d.Shape = n }
func (d *newer) reshape(n int)   { d.Shape = fmt.Sprint("s", n) }
func (d *newer) shape() string   { return d.Shape }
func (d *older) shape() string {
	if d.Shape == 0 {
		return ""
	}
	return fmt.Sprint(d.Shape)
}

// fields is a visitor's data as the model sees it.
type fields struct {
	user, pad, old, new, shape string
	seq                        int
	marks                      map[string]int
	flashes                    []string
}

func (f *fields) equal(g *fields) bool {
	return f.user == g.user && f.pad == g.pad && f.old == g.old && f.new == g.new && f.shape == g.shape &&
		f.seq == g.seq && maps.Equal(f.marks, g.marks) && strings.Join(f.flashes, "\n") == strings.Join(g.flashes, "\n")
}

// opKind is what a page does with its session.
type opKind uint8

const (
	opRead opKind = iota
	opIgnore
	opWrite
	opMark
	opFlash
	opTake
	opOwn
	opShape
	opLogin
	opRenew
	opLogout
	opLogoutThenWrite
	opRemember
	opLife
	opSame
	opLate
	opPanic
	opClear
	opKinds
)

var opNames = [...]string{"reads", "does not ask for the session", "writes", "changes a map deep inside", "adds a flash", "takes the flashes",
	"writes the field of its version", "writes the field that the versions disagree on", "logs in", "renews", "logs out", "logs out and writes", "changes remember-me",
	"changes the lifetime", "writes what is there already", "writes after the response began", "writes and panics", "empties the data"}

type op struct {
	kind   opKind
	n      int           // what is written
	size   int           // of the padding
	life   time.Duration // for opLife
	style  uint8         // how the page answers
	user   string
	public bool // the page says Cache-Control: public
	asksID bool // the page asks for the id after its change
}

// padText is what padding is cut from: text that occurs nowhere else, so that a piece of it
// in the wrong place shows.
var padText = func() string {
	var b strings.Builder
	for i := 0; b.Len() < 1<<16; i++ {
		fmt.Fprintf(&b, "<%x&%x>", i*2654435761, i)
	}
	return b.String()
}()

func padding(n, size int) string { return padText[n%4096:][:size] }

func flashText(n int) string { return fmt.Sprint("message ", n) }

var markNames = [...]string{"apple", "pear", "plum", "fig"}

// sight is what a page saw of its session.
type sight struct {
	got              bool
	isNew            bool
	err              error
	id               string
	created, expires int64
	persistent       bool
	fields           fields
	idAfter          string
	failed           error // of saving
	sealedBy         string
	lifeErr          error
}

// visit is one request inside an instance.
type visit struct {
	op   op
	seen sight
}

func copyFields(d document, version int) fields {
	c := d.shared()
	f := fields{user: c.User, seq: c.Seq, pad: c.Pad, marks: maps.Clone(c.Marks), shape: d.shape()}
	for _, m := range c.Flashes {
		f.flashes = append(f.flashes, m.Text)
	}
	if version == 0 {
		f.old = *d.own()
	} else {
		f.new = *d.own()
	}
	return f
}

var errDenied = errors.New("the id is on the deny list")

// program is one version of the application on one site of one instance.
type program[T any, P interface {
	*T
	document
}] struct {
	in      *instance
	m       *signet.Manager[T]
	version int
}

func newProgram[T any, P interface {
	*T
	document
}](in *instance, cfg signet.Config, denied func(id string) bool) (http.Handler, error) {
	p := &program[T, P]{in: in, version: in.plan.version}
	if denied != nil {
		cfg.Validate = signet.Validate(func(_ *http.Request, s *signet.Session[T]) error {
			if denied(s.ID()) {
				return errDenied
			}
			return nil
		})
	}
	cfg.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		in.visit.seen.failed = err
		w.WriteHeader(http.StatusConflict)
	}
	var err error
	p.m, err = signet.New[T](in.keys, cfg)
	if err != nil {
		return nil, err
	}
	return p.m.Handler(p), nil
}

func (p *program[T, P]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := p.in.visit
	if v.op.public {
		w.Header().Set("Cache-Control", "public, max-age=600")
	}
	if v.op.kind == opIgnore {
		w.WriteHeader(http.StatusOK)
		return
	}
	s := p.m.Get(r.Context())
	v.seen.got, v.seen.isNew, v.seen.err = true, s.IsNew(), s.Err()
	if !s.IsNew() {
		v.seen.id, v.seen.created, v.seen.expires, v.seen.persistent = s.ID(), s.Created().Unix(), s.Expires().Unix(), s.Persistent()
	}
	v.seen.fields = copyFields(P(&s.Data), p.version)
	if v.op.kind == opLate {
		io.WriteString(w, "begun")
	}
	p.act(v, s)
	if v.op.asksID {
		v.seen.idAfter = s.ID()
	}
	answer(w, v.op.style)
}

// act changes the session as the op says.
func (p *program[T, P]) act(v *visit, s *signet.Session[T]) {
	d := P(&s.Data)
	c := d.shared()
	switch v.op.kind {
	case opWrite, opLate:
		c.Seq, c.Pad = v.op.n, padding(v.op.n, v.op.size)
	case opPanic:
		c.Seq = v.op.n
		panic(http.ErrAbortHandler)
	case opMark:
		if c.Marks == nil {
			c.Marks = map[string]int{}
		}
		c.Marks[markNames[v.op.n%len(markNames)]]++
	case opFlash:
		c.Flashes.Add("info", flashText(v.op.n))
	case opTake:
		c.Flashes.Take()
	case opOwn:
		*d.own() = fmt.Sprint("own ", v.op.n)
	case opShape:
		d.reshape(v.op.n)
	case opLogin:
		s.Renew()
		c.User, c.Seq = v.op.user, v.op.n
	case opRenew:
		s.Renew()
	case opLogout:
		s.Destroy()
	case opLogoutThenWrite:
		s.Destroy()
		c.Seq = v.op.n
	case opRemember:
		s.SetPersistent(v.op.n%2 == 0)
	case opLife:
		v.seen.lifeErr = s.SetLifetime(v.op.life)
	case opSame:
		c.Seq, c.Marks = v.seen.fields.seq, v.seen.fields.marks
	case opClear:
		s.Data = *new(T)
	}
}

// answer begins the response in one of the ways that handlers do.
func answer(w http.ResponseWriter, style uint8) {
	switch style % 6 {
	case 0:
		io.WriteString(w, "a page")
	case 1:
		w.WriteHeader(http.StatusSeeOther)
	case 2:
		w.(http.Flusher).Flush()
	case 3:
		w.WriteHeader(http.StatusEarlyHints)
		w.Write([]byte("a page"))
	case 4:
		w.WriteHeader(http.StatusNoContent)
	}
}

// response is the light http.ResponseWriter of the simulation. What counts is the header as it
// was when the final status was written.
type response struct {
	header, sent http.Header
	status       int
}

func (r *response) Header() http.Header { return r.header }

func (r *response) WriteHeader(status int) {
	if status < 200 || r.status != 0 {
		return
	}
	r.status, r.sent = status, r.header.Clone()
}

func (r *response) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return len(b), nil
}

func (r *response) Flush() { r.WriteHeader(http.StatusOK) }
