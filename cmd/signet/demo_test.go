package main_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// running is a demo that was started.
type running struct {
	cmd     *exec.Cmd
	address string
	stdout  *bufio.Reader
	stderr  *bytes.Buffer
}

// startDemo runs the real command on a free port until the test ends.
func startDemo(t *testing.T, args ...string) *running {
	t.Helper()
	d := &running{cmd: exec.Command(binary, append([]string{"demo", "-addr", "127.0.0.1:0"}, args...)...), stderr: new(bytes.Buffer)}
	d.cmd.Stderr = d.stderr
	pipe, err := d.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, d.cmd.Start())
	t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	d.stdout = bufio.NewReader(pipe)
	line, err := d.stdout.ReadString('\n')
	require.NoError(t, err)
	found := regexp.MustCompile(`^the demo runs at (https?://localhost:\d+/) \(stop it with Ctrl-C\)\n$`).FindStringSubmatch(line)
	require.NotNil(t, found, line)
	d.address = found[1]
	return d
}

// stop sends a signal and returns the exit status, and what else came on stdout.
func (d *running) stop(t *testing.T, signal os.Signal) (status int, rest string) {
	t.Helper()
	assert.NoError(t, d.cmd.Process.Signal(signal))
	out, err := io.ReadAll(d.stdout)
	assert.NoError(t, err)
	_ = d.cmd.Wait()
	return d.cmd.ProcessState.ExitCode(), string(out)
}

// client keeps cookies and believes the certificate that was made for the run.
func client(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport}
}

func body(t *testing.T, res *http.Response, err error) string {
	t.Helper()
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(text)
}

func TestTheDemoStopsCleanlyOnSIGINTAndSIGTERM(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			d := startDemo(t)
			c := client(t)
			res, err := c.Get(d.address) // leaves an idle connection behind
			require.Contains(t, body(t, res, err), "The Letter Shop")
			status, rest := d.stop(t, signal)
			require.Equal(t, 0, status)
			require.Empty(t, rest)
			require.Equal(t, "signet: no -keys, so a ring was made for this run; its sessions end with it\nsignet: stopping\n", d.stderr.String())
		})
	}
}

// A request whose form is still on its way when the signal comes is answered.
func TestARequestThatRunsAtSIGTERMIsAnswered(t *testing.T) {
	d := startDemo(t)
	u, err := url.Parse(d.address)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", "127.0.0.1:"+u.Port())
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)
	// net/http says this once the handler asks for the form, so from here on the request runs.
	answers := bufio.NewReader(conn)
	answer, err := http.ReadResponse(answers, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusContinue, answer.StatusCode)
	_, err = io.WriteString(conn, "name")
	require.NoError(t, err)

	var stopped sync.WaitGroup
	stopped.Go(func() {
		status, _ := d.stop(t, syscall.SIGTERM)
		assert.Equal(t, 0, status)
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+u.Port())
		if err == nil {
			c.Close()
		}
		return err != nil
	}, 5*time.Second, 5*time.Millisecond, "it still takes connections")
	_, err = io.WriteString(conn, "=Ada")
	require.NoError(t, err)
	answer, err = http.ReadResponse(answers, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.Contains(t, fmt.Sprint(answer.Header["Set-Cookie"]), "__Host-Http-demo=")
	stopped.Wait()
}

func TestTheDemoServesHTTPSWithACertificateOfItsOwn(t *testing.T) {
	d := startDemo(t, "-tls")
	require.True(t, strings.HasPrefix(d.address, "https://"))
	c := client(t)
	res, err := c.PostForm(d.address+"login", url.Values{"name": {"Ada"}, "remember": {"1"}})
	require.Equal(t, 2, res.ProtoMajor)
	require.NoError(t, res.TLS.PeerCertificates[0].VerifyHostname("localhost"))
	require.NoError(t, res.TLS.PeerCertificates[0].VerifyHostname("127.0.0.1"))
	require.NoError(t, res.TLS.PeerCertificates[0].VerifyHostname("::1"))
	require.Contains(t, body(t, res, err), "Signed in as <strong>Ada</strong>")
	status, _ := d.stop(t, syscall.SIGTERM)
	require.Equal(t, 0, status)
	require.Contains(t, d.stderr.String(), "signet: the certificate was made just now, so the browser will ask once; its SHA-256 begins with ")
}

func TestTheDemoSealsWithTheRingItIsGivenAndNeverWritesToIt(t *testing.T) {
	m := newMaterial(t)
	file := filepath.Join(m.dir, "keys.json")
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	d := startDemo(t, "-keys", file)
	c := client(t)
	res, err := c.Get(d.address)
	require.Contains(t, body(t, res, err), m.ring.Keys()[0].ID)
	res, err = c.Post(d.address+"lab/rotate", "", nil)
	page := body(t, res, err)
	require.Contains(t, page, "The keys are rotated")
	require.Contains(t, page, "read from the file given with -keys; it is never written to")
	require.NotContains(t, page, m.secret)
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, before, after)
	_, _ = d.stop(t, os.Interrupt)
	require.NotContains(t, d.stderr.String(), m.secret)
	require.NotContains(t, d.stderr.String(), "a ring was made")
}

func TestTheDemoSaysInOneLineWhyItDoesNotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text.json"), []byte("hunter2"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty.json"), nil, 0o600))

	for _, row := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"an occupied port", []string{"-addr", taken.Addr().String()}, 1, "cannot listen on " + taken.Addr().String() + ": address already in use; choose another address: signet demo -addr 127.0.0.1:0\n"},
		{"an address of another machine", []string{"-addr", "192.0.2.1:8080"}, 1, "cannot listen on 192.0.2.1:8080: "},
		{"a host that does not exist", []string{"-addr", "nowhere.invalid:8080"}, 1, "cannot listen on nowhere.invalid:8080: "},
		{"a port that does not exist", []string{"-addr", "127.0.0.1:99999"}, 1, "cannot listen on 127.0.0.1:99999: "},
		{"no port", []string{"-addr", "127.0.0.1"}, 2, "demo: -addr is HOST:PORT, as in 127.0.0.1:8080\n"},
		{"an empty port", []string{"-addr", "127.0.0.1:"}, 2, "demo: -addr is HOST:PORT"},
		{"no key file", []string{"-keys", "none.json"}, 1, "cannot read the key file: no such file or directory; make one: signet keys new > keys.json\n"},
		{"a passphrase in the key file", []string{"-keys", "text.json"}, 1, "key 1: not a signet key"},
		{"an empty key file", []string{"-keys", "empty.json"}, 1, "no keys: the text is empty"},
		{"an argument", []string{"now"}, 2, "demo: argument 1 is one too many; run: signet demo -h\n"},
		{"an unknown flag", []string{"-port", "80"}, 2, "demo: there is no flag -port; run: signet demo -h\n"},
		{"a flag without its value", []string{"-addr"}, 2, "demo: flag -addr needs a value; run: signet demo -h\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := signetIn(t, dir, "", append([]string{"demo"}, row.args...)...)
			require.Equal(t, row.status, got.status, got.errors)
			require.Empty(t, got.out)
			require.True(t, strings.HasPrefix(got.errors, "signet: "+row.want), got.errors)
			require.Equal(t, 1, strings.Count(got.errors, "\n"), got.errors)
			require.NotContains(t, got.errors, "hunter2")
		})
	}
}
