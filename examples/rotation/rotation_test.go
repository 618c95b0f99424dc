package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/signet-go/signet"
)

var tools string // a folder with the real command and the stand-ins, first in PATH

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "signet-rotation")
	if err != nil {
		panic(err)
	}
	tools = dir
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "signet"), "github.com/signet-go/signet/cmd/signet").CombinedOutput(); err != nil {
		panic(string(out))
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

func standIn(t *testing.T, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(tools, name), []byte("#!/bin/sh\nset -eu\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func sh(t *testing.T, dir, script string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-euc", script, "sh"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func must(t *testing.T, out string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

func newKeyFile(t *testing.T, path string) {
	t.Helper()
	text := signet.Must(signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))).SecretJWKS())
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func keysIn(t *testing.T, path string) int {
	t.Helper()
	return len(signet.Must(signet.FromFile(path)(t.Context())).Keys())
}

func TestTheCronLineAndTheServiceRotate(t *testing.T) {
	cron, err := os.ReadFile("rotate.cron")
	if err != nil {
		t.Fatal(err)
	}
	service, err := os.ReadFile("shop-keys.service")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(cron)), "\n")
	fields := strings.Fields(lines[len(lines)-1])
	if len(fields) < 7 || fields[5] != "shop" {
		t.Fatalf("not a line of /etc/cron.d: %q", fields)
	}
	_, exec, _ := strings.Cut(string(service), "ExecStart=/usr/local/bin/")
	exec, _, _ = strings.Cut(exec, "\n")
	for _, command := range []string{strings.Join(fields[6:], " "), exec} {
		path := filepath.Join(t.TempDir(), "keys.json")
		newKeyFile(t, path)
		out, err := sh(t, ".", strings.Replace(command, "/etc/shop/keys.json", path, 1))
		must(t, out, err)
		if keysIn(t, path) != 2 {
			t.Errorf("%s did not rotate", command)
		}
	}
}

func TestTheUnitsAreUnderstoodBySystemd(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("there is no systemd-analyze here; the sections alone are looked at")
		for file, want := range map[string]string{"shop-keys.service": "[Service]", "shop-keys.timer": "[Timer]"} {
			if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s: no %s", file, want)
			}
		}
		return
	}
	for _, value := range []string{"daily"} {
		out, err := exec.Command("systemd-analyze", "calendar", value).CombinedOutput()
		must(t, string(out), err)
	}
}

func TestThePipelineRotatesChecksAndStores(t *testing.T) {
	text, err := os.ReadFile("pipeline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var pipeline struct {
		Jobs map[string]struct {
			Steps []struct{ Name, Run string }
		}
	}
	if err := yaml.Unmarshal(text, &pipeline); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "store")
	newKeyFile(t, store)
	standIn(t, "fetch-keys", "cat "+store)
	standIn(t, "store-keys", "cat > "+store)
	for range 2 { // the second time there is nothing to do
		work := t.TempDir()
		for _, step := range pipeline.Jobs["rotate"].Steps {
			out, err := sh(t, work, step.Run)
			must(t, out, err)
		}
		if keysIn(t, store) != 2 {
			t.Error("the store has not been rotated")
		}
		if left, _ := os.ReadDir(work); len(left) != 0 {
			t.Errorf("keys are left behind: %v", left)
		}
	}
}

// kubectl is a stand-in for what the job uses of it: a Secret with a version, and a patch that is refused if the version is another.
const kubectl = `
case "$1 $*" in
get*resourceVersion*) cat version ;;
get*data*) base64 < secret.json | tr -d '\n' ;;
patch*)
	eval file=\${$#}
	[ "$(sed 's/.*"resourceVersion":"\([^"]*\)".*/\1/' "$file")" = "$(cat version)" ] || { echo "Conflict" >&2; exit 1; }
	sed 's/.*"keys.json":"\([^"]*\)".*/\1/' "$file" | base64 -d > secret.json
	echo "$(($(cat version) + 1))" > version
	;;
esac
`

func TestTheCronJobRotatesTheSecretAndYieldsToAnother(t *testing.T) {
	text, err := os.ReadFile("cronjob.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var job struct {
		Spec struct {
			JobTemplate struct {
				Spec struct {
					Template struct {
						Spec struct {
							Containers []struct{ Command, Args []string }
						}
					}
				}
			} `yaml:"jobTemplate"`
		}
	}
	kinds := map[string]bool{}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var object struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string
			Spec       yaml.Node
		}
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		kinds[object.APIVersion+" "+object.Kind] = true
		if object.Kind == "CronJob" {
			if err := object.Spec.Decode(&job.Spec); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !kinds["batch/v1 CronJob"] || !kinds["rbac.authorization.k8s.io/v1 Role"] || len(kinds) != 4 {
		t.Errorf("got %v", kinds)
	}
	container := job.Spec.JobTemplate.Spec.Template.Spec.Containers[0]
	if strings.Join(container.Command, " ") != "sh -euc" {
		t.Fatalf("got %v", container.Command)
	}
	script := container.Args[0]
	standIn(t, "kubectl", kubectl)

	work := t.TempDir()
	newKeyFile(t, filepath.Join(work, "secret.json"))
	must(t, "", os.WriteFile(filepath.Join(work, "version"), []byte("41\n"), 0o600))
	for range 2 {
		out, err := sh(t, work, script)
		must(t, out, err)
		version, _ := os.ReadFile(filepath.Join(work, "version"))
		if keysIn(t, filepath.Join(work, "secret.json")) != 2 || strings.TrimSpace(string(version)) != "42" {
			t.Errorf("got version %s", version)
		}
	}

	newKeyFile(t, filepath.Join(work, "secret.json"))
	other := strings.Replace(script, "cp keys.json", "echo 77 > version; cp keys.json", 1) // somebody wrote meanwhile
	if out, err := sh(t, work, other); err == nil || !strings.Contains(out, "Conflict") {
		t.Errorf("a patch over another's change was taken: %s", out)
	}
	if keysIn(t, filepath.Join(work, "secret.json")) != 1 {
		t.Error("the other's secret was overwritten")
	}
}

func TestTheEnvironmentVariableTakesTwoDeploys(t *testing.T) {
	script, err := filepath.Abs("rotate-env.sh")
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	file, deployed := filepath.Join(work, "SIGNET_KEYS"), filepath.Join(work, "deployed")
	run := func() (string, error) { return sh(t, work, `"$@"`, script, file, "sh", "-c", "cat >> "+deployed) }

	// The last rotation was two periods ago, and its old key has ended since.
	ago := time.Now().Add(-45 * 24 * time.Hour)
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	ring = signet.Must(signet.Policy{}.Hasten(ring, signet.GenerateKey(time.Time{}), ago))
	must(t, "", os.WriteFile(file, []byte(signet.Must(ring.SecretEnv())+"\n"), 0o600))
	out, err := run()
	must(t, out, err)
	if !strings.Contains(out, "dropped key") || !strings.Contains(out, "published key") {
		t.Errorf("the late run drops and publishes:\n%s", out)
	}
	out, err = run()
	must(t, out, err)
	text, _ := os.ReadFile(deployed)
	if n := bytes.Count(text, []byte("\n")); n != 1 {
		t.Errorf("%d deploys, want 1: too early there is nothing to deploy", n)
	}

	// A hand that drops the old key at once is told when it would be safe.
	now := signet.Must(signet.FromFile(file)(t.Context()))
	words := strings.Fields(signet.Must(now.SecretEnv()))
	must(t, "", os.WriteFile(filepath.Join(work, "hand"), []byte(words[len(words)-3]+" generation=9\n"), 0o600))
	out, err = sh(t, work, `signet keys check SIGNET_KEYS hand`)
	if err == nil || !strings.Contains(out, "h11m later, at ") {
		t.Errorf("got %v:\n%s", err, out)
	}
}

func TestTheServerFollowsItsFileAndCountsKeys(t *testing.T) {
	dir := t.TempDir()
	path, seen := filepath.Join(dir, "keys.json"), filepath.Join(dir, "seen.json")
	newKeyFile(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	load := signet.FromFile(path)
	keys := signet.Must(load(ctx))
	go keys.Watch(ctx, 10*time.Millisecond, load)
	use := newKeyUse()
	sessions := signet.Must(signet.New[map[string]string](keys, signet.Config{Observer: use, Cookie: signet.Cookie{Name: "session", DangerouslyAllowHTTP: true}}))
	server := httptest.NewServer(handler(keys, sessions))
	defer server.Close()
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar}
	get := func(path string) string {
		res, err := client.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return string(body)
	}
	if _, err := client.PostForm(server.URL+"/login", url.Values{"username": {"ada"}}); err != nil {
		t.Fatal(err)
	}
	out, err := sh(t, dir, "signet keys rotate keys.json")
	must(t, out, err)
	for start := time.Now(); keys.Generation() != 1; time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatal("the server did not take over the new ring")
		}
	}
	if got := get("/"); got != "Hello, ada!\n" {
		t.Errorf("got %q", got)
	}
	if got := get("/healthz"); !strings.Contains(got, "generation 1") || !strings.Contains(got, "<nil>") {
		t.Errorf("got %q", got)
	}
	must(t, "", use.save(seen))
	out, err = sh(t, dir, "signet keys list keys.json -seen seen.json")
	if out = must(t, out, err); !strings.Contains(out, "1 opened") {
		t.Errorf("got\n%s", out)
	}
}
