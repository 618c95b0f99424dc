package awskeys_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/contrib/awskeys"
)

// extensions are the endpoints as they are documented, for one ring.
func extensions(t *testing.T, text *atomic.Pointer[string]) {
	t.Helper()
	mux := http.NewServeMux()
	guarded := func(pattern string, answer func(r *http.Request) any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Aws-Parameters-Secrets-Token") != "the session's token" {
				http.Error(w, "some endpoints validate the token", http.StatusForbidden)
				return
			}
			if a := answer(r); a != nil {
				_ = json.NewEncoder(w).Encode(a)
				return
			}
			http.Error(w, "ResourceNotFoundException: "+*text.Load(), http.StatusBadRequest)
		})
	}
	guarded("GET /secretsmanager/get", func(r *http.Request) any {
		switch r.URL.Query().Get("secretId") {
		case "shop/keys +&":
			return map[string]any{"ARN": "arn:aws:secretsmanager:…", "Name": "shop/keys", "SecretString": *text.Load(), "VersionStages": []string{"AWSCURRENT"}}
		case "binary":
			return map[string]any{"Name": "binary", "SecretBinary": "c2VjcmV0"}
		case "huge":
			return map[string]any{"SecretString": strings.Repeat("x", 2<<20)}
		}
		return nil
	})
	guarded("GET /systemsmanager/parameters/get", func(r *http.Request) any {
		if r.URL.Query().Get("name") != "/shop/keys" || r.URL.Query().Get("withDecryption") != "true" {
			return nil
		}
		return map[string]any{"Parameter": map[string]any{"Name": "/shop/keys", "Type": "SecureString", "Value": *text.Load(), "Version": 3}, "ResultMetadata": map[string]any{}}
	})
	mux.HandleFunc("GET /applications/shop/environments/prod/configurations/keys", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(*text.Load()))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	t.Setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", u.Port())
	t.Setenv("AWS_APPCONFIG_EXTENSION_HTTP_PORT", u.Port())
	t.Setenv("AWS_SESSION_TOKEN", "the session's token")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
}

func text(t *testing.T, r *signet.Keyring) *string {
	t.Helper()
	b, err := r.SecretJWKS()
	require.NoError(t, err)
	s := string(b)
	return &s
}

func TestLoad(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	var stored atomic.Pointer[string]
	stored.Store(text(t, ring))
	extensions(t, &stored)
	rows := []struct {
		name string
		load awskeys.Load
		want string // of the error; empty is the ring
	}{
		{"a secret, its name escaped", awskeys.SecretsManager("shop/keys +&"), ""},
		{"a parameter", awskeys.Parameter("/shop/keys"), ""},
		{"a configuration profile", awskeys.AppConfig("shop", "prod", "keys"), ""},
		{"a secret that is not there", awskeys.SecretsManager("nowhere"), "check the name"},
		{"a parameter that is not there", awskeys.Parameter("nowhere"), "check the name"},
		{"a profile that is not there", awskeys.AppConfig("shop", "prod", "other"), "check the name"},
		{"a profile of a name with a slash", awskeys.AppConfig("shop", "prod/configurations/keys", "?"), "check the name"},
		{"a binary secret", awskeys.SecretsManager("binary"), "SecretString"},
		{"an answer without end", awskeys.SecretsManager("huge"), "over 1048576 bytes"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := row.load(context.Background())
			if row.want == "" {
				require.NoError(t, err)
				require.Equal(t, ring.Keys()[0].ID, got.Keys()[0].ID)
				return
			}
			require.ErrorContains(t, err, row.want)
			require.NotContains(t, err.Error(), (*stored.Load())[30:60], "the answer of an extension is not shown")
		})
	}
	t.Run("a token that is refused", func(t *testing.T) {
		t.Setenv("AWS_SESSION_TOKEN", "")
		_, err := awskeys.SecretsManager("shop/keys +&")(context.Background())
		require.ErrorContains(t, err, "AWS_SESSION_TOKEN")
	})
	t.Run("no extension", func(t *testing.T) {
		t.Setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "1")
		_, err := awskeys.SecretsManager("shop/keys")(context.Background())
		require.ErrorContains(t, err, "layer of this function")
	})
	t.Run("a damaged ring", func(t *testing.T) {
		half := (*stored.Load())[:80]
		stored.Store(&half)
		_, err := awskeys.Parameter("/shop/keys")(context.Background())
		require.ErrorContains(t, err, `keys from SSM parameter "/shop/keys"`)
		require.NotContains(t, err.Error(), half[40:60])
	})
	t.Run("a context that ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := awskeys.Parameter("/shop/keys")(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// TestWatchFollowsASecret: what is put into the secret reaches a running function.
func TestWatchFollowsASecret(t *testing.T) {
	first := signet.GenerateKey(time.Time{})
	var stored atomic.Pointer[string]
	stored.Store(text(t, signet.Must(signet.NewKeyring(first))))
	extensions(t, &stored)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	load := awskeys.SecretsManager("shop/keys +&")
	keys := signet.Must(load(ctx))
	done := make(chan error, 1)
	go func() { done <- keys.Watch(ctx, 50*time.Millisecond, load) }()
	stored.Store(text(t, signet.Must(signet.NewKeyring(first, signet.GenerateKey(time.Now())))))
	for start := time.Now(); len(keys.Keys()) < 2; time.Sleep(10 * time.Millisecond) {
		require.Less(t, time.Since(start), 20*time.Second)
	}
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}
