// Package gorilla_test moves visitors away from gorilla/sessions and from gin-contrib/sessions.
package gorilla_test

import (
	"encoding/gob"
	"encoding/json"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/gorilla"
	old "github.com/signet-go/signet/interop/moving/gorilla"
	"github.com/signet-go/signet/interop/moving/internal/migrate"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { migrate.Main(m, old.Application) }

func TestMovingFromGorilla(t *testing.T) {
	gob.Register(map[string]any{}) // as the old application does
	for name, modules := range map[string][]string{
		"gorilla": {"github.com/gorilla/sessions", "github.com/gorilla/securecookie"},
		"gin":     {"github.com/gin-contrib/sessions"},
	} {
		t.Run(name, func(t *testing.T) {
			migrate.Run(t, migrate.Stack{
				Name:      name,
				Version:   migrate.Modules(t, modules...),
				Start:     migrate.Self(name),
				Secrets:   [2]string{"test-only-first", "test-only-second"},
				Fallbacks: true,
				Format: func(secrets []string) (signet.ForeignFormat, error) {
					return gorilla.New(gorilla.Config{KeyPairs: old.Keys(secrets), Name: "app"})
				},
				Large:   2150,
				Vectors: migrate.Vectors("../../../compat/gorilla/testdata/gorilla.json", vector),
			})
		})
	}
}

// vector is the configuration that a vector was made with. gorilla takes stamps of the future, hence the skew.
func vector(t *testing.T, v migrate.Vector) signet.ForeignFormat {
	var secrets []string
	require.NoError(t, json.Unmarshal(v.Secrets, &secrets))
	var options struct {
		MaxAge     int `json:"max_age"`
		Serializer string
	}
	require.NoError(t, json.Unmarshal(v.Options, &options))
	cfg := gorilla.Config{Name: v.CookieName, JSON: options.Serializer == "json", MaxAge: time.Duration(options.MaxAge) * time.Second, ClockSkew: 48 * time.Hour}
	for _, key := range secrets {
		cfg.KeyPairs = append(cfg.KeyPairs, []byte(key))
	}
	c, err := gorilla.New(cfg)
	require.NoError(t, err)
	return c
}
