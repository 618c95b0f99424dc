// Package golangcollege_test moves visitors away from golangcollege/sessions.
package golangcollege_test

import (
	"encoding/gob"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/golangcollege/sessions"
	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/golangcollege"
	"github.com/signet-go/signet/interop/moving/internal/migrate"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { migrate.Main(m, application) }

// application is the old one.
func application(_ string, secrets []string) http.Handler {
	gob.Register(map[string]any{}) // the nested values that it stores
	gob.Register([]any{})
	first, old := keys(secrets)
	s := sessions.New(first, old...)
	s.Secure = true
	mux := http.NewServeMux()
	mux.HandleFunc("POST /old/set", func(w http.ResponseWriter, r *http.Request) {
		var members map[string]any
		if err := json.NewDecoder(r.Body).Decode(&members); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for name, value := range members {
			s.Put(r, name, value)
		}
	})
	mux.HandleFunc("GET /old/get", func(w http.ResponseWriter, r *http.Request) {
		members := map[string]any{}
		for _, name := range s.Keys(r) {
			members[name] = s.Get(r, name)
		}
		_ = json.NewEncoder(w).Encode(members)
	})
	mux.HandleFunc("POST /old/logout", func(w http.ResponseWriter, r *http.Request) { s.Destroy(r) })
	return s.Enable(mux)
}

func keys(secrets []string) (first []byte, old [][]byte) {
	for _, s := range secrets[1:] {
		old = append(old, []byte(s))
	}
	return []byte(secrets[0]), old
}

func TestMovingFromGolangcollege(t *testing.T) {
	gob.Register(map[string]any{}) // as the old application does
	migrate.Run(t, migrate.Stack{
		Name:      "golangcollege",
		Version:   migrate.Modules(t, "github.com/golangcollege/sessions"),
		Start:     migrate.Self("golangcollege"),
		Secrets:   [2]string{"test-only-golangcollege-first", "test-only-golangcollege-second"},
		Fallbacks: true,
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			first, old := keys(secrets)
			return golangcollege.New(golangcollege.Config{Key: first, OldKeys: old})
		},
		Large: 2800,
		Vectors: migrate.Vectors("../../../compat/golangcollege/testdata/golangcollege.json", func(t *testing.T, v migrate.Vector) signet.ForeignFormat {
			var secrets []string
			require.NoError(t, json.Unmarshal(v.Secrets, &secrets))
			first, old := keys(secrets)
			c, err := golangcollege.New(golangcollege.Config{Key: first, OldKeys: old})
			require.NoError(t, err)
			return c
		}),
	})
}
