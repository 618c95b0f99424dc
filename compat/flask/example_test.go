package flask_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/flask"
)

// A page of a site whose other pages stay in Flask: both work on one session.
func ExampleCookies_Update() {
	old := signet.Must(flask.New(flask.Config{SecretKey: "test-only-take-that-of-your-app"}))
	http.HandleFunc("POST /seen", func(w http.ResponseWriter, r *http.Request) {
		var claims map[string]json.RawMessage
		f, err := old.Open(r.Cookies(), time.Now())
		if err != nil || json.Unmarshal(f.Claims, &claims) != nil {
			claims = map[string]json.RawMessage{} // a new visitor
		}
		claims["seen"] = json.RawMessage("true")
		text, err := json.Marshal(claims)
		if err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		set, err := old.Update(r.Cookies(), text, time.Now())
		if err != nil {
			http.Error(w, "too much in the session", http.StatusInternalServerError)
			return
		}
		for _, c := range set {
			http.SetCookie(w, c)
		}
	})
}

// counter tells when the last old cookie is gone.
type counter struct{ migrated atomic.Int64 }

func (c *counter) Observe(_ context.Context, e signet.Event) {
	if e.Kind == "migrated" {
		c.migrated.Add(1)
	}
}

var _ signet.Observer = (*counter)(nil)
