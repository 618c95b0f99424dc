package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"time"

	"github.com/signet-go/signet"
)

// keysNew prints a ring with one key that seals at once.
func keysNew(std stdio, args []string) error {
	flags := newFlags("keys new")
	env := flags.Bool("env", false, "print the short form, for an environment variable")
	policy := addPolicyFlags(flags)
	alg := addAlgFlag(flags, "signet-v1")
	if err := parse(flags, std, args, 0); err != nil {
		return err
	}
	key, err := freshKey(*alg, new(signet.Keyring))
	if err != nil {
		return err
	}
	ring, err := signet.NewKeyring(key)
	if err != nil {
		return err
	}
	if ring, err = ring.WithPolicy(policy.over(signet.Policy{})); err != nil {
		return err
	}
	text, err := ringText(ring, *env)
	if err != nil {
		return err
	}
	warnReadable(std)
	_, err = std.out.Write(text)
	return err
}

func addAlgFlag(fs *flag.FlagSet, without string) *string {
	return fs.String("alg", "", "the new key's `ALG`: signet-v1 (AES-256-GCM) or signet-v1-chacha (ChaCha20-Poly1305, for WebAssembly); without it "+without)
}

// freshKey makes a key of an alg, or of the algorithm of the ring's newest key.
func freshKey(alg string, ring *signet.Keyring) (signet.Key, error) {
	switch alg {
	case "":
		return ring.FreshKey(), nil
	case "signet-v1":
		return signet.GenerateKey(time.Time{}), nil
	case "signet-v1-chacha":
		return signet.GenerateChaChaKey(time.Time{}), nil
	}
	return signet.Key{}, usageError("-alg is signet-v1 or signet-v1-chacha")
}

// ringText is a ring in the form of a file or, on one line, of an environment variable.
func ringText(ring *signet.Keyring, env bool) ([]byte, error) {
	if !env {
		return ring.SecretJWKS()
	}
	text, err := ring.SecretEnv()
	return []byte(text + "\n"), err
}

// warnReadable says so if the keys are about to be written into a file that others may read,
// which is what a plain redirection makes.
func warnReadable(std stdio) {
	file, ok := std.out.(*os.File)
	if !ok || runtime.GOOS == "windows" { // whose files have other rights than these bits
		return
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0 {
		fmt.Fprintln(std.err, "signet: warning: others can read the file that the keys go to; run: chmod 600 FILE")
	}
}

// maxKeyFile is a little above what a ring may have, so that the library says what is wrong.
const maxKeyFile = 1<<20 + 1

// readRing reads the ring of a file, or of stdin for "-".
func readRing(std stdio, name string) (*signet.Keyring, error) {
	text, err := readKeys(std, name)
	if err != nil {
		return nil, err
	}
	return signet.ParseKeyring(text)
}

func readKeys(std stdio, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(std.in, maxKeyFile))
	}
	file, err := os.Open(name)
	if err != nil {
		// Without the name, which may be a key that somebody took for one.
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return nil, fmt.Errorf("signet: cannot read the key file: %w; make one: signet keys new > keys.json", err)
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxKeyFile))
}
