package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/signet-go/signet"
)

// keysCheck looks at one ring, or at the change from one to another.
func keysCheck(std stdio, args []string) error {
	flags := newFlags("keys check")
	policy := addPolicyFlags(flags)
	asJSON := flags.Bool("json", false, "print the findings as JSON")
	names, err := parseMixed(flags, std, args, 1, 2)
	if err != nil {
		return err
	}
	rings := make([]*signet.Keyring, len(names))
	for i, name := range names {
		if rings[i], err = readRing(std, name); err != nil {
			return fmt.Errorf("file %d of %d: %w", i+1, len(names), err)
		}
		warnMode(std, name)
	}
	old, next, at := rings[0], rings[len(rings)-1], now()
	found := findings(policy.over(next.Policy()).Check(old, next, at))
	if err := printFindings(std, found, *asJSON); err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("signet: %d found; see above", len(found))
	}
	fmt.Fprintln(std.err, "signet: no session is lost;", nextEvent(next, at))
	return nil
}

func printFindings(std stdio, found []signet.Finding, asJSON bool) error {
	if !asJSON {
		for _, f := range found {
			if _, err := fmt.Fprintln(std.out, f); err != nil {
				return err
			}
		}
		return nil
	}
	return writeJSON(std, jsonFindings(found))
}

type jsonFinding struct {
	Kind    string `json:"kind"`
	Key     string `json:"key,omitempty"`
	Seconds int64  `json:"seconds,omitempty"`
	Text    string `json:"text"`
}

func jsonFindings(found []signet.Finding) []jsonFinding {
	list := make([]jsonFinding, len(found))
	for i, f := range found {
		list[i] = jsonFinding{f.Kind, f.KeyID, int64(f.By / time.Second), f.Text}
	}
	return list
}

func writeJSON(std stdio, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = std.out.Write(append(text, '\n'))
	return err
}

// warnMode says so if others can read the keys.
func warnMode(std stdio, name string) {
	if info, err := os.Stat(name); name != "-" && err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0 {
		fmt.Fprintln(std.err, "signet: warning: others can read the key file; run: chmod 600 FILE")
	}
}
