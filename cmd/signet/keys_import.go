package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/signet-go/signet"
)

// keysImport makes a ring of 32 random bytes from stdin, in hex or base64.
func keysImport(std stdio, args []string) error {
	flags := newFlags("keys import")
	policy := addPolicyFlags(flags)
	env := flags.Bool("env", false, "print the short form, for an environment variable")
	if _, err := parseMixed(flags, std, args, 0, 0); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(std.in, maxKeyFile))
	if err != nil {
		return err
	}
	secret, err := importedSecret(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	file, err := json.Marshal(map[string]any{"keys": []any{map[string]any{
		"kty": "oct", "alg": "signet-v1", "k": base64.RawURLEncoding.EncodeToString(secret), "iat": now().Unix(),
	}}})
	if err != nil {
		return err
	}
	ring, err := signet.ParseKeyring(file)
	if err != nil {
		return err // for bytes that no random generator drew
	}
	if ring, err = ring.WithPolicy(policy.over(ring.Policy())); err != nil {
		return err
	}
	out, err := ringText(ring, *env)
	if err != nil {
		return err
	}
	warnReadable(std)
	_, err = std.out.Write(out)
	return err
}

const importSize = 32

// importedSecret decodes text, or says what it looks like and what to do instead.
func importedSecret(text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("signet: nothing on stdin; usage: signet keys import < secret.txt > keys.json")
	}
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if secret, err := decode(text); err == nil && len(secret) == importSize {
			return secret, nil
		}
	}
	if strings.HasPrefix(text, "signetkey") || strings.HasPrefix(text, "{") {
		return nil, errors.New("signet: this is a ring already; use it as it is")
	}
	if raw, err := hex.DecodeString(text); err == nil {
		return nil, wrongSize(len(raw), "hex")
	}
	if raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "=")); err == nil && len(raw) >= 16 && strings.ContainsAny(text, "0123456789+/=") {
		return nil, wrongSize(len(raw), "base64")
	}
	return nil, errors.New("signet: this is a passphrase or other text, which can be guessed; only 32 random bytes, in hex or base64, become a key; make one: signet keys new > keys.json, and let sessions under the old secret be taken over: see package compat")
}

func wrongSize(n int, encoding string) error {
	advice := "it is cut short or too weak; do not pad it; make a key instead: signet keys new > keys.json"
	if n > importSize {
		advice = "do not cut it; make a key instead: signet keys new > keys.json"
	}
	return fmt.Errorf("signet: %d bytes of %s, and a key is %d: %s", n, encoding, importSize, advice)
}
