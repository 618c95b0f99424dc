package flask_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/flask"
	"github.com/signet-go/signet/interop/internal/real"
	"github.com/stretchr/testify/require"
)

// What JSON has not is tagged by Flask. A Go program that changes something else gives Flask the same Python
// types back, and the messages too.
func TestFlaskGetsItsTypesBack(t *testing.T) {
	for version, python := range pythons(t) {
		t.Run(version, func(t *testing.T) {
			const secret = "test-only-flask-secret-first"
			address := real.FreeAddress(t)
			start(python, "app.py")(t, address, []string{secret}).Dial(t, "tcp", address)
			res, err := http.Post("http://"+address+"/old/types", "application/json", nil)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())

			c, err := flask.New(flask.Config{SecretKey: secret})
			require.NoError(t, err)
			f, err := c.Open(res.Cookies(), time.Now())
			require.NoError(t, err)
			plain, err := flask.Untag(f.Claims)
			require.NoError(t, err)
			require.JSONEq(t, `{"tuple":[1,["two",null]],"bytes":"AP8=","markup":"<b>&</b>","uuid":"00000000-0000-0000-0000-000000000007",
				"datetime":"2026-02-03T04:05:06Z","escaped":{" t":[1]},"own":{" z":1},"_flashes":[["info","saved"]]}`, string(plain))
			require.Equal(t, signet.Flashes{{Category: "info", Text: "saved"}}, flask.Flashes(f.Claims))

			var claims map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(f.Claims, &claims))
			claims["seen"] = json.RawMessage(`"by Go"`)
			text, err := json.Marshal(claims)
			require.NoError(t, err)
			set, err := c.Update(res.Cookies(), text, time.Now())
			require.NoError(t, err)

			r, err := http.NewRequest(http.MethodGet, "http://"+address+"/old/types", nil)
			require.NoError(t, err)
			r.AddCookie(set[0])
			res, err = http.DefaultClient.Do(r)
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.JSONEq(t, `{"wrong":[],"seen":"by Go","flashes":[["info","saved"]]}`, string(body))
		})
	}
}
