package signet

import (
	"errors"
	"fmt"
	"time"
)

// Policy says how keys follow each other. It lives in the key file, so that the fleet's
// propagation, clock skew and token life have one owner. The zero value of each field
// is the default named beside it, and the zero Policy is right for the default session.
type Policy struct {
	Period      time.Duration // how long a key seals; 720 h
	Propagation time.Duration // the longest time until the last instance uses a published ring; 1 h
	Skew        time.Duration // the largest difference between two instances' clocks; 5 min
	Life        time.Duration // the longest absolute life of anything sealed; 24 h
	Leeway      time.Duration // given to expiry; 1 min
}

func (p Policy) period() time.Duration      { return or(p.Period, 30*24*time.Hour) }
func (p Policy) propagation() time.Duration { return or(p.Propagation, time.Hour) }
func (p Policy) skew() time.Duration        { return or(p.Skew, 5*time.Minute) }
func (p Policy) life() time.Duration        { return or(p.Life, 24*time.Hour) }
func (p Policy) leeway() time.Duration      { return or(p.Leeway, time.Minute) }

func or(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// maxPolicy bounds every duration: far above any use, far below where sums overflow.
const maxPolicy = 10 * 365 * 24 * time.Hour

// validate reports every field that is out of bounds.
func (p Policy) validate() error {
	var errs []error
	for _, f := range []struct {
		name string
		d    time.Duration
	}{
		{"period", p.Period}, {"propagation", p.Propagation}, {"skew", p.Skew}, {"life", p.Life}, {"leeway", p.Leeway},
	} {
		switch {
		case f.d < 0:
			errs = append(errs, fmt.Errorf("signet: policy %s is negative (%v); leave it out for the default", f.name, f.d))
		case f.d > maxPolicy:
			errs = append(errs, fmt.Errorf("signet: policy %s is over ten years (%v)", f.name, f.d))
		case f.d%time.Second != 0:
			errs = append(errs, fmt.Errorf("signet: policy %s is not in whole seconds (%v)", f.name, f.d))
		}
	}
	if p.period() < p.propagation()+p.skew() {
		errs = append(errs, fmt.Errorf("signet: policy period (%v) is shorter than propagation and skew together (%v): a key would be followed before it is known everywhere",
			p.period(), p.propagation()+p.skew()))
	}
	return errors.Join(errs...)
}

// allows reports a life that a key of this policy might not outlive.
func (p Policy) allows(life time.Duration) error {
	if life > p.life() {
		return fmt.Errorf(`signet: a life of %v is above the policy's %v; set "policy": {"life": "%s"} in the key file (life=%s in the short form, Policy.Life in code)`,
			life, p.life(), shortDuration(life), shortDuration(life))
	}
	return nil
}

// source is what a running Watch lends to the request path.
type source struct {
	reload func()
}
