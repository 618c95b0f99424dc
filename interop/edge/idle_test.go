package edge_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// TestIdleClock follows sessions under an IdleTimeout of 30 minutes, minute by minute, in Go and at the edge: the same
// verdict, and a line of the idle clock due at the same instants.
func TestIdleClock(t *testing.T) {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	m := signet.Must(signet.New[map[string]string](keys, signet.Config{IdleTimeout: 30 * time.Minute}))
	start := time.Now().Unix()
	at := func(seconds int64) { keys.SetClock(func() time.Time { return time.Unix(start+seconds, 0) }) }
	at(0)
	first, _, s := save(t, m, "", "", 10)
	other, _, _ := save(t, m, "", "", 10)
	data := s.Data
	at(1200)
	r, rec := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("Cookie", first)
	require.NoError(t, m.Save(rec, r, m.Load(r)))
	require.Len(t, rec.Header()["Set-Cookie"], 1, "a visit writes the idle clock and nothing else")
	touched := afterwards(first, rec.Header()["Set-Cookie"])
	rows := []struct{ name, header string }{
		{"never touched again", first},
		{"touched after 20 minutes", touched},
		{"without its touch cookie", without(touched, cookieName+".t")},
		{"with another session's touch cookie", without(first, cookieName+".t") + "; " + only(other, cookieName+".t")},
		{"with a forged touch cookie", without(first, cookieName+".t") + "; " + cookieName + ".t=AQAAAA"},
		{"with both touch cookies", touched + "; " + only(other, cookieName+".t")},
	}
	export := func(kind string) string {
		return string(signet.Must(keys.ExportPurpose(signet.Compact, kind, cookieName, "")))
	}
	b := batch{Keys: export("session"), Touch: export("touch"), Idle: 1800}
	type want struct {
		name    string
		expired bool
		due     bool
	}
	var wants []want
	for _, row := range rows {
		for seconds := int64(0); seconds < 4000; seconds += 60 {
			for _, now := range []int64{seconds - 1, seconds, seconds + 1} {
				at(now)
				r, rec := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
				r.Header.Set("Cookie", row.header)
				got := m.Load(r)
				require.NoError(t, m.Save(rec, r, got))
				wants = append(wants, want{row.name, got.Err() != nil, len(rec.Header()["Set-Cookie"]) > 0})
				b.Cases = append(b.Cases, jsOp{Header: row.header, Now: start + now})
			}
		}
	}
	opened := runtimes[0].run(t, b)
	touches := batch{Keys: b.Keys, Touch: b.Touch, Idle: b.Idle}
	for i, got := range opened {
		require.Equal(t, wants[i].expired, got.Error == "expired", "%s, %d s", wants[i].name, b.Cases[i].Now-start)
		touches.Cases = append(touches.Cases, jsOp{Op: "touch", Now: b.Cases[i].Now, Header: b.Cases[i].Header,
			Session: or(got.Session, &jsSession{ID: s.ID(), Touched: b.Cases[i].Now, Data: encode(t, data)})})
	}
	for i, got := range runtimes[0].run(t, touches) {
		require.Equal(t, wants[i].due && !wants[i].expired, len(got.Lines) == 1, "%s, %d s: %v", wants[i].name, b.Cases[i].Now-start, got)
	}

	at(3000)
	written := runtimes[0].run(t, batch{Keys: b.Keys, Touch: b.Touch, Idle: 1800, Cases: []jsOp{{Op: "seal", Header: touched, Now: start + 3000, Session: opened[0].Session}}})[0]
	require.Len(t, written.Lines, 2, "seal writes the idle clock, too")
	at(3000 + 1900)
	r = httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", afterwards(touched, written.Lines))
	require.NoError(t, m.Load(r).Err(), "and Go reads it")
	r.Header.Set("Cookie", touched)
	require.ErrorIs(t, m.Load(r).Err(), signet.ErrExpired)
}

func or(s, other *jsSession) *jsSession {
	if s != nil {
		return s
	}
	return other
}
