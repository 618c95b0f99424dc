// Package django_test moves visitors away from a real Django.
package django_test

import (
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/django"
	"github.com/signet-go/signet/interop/internal/real"
	"github.com/signet-go/signet/interop/moving/internal/migrate"
	"github.com/stretchr/testify/require"
)

const python = "/usr/bin/python3" // Debian's, for which its Django is installed

func TestMovingFromDjango(t *testing.T) {
	out, err := exec.Command(python, "-c", "import django; print(django.VERSION[0], django.VERSION[1])").Output()
	if err != nil {
		real.Missing(t, "a python3 with Django")
	}
	version := strings.TrimSpace(string(out))
	migrate.Run(t, migrate.Stack{
		Name: "django",
		Start: func(t testing.TB, address string, secrets []string) *real.Process {
			_, port, err := net.SplitHostPort(address)
			require.NoError(t, err)
			return real.Start(t, exec.Command(python, append([]string{"app.py", port}, secrets...)...))
		},
		Secrets:   [2]string{"test-only-django-secret-first", "test-only-django-secret-second"},
		Fallbacks: version != "3 2" && version != "4 0", // SECRET_KEY_FALLBACKS came with 4.1
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			return django.New(django.Config{SecretKey: secrets[0], SecretKeyFallbacks: secrets[1:]})
		},
		Large:   2900,
		Vectors: migrate.Vectors("../../../compat/django/testdata/django.json", vector),
	})
}

// vector is the configuration that a vector was made with. Django takes stamps of the future, hence the skew.
func vector(t *testing.T, v migrate.Vector) signet.ForeignFormat {
	var secrets []any
	require.NoError(t, json.Unmarshal(v.Secrets, &secrets))
	var options struct {
		Kind, Algorithm string
		MaxAge          int `json:"max_age"`
	}
	require.NoError(t, json.Unmarshal(v.Options, &options))
	secret, ok := secrets[0].(string)
	if !ok {
		raw, err := hex.DecodeString(secrets[0].(map[string]any)["hex"].(string))
		require.NoError(t, err)
		secret = string(raw)
	}
	c, err := django.New(django.Config{SecretKey: secret, SessionCookieName: v.CookieName, AllowSHA1: options.Algorithm == "sha1",
		SessionCookieAge: time.Duration(options.MaxAge) * time.Second, ClockSkew: 48 * time.Hour})
	require.NoError(t, err)
	if options.Kind == "signed-cookie" {
		return signedCookie{c, v.CookieName}
	}
	return c
}

// signedCookie reads a cookie of set_signed_cookie as if it were a session.
type signedCookie struct {
	*django.Cookies
	name string
}

func (s signedCookie) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	value, err := s.Signed(cookies, s.name, "", time.Hour, now)
	text, _ := json.Marshal(value)
	return &signet.Foreign{Claims: text}, err
}
