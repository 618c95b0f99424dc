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
	alg := addAlgFlag(flags, "that of the newest key")
	hasten := flags.Bool("hasten", false, "do not wait for the period: let the next key seal as soon as every instance knows it")
	force := flags.Bool("force", false, "write even what could log somebody out")
	names, err := parseMixed(flags, std, args, 1, 1)
	if err != nil {
		return err
	}
	return changeKeys(std, names[0], *force, func(ring *signet.Keyring, at time.Time) (*signet.Keyring, error) {
		p := policy.over(ring.Policy())
		fresh, err := freshKey(*alg, ring)
		if err != nil {
			return nil, err
		}
		next, err := p.Next(ring, fresh, at)
		if *hasten {
			next, err = p.Hasten(ring, fresh, at)
		}
		if err == nil && *alg != "" {
			sayIfKept(std, next, *alg)
		}
		return next, err
	})
}

// sayIfKept says that no key was published of the algorithm that was asked for.
func sayIfKept(std stdio, next *signet.Keyring, alg string) {
	keys := next.Keys()
	if newest := keys[len(keys)-1]; newest.Algorithm != alg {
		fmt.Fprintf(std.err, "signet: key %s, which is %s, is published already and seals first; run this again once it does: -alg is of the key after it\n", newest.ID, newest.Algorithm)
	}
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
		return policy.over(ring.Policy()).Revoke(ring, ring.FreshKey(), at, ids...)
	})
	if err == nil && names[0] != "-" {
		fmt.Fprintln(std.err, "signet: the backup beside the file still holds what was revoked; delete it when the new file is in use")
	}
	return err
}
