// Package flask_test moves visitors away from a real Flask.
package flask_test

import (
	"encoding/hex"
	"encoding/json"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/flask"
	"github.com/signet-go/signet/interop/internal/real"
	"github.com/signet-go/signet/interop/moving/internal/migrate"
	"github.com/stretchr/testify/require"
)

// pythons are those with a Flask, by its version: Debian's, and another that may be in front of it.
func pythons(t *testing.T) map[string]string {
	found := map[string]string{}
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.Command(python, "-c", "from importlib.metadata import version; print(version('flask'))").Output()
		if v := strings.TrimSpace(string(out)); err == nil && found[v] == "" {
			found[v] = python
		}
	}
	if len(found) == 0 {
		real.Missing(t, "a python3 with Flask")
	}
	return found
}

// hasFallbacks reports whether a Flask knows SECRET_KEY_FALLBACKS, which came with 3.1.
func hasFallbacks(version string) bool {
	return slices.Compare(strings.Split(version, "."), []string{"3", "1"}) >= 0
}

func start(python, script string) func(testing.TB, string, []string) *real.Process {
	return func(t testing.TB, address string, secrets []string) *real.Process {
		_, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		return real.Start(t, exec.Command(python, append([]string{script, port}, secrets...)...))
	}
}

func format(secrets []string) (signet.ForeignFormat, error) {
	return flask.New(flask.Config{SecretKey: secrets[0], SecretKeyFallbacks: secrets[1:]})
}

func TestMovingFromFlask(t *testing.T) {
	for version, python := range pythons(t) {
		t.Run(version, func(t *testing.T) {
			migrate.Run(t, migrate.Stack{
				Name:      "flask",
				Start:     start(python, "app.py"),
				Secrets:   [2]string{"test-only-flask-secret-first", "test-only-flask-secret-second"},
				Fallbacks: hasFallbacks(version),
				Format:    format,
				Plain:     flask.Untag,
				Large:     2900,
				Vectors:   migrate.Vectors("../../../compat/flask/testdata/flask.json", vector),
			})
		})
	}
}

// vector is the configuration that a vector was made with.
func vector(t *testing.T, v migrate.Vector) signet.ForeignFormat {
	var secrets []any
	require.NoError(t, json.Unmarshal(v.Secrets, &secrets))
	var options struct {
		MaxAge int `json:"max_age"`
	}
	require.NoError(t, json.Unmarshal(v.Options, &options))
	secret, ok := secrets[0].(string)
	if !ok {
		raw, err := hex.DecodeString(secrets[0].(map[string]any)["hex"].(string))
		require.NoError(t, err)
		secret = string(raw)
	}
	f, err := flask.New(flask.Config{SecretKey: secret, SessionCookieName: v.CookieName,
		PermanentSessionLifetime: time.Duration(options.MaxAge) * time.Second})
	require.NoError(t, err)
	return f
}
