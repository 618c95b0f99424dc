package main

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/contrib/lambda/lambdatest"
)

// TestReadme runs the README's commands, for this machine's processor, and the function that they build.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(readme)[1]
	if _, err := exec.LookPath("zip"); err != nil {
		if os.Getenv("SIGNET_REQUIRE_ALL") == "1" {
			t.Fatal("missing, and SIGNET_REQUIRE_ALL=1: zip")
		}
		t.Skip("needs zip; install it with: bash .ci/install")
	}
	t.Cleanup(func() {
		_ = os.Remove("bootstrap")
		_ = os.Remove("function.zip")
	})
	out, err := exec.Command("bash", "-ec", strings.ReplaceAll(string(commands), "GOARCH=arm64", "GOARCH="+runtime.GOARCH)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	env, err := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))).SecretEnv()
	if err != nil {
		t.Fatal(err)
	}
	emu := lambdatest.Start(t, "./bootstrap", "SIGNET_KEYS="+env)
	for _, kind := range lambdatest.Kinds {
		_, header, _ := kind.Response(t, emu.Invoke(t, kind.Event(t, "POST", "/login", "name=Ada", nil)))
		cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
		_, _, body := kind.Response(t, emu.Invoke(t, kind.Event(t, "GET", "/", "", []string{cookie})))
		if body != "Hello, Ada! This is your page 1.\n" {
			t.Errorf("%s: got %q", kind.Name, body)
		}
	}
}
