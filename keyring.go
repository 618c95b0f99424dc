package signet

import (
	"cmp"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"
)

// Key is one master key: 32 random bytes, the id derived from them, and the times
// between which it seals and opens. It never encrypts anything itself.
//
// A Key prints as its id, whatever the verb, log handler or encoder. The zero Key
// is no key; [NewKeyring] refuses it.
type Key struct {
	// A closure, since fmt, slog and testify print the bytes of an unexported field
	// whatever methods its type has, but only the address of a function.
	open func() *key
}

type keyID uint32

func (id keyID) String() string { return fmt.Sprintf("%08x", uint32(id)) }

// algorithm is the AEAD of compact tokens under a key.
type algorithm byte

const (
	aes256GCM algorithm = iota + 1
	chaCha20Poly1305
)

// The names in a key file. They are no JOSE names on purpose: a library that finds
// one of its own would use the master key as a content key.
func (a algorithm) String() string {
	if a == chaCha20Poly1305 {
		return "signet-v1-chacha"
	}
	return "signet-v1"
}

const keySize = 32

// key is the inside of a [Key]. It is immutable.
type key struct {
	id        keyID
	alg       algorithm
	issued    int64 // Unix seconds, 0 if not known
	notBefore int64 // seals from
	notAfter  int64 // opens until now < notAfter; 0 is without end
	secret    [keySize]byte
	prk       []byte // HKDF-Extract of secret; everything else is an Expand of it
	kept      bool   // opens but never seals: the newest set lacks it; see Update
}

func (k *key) liveAt(now int64) bool { return k.notAfter == 0 || now < k.notAfter }

func (k *key) public() Key { return Key{func() *key { return k }} }

// GenerateKey makes a random key for AES-256-GCM that seals from the given time on, which
// is cut to the years 1970 to 2106 of a key file; the zero time means at once. It opens without end until a policy or a key file says otherwise.
func GenerateKey(from time.Time) Key { return generateKey(aes256GCM, from) }

// GenerateChaChaKey is GenerateKey for ChaCha20-Poly1305 ("signet-v1-chacha"), the faster of the two where AES
// has no instructions of the processor, as in WebAssembly. FIPS 140 and WebCrypto do not know it.
func GenerateChaChaKey(from time.Time) Key { return generateKey(chaCha20Poly1305, from) }

// FreshKey makes a random key of the algorithm that the ring's newest key has, as [Policy.Next],
// [Policy.Hasten] and [Policy.Revoke] want one.
func (r *Keyring) FreshKey() Key {
	alg := aes256GCM
	if g, err := r.state(); err == nil { // where there is no ring, Next says so
		alg = g.keys[len(g.keys)-1].alg
	}
	return generateKey(alg, time.Time{})
}

func generateKey(alg algorithm, from time.Time) Key {
	var secret [keySize]byte
	rand.Read(secret[:]) // never fails: crypto/rand ends the program instead
	k := mustKey(newKey(secret, alg))
	k.issued = time.Now().Unix()
	if !from.IsZero() {
		k.notBefore = min(max(from.Unix(), 0), math.MaxUint32)
	}
	return k.public()
}

func mustKey(k *key, err error) *key {
	if err != nil {
		panic(err) // unreachable for 32 bytes from crypto/rand
	}
	return k
}

func newKey(secret [keySize]byte, alg algorithm) (*key, error) {
	if weak := weakness(secret[:]); weak != "" {
		return nil, errors.New(weak)
	}
	prk, err := hkdf.Extract(sha256.New, secret[:], nil)
	if err != nil {
		return nil, fmt.Errorf("deriving keys: %w", err)
	}
	k := &key{alg: alg, secret: secret, prk: prk}
	id := expand(prk, string(lp(lp(nil, derivationLabel), "kid")), 4)
	k.id = keyID(binary.BigEndian.Uint32(id))
	return k, nil
}

// weakness names what is wrong with bytes that no random generator drew, or is empty.
// Each kind has a chance below 2^-40 of meeting a random key.
func weakness(secret []byte) string {
	var seen [256]bool
	different := 0
	printable, steps := true, true
	for i, b := range secret {
		if !seen[b] {
			seen[b] = true
			different++
		}
		printable = printable && b >= 0x20 && b < 0x7f
		steps = steps && (i < 2 || b-secret[i-1] == secret[1]-secret[0])
	}
	switch half := len(secret) / 2; {
	case printable:
		return "the key is text, not random bytes"
	case steps:
		return "the key is a counted sequence, not random bytes"
	case different < half:
		return "the key repeats a few bytes and is not random"
	case string(secret[:half]) == string(secret[half:]):
		return "the key is one half twice and is not random"
	}
	return ""
}

// ID is the key's id: 8 hexadecimal digits, derived from the key and safe to publish.
func (k Key) ID() string {
	if k.open == nil {
		return ""
	}
	return k.open().id.String()
}

// Format prints the id alone, for every verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "signet.Key(%s)", k.ID()) }

// LogValue is the id alone.
func (k Key) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// MarshalJSON writes the id alone. [Keyring.SecretJWKS] writes a key that can be read again.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(k)) }

// Keyring is the set of keys that an instance seals and opens with. Make one with
// [ParseKeyring] or [NewKeyring]. All its methods are safe for concurrent use.
//
// Which key seals is a function of the set and the clock: the one whose notBefore passed
// last, the larger id at a tie, and the earliest if none has passed. Which key
// opens is said by the token; there is no trial decryption.
type Keyring struct {
	// Pointers behind atomics, so that nothing prints what is in them; see Key.
	ring    atomic.Pointer[ring]
	subkeys atomic.Pointer[subkeyCache]
	clock   atomic.Pointer[func() time.Time]
	source  atomic.Pointer[source] // set while Watch runs
	watcher atomic.Pointer[Observer]
}

// ring is one immutable state of a Keyring.
type ring struct {
	keys       []*key // by notBefore, then id: the order in which they seal
	byID       map[keyID]*key
	revoked    map[keyID]bool
	policy     Policy
	generation uint64
	file       *ring // what Update was given, where it kept more than that
}

// NewKeyring makes a ring of the given keys under the zero [Policy]. It refuses
// an empty ring, a zero Key, a key given twice, two keys with one id, and a ring
// in which every key has expired.
func NewKeyring(keys ...Key) (*Keyring, error) {
	inner := make([]*key, len(keys))
	for i, k := range keys {
		if k.open == nil {
			return nil, fmt.Errorf("signet: key %d is the zero Key; make one with GenerateKey, or run: signet keys new", i+1)
		}
		inner[i] = k.open()
	}
	g, err := newRing(inner, nil)
	if err != nil {
		return nil, err
	}
	return newKeyring(g, time.Now())
}

// newKeyring refuses a ring in which nothing can seal or open any more.
func newKeyring(g *ring, now time.Time) (*Keyring, error) {
	usable := func(k *key) bool { return k.liveAt(now.Unix()) && !g.revoked[k.id] }
	if !slices.ContainsFunc(g.keys, usable) {
		return nil, errors.New("signet: every key in the ring has expired or is revoked; run: signet keys rotate FILE, or signet keys new")
	}
	r := new(Keyring)
	r.ring.Store(g)
	r.subkeys.Store(new(subkeyCache))
	return r, nil
}

func newRing(keys []*key, revoked []keyID) (*ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("signet: the ring is empty; run: signet keys new")
	}
	g := &ring{keys: slices.Clone(keys), byID: make(map[keyID]*key, len(keys)), revoked: make(map[keyID]bool, len(revoked))}
	for i, k := range keys {
		if other, taken := g.byID[k.id]; taken {
			if other.secret == k.secret {
				return nil, fmt.Errorf("signet: key %d (%s) is in the ring twice; remove one", i+1, k.id)
			}
			return nil, fmt.Errorf("signet: key %d has the id %s of another key; replace it: run: signet keys new", i+1, k.id)
		}
		g.byID[k.id] = k
	}
	for _, id := range revoked {
		g.revoked[id] = true
	}
	sortKeys(g.keys)
	return g, nil
}

// sortKeys puts keys into the order in which they seal.
func sortKeys(keys []*key) {
	slices.SortFunc(keys, func(a, b *key) int {
		return cmp.Or(cmp.Compare(a.notBefore, b.notBefore), cmp.Compare(a.id, b.id))
	})
}

// sealer is the key that seals at now, or nil if none may.
func (g *ring) sealer(now int64) *key {
	usable := func(k *key) bool { return k.liveAt(now) && !k.kept && (len(g.revoked) == 0 || !g.revoked[k.id]) }
	passed := sort.Search(len(g.keys), func(i int) bool { return g.keys[i].notBefore > now })
	for i := passed - 1; i >= 0; i-- {
		if usable(g.keys[i]) {
			return g.keys[i]
		}
	}
	for _, k := range g.keys[passed:] {
		if usable(k) {
			return k
		}
	}
	return nil
}

// opener is the key of that id, if it may open at now.
func (g *ring) opener(id keyID, now int64) (*key, error) {
	if g.revoked[id] {
		return nil, ErrRevoked
	}
	k, known := g.byID[id]
	switch {
	case !known:
		return nil, ErrUnknownKey
	case !k.liveAt(now):
		return nil, ErrExpired
	}
	return k, nil
}

// state is the ring in force, or an error for the zero Keyring.
func (r *Keyring) state() (*ring, error) {
	if g := r.ring.Load(); g != nil {
		return g, nil
	}
	return nil, errors.New("signet: the Keyring is empty; make it with ParseKeyring or NewKeyring")
}

func (r *Keyring) now() time.Time {
	if clock := r.clock.Load(); clock != nil {
		return (*clock)()
	}
	return time.Now()
}

// SetClock makes the ring, and every Manager over it, read the time from now
// instead of [time.Now]; nil restores it. It is for tests and simulations.
func (r *Keyring) SetClock(now func() time.Time) {
	if now == nil {
		r.clock.Store(nil)
		return
	}
	r.clock.Store(&now)
}

// WithPolicy returns a ring of the same keys under another policy, for keys that
// do not come from a key file. It returns an error if the policy contradicts itself.
func (r *Keyring) WithPolicy(p Policy) (*Keyring, error) {
	g, err := r.state()
	if err != nil {
		return nil, err
	}
	if err := p.validate(); err != nil {
		return nil, err
	}
	next := *g
	next.policy = p
	made, err := newKeyring(&next, r.now())
	if err != nil {
		return nil, err
	}
	made.clock.Store(r.clock.Load())
	return made, nil
}

// Replace puts exactly the set of next in force, at once and whatever it loses.
// [Keyring.Update] is the one for configuration that may be damaged.
func (r *Keyring) Replace(next *Keyring) error {
	g, err := next.state()
	if err != nil {
		return err
	}
	r.ring.Store(g)
	return nil
}

// KeyInfo is what may be known of a key: everything but the key.
type KeyInfo struct {
	ID        string
	Algorithm string // as in a key file: "signet-v1" or "signet-v1-chacha"
	Issued    time.Time
	NotBefore time.Time // it seals from here, until a later key does
	Expires   time.Time // it opens until here; zero is without end
	Revoked   bool
	Sealing   bool // it is the one that seals now
}

// Keys describes the keys in the order in which they seal. Revoked ids of which
// the ring holds no key are not among them.
func (r *Keyring) Keys() []KeyInfo {
	g, err := r.state()
	if err != nil {
		return nil
	}
	sealer := g.sealer(r.now().Unix())
	infos := make([]KeyInfo, len(g.keys))
	for i, k := range g.keys {
		infos[i] = KeyInfo{
			ID: k.id.String(), Algorithm: k.alg.String(),
			Issued: unixTime(k.issued), NotBefore: unixTime(k.notBefore), Expires: unixTime(k.notAfter),
			Revoked: g.revoked[k.id], Sealing: k == sealer,
		}
	}
	return infos
}

// Policy is the policy that the ring's key file holds, or the zero one.
func (r *Keyring) Policy() Policy {
	if g := r.ring.Load(); g != nil {
		return g.policy
	}
	return Policy{}
}

// Generation is the number of the key file's edition. It grows with every change, so that
// a running instance can tell an older file from a newer one. 0 is none.
func (r *Keyring) Generation() uint64 {
	if g := r.ring.Load(); g != nil {
		return g.generation
	}
	return 0
}

// Format prints the ids alone, for every verb.
func (r *Keyring) Format(f fmt.State, _ rune) {
	var ids []string
	if r != nil {
		for _, k := range r.Keys() {
			ids = append(ids, k.ID)
		}
	}
	fmt.Fprintf(f, "signet.Keyring(%s)", strings.Join(ids, " "))
}

// LogValue is the ids alone.
func (r *Keyring) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// MarshalJSON writes the ids alone. [Keyring.SecretJWKS] writes a ring that can be read again.
func (r *Keyring) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(r)) }

// unixTime is the zero Time for 0, which stands for "not set" throughout.
func unixTime(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
