package signet_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// secretTexts is every way in which four bytes in a row of a secret could stand in a log:
// raw, hexadecimal with any separator, decimal, base64 at each alignment.
func secretTexts(secret []byte) (texts []string) {
	for i := 0; i+4 <= len(secret); i++ {
		b := secret[i : i+4]
		texts = append(texts, string(b),
			fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), fmt.Sprintf("% x", b), fmt.Sprintf("% X", b),
			fmt.Sprintf("%#x, %#x, %#x, %#x", b[0], b[1], b[2], b[3]),
			fmt.Sprintf("0x%02x, 0x%02x, 0x%02x, 0x%02x", b[0], b[1], b[2], b[3]),
			fmt.Sprintf("0x%02x 0x%02x 0x%02x 0x%02x", b[0], b[1], b[2], b[3]),
			fmt.Sprintf("%d %d %d %d", b[0], b[1], b[2], b[3]),
			fmt.Sprintf("%d, %d, %d, %d", b[0], b[1], b[2], b[3]),
			fmt.Sprintf("%d,%d,%d,%d", b[0], b[1], b[2], b[3]),
		)
	}
	for i := range 3 {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(secret[i:])
			for j := 0; j+8 <= len(text)-4; j++ {
				texts = append(texts, text[j:j+8])
			}
		}
	}
	return texts
}

// printed are all the ways of printing v, by name.
func printed(t testing.TB, v, other any) map[string]string {
	type wrapper struct {
		Exported any
		Name     string
		inner    any // what fmt and testify reach without calling a method
	}
	out := map[string]string{}
	forms := map[string]any{
		"": v, "in an unexported field of ": wrapper{Name: "w", inner: v}, "in a pointer to such ": &wrapper{Name: "w", inner: v},
		"in an exported field of ": wrapper{Exported: v}, "in a slice of ": []any{v}, "in an array of ": [1]any{v}, "in a map of ": map[string]any{"k": v},
	}
	for form, v := range forms {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%w"} {
			out[form+verb] = fmt.Errorf("printing: "+verb, v).Error()
		}
		for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
			"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			"slog JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).LogAttrs(context.Background(), slog.LevelInfo, "printing", slog.Any("value", v), slog.Group("group", "value", v))
			out[form+name] = b.String()
		}
		text, err := json.Marshal(v)
		out[form+"json.Marshal"] = fmt.Sprintf("%s %v", text, err)
	}
	fake := &fakeT{}
	assert.Equal(fake, v, other)
	assert.Equal(fake, wrapper{inner: v}, wrapper{inner: other})
	assert.Equal(fake, []any{v}, []any{other})
	assert.Empty(fake, wrapper{inner: v})
	assert.Contains(fake, []any{v}, "something else")
	require.Contains(t, fake.text, "Error:", "testify found the two different, and said so")
	out["testify"] = fake.text
	return out
}

type fakeT struct{ text string }

func (f *fakeT) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

// Every exported type of the package, printed in every way, shows no key: an id at most. A new type fails
// the test until it is added here.
func TestNothingPrintsAKey(t *testing.T) {
	ring := signet.Must(signet.ParseKeyring([]byte(`{"keys":[` + jwk(keyA, `,"nbf":7`) + `,` + jwk(keyB, "") + `],"revoked":["0badc0de"]}`)))
	other := newRing(t)
	key, otherKey := signet.KeysOf(ring)[1], signet.GenerateKey(time.Time{})
	require.Equal(t, keyA.id(), key.ID())

	// A ring in use: its cache holds keys, its Watch and its clock are set.
	ring.SetClock(time.Now)
	for _, format := range formats {
		token, err := ring.SealAs(format, "p", []byte("x"), time.Hour)
		require.NoError(t, err)
		_, err = ring.Open("p", token)
		require.NoError(t, err)
	}
	type visitor struct{ Name string }
	cfg := signet.Config{Logger: slog.New(slog.DiscardHandler), Observer: signet.LogObserver(slog.New(slog.DiscardHandler)),
		Validate: signet.Validate(func(*http.Request, *signet.Session[visitor]) error { _ = ring; return nil })}
	manager := signet.Must(signet.New[visitor](ring, cfg))
	otherManager := signet.Must(signet.New[visitor](other, signet.Config{Tenant: "other"}))
	c := refContent{time.Now().Unix(), time.Now().Unix() + 3600, &refSession{false, b64(make([]byte, 16)), time.Now().Unix()}, []byte(`{"Name":"ada"}`)}
	cookie := refCompact(keyA, sessionOf, c, make([]byte, 12)).token
	session := manager.Load(&http.Request{Header: http.Header{"Cookie": {"__Host-Http-session=" + cookie}}})
	require.NoError(t, session.Err())
	otherSession := otherManager.Load(&http.Request{})

	convert := func(*signet.Foreign) (visitor, error) { _ = ring; return visitor{}, nil }
	legacy := signet.Migrate(foreignFormat{ring}, convert)
	tooLarge := &signet.TooLargeError{Size: 7, Limit: 6, Fields: []string{"basket (5)"}}
	samples := map[string][2]any{
		"Key":           {key, otherKey},
		"Keyring":       {ring, other},
		"KeyInfo":       {ring.Keys(), other.Keys()},
		"Policy":        {ring.Policy(), signet.Policy{Life: 1}},
		"Format":        {signet.Compact, signet.JWE},
		"Cookie":        {signet.Cookie{}, signet.Cookie{Name: "a"}},
		"Config":        {cfg, signet.Config{Legacy: []signet.Legacy{legacy}}},
		"Manager":       {manager, otherManager},
		"Session":       {session, otherSession},
		"Flash":         {signet.Flash{Text: "a"}, signet.Flash{}},
		"Flashes":       {signet.Flashes{{Text: "a"}}, signet.Flashes{}},
		"ForeignFormat": {signet.ForeignFormat(foreignFormat{ring}), signet.ForeignFormat(foreignFormat{other})},
		"Foreign":       {&signet.Foreign{Claims: []byte("{}")}, &signet.Foreign{}},
		"Legacy":        {legacy, signet.Legacy{}},
		"Validator":     {cfg.Validate, signet.Validator{}},
		"Observer":      {cfg.Observer, signet.LogObserver(slog.Default())},
		"Event":         {signet.Event{Kind: "failed", KeyID: key.ID(), Err: signet.ErrInvalid}, signet.Event{}},
		"Finding":       {signet.Finding{Kind: "early"}, signet.Finding{}},
		"UnsafeError":   {&signet.UnsafeError{Findings: []signet.Finding{{Kind: "early", Text: "key " + key.ID()}}}, &signet.UnsafeError{}},
		"TooLargeError": {tooLarge, fmt.Errorf("saving: %w", tooLarge)},
	}
	_, types := exportedNames(t)
	require.ElementsMatch(t, types, slices.Collect(maps.Keys(samples)), "the exported types of the package; add a new one to samples")

	var forbidden []string
	for _, k := range []refKey{keyA, keyB} {
		forbidden = append(forbidden, secretTexts(k.secret)...)
		forbidden = append(forbidden, secretTexts(k.prk)...)
		forbidden = append(forbidden, secretTexts(k.purposeKey("compact1", refPurpose{"token", "p", ""}))...)
	}
	ways := 0
	for name, pair := range samples {
		for way, text := range printed(t, pair[0], pair[1]) {
			ways++
			for _, secret := range forbidden {
				if strings.Contains(text, secret) {
					t.Fatalf("%s%s shows %q of a key:\n%s", way, name, secret, text)
				}
			}
			// A cookie is a bearer credential.
			if strings.Contains(text, cookie[40:60]) {
				t.Errorf("%s%s shows a cookie's value:\n%s", way, name, text)
			}
		}
	}
	report(t, "%d types in %d ways", len(samples), ways)
}

type foreignFormat struct{ ring *signet.Keyring }

func (foreignFormat) Open([]*http.Cookie, time.Time) (*signet.Foreign, error) {
	return nil, http.ErrNoCookie
}

// The walk above must be able to find a key: an application's own key in a plain field is found.
func TestTheWalkFindsAKeyThatIsPrinted(t *testing.T) {
	type careless struct{ secret []byte }
	type array struct{ secret [32]byte }
	for _, v := range []any{careless{keyA.secret}, &careless{keyA.secret}, array{[32]byte(keyA.secret)}, hex.EncodeToString(keyA.secret), b64(keyA.secret), errors.New(string(keyA.secret))} {
		found := map[string]bool{}
		for way, text := range printed(t, v, "other") {
			for _, secret := range secretTexts(keyA.secret) {
				found[way] = found[way] || strings.Contains(text, secret)
			}
		}
		for _, way := range []string{"%v", "%+v", "%#v", "testify"} {
			require.True(t, found[way] || found["in an unexported field of "+way], "%T by %s", v, way)
		}
	}
}

func TestWhatIsShownIsTheID(t *testing.T) {
	ring := signet.Must(signet.ParseKeyring([]byte(keyFile(jwk(keyA, ""), jwk(keyC, `,"nbf":7`)))))
	key := signet.KeysOf(ring)[0]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, "signet.Key("+keyA.id()+")", fmt.Sprintf(verb, key), verb)
		require.Equal(t, "signet.Keyring("+keyA.id()+" "+keyC.id()+")", fmt.Sprintf(verb, ring), verb)
	}
	text, err := json.Marshal(map[string]any{"key": key, "ring": ring})
	require.NoError(t, err)
	require.JSONEq(t, `{"key":"signet.Key(`+keyA.id()+`)","ring":"signet.Keyring(`+keyA.id()+` `+keyC.id()+`)"}`, string(text))
	require.Equal(t, "signet.Key()", fmt.Sprint(signet.Key{}))
	require.Equal(t, "signet.Keyring()", fmt.Sprint((*signet.Keyring)(nil)))
	require.Equal(t, "signet.Keyring()", fmt.Sprint(new(signet.Keyring)))
}
