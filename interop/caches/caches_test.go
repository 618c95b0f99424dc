// Package caches_test puts real shared caches in front of a signet application: no visitor ever
// receives another's session.
package caches_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/interop/internal/real"
	"github.com/signet-go/signet/signettest"
)

// application is what stands behind the cache. Each path says what the handler does.
func application(t *testing.T, cfg signet.Config) *httptest.Server {
	cfg.Cookie.DangerouslyAllowHTTP = true // the caches speak plain HTTP to the client here
	cfg.Logger = slog.New(slog.DiscardHandler)
	sessions := signet.Must(signet.New[map[string]string](signettest.Ring(t), cfg))
	var mu sync.Mutex
	served := map[string]int{}
	server := httptest.NewServer(sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		served[r.URL.Path]++
		count := served[r.URL.Path]
		mu.Unlock()
		doing, caching, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch caching {
		case "public":
			w.Header().Set("Cache-Control", "public, max-age=600")
		case "s-maxage":
			w.Header().Set("Cache-Control", "s-maxage=600")
		case "expires":
			w.Header().Set("Expires", "Thu, 31 Dec 2099 23:59:59 GMT")
			w.Header().Set("Last-Modified", "Thu, 01 Jan 2015 00:00:00 GMT")
		}
		name := ""
		if doing != "static" {
			s := sessions.Get(r.Context())
			if as := r.FormValue("as"); as != "" {
				s.Data["name"] = as
			} else if doing == "write" {
				s.Data["visits"] += "x"
			}
			name = s.Data["name"]
		}
		fmt.Fprintf(w, "name=%s served=%d", name, count)
	})))
	t.Cleanup(server.Close)
	return server
}

// caches start each real cache in front of an address, and return its own.
var caches = []struct {
	name  string
	start func(t *testing.T, origin string) (url string)
}{
	{"nginx proxy_cache", func(t *testing.T, origin string) string {
		address := real.FreeAddress(t)
		real.Nginx(t, address, fmt.Sprintf(`
			proxy_cache_path cache keys_zone=c:1m;
			server {
				listen %s;
				location / { proxy_pass http://%s; proxy_cache c; add_header X-Cache $upstream_cache_status; }
			}`, address, origin))
		return "http://" + address
	}},
	{"Apache mod_cache", func(t *testing.T, origin string) string {
		binary := real.Binary(t, "apache2", "httpd")
		modules := moduleDir(t)
		dir, address := real.Dir(t), real.FreeAddress(t)
		var conf strings.Builder
		for _, m := range []string{"mpm_event", "authz_core", "proxy", "proxy_http", "cache", "cache_disk"} {
			fmt.Fprintf(&conf, "LoadModule %s_module %s/mod_%s.so\n", m, modules, m)
		}
		fmt.Fprintf(&conf, `
			ServerName localhost
			ServerRoot %[1]s
			PidFile %[1]s/pid
			Mutex file:%[1]s default
			ErrorLog /dev/stderr
			Listen %[2]s
			CacheRoot %[1]s/cache
			CacheEnable disk /
			CacheHeader on
			CacheLock off
			ProxyPass / http://%[3]s/
		`, dir, address, origin)
		require.NoError(t, os.Mkdir(filepath.Join(dir, "cache"), 0o777))
		require.NoError(t, os.Chmod(dir, 0o755))
		require.NoError(t, os.Chmod(filepath.Join(dir, "cache"), 0o777)) // the server drops its rights
		file := filepath.Join(dir, "httpd.conf")
		require.NoError(t, os.WriteFile(file, []byte(conf.String()), 0o600))
		real.Start(t, exec.Command(binary, "-X", "-d", dir, "-f", file)).Dial(t, "tcp", address)
		return "http://" + address
	}},
}

func moduleDir(t *testing.T) string {
	for _, dir := range []string{"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/libexec/apache2"} {
		if _, err := os.Stat(filepath.Join(dir, "mod_cache.so")); err == nil {
			return dir
		}
	}
	real.Missing(t, "Apache's mod_cache")
	return ""
}

type visitor struct {
	t      *testing.T
	client *http.Client
}

func newVisitor(t *testing.T) visitor {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return visitor{t, &http.Client{Jar: jar}}
}

func (v visitor) get(url string) (body string, res *http.Response) {
	res, err := v.client.Get(url)
	require.NoError(v.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(v.t, err)
	require.Equal(v.t, 200, res.StatusCode, "%s", text)
	return string(text), res
}

func TestNoVisitorReceivesAnothersSession(t *testing.T) {
	for _, cache := range caches {
		t.Run(cache.name, func(t *testing.T) {
			url := cache.start(t, strings.TrimPrefix(application(t, signet.Config{}).URL, "http://"))

			// The cache does store, or all that follows would show nothing.
			first, second := newVisitor(t), newVisitor(t)
			a, _ := first.get(url + "/static/public")
			b, _ := second.get(url + "/static/public")
			require.Equal(t, "name= served=1", a)
			require.Equal(t, a, b, "served from the cache")

			for _, doing := range []string{"write", "read"} {
				for _, caching := range []string{"none", "public", "s-maxage", "expires"} {
					if doing == "read" && (caching == "public" || caching == "s-maxage") {
						continue // the handler says that everybody may see it: its own word is kept
					}
					page := url + "/" + doing + "/" + caching
					ada, grace, fresh := newVisitor(t), newVisitor(t), newVisitor(t)
					ada.get(page + "?as=ada")
					grace.get(page + "?as=grace")
					for range 2 {
						body, _ := ada.get(page)
						require.Contains(t, body, "name=ada ", page)
						body, _ = grace.get(page)
						require.Contains(t, body, "name=grace ", page)
					}
					body, _ := fresh.get(page)
					require.Contains(t, body, "name= ", "%s: a visitor who never logged in", page)
					body, _ = fresh.get(page)
					require.Contains(t, body, "name= ", page)
				}
			}
		})
	}
}

// The other way round: without the rule Apache gives the second visitor the first one's session,
// so the test above is able to fail.
func TestWithoutTheRuleApacheGivesASessionAway(t *testing.T) {
	for _, cache := range caches {
		if !strings.HasPrefix(cache.name, "Apache") {
			continue
		}
		url := cache.start(t, strings.TrimPrefix(application(t, signet.Config{DangerouslyAllowSharedCaching: true}).URL, "http://"))
		ada, fresh := newVisitor(t), newVisitor(t)
		_, res := ada.get(url + "/write/public?as=ada")
		require.NotEmpty(t, res.Cookies())
		_, stolen := fresh.get(url + "/write/public?as=ada")
		require.NotEmpty(t, stolen.Cookies())
		require.Equal(t, res.Cookies()[0].Value, stolen.Cookies()[0].Value, "the very same sealed session")
	}
}
