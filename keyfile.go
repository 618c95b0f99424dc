package signet

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/base64url"
	"github.com/signet-go/signet/internal/jsonsplit"
)

// Bounds of a key file, checked before anything is parsed.
const (
	maxKeyFile = 1 << 20 // bytes
	maxKeys    = 64
	maxRevoked = 4096
)

const cureNew = "run: signet keys new"

// ParseKeyring reads a ring from a key file (a JWK Set, RFC 7517) or from the short
// form for an environment variable, whichever text is. Blanks and newlines around it are fine.
//
// An error names the position or the id of the key at fault and what to do, never
// what the key holds. Refused are, beside text that is neither form: keys that are
// not 32 random bytes, damaged or given twice, two keys of one id, more than
// 64 keys or 1 MiB, and a ring that is empty or in which every key has expired
// or is revoked.
func ParseKeyring(text []byte) (*Keyring, error) {
	g, err := parseRing(text)
	if err != nil {
		return nil, err
	}
	return newKeyring(g, time.Now())
}

func parseRing(text []byte) (*ring, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("signet: the key file has %d bytes, over the limit of %d; is it the right file?", len(text), maxKeyFile)
	}
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, errors.New("signet: the key file is UTF-16, as PowerShell's > writes it; save it as UTF-8")
	}
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	switch {
	case len(text) == 0:
		return nil, errors.New("signet: no keys: the text is empty; run: signet keys new -env")
	case text[0] == '{':
		return parseJWKS(text)
	case text[0] == '[':
		return nil, errors.New(`signet: the key file is a JSON array; put it into {"keys": … }`)
	}
	return parseShort(string(text))
}

// ringText collects what either form says, so that both have one semantics.
type ringText struct {
	keys       []*key
	revoked    []keyID
	policy     Policy
	generation uint64
}

func (t *ringText) ring() (*ring, error) {
	if err := t.policy.validate(); err != nil {
		return nil, err
	}
	g, err := newRing(t.keys, t.revoked)
	if err != nil {
		return nil, err
	}
	g.policy, g.generation = t.policy, t.generation
	return g, nil
}

// parseJWKS is strict: a misspelt "exp" or "revoked" must not be ignored.
func parseJWKS(text []byte) (*ring, error) {
	set, err := members(text)
	if err != nil {
		return nil, fmt.Errorf("signet: the key file is not a JWK Set: %w", err)
	}
	var t ringText
	var keys []json.RawMessage
	for _, m := range set {
		switch m.Name {
		case "keys":
			keys, err = elementsOf(m.Value)
		case "revoked":
			err = t.parseRevoked(m.Value)
		case "policy":
			err = t.parsePolicy(m.Value)
		case "generation":
			if t.generation, err = strconv.ParseUint(string(m.Value), 10, 64); err != nil {
				err = errors.New("must be a whole number")
			}
		default:
			err = fmt.Errorf("unknown member %s; a key file holds keys, revoked, policy and generation", safeName(m.Name))
			if m.Name == "kty" || m.Name == "k" {
				err = errors.New(`this is a single JWK; put it into {"keys": [ … ]}`)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("signet: key file, %s: %w", safeName(m.Name), err)
		}
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("signet: the key file has %d keys, over the limit of %d; drop the expired ones: run: signet keys rotate FILE", len(keys), maxKeys)
	}
	for i, raw := range keys {
		k, err := parseJWK(raw)
		if err != nil {
			return nil, fmt.Errorf("signet: key %d: %w", i+1, err)
		}
		t.keys = append(t.keys, k)
	}
	return t.ring()
}

func (t *ringText) parseRevoked(raw []byte) error {
	ids, err := elementsOf(raw)
	if err != nil {
		return err
	}
	for _, raw := range ids {
		id, ok := jsonsplit.String(raw)
		if !ok {
			return errKeyID
		}
		if err := t.revoke(id); err != nil {
			return err
		}
	}
	return nil
}

func (t *ringText) revoke(text string) error {
	id, err := parseKeyID(text)
	if err != nil {
		return err
	}
	if len(t.revoked) == maxRevoked {
		return fmt.Errorf("more than %d revoked ids", maxRevoked)
	}
	t.revoked = append(t.revoked, id)
	return nil
}

var errKeyID = errors.New("a key id is 8 lower-case hexadecimal digits")

func parseKeyID(text string) (keyID, error) {
	var b [4]byte
	if n, err := hex.Decode(b[:], []byte(text[:min(len(text), 8)])); err != nil || n != 4 || len(text) != 8 || strings.ToLower(text) != text {
		return 0, errKeyID
	}
	return keyID(binary.BigEndian.Uint32(b[:])), nil
}

func (t *ringText) parsePolicy(raw []byte) error {
	fields, err := membersOf(raw)
	if err != nil {
		return err
	}
	for _, f := range fields {
		if f.Name == "rate" {
			if err := t.setRate(string(f.Value)); err != nil {
				return err
			}
			continue
		}
		text, ok := jsonsplit.String(f.Value)
		if !ok {
			return fmt.Errorf(`%s: write a duration as text, as in "720h"`, safeName(f.Name))
		}
		if err := t.setPolicy(f.Name, text); err != nil {
			return err
		}
	}
	return nil
}

// policyFields are the names of a Policy's fields in both forms.
func policyFields(p *Policy) []struct {
	name string
	d    *time.Duration
} {
	return []struct {
		name string
		d    *time.Duration
	}{
		{"period", &p.Period}, {"propagation", &p.Propagation}, {"skew", &p.Skew}, {"life", &p.Life}, {"leeway", &p.Leeway},
	}
}

func (t *ringText) setPolicy(name, text string) error {
	for _, f := range policyFields(&t.policy) {
		if f.name != name {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || strings.ContainsAny(text, "+unµμ") || strings.Contains(text, "ms") { // SPEC.md has h, m and s
			return fmt.Errorf(`policy %s: write a positive duration, as in "720h" or "5m"`, name)
		}
		*f.d = d
		return nil
	}
	return fmt.Errorf("unknown policy member %s; there are period, propagation, skew, life, leeway and rate", safeName(name))
}

func (t *ringText) setRate(text string) error {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 {
		return errors.New("policy rate: write a positive whole number, the tokens per second, without quotes")
	}
	t.policy.Rate = uint32(n)
	return nil
}

// parseJWK reads one key. Its errors name the kid where the file gives one.
func parseJWK(raw []byte) (*key, error) {
	fields, err := membersOf(raw)
	if err != nil {
		return nil, fmt.Errorf("not a JWK: %w", err)
	}
	var kty, alg, secret, kid string
	hasKid := false
	var issued, notBefore, notAfter int64
	for _, f := range fields {
		switch f.Name {
		case "kty":
			kty, err = jsonText(f.Value)
		case "alg":
			alg, err = jsonText(f.Value)
		case "k":
			secret, err = jsonText(f.Value)
		case "kid":
			hasKid = true
			kid, err = jsonText(f.Value)
		case "iat":
			issued, err = unixSeconds(f.Value)
		case "nbf":
			notBefore, err = unixSeconds(f.Value)
		case "exp":
			notAfter, err = unixSeconds(f.Value)
			if err == nil && notAfter == 0 {
				err = errors.New("is 0; leave it out for a key without end")
			}
		case "use", "key_ops": // RFC 7517 §4.2, §4.3: say nothing that alg does not
		default:
			return nil, fmt.Errorf("unknown member %s", safeName(f.Name))
		}
		if err != nil {
			return nil, fmt.Errorf("%s %w", safeName(f.Name), err)
		}
	}
	where := ""
	if _, err := parseKeyID(kid); hasKid && err != nil {
		return nil, fmt.Errorf("kid: %w; leave it out, it is derived", err)
	} else if hasKid {
		where = "kid " + kid + ": "
	}
	k, err := jwkKey(kty, alg, secret)
	if err != nil {
		return nil, fmt.Errorf("%s%w", where, err)
	}
	if hasKid && kid != k.id.String() {
		return nil, fmt.Errorf("%sthe key does not have this id, so one of the two was damaged; restore the file, or %s", where, cureNew)
	}
	if notAfter != 0 && notAfter <= notBefore {
		return nil, fmt.Errorf("kid %s: exp (%d) is not after nbf (%d)", k.id, notAfter, notBefore)
	}
	k.issued, k.notBefore, k.notAfter = issued, notBefore, notAfter
	return k, nil
}

func jwkKey(kty, alg, text string) (*key, error) {
	if kty != "oct" {
		return nil, fmt.Errorf(`kty must be "oct", a symmetric key; %s`, cureNew)
	}
	var a algorithm
	switch alg {
	case aes256GCM.String():
		a = aes256GCM
	case chaCha20Poly1305.String():
		a = chaCha20Poly1305
	default:
		return nil, fmt.Errorf(`alg must be "signet-v1" or "signet-v1-chacha"; %s`, cureNew)
	}
	secret, ok := base64url.AppendDecode(nil, text)
	if !ok {
		return nil, fmt.Errorf("k is not base64url without padding%s; %s", looksLike(text), cureNew)
	}
	if len(secret) != keySize {
		return nil, fmt.Errorf("k holds %d bytes, not %d%s; %s", len(secret), keySize, looksLike(text), cureNew)
	}
	k, err := newKey([keySize]byte(secret), a)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, cureNew)
	}
	return k, nil
}

// The short form of a key: a prefix that says the alg and that a secret scanner
// finds, then base64url of key ‖ nbf (uint32) ‖ checksum.
const (
	shortPrefix       = "signetkey1_"
	shortPrefixChaCha = "signetkey2_"
	checksumSize      = 4
	shortSize         = keySize + 4 + checksumSize
)

// checksum tells a damaged paste from a wrong key. It is no protection and needs none.
func checksum(prefix string, payload []byte) [checksumSize]byte {
	sum := sha256.Sum256(append([]byte(prefix), payload...))
	return [checksumSize]byte(sum[:])
}

// parseShort reads words separated by commas or blanks: keys, and name=value for
// the policy, revoked ids, the generation, and the iat and exp of a key, as in exp=8ecfff22:1791300000.
func parseShort(text string) (*ring, error) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
	if len(words) > 3*maxKeys+maxRevoked+len(settingNames) {
		return nil, fmt.Errorf("signet: the text has %d words; is it the right one?", len(words))
	}
	var t ringText
	seen := map[string]bool{}
	var times []func() error // of keys that may come later; order means nothing
	for i, word := range words {
		name, value, isSetting := strings.Cut(word, "=")
		if isSetting && (name == "iat" || name == "exp") {
			times = append(times, func() error { return t.setTime(name, value) })
			continue
		}
		if isSetting && slices.Contains(settingNames, name) {
			if seen[name] && name != "revoked" {
				return nil, fmt.Errorf("signet: word %d: %s is there twice; which one counts?", i+1, name)
			}
			seen[name] = true
			if err := t.set(name, value); err != nil {
				return nil, fmt.Errorf("signet: word %d, %s: %w", i+1, name, err)
			}
			continue
		}
		k, err := parseShortKey(word)
		if err != nil {
			return nil, fmt.Errorf("signet: key %d: %w", len(t.keys)+1, err)
		}
		if t.keys = append(t.keys, k); len(t.keys) > maxKeys {
			return nil, fmt.Errorf("signet: more than %d keys; drop the expired ones", maxKeys)
		}
	}
	for _, set := range times {
		if err := set(); err != nil {
			return nil, fmt.Errorf("signet: %w", err)
		}
	}
	return t.ring()
}

var settingNames = []string{"period", "propagation", "skew", "life", "leeway", "rate", "revoked", "generation"}

// setTime sets the iat or exp of a key that the text holds, once.
func (t *ringText) setTime(name, value string) error {
	idText, secondsText, _ := strings.Cut(value, ":")
	id, err := parseKeyID(idText)
	if err != nil {
		return fmt.Errorf("%s: %w, then a colon and the time; write it as in %s=8ecfff22:1791300000", name, err, name)
	}
	at, err := unixSeconds([]byte(secondsText))
	if err != nil || at == 0 {
		return fmt.Errorf("%s of key %s: must be a time in whole Unix seconds, above 0", name, id)
	}
	i := slices.IndexFunc(t.keys, func(k *key) bool { return k.id == id })
	if i < 0 {
		return fmt.Errorf("%s is of a key %s, which is not there; was the paste cut short?", name, id)
	}
	k := t.keys[i]
	if name == "iat" {
		if k.issued != 0 {
			return fmt.Errorf("iat of key %s is there twice", id)
		}
		k.issued = at
		return nil
	}
	switch {
	case k.notAfter != 0:
		return fmt.Errorf("exp of key %s is there twice", id)
	case at <= k.notBefore:
		return fmt.Errorf("key %s: exp (%d) is not after nbf (%d)", id, at, k.notBefore)
	}
	k.notAfter = at
	return nil
}

func (t *ringText) set(name, value string) error {
	switch name {
	case "revoked":
		return t.revoke(value)
	case "generation":
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return errors.New("write a whole number")
		}
		t.generation = n
		return nil
	case "rate":
		return t.setRate(value)
	}
	return t.setPolicy(name, value)
}

func parseShortKey(word string) (*key, error) {
	alg, prefix := aes256GCM, shortPrefix
	if strings.HasPrefix(word, shortPrefixChaCha) {
		alg, prefix = chaCha20Poly1305, shortPrefixChaCha
	}
	text, ok := strings.CutPrefix(word, prefix)
	if !ok {
		return nil, fmt.Errorf("not a signet key: it does not begin with %s%s; %s -env", shortPrefix, looksLike(word), cureNew)
	}
	raw, ok := base64url.AppendDecode(nil, text)
	if !ok || len(raw) != shortSize {
		return nil, fmt.Errorf("damaged: %d characters after %s, not %d of base64url; was the paste cut short? Copy it again, or %s -env",
			len(text), prefix, base64url.EncodedLen(shortSize), cureNew)
	}
	payload, sum := raw[:shortSize-checksumSize], raw[shortSize-checksumSize:]
	if checksum(prefix, payload) != [checksumSize]byte(sum) {
		return nil, fmt.Errorf("damaged: the checksum does not match; copy it again, or %s -env", cureNew)
	}
	k, err := newKey([keySize]byte(payload[:keySize]), alg)
	if err != nil {
		return nil, fmt.Errorf("%w; %s -env", err, cureNew)
	}
	k.notBefore = int64(binary.BigEndian.Uint32(payload[keySize:]))
	return k, nil
}

// looksLike guesses what a text is that is no key of ours, from its shape alone.
func looksLike(text string) string {
	decoded := func(n int, err error) bool { return err == nil && n > 0 }
	hexLen, hexErr := hex.Decode(make([]byte, len(text)/2+1), []byte(text))
	trimmed := strings.TrimRight(text, "=")
	stdLen, stdErr := base64.RawStdEncoding.Decode(make([]byte, len(trimmed)+3), []byte(trimmed))
	urlLen, urlErr := base64.RawURLEncoding.Decode(make([]byte, len(trimmed)+3), []byte(trimmed))
	// Random base64 has letters of both cases; a phrase with hyphens may decode, too.
	mixed := strings.ToLower(text) != text && strings.ToUpper(text) != text
	switch {
	case text == "":
		return ""
	case text[0] == '"' || text[0] == '\'':
		return " (it is in quotes; drop them)"
	case strings.HasPrefix(text, "-----BEGIN"):
		return " (it looks like PEM)"
	case strings.HasPrefix(text, "eyJ"):
		return " (it looks like a JOSE token)"
	case decoded(hexLen, hexErr) && len(text) >= 16:
		return fmt.Sprintf(" (it looks like %d bytes in hex)", hexLen)
	case mixed && (decoded(stdLen, stdErr) && stdLen >= 16 || decoded(urlLen, urlErr) && urlLen >= 16):
		return fmt.Sprintf(" (it looks like %d bytes in base64)", max(stdLen, urlLen))
	}
	return " (it looks like a passphrase or other text, which is no key)"
}

// members takes the object apart that a text is, and refuses a name that is there twice.
func members(text []byte) ([]jsonsplit.Member, error) {
	all, err := jsonsplit.Object(text)
	if err != nil {
		return nil, err
	}
	return all, once(all)
}

// membersOf is members of a value in such a text.
func membersOf(value []byte) ([]jsonsplit.Member, error) {
	all, ok := jsonsplit.Members(value)
	if !ok {
		return nil, jsonsplit.ErrNotObject
	}
	return all, once(all)
}

func once(all []jsonsplit.Member) error {
	seen := make(map[string]bool, len(all))
	for _, m := range all {
		if seen[m.Name] {
			return fmt.Errorf("member %s is there twice", safeName(m.Name))
		}
		seen[m.Name] = true
	}
	return nil
}

// elementsOf reads a member that is an array.
func elementsOf(value []byte) ([]json.RawMessage, error) {
	all, ok := jsonsplit.Elements(value)
	if !ok {
		return nil, errors.New("must be an array")
	}
	return all, nil
}

// jsonText reads a member that is text.
func jsonText(raw []byte) (string, error) {
	text, ok := jsonsplit.String(raw)
	if !ok {
		return "", errors.New("must be text")
	}
	return text, nil
}

// unixSeconds reads a time as whole seconds within uint32, as tokens carry it.
func unixSeconds(raw []byte) (int64, error) {
	n, err := strconv.ParseUint(string(raw), 10, 32)
	if err != nil {
		return 0, errors.New("must be a time in whole Unix seconds")
	}
	return int64(n), nil
}

// safeName shows a member's name only if it looks like one: a secret in a wrong
// place must not reach a log.
func safeName(name string) string {
	if len(name) > 16 {
		return "(a long name)"
	}
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_') {
			return "(an odd name)"
		}
	}
	return strconv.Quote(name)
}

// SecretJWKS writes the ring as a key file. It holds the master keys: keep it in a
// secret store, with mode 0600, and out of logs.
func (r *Keyring) SecretJWKS() ([]byte, error) {
	g, err := r.state()
	if err != nil {
		return nil, err
	}
	type jwk struct {
		Kty string `json:"kty"`
		K   string `json:"k"`
		Kid string `json:"kid"`
		Alg string `json:"alg"`
		Iat int64  `json:"iat,omitempty"`
		Nbf int64  `json:"nbf"`
		Exp int64  `json:"exp,omitempty"`
	}
	file := struct {
		Keys       []json.RawMessage `json:"keys"`
		Revoked    []string          `json:"revoked,omitempty"`
		Policy     map[string]any    `json:"policy,omitempty"`
		Generation uint64            `json:"generation,omitempty"`
	}{Revoked: g.revokedIDs(), Policy: g.policy.text(), Generation: g.generation}
	for _, k := range g.keys {
		one, err := json.Marshal(jwk{"oct", base64.RawURLEncoding.EncodeToString(k.secret[:]), k.id.String(), k.alg.String(), k.issued, k.notBefore, k.notAfter})
		if err != nil {
			return nil, err
		}
		file.Keys = append(file.Keys, one)
	}
	text, err := json.MarshalIndent(file, "", "  ")
	return append(text, '\n'), err
}

func (g *ring) revokedIDs() []string {
	ids := make([]string, 0, len(g.revoked))
	for id := range g.revoked {
		ids = append(ids, id.String())
	}
	slices.Sort(ids)
	return ids
}

// text is the fields of the policy that are set, as a key file holds them.
func (p Policy) text() map[string]any {
	set := map[string]any{}
	if p.Rate != 0 {
		set["rate"] = p.Rate
	}
	for _, f := range policyFields(&p) {
		if *f.d != 0 {
			set[f.name] = shortDuration(*f.d)
		}
	}
	return set
}

// shortDuration drops the "0m0s" that Duration.String ends whole hours with.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// SecretEnv writes the ring in the short form for an environment variable, on one line. It
// holds the master keys.
func (r *Keyring) SecretEnv() (string, error) {
	g, err := r.state()
	if err != nil {
		return "", err
	}
	var words []string
	for _, k := range g.keys {
		prefix := shortPrefix
		if k.alg == chaCha20Poly1305 {
			prefix = shortPrefixChaCha
		}
		payload := binary.BigEndian.AppendUint32(k.secret[:len(k.secret):len(k.secret)], uint32(k.notBefore))
		sum := checksum(prefix, payload)
		words = append(words, prefix+base64.RawURLEncoding.EncodeToString(append(payload, sum[:]...)))
		if k.issued != 0 && len(g.keys) > 1 { // of a lone key nobody needs it, and one word is easier to paste
			words = append(words, fmt.Sprintf("iat=%s:%d", k.id, k.issued))
		}
		if k.notAfter != 0 {
			words = append(words, fmt.Sprintf("exp=%s:%d", k.id, k.notAfter))
		}
	}
	policy := g.policy
	for _, f := range policyFields(&policy) {
		if *f.d != 0 {
			words = append(words, f.name+"="+shortDuration(*f.d))
		}
	}
	if policy.Rate != 0 {
		words = append(words, "rate="+strconv.FormatUint(uint64(policy.Rate), 10))
	}
	for _, id := range g.revokedIDs() {
		words = append(words, "revoked="+id)
	}
	if g.generation != 0 {
		words = append(words, "generation="+strconv.FormatUint(g.generation, 10))
	}
	return strings.Join(words, " "), nil
}

// ExportPurpose writes a JWK Set of the keys derived for one purpose, for a program that
// shall open (or seal) that and nothing else: an edge worker gets this, never the ring.
// Kind is "session", "touch" or "token", name the cookie's name or the purpose given to Seal,
// and tenant Config.Tenant. Revoked and expired keys are left out. The member "policy" has the
// ring's skew, life and leeway in seconds, so that they have one owner at the edge as well; to a JWK
// Set's other readers it is unknown and ignored (RFC 7517 §5).
//
// It holds secrets, if lesser ones: from it neither the masters nor the keys
// of any other purpose can be computed.
func (r *Keyring) ExportPurpose(format Format, kind, name, tenant string) ([]byte, error) {
	g, err := r.state()
	if err != nil {
		return nil, err
	}
	p := purpose{kind, name, tenant}
	if err := p.validate(); err != nil {
		return nil, err
	}
	if format > JWEKeyWrap {
		return nil, fmt.Errorf("signet: unknown %v", format)
	}
	type jwk struct {
		Kty string `json:"kty"`
		K   string `json:"k"`
		Kid string `json:"kid"`
		Alg string `json:"alg"`
		Use string `json:"use"`
		Nbf int64  `json:"nbf"`
		Exp int64  `json:"exp,omitempty"`
	}
	set := struct {
		Keys   []jwk            `json:"keys"`
		Policy map[string]int64 `json:"policy"`
	}{Keys: []jwk{}, Policy: map[string]int64{
		"skew": seconds(g.policy.skew()), "life": seconds(g.policy.life()), "leeway": seconds(g.policy.leeway()),
	}}
	now := r.now().Unix()
	for _, k := range g.keys {
		if _, err := g.opener(k.id, now); err != nil {
			continue
		}
		derived := base64.RawURLEncoding.EncodeToString(k.purposeKey(format.keyFormat(k.alg), p))
		set.Keys = append(set.Keys, jwk{"oct", derived, k.id.String(), format.exportAlg(k.alg), "enc", k.notBefore, k.notAfter})
	}
	text, err := json.MarshalIndent(set, "", "  ")
	return append(text, '\n'), err
}
