// Package rails_test moves visitors away from the real session middleware of Rails.
package rails_test

import (
	"encoding/json"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/rails"
	"github.com/signet-go/signet/interop/internal/real"
	"github.com/signet-go/signet/interop/moving/internal/migrate"
	"github.com/stretchr/testify/require"
)

func TestMovingFromRails(t *testing.T) {
	ruby := real.Binary(t, "ruby")
	if err := exec.Command(ruby, "-e", `require "active_support"; require "action_dispatch"; require "webrick"`).Run(); err != nil {
		real.Missing(t, "ruby with Rails and WEBrick")
	}
	for variant, row := range map[string]struct {
		name   string
		change func(*rails.Config)
		large  int
	}{
		"gcm":  {"rails", func(cfg *rails.Config) {}, 1850},
		"cbc":  {"rails, CBC", func(cfg *rails.Config) { cfg.CBC = true }, 1300},
		"bare": {"rails, no metadata", func(cfg *rails.Config) { cfg.ExpireAfter, cfg.AllowWithoutPurpose = 0, true }, 1850},
	} {
		t.Run(variant, func(t *testing.T) {
			migrate.Run(t, migrate.Stack{
				Name: row.name,
				Start: func(t testing.TB, address string, secrets []string) *real.Process {
					_, port, err := net.SplitHostPort(address)
					require.NoError(t, err)
					return real.Start(t, exec.Command(ruby, append([]string{"app.rb", port, variant}, secrets...)...))
				},
				Secrets:   [2]string{"test-only-rails-secret-key-base-first", "test-only-rails-secret-key-base-second"},
				Fallbacks: true,
				Format: func(secrets []string) (signet.ForeignFormat, error) {
					// Rails 6.1 derives every key with SHA-1; app.rb asks later ones for it.
					cfg := rails.Config{SecretKeyBase: secrets[0], HashDigest: "SHA1", SessionKey: "_app_session",
						ExpireAfter: time.Hour, AcceptUntil: time.Now().Add(time.Hour)}
					for _, older := range secrets[1:] {
						cfg.Rotations = append(cfg.Rotations, rails.Rotation{SecretKeyBase: older, CBC: variant == "cbc"})
					}
					row.change(&cfg)
					return rails.New(cfg)
				},
				Large:   row.large,
				Vectors: migrate.Vectors("../../../compat/rails/testdata/rails.json", vector),
			})
		})
	}
}

// vector is the configuration that a vector was made with.
func vector(t *testing.T, v migrate.Vector) signet.ForeignFormat {
	var secrets []string
	require.NoError(t, json.Unmarshal(v.Secrets, &secrets))
	var options struct {
		Digest   string `json:"pbkdf2_digest"`
		Metadata bool
	}
	require.NoError(t, json.Unmarshal(v.Options, &options))
	cfg := rails.Config{SecretKeyBase: secrets[0], HashDigest: options.Digest, SessionKey: v.CookieName,
		AcceptUntil: time.Unix(int64(v.Now)+1, 0), AllowWithoutPurpose: !options.Metadata}
	for _, older := range secrets[1:] {
		cfg.Rotations = append(cfg.Rotations, rails.Rotation{SecretKeyBase: older})
	}
	c, err := rails.New(cfg)
	require.NoError(t, err)
	return c
}
