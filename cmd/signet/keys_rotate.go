package main

import (
	"fmt"
	"time"

	"github.com/signet-go/signet"
)

// keysRotate does what the policy of the file wants done at this time.
func keysRotate(std stdio, args []string) error {
	flags := newFlags("keys rotate")
	policy := addPolicyFlags(flags)
	hasten := flags.Bool("hasten", false, "do not wait for the period: let the next key seal as soon as every instance knows it")
	force := flags.Bool("force", false, "write even what could log somebody out")
	names, err := parseMixed(flags, std, args, 1, 1)
	if err != nil {
		return err
	}
	return changeKeys(std, names[0], *force, func(ring *signet.Keyring, at time.Time) (*signet.Keyring, error) {
		p := policy.over(ring.Policy())
		if *hasten {
			return p.Hasten(ring, signet.GenerateKey(time.Time{}), at)
		}
		return p.Next(ring, signet.GenerateKey(time.Time{}), at)
	})
}

// keysRevoke ends the sessions of keys that leaked.
func keysRevoke(std stdio, args []string) error {
	flags := newFlags("keys revoke")
	policy := addPolicyFlags(flags)
	all := flags.Bool("all", false, "revoke every key: the file leaked; all sessions end")
	force := flags.Bool("force", false, "write it even if the key that takes over is not known everywhere yet")
	names, err := parseMixed(flags, std, args, 1, 64)
	if err != nil {
		return err
	}
	ids := names[1:]
	if *all == (len(ids) > 0) {
		return usageError("keys revoke: name one key or more, or give -all; usage: signet " + usageLine("keys revoke"))
	}
	err = changeKeys(std, names[0], *force || *all, func(ring *signet.Keyring, at time.Time) (*signet.Keyring, error) {
		known := map[string]bool{}
		for _, k := range ring.Keys() {
			known[k.ID] = true
			if *all {
				ids = append(ids, k.ID)
			}
		}
		for i, id := range ids {
			if !known[id] {
				fmt.Fprintf(std.err, "signet: warning: id %d is of no key in this ring; it is revoked in case an older ring holds it\n", i+1)
			}
		}
		return policy.over(ring.Policy()).Revoke(ring, signet.GenerateKey(time.Time{}), at, ids...)
	})
	if err == nil && names[0] != "-" {
		fmt.Fprintln(std.err, "signet: the backup beside the file still holds what was revoked; delete it when the new file is in use")
	}
	return err
}
