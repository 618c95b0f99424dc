package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// keyFile makes a folder with keys.json in it, of one key.
func keyFile(t *testing.T, flags ...string) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, "keys.json")
	made := signetIn(t, dir, "", append([]string{"keys", "new"}, flags...)...)
	require.Zero(t, made.status, made.errors)
	require.NoError(t, os.WriteFile(path, []byte(made.out), 0o600))
	return dir, path
}

func ringIn(t *testing.T, path string) *signet.Keyring {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	ring, err := signet.ParseKeyring(text)
	require.NoError(t, err)
	return ring
}

func TestRotatePublishesOnceAndKeepsABackup(t *testing.T) {
	dir, path := keyFile(t)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	got := signetIn(t, dir, "", "keys", "rotate", "keys.json")
	require.Zero(t, got.status, got.errors)
	require.Empty(t, got.out, "data goes to the file")
	require.Regexp(t, `published key [0-9a-f]{8}; it seals from .*, in 30 d`, got.errors)
	after := ringIn(t, path)
	require.Len(t, after.Keys(), 2)
	require.EqualValues(t, 1, after.Generation())
	backup, err := os.ReadFile(path + ".bak")
	require.NoError(t, err)
	require.Equal(t, before, backup)

	again := signetIn(t, dir, "", "keys", "rotate", "keys.json")
	require.Zero(t, again.status)
	require.Contains(t, again.errors, "nothing to do; next, key")
	require.EqualValues(t, 1, ringIn(t, path).Generation())
	require.Zero(t, signetIn(t, dir, "", "keys", "check", "keys.json.bak", "keys.json").status)
	require.Equal(t, 2, len(files(t, dir)), "nothing else is left")
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestRotateKeepsWhatTheFileIs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes and links of unix")
	}
	for _, row := range []struct {
		name       string
		mode, want os.FileMode
		says       string
	}{
		{"mode 0600 stays", 0o600, 0o600, ""},
		{"a group may go on reading", 0o640, 0o640, ""},
		{"others may not", 0o644, 0o640, "mode goes from 0644 to 0640"},
		{"nobody may run it", 0o777, 0o640, "mode goes from 0777 to 0640"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir, path := keyFile(t)
			require.NoError(t, os.Chmod(path, row.mode))
			got := signetIn(t, dir, "", "keys", "rotate", "keys.json")
			require.Zero(t, got.status, got.errors)
			require.Contains(t, got.errors, row.says)
			for _, name := range []string{path, path + ".bak"} {
				info, err := os.Stat(name)
				require.NoError(t, err)
				require.Equal(t, row.want, info.Mode().Perm())
			}
		})
	}
	t.Run("a link stays a link", func(t *testing.T) {
		dir, path := keyFile(t)
		link := filepath.Join(t.TempDir(), "current.json")
		require.NoError(t, os.Symlink(path, link))
		require.Zero(t, signetIn(t, dir, "", "keys", "rotate", link).status)
		info, err := os.Lstat(link)
		require.NoError(t, err)
		require.NotZero(t, info.Mode()&os.ModeSymlink)
		require.Len(t, ringIn(t, path).Keys(), 2)
	})
}

// Eight real processes at once: one of them publishes, and there is one future.
func TestEightRotationsAtOnceHaveOneFuture(t *testing.T) {
	for range 5 {
		dir, path := keyFile(t)
		var wg sync.WaitGroup
		results := make([]result, 8)
		for i := range results {
			wg.Go(func() { results[i] = signetIn(t, dir, "", "keys", "rotate", "keys.json") })
		}
		wg.Wait()
		published := 0
		for _, r := range results {
			require.Zero(t, r.status, r.errors)
			published += strings.Count(r.errors, "published key")
		}
		require.Equal(t, 1, published)
		ring := ringIn(t, path)
		require.Len(t, ring.Keys(), 2)
		require.EqualValues(t, 1, ring.Generation())
	}
}

// killable builds the command with the hook of keys_kill.go.
func killable(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signet-kill")
	out, err := exec.Command("go", "build", "-tags", "signetkill", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

func TestKilledAtAnyStepTheFileIsTheOldOrTheNew(t *testing.T) {
	program := killable(t)
	for at := 1; ; at++ {
		dir, path := keyFile(t)
		old, err := os.ReadFile(path)
		require.NoError(t, err)
		cmd := exec.Command(program, "keys", "rotate", path)
		cmd.Env = append(os.Environ(), fmt.Sprint("SIGNET_KILL_AT=", at))
		out, err := cmd.CombinedOutput()
		killed := bytes.Contains(out, []byte("killed at: "))
		is, readErr := os.ReadFile(path)
		require.NoError(t, readErr)
		if !killed {
			require.NoError(t, err, string(out))
			require.Greater(t, at, 10, "there are steps to be killed at")
			return
		}
		require.Error(t, err)
		if !bytes.Equal(is, old) {
			require.Len(t, ringIn(t, path).Keys(), 2, string(out))
		}
		// Whoever comes next is neither stopped by a lock nor by what was left.
		got := signetIn(t, dir, "", "keys", "rotate", "keys.json")
		require.Zero(t, got.status, got.errors)
		require.Len(t, ringIn(t, path).Keys(), 2)
	}
}

func TestOnAFullDiskTheFileStays(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs tmpfs or ulimit -f")
	}
	dir, path := keyFile(t)
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	mount := t.TempDir()
	if os.Getuid() == 0 && exec.Command("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", mount).Run() == nil {
		t.Cleanup(func() { require.NoError(t, exec.Command("umount", mount).Run()) })
		t.Log("a full tmpfs")
		path = filepath.Join(mount, "keys.json")
		require.NoError(t, os.WriteFile(path, old, 0o600)) // the one page that there is
		got := signetIn(t, dir, "", "keys", "rotate", path)
		require.Equal(t, 1, got.status)
		require.Contains(t, got.errors, "no space left on device; the key file is as it was")
	} else {
		t.Log("no file may grow")
		out, err := exec.Command("sh", "-c", `ulimit -f 0; exec "$0" keys rotate "$1"`, binary, path).CombinedOutput()
		require.Error(t, err, string(out))
	}
	is, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, old, is)
	require.Equal(t, []string{"keys.json"}, files(t, filepath.Dir(path)), "no rest is left")
}

func TestRotateRefusesWhatCouldLogSomebodyOut(t *testing.T) {
	dir, path := keyFile(t)
	got := signetIn(t, dir, "", "keys", "rotate", "keys.json", "-life", "1h")
	require.Equal(t, 1, got.status)
	require.Contains(t, got.errors, "policy life goes from 24h to 1h")
	require.Contains(t, got.errors, "nothing was written; -force writes it all the same")
	require.Len(t, ringIn(t, path).Keys(), 1)
	require.Zero(t, signetIn(t, dir, "", "keys", "rotate", "-force", "-life", "1h", "keys.json").status)
	require.Equal(t, time.Hour, ringIn(t, path).Policy().Life)
}

func TestHastenLetsTheNextKeySealAsSoonAsItIsKnown(t *testing.T) {
	dir, path := keyFile(t)
	got := signetIn(t, dir, "", "keys", "rotate", "keys.json", "-hasten")
	require.Zero(t, got.status, got.errors)
	require.Contains(t, got.errors, "in 1 h 5 min")
	require.Len(t, ringIn(t, path).Keys(), 2)
}

func TestRevoke(t *testing.T) {
	dir, path := keyFile(t)
	require.Zero(t, signetIn(t, dir, "", "keys", "rotate", "keys.json").status)
	ring := ringIn(t, path)
	token := signet.Must(ring.Seal("test", nil, time.Hour))
	leaked, waits := ring.Keys()[0].ID, ring.Keys()[1].ID

	refused := signetIn(t, dir, "", "keys", "revoke", "keys.json", leaked)
	require.Equal(t, 1, refused.status)
	require.Contains(t, refused.errors, "key "+waits+" seals from")
	require.Contains(t, refused.errors, "-force")

	forced := signetIn(t, dir, "", "keys", "revoke", "keys.json", leaked, "-force")
	require.Zero(t, forced.status, forced.errors)
	require.Contains(t, forced.errors, "the backup beside the file still holds what was revoked")
	after := ringIn(t, path)
	_, err := after.Open("test", token)
	require.ErrorIs(t, err, signet.ErrRevoked)
	require.Equal(t, waits, after.Keys()[0].ID)
	require.True(t, after.Keys()[0].Sealing)

	unknown := signetIn(t, dir, "", "keys", "revoke", "keys.json", "0badc0de")
	require.Zero(t, unknown.status, unknown.errors)
	require.Contains(t, unknown.errors, "of no key in this ring")

	all := signetIn(t, dir, "", "keys", "revoke", "keys.json", "-all")
	require.Zero(t, all.status, all.errors)
	require.NotContains(t, all.errors, "nothing was written")
	require.Len(t, ringIn(t, path).Keys(), 1)
	require.NotEqual(t, waits, ringIn(t, path).Keys()[0].ID)

	require.Equal(t, 2, signetIn(t, dir, "", "keys", "revoke", "keys.json").status)
	require.Equal(t, 1, signetIn(t, dir, "", "keys", "revoke", "keys.json", "mykey").status)
}

func TestCheckExits1AndNamesKeyBoundAndCure(t *testing.T) {
	dir, path := keyFile(t)
	require.Zero(t, signetIn(t, dir, "", "keys", "check", "keys.json").status)
	other := signetIn(t, dir, "", "keys", "new")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other.json"), []byte(other.out), 0o600))
	old, fresh := ringIn(t, path).Keys()[0].ID, ringIn(t, filepath.Join(dir, "other.json")).Keys()[0].ID

	got := signetIn(t, dir, "", "keys", "check", "keys.json", "other.json")
	require.Equal(t, 1, got.status)
	require.Regexp(t, "key "+fresh+" seals from .*, 1h10m before every instance knows it; let it seal from .* or later", got.out)
	require.Regexp(t, "key "+old+" may still seal and is gone; keep it until 24h6m after", got.out)
	require.Contains(t, got.errors, "2 found")

	short := signetIn(t, dir, "", "keys", "check", "keys.json", "other.json", "-propagation", "5m", "-json")
	require.Equal(t, 1, short.status)
	var list []struct {
		Kind, Key string
		Seconds   int
	}
	require.NoError(t, json.Unmarshal([]byte(short.out), &list))
	require.Equal(t, "early", list[0].Kind)
	require.Equal(t, 3600+600, list[0].Seconds, "the file's own propagation is the wider bound")

	stdin := signetIn(t, dir, other.out, "keys", "check", "keys.json", "-")
	require.Equal(t, 1, stdin.status)
	require.Equal(t, 1, signetIn(t, dir, "nonsense", "keys", "check", "-").status)
}

func TestEveryChangeWorksFromStdinToStdout(t *testing.T) {
	for _, form := range []struct{ name, flag string }{{"a key file", ""}, {"the short form", "-env"}} {
		t.Run(form.name, func(t *testing.T) {
			args := []string{"keys", "new"}
			if form.flag != "" {
				args = append(args, form.flag)
			}
			one := signetIn(t, t.TempDir(), "", args...)
			two := signetIn(t, t.TempDir(), one.out, "keys", "rotate", "-")
			require.Zero(t, two.status, two.errors)
			ring := signet.Must(signet.ParseKeyring([]byte(two.out)))
			require.Len(t, ring.Keys(), 2)
			require.Equal(t, one.out[0], two.out[0], "the form stays")
			same := signetIn(t, t.TempDir(), two.out, "keys", "rotate", "-")
			require.Equal(t, two.out, same.out, "nothing to do: as it came")
			require.Zero(t, signetIn(t, t.TempDir(), two.out, "keys", "list", "-").status)
			require.Zero(t, signetIn(t, t.TempDir(), two.out, "keys", "check", "-").status)
			three := signetIn(t, t.TempDir(), two.out, "keys", "revoke", "-", "0badc0de")
			require.Zero(t, three.status, three.errors)
			require.Contains(t, three.out, "0badc0de")
			exported := signetIn(t, t.TempDir(), two.out, "keys", "export", "-", "--purpose", "__Host-Http-session")
			require.Zero(t, exported.status, exported.errors)
			require.NotContains(t, exported.out, ring.Keys()[0].Algorithm)
		})
	}
}

func TestListDrawsTheRing(t *testing.T) {
	dir, path := keyFile(t)
	require.Zero(t, signetIn(t, dir, "", "keys", "rotate", "keys.json").status)
	keys := ringIn(t, path).Keys()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "seen.json"), fmt.Appendf(nil, `{%q: {"last": 1790000000, "count": 12}, %q: 3}`, keys[0].ID, keys[1].ID), 0o600))
	got := signetIn(t, dir, "", "keys", "list", "keys.json", "-svg", "ring.svg", "-seen", "seen.json")
	require.Zero(t, got.status, got.errors)
	require.Regexp(t, `(?m)^`+keys[0].ID+` +│█+▒* +seals$`, got.out)
	require.Regexp(t, `(?m)^`+keys[1].ID+` +│░+█+ published$`, got.out)
	require.Regexp(t, `next, key `+keys[1].ID+` begins to seal at .*, in (30 d|29 d 23 h)`, got.out)
	require.Contains(t, got.out, "key "+keys[0].ID+": last opened 2026-09-21 14:13 UTC, 12 opened")
	require.Contains(t, got.out, "key "+keys[1].ID+": 3 opened")
	require.NotContains(t, got.out, "\x1b", "plain, since this is no terminal")

	svg, err := os.ReadFile(filepath.Join(dir, "ring.svg"))
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(svg, new(struct{})), "the drawing is XML")
	require.Contains(t, string(svg), keys[1].ID+" published from")

	var list struct {
		Generation int
		Keys       []struct{ ID, State string }
		Next       string
		Findings   []any
	}
	require.NoError(t, json.Unmarshal([]byte(signetIn(t, dir, "", "keys", "list", "-json", "keys.json").out), &list))
	require.Equal(t, "seals", list.Keys[0].State)
	require.Equal(t, "published", list.Keys[1].State)
	require.Empty(t, list.Findings)
	require.Equal(t, 1, list.Generation)
}

func TestListExits1OnFindings(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Now().Add(100 * time.Hour))))
	got := signetIn(t, t.TempDir(), string(signet.Must(ring.SecretJWKS())), "keys", "list", "-")
	require.Equal(t, 1, got.status)
	require.Contains(t, got.out, "! key "+ring.Keys()[0].ID+" is the only one and is to seal from")
}

func TestImport(t *testing.T) {
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(i*i*7 + 31*i + 3)
	}
	good := []struct{ name, text string }{
		{"hex", hex.EncodeToString(raw) + "\n"},
		{"hex in capitals", strings.ToUpper(hex.EncodeToString(raw))},
		{"base64", base64.StdEncoding.EncodeToString(raw)},
		{"base64 without padding", base64.RawStdEncoding.EncodeToString(raw)},
		{"base64url", base64.URLEncoding.EncodeToString(raw)},
		{"base64url without padding", " " + base64.RawURLEncoding.EncodeToString(raw)},
	}
	for _, row := range good {
		t.Run(row.name, func(t *testing.T) {
			got := signetIn(t, t.TempDir(), row.text, "keys", "import", "-life", "12h")
			require.Zero(t, got.status, got.errors)
			require.Contains(t, got.out, base64.RawURLEncoding.EncodeToString(raw))
			require.Equal(t, 12*time.Hour, signet.Must(signet.ParseKeyring([]byte(got.out))).Policy().Life)
		})
	}
	bad := []struct{ name, text, want string }{
		{"nothing", "\n", "nothing on stdin"},
		{"a passphrase", "correct horse battery staple", "can be guessed"},
		{"one word", "hunter2", "can be guessed"},
		{"16 bytes", hex.EncodeToString(raw[:16]), "16 bytes of hex, and a key is 32"},
		{"64 bytes", hex.EncodeToString(append(raw, raw...)), "do not cut it"},
		{"24 bytes in base64", base64.StdEncoding.EncodeToString(raw[:24]), "24 bytes of base64"},
		{"zeroes", strings.Repeat("00", 32), "random"},
		{"a ring", "signetkey1_abc", "a ring already"},
		{"text of 32 letters in base64", base64.StdEncoding.EncodeToString([]byte("abcdefghijklmnopqrstuvwxyzabcdef")), "text, not random"},
	}
	for _, row := range bad {
		t.Run(row.name, func(t *testing.T) {
			got := signetIn(t, t.TempDir(), row.text, "keys", "import")
			require.Equal(t, 1, got.status)
			require.Empty(t, got.out)
			require.Contains(t, got.errors, row.want)
			if secret := strings.TrimSpace(row.text); len(secret) > 10 {
				require.NotContains(t, got.errors, secret[:10])
			}
		})
	}
}

func TestExportGivesOnePurposeAndNoMaster(t *testing.T) {
	dir, path := keyFile(t)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, format := range []string{"compact", "jwe", "jwe-a256kw"} {
		got := signetIn(t, dir, "", "keys", "export", "keys.json", "-purpose", "password-reset", "-kind", "token", "-format", format)
		require.Zero(t, got.status, got.errors)
		var set struct{ Keys []struct{ K string } }
		require.NoError(t, json.Unmarshal([]byte(got.out), &set))
		require.Len(t, set.Keys, 1)
		require.NotContains(t, string(text), set.Keys[0].K)
	}
	require.Equal(t, 2, signetIn(t, dir, "", "keys", "export", "keys.json").status)
	require.Equal(t, 2, signetIn(t, dir, "", "keys", "export", "keys.json", "-purpose", "x", "-format", "jws").status)
	require.Equal(t, 1, signetIn(t, dir, "", "keys", "export", "keys.json", "-purpose", "x", "-kind", "other").status)
}

func TestKeysNewTakesAPolicy(t *testing.T) {
	_, path := keyFile(t, "-life", "720h", "-period", "2160h", "-rate", "400")
	require.Equal(t, signet.Policy{Life: 720 * time.Hour, Period: 2160 * time.Hour, Rate: 400}, ringIn(t, path).Policy())
	require.Equal(t, 1, signetIn(t, t.TempDir(), "", "keys", "new", "-period", "1m").status)
}

func TestTheAlgorithmOfANewKey(t *testing.T) {
	algs := func(path string) (all []string) {
		for _, k := range ringIn(t, path).Keys() {
			all = append(all, k.Algorithm)
		}
		return all
	}
	dir, path := keyFile(t, "-alg", "signet-v1-chacha")
	require.Zero(t, signetIn(t, dir, "", "keys", "rotate", "keys.json").status)
	require.Equal(t, []string{"signet-v1-chacha", "signet-v1-chacha"}, algs(path), "rotation keeps it")

	got := signetIn(t, dir, "", "keys", "rotate", "keys.json", "-alg", "signet-v1")
	require.Zero(t, got.status, got.errors)
	require.Regexp(t, `key [0-9a-f]{8}, which is signet-v1-chacha, is published already and seals first; run this again once it does`, got.errors)
	require.Equal(t, []string{"signet-v1-chacha", "signet-v1-chacha"}, algs(path))

	require.Zero(t, signetIn(t, dir, "", "keys", "revoke", "keys.json", "-force", ringIn(t, path).Keys()[0].ID).status)
	require.NotContains(t, algs(path), "signet-v1")

	dir, path = keyFile(t, "-alg", "signet-v1")
	got = signetIn(t, dir, "", "keys", "rotate", "keys.json", "-alg", "signet-v1-chacha")
	require.Zero(t, got.status, got.errors)
	require.NotContains(t, got.errors, "published already")
	require.Equal(t, []string{"signet-v1", "signet-v1-chacha"}, algs(path), "a ring changes over without losing a session")
	require.Zero(t, signetIn(t, dir, "", "keys", "check", "keys.json.bak", "keys.json").status)

	for _, args := range [][]string{{"new", "-alg", "A256GCM"}, {"rotate", "keys.json", "-alg", "aes"}} {
		got = signetIn(t, dir, "", append([]string{"keys"}, args...)...)
		require.Equal(t, 2, got.status)
		require.Equal(t, "signet: -alg is signet-v1 or signet-v1-chacha\n", got.errors)
	}
}

func TestTheCommandBuildsForOtherSystems(t *testing.T) {
	if os.Getenv("SIGNET_REQUIRE_ALL") != "1" {
		t.Skip("compiles the standard library twice; CI does it")
	}
	for _, system := range []string{"darwin", "windows"} {
		cmd := exec.Command("go", "build", "-o", os.DevNull, ".")
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", system, out)
	}
}
