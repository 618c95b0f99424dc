package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/cmd/signet/internal/explain"
)

// inspect explains what comes on stdin, since a cookie is a credential and an argument
// would show in the list of processes.
func inspect(std stdio, args []string) error {
	flags := newFlags("inspect")
	keys := flags.String("keys", "", "open it with the keys of this `FILE`")
	var p explain.Purpose
	flags.StringVar(&p.Name, "purpose", "", "the cookie's `NAME`, or the purpose that was given to Seal; a cookie knows its own")
	flags.StringVar(&p.Kind, "kind", "", "session, touch or token; a cookie is taken for a session")
	flags.StringVar(&p.Tenant, "tenant", "", "Config.Tenant of the sessions")
	if err := parse(flags, std, args, 0); err != nil {
		return err
	}
	switch {
	case *keys == "" && (p != explain.Purpose{}):
		return usageError("inspect: -purpose, -kind and -tenant need -keys FILE")
	case *keys == "-":
		return usageError("inspect: stdin is for the cookie; give the key file by its name")
	case p.Kind != "" && p.Kind != "session" && p.Kind != "touch" && p.Kind != "token":
		return usageError("inspect: -kind is session, touch or token")
	}
	var ring *signet.Keyring
	if *keys != "" {
		var err error
		if ring, err = readRing(std, *keys); err != nil {
			return err
		}
	}
	sessions, others, err := readSessions(std)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	var failed []error
	for _, s := range sessions {
		writeSession(&b, s)
		if ring != nil {
			failed = append(failed, writeOpened(&b, ring, p, s))
		}
		b.WriteByte('\n')
	}
	writeOthers(&b, others)
	_, err = std.out.Write(b.Bytes())
	return errors.Join(append(failed, err)...)
}

func readSessions(std stdio) (sessions []explain.Session, others []explain.Cookie, err error) {
	if file, ok := std.in.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprintln(std.err, "signet: paste a cookie's value, a Cookie or Set-Cookie header, or a token; then Ctrl-D")
		}
	}
	text, err := io.ReadAll(io.LimitReader(std.in, explain.MaxInput+1))
	if err != nil {
		return nil, nil, fmt.Errorf("signet: reading stdin: %w", err)
	}
	cookies, err := explain.Read(string(text))
	if err != nil {
		return nil, nil, fmt.Errorf("signet: inspect: %w", err)
	}
	sessions, others = explain.Sessions(cookies)
	if len(sessions) > 0 {
		return sessions, others, nil
	}
	what := "no cookie here holds a signet token"
	if len(cookies) == 1 {
		what = "this is no signet token"
	}
	return nil, nil, fmt.Errorf("signet: inspect: %s: one begins with A, a JWE with ey, a split one with a digit and a dot; copy it whole", what)
}

func writeSession(w io.Writer, s explain.Session) {
	total := -len("; ")
	for _, piece := range s.Pieces {
		total += piece.Size() + len("=; ")
	}
	if s.Name != "" {
		what := "session"
		if s.Touch {
			what = "idle clock of session"
		}
		fmt.Fprintf(w, "%s %s\n", what, shown(s.Name))
		row(w, "cookies", "%s, %s bytes in a Cookie field", count(len(s.Pieces), "cookie"), thousands(total))
	} else {
		fmt.Fprintln(w, "token")
	}
	switch {
	case s.Torn != "":
		row(w, "state", "torn: %s", shown(s.Torn))
	case s.Count > 1:
		row(w, "state", "complete: all %d pieces of write %s are here", s.Count, shown(s.WriteID))
	}
	writeToken(w, s)
	if s.Name != "" {
		writeBrowser(w, s.Pieces)
	}
}

func writeToken(w io.Writer, s explain.Session) {
	t := s.Token
	if t.Format == "" {
		return
	}
	row(w, "format", "%s", t.About)
	if t.KeyID != "" {
		row(w, "key id", "%s", t.KeyID)
	}
	if t.Sealed.IsZero() {
		row(w, "sealed", "it does not say when in the clear")
	} else {
		row(w, "sealed", "%s, %s", stamp(t.Sealed), ago(t.Sealed))
	}
	row(w, "size", "%s characters, %s bytes", thousands(len(t.Text)), thousands(t.Size))
	for _, p := range t.Parts {
		value := p.Value
		if value == "" {
			value = p.Meaning
		}
		row(w, "  "+p.Name, "%s: %s", count(p.Bytes, "byte"), shown(value))
	}
	for _, fault := range t.Faults {
		row(w, "fault", "%s", fault)
	}
}

// writeBrowser says what a browser makes of the cookies.
func writeBrowser(w io.Writer, pieces []explain.Piece) {
	for _, piece := range pieces {
		refused, changed := piece.Browser()
		verdict := "takes it"
		switch {
		case len(refused) > 0:
			verdict = "drops it: " + strings.Join(refused, "; ")
		case !piece.Set:
			verdict = "takes that; its attributes show in a Set-Cookie line alone"
		}
		if len(changed) > 0 {
			verdict += "; " + strings.Join(changed, "; ")
		}
		row(w, "browser", "%s has %s of %s octets; a browser %s", shown(piece.Name), thousands(piece.Size()), thousands(explain.MaxCookie), verdict)
	}
}

func writeOthers(w io.Writer, others []explain.Cookie) {
	for _, c := range others {
		what := "is no signet token"
		if c.Expires() {
			what = "is deleted by this line"
		}
		fmt.Fprintf(w, "cookie %s %s\n", shown(c.Name), what)
	}
}

// writeOpened says what is sealed in a session or token, and what a server with this ring
// would make of it.
func writeOpened(w io.Writer, ring *signet.Keyring, p explain.Purpose, s explain.Session) error {
	p.Name = cmp.Or(p.Name, s.Name)
	switch {
	case p.Kind == "" && s.Touch:
		p.Kind = "touch"
	case p.Kind == "":
		p.Kind = "session"
	}
	switch {
	case p.Name == "":
		return usageError("inspect: a bare token does not know its purpose; add -purpose NAME, and -kind token if it came from Seal")
	case s.Torn != "":
		return errors.New("signet: inspect: it cannot be opened: it is torn; give all cookies of the session")
	}
	o, err := explain.Open(ring, p, s.Token)
	if err != nil {
		return fmt.Errorf("signet: inspect: %w", err)
	}
	row(w, "opened", "with key %s, as %s of %q", s.Token.KeyID, p.Kind, p.Name)
	if p.Kind == "session" {
		row(w, "id", "%s", o.ID)
		row(w, "created", "%s, %s", stamp(o.Created), ago(o.Created))
		row(w, "persistent", "%t", o.Persistent)
	}
	row(w, "expires", "%s, %s", stamp(o.Expires), ago(o.Expires))
	if verdict, ok := serverVerdict(ring, p, s); ok {
		row(w, "server", "one with this ring %s", verdict)
	}
	row(w, "data", "%s", count(len(o.Data), "byte"))
	_, err = w.Write(printable(p.Kind, o.Data))
	return err
}

// serverVerdict asks the library itself.
func serverVerdict(ring *signet.Keyring, p explain.Purpose, s explain.Session) (string, bool) {
	var err error
	switch {
	case p.Kind == "touch", p.Kind == "token" && p.Tenant != "":
		return "", false
	case p.Kind == "token":
		_, err = ring.Open(p.Name, s.Token.Text)
	default:
		m, newErr := signet.New[map[string]json.RawMessage](ring, signet.Config{Cookie: signet.Cookie{Name: p.Name}, Tenant: p.Tenant})
		if newErr != nil {
			return "", false
		}
		r := &http.Request{Header: http.Header{"Cookie": {p.Name + "=" + s.Token.Text}}}
		err = m.Load(r).Err()
	}
	if err != nil {
		return "answers: " + err.Error(), true
	}
	return "takes it", true
}

// printable is data for a terminal: JSON indented, text quoted, anything else in hex.
func printable(kind string, data []byte) []byte {
	var b bytes.Buffer
	switch {
	case kind == "touch":
		fmt.Fprintf(&b, "%x", data)
	case json.Valid(data) && json.Indent(&b, data, "", "  ") == nil:
		quoted := strings.Map(func(r rune) rune {
			if r != '\n' && unicode.IsControl(r) {
				return '�'
			}
			return r
		}, b.String())
		return []byte(quoted + "\n")
	case utf8.Valid(data):
		b.WriteString(strconv.Quote(string(data)))
	default:
		fmt.Fprintf(&b, "%x", data)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func row(w io.Writer, name, format string, args ...any) {
	fmt.Fprintf(w, "  %-15s %s\n", name, fmt.Sprintf(format, args...))
}

// shown is a stranger's text for a terminal.
func shown(text string) string {
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		return strconv.Quote(text)
	}
	return text
}

func stamp(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }

// ago is how far off a time is, in its two largest units.
func ago(t time.Time) string {
	d := time.Since(t).Round(time.Second)
	suffix := " ago"
	if d < 0 {
		d, suffix = -d, " from now"
	}
	days, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%d d %d h", days, hours) + suffix
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes) + suffix
	case minutes > 0:
		return fmt.Sprintf("%d min %d s", minutes, seconds) + suffix
	}
	return fmt.Sprintf("%d s", seconds) + suffix
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
