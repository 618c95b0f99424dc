package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

var binary string // the real command, built once for all tests

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "signet")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "signet")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// result is what a run of the command left.
type result struct {
	status      int
	out, errors string
}

// signetIn runs the command in dir.
func signetIn(t *testing.T, dir, stdin string, args ...string) result {
	t.Helper()
	cmd := exec.Command(binary, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		require.IsType(t, new(exec.ExitError), err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

func TestEveryCommandLineThatIsNotUnderstoodExits2WithOneLine(t *testing.T) {
	for _, row := range []struct{ name, line, want string }{
		{"no command", "", "signet: no command; run: signet help\n"},
		{"an unknown command", "frobnicate", "signet: unknown command; run: signet help\n"},
		{"half a command", "keys", `signet: unknown command of keys, which has .*new.*; run: signet help\n`},
		{"the wrong half", "keys frobnicate", `signet: unknown command of keys, which has .*new.*; run: signet help\n`},
		{"an unknown flag", "keys new -frob", "signet: keys new: there is no flag -frob; run: signet keys new -h\n"},
		{"a long unknown flag, which may be a key", "keys new -signetkey1_AAAAAAAAAAAA", "signet: keys new: a flag is not understood; run: signet keys new -h\n"},
		{"a value that is none", "keys new -env=maybe", "signet: keys new: flag -env does not take that value; run: signet keys new -h\n"},
		{"an argument too many", "keys new signetkey1_AAAA", "signet: keys new: argument 1 is one too many; run: signet keys new -h\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := signetIn(t, t.TempDir(), "", strings.Fields(row.line)...)
			require.Equal(t, 2, got.status)
			require.Empty(t, got.out)
			require.Regexp(t, regexp.MustCompile("^"+row.want+"$"), got.errors)
		})
	}
}

func TestHelpGoesToStdoutAndListsEveryCommand(t *testing.T) {
	for _, word := range []string{"help", "-h", "--help"} {
		got := signetIn(t, t.TempDir(), "", word)
		require.Equal(t, 0, got.status)
		require.Empty(t, got.errors)
		require.Contains(t, got.out, "signet keys new [-env]")
	}
	got := signetIn(t, t.TempDir(), "", "keys", "new", "-h")
	require.Equal(t, 0, got.status)
	require.Empty(t, got.errors)
	require.Contains(t, got.out, "Usage: signet keys new [-env] [-alg ALG] [policy]\n  -alg ALG\n")
}

func TestKeysNewPrintsARingOfOneKeyThatSealsAtOnce(t *testing.T) {
	for _, args := range [][]string{{"keys", "new"}, {"keys", "new", "-env"}} {
		first, second := signetIn(t, t.TempDir(), "", args...), signetIn(t, t.TempDir(), "", args...)
		require.Equal(t, 0, first.status)
		require.Empty(t, first.errors)
		require.NotEqual(t, first.out, second.out)
		ring, err := signet.ParseKeyring([]byte(first.out))
		require.NoError(t, err)
		require.Len(t, ring.Keys(), 1)
		require.True(t, ring.Keys()[0].Sealing)
		require.True(t, ring.Keys()[0].NotBefore.IsZero())
	}
	env := signetIn(t, t.TempDir(), "", "keys", "new", "-env").out
	require.Regexp(t, `^signetkey1_[A-Za-z0-9_-]{54}\n$`, env)
}

func TestKeysNewSaysWhenOthersCanReadTheFile(t *testing.T) {
	for mode, want := range map[os.FileMode]string{
		0o600: "",
		0o644: "signet: warning: others can read the file that the keys go to; run: chmod 600 FILE\n",
	} {
		file, err := os.OpenFile(filepath.Join(t.TempDir(), "keys.json"), os.O_CREATE|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		require.NoError(t, file.Chmod(mode))
		var errs bytes.Buffer
		cmd := exec.Command(binary, "keys", "new")
		cmd.Stdout, cmd.Stderr = file, &errs
		require.NoError(t, cmd.Run())
		require.NoError(t, file.Close())
		require.Equal(t, want, errs.String())
	}
}

// A pipe or disk that takes nothing is an error, and no key is lost unseen.
func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil && os.Getenv("SIGNET_REQUIRE_ALL") != "1" {
		t.Skip("needs /dev/full")
	}
	require.NoError(t, err)
	defer full.Close()
	m := newMaterial(t)
	_, field := m.save(t, signet.Config{}, map[string]any{"user": "ada"})
	for _, args := range [][]string{{"keys", "new"}, {"keys", "new", "-env"}, {"inspect"}, {"help"}} {
		var errs bytes.Buffer
		cmd := exec.Command(binary, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(field), full, &errs
		require.Error(t, cmd.Run(), args)
		require.Equal(t, 1, cmd.ProcessState.ExitCode())
		require.Contains(t, errs.String(), "signet: write /dev/stdout: no space left on device")
	}
}
