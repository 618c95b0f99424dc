package signet

import (
	"crypto/cipher"
	"fmt"
	"strconv"
	"strings"
)

// What the tests in package signet_test reach of the inside.

// Opened is a token that opened, whatever its kind.
type Opened struct {
	Issued, Expires int64
	Data            []byte
	Session         bool
	ID              [16]byte
	Created         int64
	Persistent      bool
	KeyID           string
	Format          Format
}

// OpenAs opens a token of any kind, as a Manager opens those of kind session and touch.
func OpenAs(r *Keyring, kind, name, tenant, token string) (Opened, error) {
	o, err := r.open(purpose{kind, name, tenant}, token, nil)
	if err != nil {
		return Opened{}, err
	}
	out := Opened{Issued: o.issued, Expires: o.expires, Data: o.data, KeyID: o.key.id.String(), Format: o.format}
	if h := o.session; h != nil {
		out.Session, out.ID, out.Created, out.Persistent = true, h.id, h.created, h.persistent
	}
	return out, nil
}

// JoinCookies is what each head in the Cookie fields of a request gives: its token, or the error.
func JoinCookies(name string, fields []string) (tokens []string, errs []error) {
	var in received
	(&cookie{name: name}).read(fields, &in)
	for _, head := range in.heads {
		token, err := in.token(head)
		tokens, errs = append(tokens, token), append(errs, err)
	}
	return tokens, errs
}

// PolicySeconds is the policy in force, defaults filled in.
func PolicySeconds(r *Keyring) map[string]int64 {
	p := r.Policy()
	return map[string]int64{
		"period": seconds(p.period()), "propagation": seconds(p.propagation()), "skew": seconds(p.skew()), "life": seconds(p.life()), "leeway": seconds(p.leeway()),
	}
}

// KeysOf are the keys of a ring in the order in which they seal.
func KeysOf(r *Keyring) (keys []Key) {
	for _, k := range r.ring.Load().keys {
		keys = append(keys, k.public())
	}
	return keys
}

// The functions that tokens are made of, for the vectors of others.

func OpenGCM(key, sealed, additional []byte) ([]byte, error) {
	return openWith(newGCM, key, sealed, additional)
}

func OpenChaCha(key, sealed, additional []byte) ([]byte, error) {
	return openWith(newChaCha, key, sealed, additional)
}

func openWith(make func([]byte) (aead, error), key, sealed, additional []byte) ([]byte, error) {
	a, err := make(key)
	if err != nil {
		return nil, err
	}
	return a.Open(sealed[:0], nil, sealed, additional)
}

// NewAES is the block cipher of key wrap.
func NewAES(key []byte) (cipher.Block, error) {
	a, err := newKeyWrapper(key)
	if err != nil {
		return nil, err
	}
	return a.(keyWrapper).block, nil
}

func Expand(key []byte, info string, size int) []byte { return expand(key, info, size) }

func Extract(secret [32]byte) ([]byte, error) {
	k, err := newKey(secret, aes256GCM)
	if err != nil {
		return nil, err
	}
	return k.prk, nil
}

const CacheCapacity = cacheSets * cacheWays

// CachedAEADs is how many AEADs the ring's cache holds.
func CachedAEADs(r *Keyring) (n int) {
	cache := r.subkeys.Load()
	for i := range cache.slots {
		if cache.slots[i].Load() != nil {
			n++
		}
	}
	return n
}

// Limits are the bounds in force, as SPEC.md lists them.
func Limits() [][2]string {
	n := func(n int, unit string) string { return strings.TrimSpace(thousands(n) + " " + unit) }
	var p Policy
	return [][2]string{
		{"a token", "at most " + n(maxToken, "characters")},
		{"the name of a purpose", "1 to " + n(maxPurpose, "octets")},
		{"a tenant", "0 to " + n(maxPurpose, "octets")},
		{"the name of a cookie", "at most " + n(maxNameLen, "octets")},
		{"a cookie's name and value", "at most " + n(maxCookie, "octets")},
		{"cookies of one session", "at most " + n(maxChunks, "and the touch cookie")},
		{"budget of a session in a Cookie field", n(minBudget, "to") + " " + n(maxBudget, "octets, by default") + " " + n(defaultBudget, "octets; with `Partitioned` at most") + " " + n(partitionedBudget, "octets")},
		{"`Max-Age`", "at most " + n(int(maxAge.Hours()/24), "days")},
		{"Cookie fields of a request that are read", n(maxScan, "octets")},
		{"cookies of ours in them that are read", n(maxOccurrences, "")},
		{"heads, and so tokens that are opened", n(maxHeads, "")},
		{"different further cookies", n(maxParts, "")},
		{"a key file or short form", "at most " + n(maxKeyFile, "octets")},
		{"keys of a ring", "1 to " + n(maxKeys, "")},
		{"revoked ids of a ring", "at most " + n(maxRevoked, "")},
		{"a policy's durations", "at most " + n(int(maxPolicy.Hours()/24), "days")},
		{"policy, if the key file is silent", fmt.Sprintf("period %s, propagation %s, skew %s, life %s, leeway %s",
			shortDuration(p.period()), shortDuration(p.propagation()), shortDuration(p.skew()), shortDuration(p.life()), shortDuration(p.leeway()))},
	}
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// MemoryOfSeal is all of the memory that a seal leaves behind in its pool.
func MemoryOfSeal(r *Keyring, f Format, plain []byte) ([]byte, error) {
	g, err := r.state()
	if err != nil {
		return nil, err
	}
	s := getScratch()
	now := r.now().Unix()
	_, _, err = r.seal(s, g, f, purpose{kind: kindToken, name: "p"}, content{expires: now + 60, data: plain}, now)
	return append(s.raw[:cap(s.raw)], s.text[:cap(s.text)]...), err
}
