package main

import (
	"flag"
	"fmt"
	"time"

	"github.com/signet-go/signet"
)

// policyFlags are the flags that override the policy of a key file.
type policyFlags struct {
	fs    *flag.FlagSet
	given signet.Policy
	rate  uint
}

func addPolicyFlags(fs *flag.FlagSet) *policyFlags {
	p := &policyFlags{fs: fs}
	fs.DurationVar(&p.given.Period, "period", 0, "policy: how long a key seals")
	fs.DurationVar(&p.given.Propagation, "propagation", 0, "policy: the longest time until the last instance uses a new ring")
	fs.DurationVar(&p.given.Skew, "skew", 0, "policy: the largest difference between two instances' clocks")
	fs.DurationVar(&p.given.Life, "life", 0, "policy: the longest life of a session")
	fs.DurationVar(&p.given.Leeway, "leeway", 0, "policy: given to expiry")
	fs.UintVar(&p.rate, "rate", 0, "policy: JWEs per second, at most, of the whole fleet")
	return p
}

// over is base with what was given on the command line in its place.
func (p *policyFlags) over(base signet.Policy) signet.Policy {
	set := func(to *time.Duration, given time.Duration) {
		if given != 0 {
			*to = given
		}
	}
	set(&base.Period, p.given.Period)
	set(&base.Propagation, p.given.Propagation)
	set(&base.Skew, p.given.Skew)
	set(&base.Life, p.given.Life)
	set(&base.Leeway, p.given.Leeway)
	if p.rate != 0 {
		base.Rate = uint32(min(p.rate, 1<<32-1))
	}
	return base
}

// parseMixed parses flags that may also follow the arguments, and wants from least to most of these.
func parseMixed(fs *flag.FlagSet, std stdio, args []string, least, most int) ([]string, error) {
	var plain []string
	for {
		if err := parse(fs, std, args, len(args)); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if len(rest) == 0 {
			break
		}
		plain, args = append(plain, rest[0]), rest[1:]
	}
	if len(plain) < least || len(plain) > most {
		return nil, usageError(fmt.Sprintf("%s: %d arguments are not what it takes; usage: signet %s", fs.Name(), len(plain), usageLine(fs.Name())))
	}
	return plain, nil
}
