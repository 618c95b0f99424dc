package sim

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/signet-go/signet"
)

// attack sends what an attacker makes of cookies that he has seen, his own and others', to a
// site of his choice. What he may see is for the model to say: a stolen cookie that is
// whole is the session; everything else is nothing.
func (w *World) attack(e event) *Violation {
	target := siteOf(e.b)
	field, what := w.forge(e, target)
	if field == "" {
		return nil
	}
	w.requests++
	f := &flight{number: w.requests, site: target, op: w.opOf(e), req: request{method: "GET", lines: []string{field}}}
	f.op.user = "attacker-secret"
	f.in = w.instances[int(e.c>>8)%len(w.instances)]
	w.tell("the attacker makes request %d: %s", f.number, what)
	return w.serve(f)
}

// stolen is a recent write, most likely one that is still good.
func (w *World) stolen(n uint32) *write {
	all := w.model.writes
	if len(all) == 0 {
		return nil
	}
	if recent := 40; len(all) > recent && n%8 != 0 {
		all = all[len(all)-recent:]
	}
	return all[int(n>>3)%len(all)]
}

// field is the Cookie field of pieces under a name.
func field(name string, pieces []string) string {
	var b strings.Builder
	for i, p := range pieces {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(pieceName(name, i) + "=" + p)
	}
	return b.String()
}

// forge makes a Cookie field, or "" where there is nothing to make it of.
func (w *World) forge(e event, target int) (made, what string) {
	t, u := w.stolen(e.c), w.stolen(e.d)
	if t == nil {
		return "", ""
	}
	if e.b&64 != 0 {
		if many := w.chunked(e.c); many != nil {
			t = many
		}
	}
	own, name := w.plan.sites[t.site].name, w.plan.sites[target].name
	whole := field(name, t.pieces)
	n := int(e.a >> 8)
	switch e.a % 26 {
	case 0, 1:
		return field(own, t.pieces), fmt.Sprintf("a replay of write %d under its own name", t.number)
	case 2:
		return whole, fmt.Sprintf("write %d of site %d at site %d", t.number, t.site, target)
	case 3:
		return field(name, mix(t, u, n)), fmt.Sprintf("pieces of write %d and of write %d", t.number, u.number)
	case 4, 5, 6:
		return field(name, flip(t.pieces, n)), fmt.Sprintf("write %d with one character changed", t.number)
	case 7, 8:
		return field(name, w.reheader(t, n)), fmt.Sprintf("write %d with another time, key id or version in its header", t.number)
	case 9:
		return field(name, recount(t, n)), fmt.Sprintf("write %d with a forged count", t.number)
	case 10:
		p := t.pieces[n%len(t.pieces)]
		cut := append([]string{}, t.pieces...)
		cut[n%len(t.pieces)] = p[:1+n%len(p)]
		return field(name, cut), fmt.Sprintf("write %d cut short", t.number)
	case 11:
		if n%8 != 0 { // it costs as much as a hundred others
			return whole, fmt.Sprintf("a replay of write %d", t.number)
		}
		return eightThousand(name, t, n), fmt.Sprintf("8,000 cookies with write %d among them", t.number)
	case 12:
		return odd(name, t, n), fmt.Sprintf("write %d under a name that looks alike", t.number)
	case 13, 14:
		both := []string{field(name, u.pieces), whole}
		return strings.Join(both, "; "), fmt.Sprintf("writes %d and %d together", u.number, t.number)
	case 15:
		if older := w.earlier(t); older != nil {
			return field(name, older.pieces) + "; " + whole, fmt.Sprintf("writes %d and %d of one session together", older.number, t.number)
		}
		return whole, fmt.Sprintf("a replay of write %d", t.number)
	case 16:
		return w.otherKind(name, t, n), "a touch, an application's token or a session in the place of another"
	case 17, 24, 25:
		if all := w.model.allTouch; len(all) > 0 {
			return whole + "; " + name + ".t=" + all[len(all)-1-n%min(len(all), 20)], fmt.Sprintf("write %d with some idle clock", t.number)
		}
		return whole, fmt.Sprintf("a replay of write %d", t.number)
	case 18:
		return name + "=" + jweHeader(t.pieces[0], n), fmt.Sprintf("write %d with another JOSE header", t.number)
	case 19:
		return garbage(name, n), "garbage"
	case 20:
		return strings.ReplaceAll(whole, "; ", ", ") + "; " + whole, fmt.Sprintf("write %d twice, once joined by commas", t.number)
	case 21:
		if n%4 == 0 {
			return atTheBound(whole, n/4), fmt.Sprintf("write %d, and again where a reader's bound cuts it", t.number)
		}
		i := n % len(t.pieces)
		return whole + "; " + pieceName(name, i) + "=" + flip(t.pieces, n)[i], fmt.Sprintf("write %d with a second, different piece %d", t.number, i)
	case 22:
		return field(name, t.pieces[:1+n%len(t.pieces)]), fmt.Sprintf("the first pieces of write %d", t.number)
	}
	parts := strings.Split(whole, "; ")
	return strings.Join(append(parts[1:], parts[0]), "; "), fmt.Sprintf("write %d with its head last", t.number)
}

// atTheBound is a write, and the same again around the 65,536th octet of the header.
func atTheBound(whole string, n int) string {
	before := whole + "; pad="
	begin := 65536 - n%(len(whole)+2)
	return before + strings.Repeat("p", begin-len(before)-len("; ")) + "; " + whole + "; last=1"
}

// chunked is a recent write of several cookies.
func (w *World) chunked(n uint32) *write {
	all := w.model.writes
	for i := range min(len(all), 60) {
		if t := all[len(all)-1-(i+int(n%16))%len(all)]; len(t.pieces) > 1 {
			return t
		}
	}
	return nil
}

// earlier is another write of the same session.
func (w *World) earlier(t *write) *write {
	all := w.model.writes
	for i := len(all) - 1; i >= 0 && i > len(all)-100; i-- {
		if all[i] != t && all[i].session == t.session {
			return all[i]
		}
	}
	return nil
}

// mix takes the head of one write and pieces of another, as they are or under the first one's id.
func mix(t, u *write, n int) []string {
	pieces := append([]string{}, t.pieces...)
	for i := 1; i < len(pieces); i++ {
		if i < len(u.pieces) && n>>i&1 == 0 {
			pieces[i] = u.pieces[i]
			if n&1 == 0 {
				pieces[i] = t.pieces[i][:5] + u.pieces[i][5:]
			}
		}
	}
	return pieces
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// flip changes one character to another one of the alphabet.
func flip(pieces []string, n int) []string {
	out := append([]string{}, pieces...)
	i := n % len(out)
	b := []byte(out[i])
	at := (n >> 3) % len(b)
	was := strings.IndexByte(alphabet, b[at])
	if was < 0 {
		was = 0
	}
	b[at] = alphabet[(was+1+n%63)%64]
	out[i] = string(b)
	return out
}

// reheader rewrites the clear header of a compact token: the time by a few seconds within its hour, the
// key id by another's, or the version.
func (w *World) reheader(t *write, n int) []string {
	out := append([]string{}, t.pieces...)
	at := 0
	if len(out) > 1 {
		at = len("2.wwww.")
	}
	head, err := base64.RawURLEncoding.DecodeString(out[0][at : at+12])
	if err != nil || len(head) != 9 || t.format != signet.Compact {
		return flip(t.pieces, n)
	}
	switch iat := binary.BigEndian.Uint32(head[5:]); n % 4 {
	case 0, 1:
		moved := iat + 1 + uint32(n>>2)%9
		if moved/3600 != iat/3600 {
			moved = iat - 1 - uint32(n>>2)%9
		}
		binary.BigEndian.PutUint32(head[5:], moved)
	case 2:
		keys := w.operator.current().keys
		var id uint32
		fmt.Sscanf(keys[(n>>2)%len(keys)].id, "%x", &id)
		if binary.BigEndian.Uint32(head[1:]) == id {
			id ^= 1
		}
		binary.BigEndian.PutUint32(head[1:], id)
	case 3:
		head[0] ^= 3
	}
	out[0] = out[0][:at] + base64.RawURLEncoding.EncodeToString(head) + out[0][at+12:]
	return out
}

// recount gives the head another count.
func recount(t *write, n int) []string {
	out := append([]string{}, t.pieces...)
	if len(out) == 1 {
		out[0] = fmt.Sprintf("%d.AAAA.%s", n%10, out[0])
		return out
	}
	count := byte('0' + n%10)
	if count == out[0][0] {
		count = '0'
	}
	out[0] = string(count) + out[0][1:]
	return out
}

func eightThousand(name string, t *write, n int) string {
	var b strings.Builder
	for i := range 8000 {
		if i == n%8000 {
			b.WriteString(field(name, t.pieces) + "; ")
		}
		if n>>14&1 == 0 {
			fmt.Fprintf(&b, "%s=%da; ", name, i%10)
			continue
		}
		fmt.Fprintf(&b, "c%d=x; ", i)
	}
	return b.String()
}

// odd names the cookie almost like ours.
func odd(name string, t *write, n int) string {
	names := []string{strings.ToLower(name), strings.ToUpper(name), name + ".01", name + "\u200b", strings.Replace(name, "s", "\u0455", 1), name + "[]", "x" + name, name + ".t.1", " " + name + " "}
	return names[n%len(names)] + "=" + t.pieces[0]
}

// otherKind presents a token of one kind as one of another.
func (w *World) otherKind(name string, t *write, n int) string {
	if n%3 == 0 && len(w.model.allTouch) > 0 {
		return name + "=" + w.model.allTouch[(n>>2)%len(w.model.allTouch)]
	}
	if n%3 == 1 {
		return name + ".t=" + t.pieces[0] + "; " + name + "=" + t.pieces[0]
	}
	in := w.instances[n%len(w.instances)]
	data := append(make([]byte, 21), `{"user":"visitor-secret-0","seq":1}`...)
	token, err := in.keys.Seal(name, data, time.Minute)
	if err != nil {
		return ""
	}
	return name + "=" + token
}

// jweHeader puts another protected header before what follows the first dot.
func jweHeader(token string, n int) string {
	headers := []string{`{"alg":"none"}`, `{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, `{"alg":"PBES2-HS256+A128KW","p2c":2000000000,"enc":"A256GCM"}`,
		`{"alg":"dir","enc":"A256GCM","kid":"../../dev/null"}`, `{"alg":"dir","alg":"A256KW","enc":"A256GCM"}`, `{"alg":"dir","enc":"A256GCM","crit":["exp"]}`}
	_, rest, ok := strings.Cut(token, ".")
	if !ok {
		rest = "..AAAAAAAAAAAAAAAA." + token + ".AAAAAAAAAAAAAAAAAAAAAA"
	}
	return base64.RawURLEncoding.EncodeToString([]byte(headers[n%len(headers)])) + "." + rest
}

func garbage(name string, n int) string {
	size := n % 200
	if n%32 == 0 {
		size = n % 40000
	}
	kinds := []string{"A", "ey", "8.AAAA.", "2.", ".", "%00", "\x80", "\"", "=", "eyJ."}
	return name + "=" + kinds[n>>8%10%len(kinds)] + padText[n%1000:][:size]
}

// toss lets a sibling domain set a cookie for the whole domain in somebody's browser.
func (w *World) toss(e event) {
	t := w.stolen(e.c)
	if t == nil {
		return
	}
	b := w.browsers[int(e.a)%len(w.browsers)]
	site := &w.plan.sites[t.site]
	domain := site.host[strings.IndexByte(site.host, '.')+1:]
	before := b.version
	for i, p := range t.pieces {
		b.set("evil."+domain, pieceName(site.name, i)+"="+p+"; Secure; HttpOnly; Path=/; Domain="+domain, w.now)
	}
	if b.version == before {
		w.tell("a sibling domain tries to set write %d in the browser of visitor %d, which refuses", t.number, b.number)
		return
	}
	b.tossed = true
	w.tell("a sibling domain sets write %d in the browser of visitor %d", t.number, b.number)
}

// jarEvent is what happens to a jar between requests.
func (w *World) jarEvent(e event) {
	b := w.browsers[int(e.a)%len(w.browsers)]
	switch e.b % 10 {
	case 0, 1:
		b.close()
		w.tell("visitor %d closes the browser", b.number)
	case 2:
		w.tell("visitor %d closes the browser, which restores its session", b.number)
		return
	case 3, 4:
		if len(b.jar) == 0 {
			return
		}
		i := int(e.c) % len(b.jar)
		w.tell("the browser of visitor %d evicts %s", b.number, b.jar[i].name)
		b.jar = append(b.jar[:i:i], b.jar[i+1:]...)
		b.version++
	case 5:
		b.saved, b.savedTossed = append([]stored{}, b.jar...), b.tossed
		w.tell("the jar of visitor %d is backed up", b.number)
		return
	case 6:
		b.jar, b.tossed = append([]stored{}, b.saved...), b.savedTossed
		b.version++
		w.tell("visitor %d goes back to an old jar", b.number)
	case 7:
		w.fill(b, int(e.c%60)+100)
	case 9:
		for _, c := range b.jar { // as if Partitioned had been switched on just now
			if c.partitioned {
				c.partitioned = false
				b.put(c, w.now)
			}
		}
		w.tell("visitor %d has the cookies outside of the partition too", b.number)
		return
	case 8:
		b.jar, b.tossed = nil, false
		b.version++
		w.tell("visitor %d deletes all cookies", b.number)
	}
	clear(b.latest)
}

// fill has another page of the host set many cookies, past what a jar keeps.
func (w *World) fill(b *browser, n int) {
	for i := range n {
		b.set(w.plan.sites[0].host, fmt.Sprintf("other%d=x; Path=/; Secure", i), w.now)
	}
	w.tell("another page sets %d cookies in the browser of visitor %d", n, b.number)
}

// operate changes the key file.
func (w *World) operate(e event) *Violation {
	o := w.operator
	in := w.instances[int(e.c)%len(w.instances)]
	switch n := e.a % 8; {
	case n == 7:
		return w.badFile(e, in)
	case n == 6 && (w.plan.updates || !w.plan.orderly):
		old := o.files[int(e.b)%len(o.files)]
		w.tell("instance %d is given generation %d of the key file again", in.number, old.generation)
		return in.take(old)
	case n == 5 && w.plan.updates:
		return w.forgetful(e, in)
	case n < 4 || w.plan.orderly:
		done, err := o.rotate(e.b)
		if done {
			w.counts.Rotations++
			w.tell("the operator rotates: key %d seals from %d s", o.made, o.current().keys[len(o.current().keys)-1].nbf-epoch)
		}
		return err
	case n == 4 && e.b%3 == 0:
		o.endEarly(e.c)
	case n == 4:
		w.tell("the operator %s", o.revoke(e.b))
	case len(o.current().keys) < 16:
		w.tell("the operator publishes key %d, which seals at once", o.made+1)
		return o.hurry()
	}
	return nil
}

// forgetful gives a running instance a copy of the current file that lacks a key which only opens. By
// Update nobody may lose a session over it.
func (w *World) forgetful(e event, in *instance) *Violation {
	if err := in.catchUp(); err != nil {
		return err
	}
	last := w.operator.current()
	i := int(e.b) % len(last.keys)
	k := last.keys[i]
	if in.file.find(k.id) == nil || k.nbf > in.now() || last.sealer(in.now()) == nil || last.sealer(in.now()).id == k.id {
		return nil
	}
	f := &keyFile{revoked: last.revoked, generation: last.generation}
	f.keys = append(append(f.keys, last.keys[:i]...), last.keys[i+1:]...)
	f.write(w.plan.policy)
	w.tell("instance %d is given a file that lacks key %d", in.number, k.number)
	return in.take(f)
}

// badFile gives an instance a damaged file, which it must refuse.
func (w *World) badFile(e event, in *instance) *Violation {
	text := append([]byte{}, w.operator.current().text...)
	switch e.b % 4 {
	case 0:
		text = text[:int(e.c)%len(text)]
	case 1:
		text = []byte(`{"keys":[]}`)
	case 2:
		text = []byte(strings.Replace(string(text), `"oct"`, `"RSA"`, 1))
	case 3:
		text = append(text, text...)
	}
	w.tell("instance %d is given a damaged key file", in.number)
	if _, err := signet.ParseKeyring(text); err == nil {
		return w.violation(nil, "a damaged key file is refused", "it was taken: %d of %d bytes", len(text), len(w.operator.current().text))
	}
	return nil
}

// instanceEvent restarts a process, replaces it by the other version, or moves its clock.
func (w *World) instanceEvent(e event) *Violation {
	in := w.instances[int(e.a)%len(w.instances)]
	skew := secs(w.plan.policy.Skew)
	switch e.b % 4 {
	case 0:
		w.tell("instance %d restarts", in.number)
	case 1:
		in.plan.version = 1 - in.plan.version
		w.tell("instance %d is deployed anew as version %d", in.number, in.plan.version+1)
	default:
		in.offset = int64(e.c)%(skew+1) - skew/2
		if !w.plan.orderly && e.b%4 == 3 {
			in.offset = int64(e.c)%(40*skew+1) - 20*skew
		}
		w.tell("the clock of instance %d is now %d s ahead", in.number, in.offset)
		return nil
	}
	if err := in.start(w.operator.current()); err != nil {
		return w.violation(nil, "a valid plan starts", "%v", err)
	}
	return nil
}

// tokenRecord is an application's token: a reset link, a state, a cursor.
type tokenRecord struct {
	purpose, text, token string
	key                  *masterKey
	issued, expires      int64
}

var purposes = [...]string{"reset", "reset\x00", "rese", "state"}

// token seals an application's token at one instance, or opens one at another, under
// its own purpose or the wrong one.
func (w *World) token(e event) *Violation {
	in := w.instances[int(e.a)%len(w.instances)]
	if err := in.catchUp(); err != nil {
		return err
	}
	purpose := purposes[int(e.b)%len(purposes)]
	if e.c%3 == 0 || len(w.tokens) == 0 {
		return w.sealToken(in, purpose, e)
	}
	t := w.tokens[int(e.d)%len(w.tokens)]
	if e.c%3 == 1 {
		purpose = t.purpose
	}
	w.counts.Requests++
	want := w.model.admit(in, t.key, t.issued)
	if want == nil && purpose != t.purpose {
		want = signet.ErrInvalid
	}
	if want == nil && in.now() > t.expires+secs(w.plan.policy.Leeway) {
		want = signet.ErrExpired
	}
	got, err := in.keys.Open(purpose, t.token)
	w.tell("a token for %q is opened as %q at instance %d: %v", t.purpose, purpose, in.number, err)
	w.note(int(e.c), btoi(err == nil))
	if err != want || err == nil && string(got) != t.text {
		return w.violation(nil, "a token opens for its purpose and life alone", "opened %q as %q: %v, want %v", t.purpose, purpose, err, want)
	}
	return nil
}

func (w *World) sealToken(in *instance, purpose string, e event) *Violation {
	now := in.now()
	key := in.file.sealer(now)
	if key == nil {
		return nil
	}
	life := w.plan.policy.Life / time.Duration(1+e.d%100)
	t := tokenRecord{purpose: purpose, text: padding(int(e.d), int(e.e%300)), key: key, issued: now, expires: now + secs(life+time.Second-1)}
	if key.until != 0 {
		t.expires = min(t.expires, key.until)
	}
	var err error
	t.token, err = in.keys.SealAs(signet.Format(e.d%3), purpose, []byte(t.text), life)
	if err != nil {
		return w.violation(nil, "a token is sealed", "%v", err)
	}
	if len(w.tokens) == 32 {
		w.tokens = w.tokens[1:]
	}
	w.tokens = append(w.tokens, t)
	return nil
}
