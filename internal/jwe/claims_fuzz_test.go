package jwe

import (
	"reflect"
	"strings"
	"testing"
)

// The quick reader of our own claims and the general one must never disagree: what the first
// takes, the second takes for the same. Only this package can see the two apart.
func FuzzTheQuickReaderAgreesWithTheGeneralOne(f *testing.F) {
	session := Claims{IssuedAt: 1790000000, Expires: 1790003600, Audience: "s", IsSession: true, ID: [16]byte{1}, Created: 7, Persistent: true, Data: []byte(`{"a":1}`)}
	token := Claims{IssuedAt: 1, Expires: 4294967295, Audience: "reset \"é\"", Payload: []byte{0, 255}}
	empty := Claims{Audience: "p", Payload: []byte{}}
	for _, c := range []Claims{session, token, empty} {
		f.Add(string(c.Append(nil)))
	}
	own := string(session.Append(nil))
	for _, text := range []string{
		strings.Replace(own, `"d":{"a":1}`, `"d":{"a":1},"exp":1`, 1),
		strings.Replace(own, `"d":{"a":1}`, `"d":{"a":1},"d":{}`, 1),
		strings.Replace(own, `{"a":1}`, `1,"x":{}`, 1),
		strings.Replace(own, `"aud":"s"`, "\"aud\":\"s\n\"", 1),
		strings.Replace(own, `"aud":"s"`, "\"aud\":\"\xff\"", 1),
		strings.Replace(own, `1790000000`, `01790000000`, 1),
		strings.Replace(own, `1790000000`, `4294967296`, 1),
		strings.Replace(own, `1790000000`, `1790000000.5`, 1),
		strings.Replace(own, `,"persistent":true`, `,"persistent":false`, 1),
		strings.Replace(own, `"d":{"a":1}`, `"d": {"a":1}`, 1),
		strings.Replace(own, `"d":{"a":1}`, `"d":{"a":1} `, 1),
		own + " ", own + "}", "{}", "", "null",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		general, generalOK := parseAny([]byte(text))
		if _, own := parseOwn([]byte(text), "s"); own {
			quick, ok := ParseClaims([]byte(text), "s")
			if ok != generalOK || ok && !reflect.DeepEqual(quick, general) {
				t.Fatalf("%q: quick %+v (%v), general %+v (%v)", text, quick, ok, general, generalOK)
			}
		}
		if !generalOK {
			return
		}
		// What opens is, written again, read as the same by the quick reader.
		general.NotBefore = 0
		again, ok := ParseClaims(general.Append(nil), "s")
		if !ok || !reflect.DeepEqual(again, general) {
			t.Fatalf("%q: %+v written and read is %+v (%v)", text, general, again, ok)
		}
	})
}
