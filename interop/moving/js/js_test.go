// Package js_test moves visitors of real JavaScript applications to signet, and shares their cookies with them.
package js_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/auth0"
	"github.com/signet-go/signet/compat/authjs"
	"github.com/signet-go/signet/compat/cookiesession"
	"github.com/signet-go/signet/compat/fastify"
	"github.com/signet-go/signet/compat/h3"
	"github.com/signet-go/signet/compat/ironsession"
	"github.com/signet-go/signet/compat/remix"
	"github.com/signet-go/signet/interop/internal/real"
	"github.com/signet-go/signet/interop/moving/internal/migrate"
	"github.com/stretchr/testify/require"
)

// node starts one of the applications.
func node(app string, args ...string) func(testing.TB, string, []string) *real.Process {
	return func(t testing.TB, address string, secrets []string) *real.Process {
		dir := real.NodeModules(t, ".")
		text, err := json.Marshal(secrets)
		require.NoError(t, err)
		cmd := exec.Command("node", append([]string{"apps/" + app + ".mjs", address}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "SECRETS="+string(text))
		return real.Start(t, cmd)
	}
}

// The last character is the id of an iron-session password.
var secrets = [2]string{"test-only-the-first-of-two-secrets-1", "test-only-the-second-of-two-secrets-2"}

// passwords is a map as iron-session has it.
func passwords(secrets []string) map[int]string {
	all := map[int]string{}
	for _, s := range secrets {
		all[int(s[len(s)-1]-'0')] = s
	}
	return all
}

// options decodes a vector's options into a T, and its secrets, which are a list.
func options[T any](t *testing.T, v migrate.Vector) (o T, secrets []string) {
	require.NoError(t, json.Unmarshal(v.Options, &o))
	require.NoError(t, json.Unmarshal(v.Secrets, &secrets))
	return o, secrets
}

type named struct {
	Name string `json:"cookie_name"`
}

// must is for configurations of vectors.
func must[F signet.ForeignFormat](t *testing.T) func(F, error) signet.ForeignFormat {
	return func(f F, err error) signet.ForeignFormat {
		require.NoError(t, err)
		return f
	}
}

const testdata = "../../../compat/"

func TestIronSession(t *testing.T) {
	migrate.Run(t, migrate.Stack{
		Name: "iron-session", Start: node("iron-session"), Secrets: secrets, Fallbacks: true,
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			return ironsession.New(ironsession.Config{Passwords: passwords(secrets), CookieName: "app_session", Chunk: true})
		},
		Large: 2700, Chunked: 8000,
		Vectors: migrate.Vectors(testdata+"ironsession/testdata/iron-session.json", func(t *testing.T, v migrate.Vector) signet.ForeignFormat {
			var o struct {
				named
				TTL int `json:"ttl"`
			}
			require.NoError(t, json.Unmarshal(v.Options, &o))
			cfg := ironsession.Config{CookieName: o.Name, TTL: time.Duration(o.TTL) * time.Second}
			if o.TTL == 0 {
				cfg.AcceptUntil = time.Unix(int64(v.Now)+1, 0)
			}
			var list []string
			if json.Unmarshal(v.Secrets, &list) == nil {
				cfg.Password = list[0]
			} else {
				require.NoError(t, json.Unmarshal(v.Secrets, &cfg.Passwords))
			}
			return must[*ironsession.Cookies](t)(ironsession.New(cfg))
		}),
	})
}

func TestHapiIron(t *testing.T) {
	migrate.Run(t, migrate.Stack{
		Name: "@hapi/iron", Start: node("hapi-iron"), Secrets: secrets,
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			return ironsession.New(ironsession.Config{Passwords: passwords(secrets), CookieName: "sid", HapiIron: true, SameSite: http.SameSiteStrictMode})
		},
		Large: 2700,
	})
}

func TestH3(t *testing.T) {
	migrate.Run(t, migrate.Stack{
		Name: "h3 (Nuxt, Nitro)", Start: node("h3"), Secrets: secrets,
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			return h3.New(h3.Config{Passwords: secrets, Name: "nuxt-session", MaxAge: time.Hour})
		},
		Large: 2600,
		Vectors: migrate.Vectors(testdata+"h3/testdata/h3.json", func(t *testing.T, v migrate.Vector) signet.ForeignFormat {
			o, secrets := options[struct {
				named
				MaxAge int `json:"max_age"`
			}](t, v)
			return must[*h3.Cookies](t)(h3.New(h3.Config{
				Passwords: secrets, Name: o.Name, MaxAge: time.Duration(o.MaxAge) * time.Second, AcceptUntil: time.Unix(int64(v.Now)+1, 0),
			}))
		}),
	})
}

// authJS is the configuration of a vector.
func authJS(v4 bool) func(*testing.T, migrate.Vector) signet.ForeignFormat {
	return func(t *testing.T, v migrate.Vector) signet.ForeignFormat {
		o, secrets := options[named](t, v)
		return must[*authjs.Cookies](t)(authjs.New(authjs.Config{
			Secrets: secrets, CookieName: o.Name, V4: v4, DangerouslyAllowHTTP: !strings.HasPrefix(o.Name, "__Secure-"),
		}))
	}
}

func TestAuthJS(t *testing.T) {
	migrate.Run(t, migrate.Stack{
		Name: "Auth.js 5", Start: node("auth-core"), Secrets: secrets, Fallbacks: true,
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			return authjs.New(authjs.Config{Secrets: secrets})
		},
		Large: 2500, Chunked: 7500,
		Vectors: migrate.Vectors(testdata+"authjs/testdata/auth-core.json", authJS(false)),
	})
}

func TestNextAuth4(t *testing.T) {
	migrate.Run(t, migrate.Stack{
		Name: "next-auth 4", Start: node("next-auth"), Secrets: secrets,
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			return authjs.New(authjs.Config{Secrets: secrets, V4: true})
		},
		Large: 2500, Chunked: 7500,
		Vectors: migrate.Vectors(testdata+"authjs/testdata/next-auth.json", authJS(true)),
	})
}

// The upgrade that logs everyone out, with a Go service that reads both versions and writes 5.
func TestAuthJSUpgrade(t *testing.T) {
	migrate.Run(t, migrate.Stack{
		Name: "next-auth 4 → Auth.js 5", Start: node("authjs-upgrade"), Secrets: secrets,
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			return authjs.New(authjs.Config{Secrets: secrets, AcceptV4: true})
		},
		Large: 2500, Chunked: 7500,
	})
}

func TestExpressOpenIDConnect(t *testing.T) {
	migrate.Run(t, migrate.Stack{
		Name: "express-openid-connect", Start: node("express-openid-connect"), Secrets: secrets, Fallbacks: true,
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			return auth0.New(auth0.Config{Secrets: secrets})
		},
		Large: 2700, Chunked: 8000,
		Vectors: migrate.Vectors(testdata+"auth0/testdata/express-openid-connect.json", func(t *testing.T, v migrate.Vector) signet.ForeignFormat {
			o, secrets := options[struct {
				named
				Rolling  bool `json:"rolling"`
				Duration any  `json:"rollingDuration"`
				Absolute int  `json:"absoluteDuration"`
			}](t, v)
			cfg := auth0.Config{Secrets: secrets, Name: o.Name, NotRolling: !o.Rolling, AbsoluteDuration: time.Duration(o.Absolute) * time.Second}
			if seconds, ok := o.Duration.(float64); ok {
				cfg.RollingDuration = time.Duration(seconds) * time.Second
			}
			return must[*auth0.Cookies](t)(auth0.New(cfg))
		}),
	})
}

// userClaims are the sessions of nextjs-auth0 whose members are the user's claims.
type userClaims struct{ *auth0.NextJSCookies }

func (u userClaims) Open(cookies []*http.Cookie, now time.Time) (*signet.Foreign, error) {
	f, err := u.NextJSCookies.Open(cookies, now)
	if err == nil {
		var session struct{ User json.RawMessage }
		err = json.Unmarshal(f.Claims, &session)
		f.Claims = session.User
	}
	return f, err
}

func (u userClaims) Update(cookies []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	return u.NextJSCookies.Update(cookies, json.RawMessage(`{"user":`+string(claims)+`}`), now)
}

func TestNextJSAuth0(t *testing.T) {
	migrate.Run(t, migrate.Stack{
		Name: "nextjs-auth0", Start: node("nextjs-auth0"), Secrets: secrets,
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			c, err := auth0.NewNextJS(auth0.NextJSConfig{Secrets: secrets})
			return userClaims{c}, err
		},
		Large: 2200, Chunked: 7500,
		Vectors: migrate.Vectors(testdata+"auth0/testdata/nextjs-auth0.json", func(t *testing.T, v migrate.Vector) signet.ForeignFormat {
			o, secrets := options[named](t, v)
			return must[*auth0.NextJSCookies](t)(auth0.NewNextJS(auth0.NextJSConfig{Secrets: secrets, CookieName: o.Name}))
		}),
	})
}

var fastifyKeys = [2]string{"dGVzdC1vbmx5LWZhc3RpZnkta2V5LTEuLi4uLi4uLi4=", "dGVzdC1vbmx5LWZhc3RpZnkta2V5LTIuLi4uLi4uLi4="}

func decode(t testing.TB, texts []string) (keys [][]byte) {
	for _, text := range texts {
		key, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		keys = append(keys, key)
	}
	return keys
}

func fastifyFormat(t testing.TB, texts []string) (*fastify.Cookies, error) {
	return fastify.New(fastify.Config{Keys: decode(t, texts), Path: "/"})
}

func TestFastifySecureSession(t *testing.T) {
	derived := map[string]*fastify.Cookies{} // a second and 256 MiB each
	migrate.Run(t, migrate.Stack{
		Name: "@fastify/secure-session", Start: node("fastify"), Fallbacks: true,
		Secrets: fastifyKeys,
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			return fastifyFormat(t, secrets)
		},
		Large: 2600,
		Vectors: migrate.Vectors(testdata+"fastify/testdata/fastify-secure-session.json", func(t *testing.T, v migrate.Vector) signet.ForeignFormat {
			o, secrets := options[struct {
				named
				Are    string `json:"secrets_are"`
				Salt   []byte `json:"salt_base64"`
				Expiry int    `json:"expiry"`
			}](t, v)
			cfg := fastify.Config{CookieName: o.Name, Expiry: time.Duration(o.Expiry) * time.Second}
			if o.Are != "passphrase" {
				cfg.Keys = decode(t, secrets)
				return must[*fastify.Cookies](t)(fastify.New(cfg))
			}
			once := string(v.Secrets) + string(v.Options)
			if derived[once] == nil {
				var err error
				cfg.Secret, cfg.Salt = secrets[0], o.Salt
				derived[once], err = fastify.New(cfg)
				require.NoError(t, err)
			}
			return derived[once]
		}),
	})
}

func TestCookieSession(t *testing.T) {
	migrate.Run(t, migrate.Stack{
		Name: "cookie-session", Start: node("cookie-session"), Secrets: secrets, Fallbacks: true,
		Format: func(secrets []string) (signet.ForeignFormat, error) {
			return cookiesession.New(cookiesession.Config{Keys: secrets, AcceptUntil: time.Now().Add(time.Hour)})
		},
		Large: 2700,
		Vectors: migrate.Vectors(testdata+"cookiesession/testdata/cookie-session.json", func(t *testing.T, v migrate.Vector) signet.ForeignFormat {
			o, secrets := options[named](t, v)
			return must[*cookiesession.Cookies](t)(cookiesession.New(cookiesession.Config{Keys: secrets, Name: o.Name, AcceptUntil: time.Unix(int64(v.Now)+1, 0)}))
		}),
	})
}

func TestRemix(t *testing.T) {
	for name, app := range map[string]string{"Remix 2": "@remix-run/node", "React Router 7": "react-router"} {
		t.Run(name, func(t *testing.T) {
			migrate.Run(t, migrate.Stack{
				Name: name, Start: node("remix", app), Secrets: secrets, Fallbacks: true,
				Format: func(secrets []string) (signet.ForeignFormat, error) {
					return remix.New(remix.Config{Secrets: secrets, AcceptUntil: time.Now().Add(time.Hour)})
				},
				Large: 2600,
				Vectors: migrate.Vectors(testdata+"remix/testdata/remix.json", func(t *testing.T, v migrate.Vector) signet.ForeignFormat {
					o, secrets := options[named](t, v)
					return must[*remix.Cookies](t)(remix.New(remix.Config{Secrets: secrets, Name: o.Name, AcceptUntil: time.Unix(int64(v.Now)+1, 0)}))
				}),
			})
		})
	}
}
