package explain_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/cmd/signet/internal/explain"
)

// FuzzExplain gives anything to both readings of a Cookie field, that of the library and the one
// here: neither panics, and a session that one of them opens is opened by the other, with the
// same id. That holds for one session in the field; of several the library believes none.
func FuzzExplain(f *testing.F) {
	// A fixed key: every process of the fuzzer must open what another one sealed.
	sum := sha256.Sum256([]byte("explain"))
	ring := signet.Must(signet.ParseKeyring([]byte(`{"keys":[{"kty":"oct","alg":"signet-v1","nbf":0,"k":"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"}]}`)))
	sessions := signet.Must(signet.New[map[string]string](ring, signet.Config{Cookie: signet.Cookie{Name: "s", Budget: 12 << 10}}))
	for _, size := range []int{0, 100, 4000, 7000} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		s := sessions.Load(r)
		s.Data["text"] = strings.Repeat("x", size)
		if err := sessions.Save(w, r, s); err != nil {
			f.Fatal(err)
		}
		var pairs []string
		for _, c := range w.Result().Cookies() {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
		field := strings.Join(pairs, "; ")
		f.Add(field, 0, 0, byte(0))
		f.Add(field, len(field)/2, 1, byte('A'))
		f.Add(field, len(field)-1, 1, byte('='))
		f.Add(field, 0, len(pairs[0]), byte(';'))
	}
	f.Add("eyJhbGciOiJkaXIifQ....", 0, 0, byte(0))
	f.Add("Set-Cookie: s=8.aaaa.AQ; Path=/; Max-Age=0", 0, 0, byte(0))
	f.Fuzz(func(t *testing.T, field string, at, cut int, with byte) {
		if at >= 0 && cut > 0 && at+cut > at && at+cut <= len(field) {
			field = field[:at] + string(with) + field[at+cut:]
		}
		cookies, err := explain.Read("Cookie: " + field)
		if err != nil || strings.ContainsAny(field, "\r\n\"") {
			return
		}
		found, _ := explain.Sessions(cookies)
		var opened []string
		for _, s := range found {
			for _, p := range s.Pieces {
				_ = p.Data()
				p.Browser()
			}
			if s.Name != "s" || s.Torn != "" || s.Touch {
				continue
			}
			if o, err := explain.Open(ring, explain.Purpose{Kind: "session", Name: "s"}, s.Token); err == nil {
				opened = append(opened, o.ID)
			}
		}
		s := sessions.Load(&http.Request{Method: "GET", Header: http.Header{"Cookie": {field}}})
		if len(found) == 1 && (len(opened) == 1) != !s.IsNew() {
			t.Fatalf("explain opened %v, the library says %v", opened, s.Err())
		}
		if !s.IsNew() && len(opened) > 0 && opened[0] != s.ID() {
			t.Fatalf("explain opened %v, the library %s", opened, s.ID())
		}
	})
}
