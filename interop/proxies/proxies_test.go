// Package proxies_test puts real proxies in front of a real application and finds out how large a
// session passes, in both directions, at their default settings and with the limit raised.
package proxies_test

import (
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signet-go/signet/interop/internal/real"
)

// proxy is one program: how it starts in front of origin ("127.0.0.1:port"), and the setting that raises its limit. An empty
// raise means the defaults take the largest budget.
type proxy struct {
	name  string
	raise string // as docs/limits.md has it
	start func(t *testing.T, origin string, raised bool) (base string)
}

var all = []proxy{
	{"nginx", "large_client_header_buffers 4 32k; proxy_buffer_size 32k; proxy_buffers 8 32k;", startNginx},
	{"haproxy", "tune.bufsize 65536", startHAProxy},
	{"Apache httpd", "LimitRequestFieldSize 32768; ProxyPass … responsefieldsize=32768", startHTTPD},
	{"Varnish", "-p http_req_hdr_len=32k -p http_req_size=64k -p http_resp_hdr_len=32k -p http_resp_size=64k -p workspace_client=256k -p workspace_backend=256k", startVarnish},
	{"lighttpd", "server.max-request-field-size = 32768", startLighttpd},
	{"Caddy", "", startCaddy},
	{"Node http", "--max-http-header-size=65536", startNode},
	{"Go ReverseProxy", "", startGo},
}

func write(t *testing.T, path, text string) {
	t.Helper()
	// Some of these programs read it as another user.
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func startNginx(t *testing.T, origin string, raised bool) string {
	address := real.FreeAddress(t)
	more := ""
	if raised {
		more = "large_client_header_buffers 4 32k; proxy_buffer_size 32k; proxy_buffers 8 32k;"
	}
	real.Nginx(t, address, fmt.Sprintf(`server { listen %s; %s location / { proxy_pass http://%s; proxy_set_header Host $http_host; } }`, address, more, origin))
	return "http://" + address
}

func startHAProxy(t *testing.T, origin string, raised bool) string {
	binary, dir, address := real.Binary(t, "haproxy"), real.Dir(t), real.FreeAddress(t)
	tune := ""
	if raised {
		tune = "tune.bufsize 65536"
	}
	write(t, dir+"/h.cfg", fmt.Sprintf(`global
  %s
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend f
  bind %s
  default_backend b
backend b
  server s %s
`, tune, address, origin))
	p := real.Start(t, exec.Command(binary, "-db", "-q", "-f", dir+"/h.cfg"))
	p.Dial(t, "tcp", address)
	return "http://" + address
}

func startHTTPD(t *testing.T, origin string, raised bool) string {
	binary, dir, address := real.Binary(t, "apache2", "httpd"), real.Dir(t), real.FreeAddress(t)
	modules := ""
	for _, m := range []string{"mpm_event", "authz_core", "proxy", "proxy_http"} {
		path := filepath.Join("/usr/lib/apache2/modules", "mod_"+m+".so")
		if _, err := os.Stat(path); err != nil {
			real.Missing(t, "apache2's %s", path)
		}
		modules += fmt.Sprintf("LoadModule %s_module %s\n", m, path)
	}
	limit, more := "", ""
	if raised {
		limit, more = "LimitRequestFieldSize 32768", " responsefieldsize=32768"
	}
	write(t, dir+"/httpd.conf", fmt.Sprintf(`%sListen %s
ServerName localhost
PidFile %s/pid
Mutex file:%s default
ErrorLog /dev/stderr
%s
ProxyPass / http://%s/%s
`, modules, address, dir, dir, limit, origin, more))
	p := real.Start(t, exec.Command(binary, "-X", "-d", dir, "-f", dir+"/httpd.conf"))
	p.Dial(t, "tcp", address)
	return "http://" + address
}

func startVarnish(t *testing.T, origin string, raised bool) string {
	binary, dir, address := real.Binary(t, "varnishd"), real.Dir(t), real.FreeAddress(t)
	real.Binary(t, "gcc", "cc") // varnishd compiles its configuration
	host, port, _ := strings.Cut(origin, ":")
	write(t, dir+"/x.vcl", fmt.Sprintf("vcl 4.1;\nbackend b { .host = %q; .port = %q; }\nsub vcl_recv { return (pass); }\n", host, port))
	args := []string{"-F", "-n", dir + "/v", "-a", address, "-f", dir + "/x.vcl", "-s", "malloc,64m"}
	if raised {
		args = append(args, "-p", "http_req_hdr_len=32k", "-p", "http_req_size=64k", "-p", "http_resp_hdr_len=32k", "-p", "http_resp_size=64k",
			"-p", "workspace_client=256k", "-p", "workspace_backend=256k")
	}
	p := real.Start(t, exec.Command(binary, args...))
	p.Dial(t, "tcp", address)
	return "http://" + address
}

func startLighttpd(t *testing.T, origin string, raised bool) string {
	binary, dir, address := real.Binary(t, "lighttpd"), real.Dir(t), real.FreeAddress(t)
	host, port, _ := strings.Cut(origin, ":")
	_, own, _ := strings.Cut(address, ":")
	more := ""
	if raised {
		more = "server.max-request-field-size = 32768\n"
	}
	write(t, dir+"/l.conf", fmt.Sprintf(`server.modules = ("mod_proxy")
server.document-root = %q
server.bind = "127.0.0.1"
server.port = %s
%sproxy.server = ("" => (("host" => %q, "port" => %s)))
`, dir, own, more, host, port))
	p := real.Start(t, exec.Command(binary, "-D", "-f", dir+"/l.conf"))
	p.Dial(t, "tcp", address)
	return "http://" + address
}

func startCaddy(t *testing.T, origin string, _ bool) string {
	binary, dir, address := real.Binary(t, "caddy"), real.Dir(t), real.FreeAddress(t)
	write(t, dir+"/Caddyfile", fmt.Sprintf("{\n admin off\n auto_https off\n}\nhttp://%s {\n reverse_proxy %s\n}\n", address, origin))
	cmd := exec.Command(binary, "run", "--config", dir+"/Caddyfile", "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "HOME="+dir)
	p := real.Start(t, cmd)
	p.Dial(t, "tcp", address)
	return "http://" + address
}

const nodeProxy = `
import http from 'node:http'
const [host, port] = process.argv[2].split(':'), [, own] = process.argv[3].split(':')
http.createServer((req, res) => {
	const up = http.request({ host, port, method: req.method, path: req.url, headers: req.headers }, (answer) => {
		res.writeHead(answer.statusCode, answer.rawHeaders)
		answer.pipe(res)
	})
	up.on('error', () => res.headersSent ? res.destroy() : res.writeHead(502).end())
	req.pipe(up)
}).listen(own, '127.0.0.1')
`

func startNode(t *testing.T, origin string, raised bool) string {
	binary, dir, address := real.Binary(t, "node"), real.Dir(t), real.FreeAddress(t)
	write(t, dir+"/proxy.mjs", nodeProxy)
	args := []string{dir + "/proxy.mjs", origin, address}
	if raised {
		args = append([]string{"--max-http-header-size=65536"}, args...)
	}
	p := real.Start(t, exec.Command(binary, args...))
	p.Dial(t, "tcp", address)
	return "http://" + address
}

func startGo(t *testing.T, origin string, _ bool) string {
	target, err := url.Parse("http://" + origin)
	if err != nil {
		t.Fatal(err)
	}
	p := httputil.NewSingleHostReverseProxy(target)
	p.ErrorLog = nobody
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return server.URL
}
