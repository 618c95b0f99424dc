package signet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/signet-go/signet/internal/base64url"
	"github.com/signet-go/signet/internal/compact"
	"github.com/signet-go/signet/internal/jwe"
)

// Format is the form in which a token is sealed. All of them open, whichever is configured.
type Format uint8

const (
	// Compact is the smallest and fastest: 50 characters over base64url of the plaintext.
	// It is AES-256-GCM, or ChaCha20-Poly1305 under a key of alg signet-v1-chacha,
	// with a key derived for each hour.
	Compact Format = iota
	// JWE is RFC 7516 with alg "dir" and enc "A256GCM": any JOSE library opens it with the keys
	// of Keyring.ExportPurpose. One key may seal 2^32 of them for one purpose.
	JWE
	// JWEKeyWrap is JWE with alg "A256KW": a fresh content key per token, 54 characters
	// more, and no such limit.
	JWEKeyWrap
)

func (f Format) String() string {
	switch f {
	case Compact:
		return "compact"
	case JWE:
		return "jwe"
	case JWEKeyWrap:
		return "jwe-a256kw"
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// keyFormat names the derived key of this format under a key of that algorithm.
func (f Format) keyFormat(alg algorithm) string {
	switch {
	case f == JWE:
		return formatJWEDir
	case f == JWEKeyWrap:
		return formatJWEA256KW
	case alg == chaCha20Poly1305:
		return formatCompact2
	}
	return formatCompact1
}

// exportAlg is the alg that an exported key carries: JOSE's where a JOSE library is to use it.
func (f Format) exportAlg(alg algorithm) string {
	switch {
	case f == JWE:
		return "dir"
	case f == JWEKeyWrap:
		return "A256KW"
	case alg == chaCha20Poly1305:
		return "signet-compact2"
	}
	return "signet-compact1"
}

// Bounds, checked before anything is parsed or derived.
const (
	maxToken   = 32 << 10 // characters
	maxPurpose = 256      // bytes
)

func (p purpose) validate() error {
	var errs []error
	switch p.kind {
	case kindSession, kindTouch, kindToken:
	default:
		errs = append(errs, errors.New(`signet: the kind of a purpose is "session", "touch" or "token"`))
	}
	if p.name == "" || len(p.name) > maxPurpose {
		errs = append(errs, fmt.Errorf("signet: a purpose has 1 to %d bytes, this one has %d", maxPurpose, len(p.name)))
	}
	if !utf8.ValidString(p.name) {
		// The aud of a JWE is JSON text, which would hold another name.
		errs = append(errs, errors.New("signet: a purpose is UTF-8 text; encode other bytes, in hex for example"))
	}
	if len(p.tenant) > maxPurpose {
		errs = append(errs, fmt.Errorf("signet: a tenant has at most %d bytes, this one has %d", maxPurpose, len(p.tenant)))
	}
	return errors.Join(errs...)
}

// Seal encrypts and authenticates plaintext into a token that opens for this purpose alone, and
// for the given life from now: a password-reset link, an OAuth state, a CSRF token, a cursor.
// The token is of the URL-safe alphabet. Plaintext is not written to.
//
// It returns an error if the purpose is empty or over 256 bytes, if life is not
// positive or above the Life of the ring's policy, if the token would be over 32,768 characters,
// or if every key has expired.
func (r *Keyring) Seal(purpose string, plaintext []byte, life time.Duration) (string, error) {
	return r.SealAs(Compact, purpose, plaintext, life)
}

// SealAs is Seal into a given format.
func (r *Keyring) SealAs(f Format, name string, plaintext []byte, life time.Duration) (string, error) {
	s := getScratch()
	defer s.put()
	err := r.sealToken(s, f, name, plaintext, life)
	if err != nil {
		return "", err
	}
	return string(s.text), nil
}

// AppendSeal is SealAs that appends the token to dst, for a caller who keeps a buffer. If dst has room
// for the token it allocates nothing, but for the content key that JWEKeyWrap makes for each.
// Plaintext may overlap dst. The errors are those of [Keyring.Seal], with dst as it came.
func (r *Keyring) AppendSeal(dst []byte, f Format, purpose string, plaintext []byte, life time.Duration) ([]byte, error) {
	s := getScratch()
	defer s.put()
	if err := r.sealToken(s, f, purpose, plaintext, life); err != nil {
		return dst, err
	}
	return append(dst, s.text...), nil
}

// sealToken leaves the token in s.text.
func (r *Keyring) sealToken(s *scratch, f Format, name string, plaintext []byte, life time.Duration) error {
	g, _, err := r.current()
	if err != nil {
		return err
	}
	p := purpose{kind: kindToken, name: name}
	if err := p.validate(); err != nil {
		return err
	}
	if f > JWEKeyWrap {
		return fmt.Errorf("signet: unknown %v", f)
	}
	if life <= 0 {
		return fmt.Errorf("signet: the life of a token must be positive, not %v", life)
	}
	if err := g.policy.allows(life); err != nil {
		return err
	}
	now := r.now().Unix()
	s.text, _, err = r.seal(s, g, f, p, content{expires: now + wholeSeconds(life), data: plaintext}, now)
	return err
}

// Open returns what was sealed for this purpose. The error is [ErrInvalid],
// [ErrUnknownKey], [ErrExpired], [ErrClockSkew] or [ErrRevoked], as it is and not
// wrapped; tell a client none of them.
func (r *Keyring) Open(name, token string) ([]byte, error) {
	o, err := r.openToken(name, token, nil)
	if err != nil {
		return nil, err
	}
	return o.data, nil
}

// AppendOpen is Open that appends to dst, for a caller who keeps a buffer. It decodes and decrypts in what
// dst has beyond its length, if three quarters of the token's length fit there (of a JWE, the whole length), and
// then allocates nothing, but for the content key of a JWEKeyWrap. That room may be written to even if the token
// does not open, and may keep parts of the plaintext. The errors are those of [Keyring.Open], with dst as it came.
func (r *Keyring) AppendOpen(dst []byte, purpose, token string) ([]byte, error) {
	o, err := r.openToken(purpose, token, dst[len(dst):])
	if err != nil {
		return dst, err
	}
	if cap(dst)-len(dst) < o.decoded {
		dst = slices.Grow(dst, o.decoded) // next time it has the room
	}
	return append(dst, o.data...), nil
}

func (r *Keyring) openToken(name, token string, room []byte) (opened, error) {
	if name == "" || len(name) > maxPurpose {
		return opened{}, ErrInvalid // nothing is sealed for it
	}
	return r.open(purpose{kind: kindToken, name: name}, token, room)
}

// wholeSeconds rounds up, so that nothing lives shorter than was asked for.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// content is what a token carries.
type content struct {
	issued  int64        // Unix seconds; set by open
	expires int64        // Unix seconds
	session *sessionHead // nil unless the purpose's kind is session
	data    []byte
}

// sessionHead is what a session's token carries before the data.
type sessionHead struct {
	id         [16]byte
	created    int64 // Unix seconds
	persistent bool
}

// In the compact format: flags ‖ id ‖ created (uint32).
const (
	sessionHeadSize = 1 + 16 + 4
	expiresSize     = 4
	flagPersistent  = 1
)

func (h *sessionHead) append(dst []byte) []byte {
	var flags byte
	if h.persistent {
		flags |= flagPersistent
	}
	dst = append(append(dst, flags), h.id[:]...)
	return binary.BigEndian.AppendUint32(dst, uint32(h.created))
}

func parseSessionHead(raw []byte) (*sessionHead, []byte, bool) {
	if len(raw) < sessionHeadSize || raw[0]&^flagPersistent != 0 {
		return nil, nil, false
	}
	return &sessionHead{
		id:         [16]byte(raw[1:]),
		created:    int64(binary.BigEndian.Uint32(raw[17:])),
		persistent: raw[0]&flagPersistent != 0,
	}, raw[sessionHeadSize:], true
}

// sealedBy says how a token came out.
type sealedBy struct {
	key     *key
	clamped bool // its end was moved forward to that of the key
}

// seal returns the token's text, in s.text. The request path: it allocates nothing
// but what the cache lacks.
func (r *Keyring) seal(s *scratch, g *ring, f Format, p purpose, c content, now int64) ([]byte, sealedBy, error) {
	k := g.sealer(now)
	if k == nil {
		return nil, sealedBy{}, errors.New("signet: every key in the ring has expired; run: signet keys rotate FILE")
	}
	if now < 1 || now > math.MaxUint32 {
		// Its issue time would wrap around, and it would never open.
		return nil, sealedBy{}, fmt.Errorf("signet: this machine's clock says %d Unix seconds, outside what a token can carry (1 to 4294967295); set it", now)
	}
	by := sealedBy{key: k}
	c.expires, by.clamped = k.clamp(c.expires)
	c.expires = min(c.expires, math.MaxUint32)
	if tokenLen(f, p, c) > maxToken {
		return nil, by, fmt.Errorf("signet: a token holds at most %d characters; %d bytes of data are too many", maxToken, len(c.data))
	}
	var err error
	if f == Compact {
		s.text, err = r.sealCompact(s, k, p, c, now)
	} else {
		c.issued = now
		s.text, err = r.sealJWE(s, k, f, p, c)
	}
	return s.text, by, err
}

// clamp moves the end of a token to that of its key, if the key ends sooner.
func (k *key) clamp(expires int64) (int64, bool) {
	if k.notAfter != 0 && expires > k.notAfter {
		return k.notAfter, true
	}
	return expires, false
}

// tokenLen is the length of the token's text: exact for Compact, at most 16 characters
// too many for a JWE.
func tokenLen(f Format, p purpose, c content) int {
	n := expiresSize + len(c.data)
	if c.session != nil {
		n += sessionHeadSize
	}
	if f == Compact {
		return compact.EncodedLen(n)
	}
	if c.session == nil {
		n = base64url.EncodedLen(len(c.data))
	}
	n += len(p.name) + 130 // names, numbers and punctuation of the claims
	wrapped := 0
	if f == JWEKeyWrap {
		wrapped = base64url.EncodedLen(jwe.WrappedKeySize)
	}
	return 96 + wrapped + 16 + 22 + 4 + base64url.EncodedLen(n)
}

func (r *Keyring) sealCompact(s *scratch, k *key, p purpose, c content, now int64) ([]byte, error) {
	format := Compact.keyFormat(k.alg)
	version := byte(compact.V1)
	if k.alg == chaCha20Poly1305 {
		version = compact.V2
	}
	sealer, err := r.aeadFor(k, format, p, uint32(now/3600))
	if err != nil {
		return nil, err
	}
	b := compact.AppendHeader(s.raw[:0], compact.Header{Version: version, KeyID: uint32(k.id), IssuedAt: uint32(now)})
	b = binary.BigEndian.AppendUint32(b, uint32(c.expires))
	if c.session != nil {
		b = c.session.append(b)
	}
	b = append(b, c.data...)
	// In place: the AEAD moves the plaintext to make room for the nonce. With room for
	// all of it there is no copy of the plaintext left behind in an outgrown buffer.
	b = grown(b, compact.NonceSize+compact.TagSize)
	s.raw = sealer.Seal(b[:compact.HeaderSize], nil, b[compact.HeaderSize:], b[:compact.HeaderSize])
	return base64url.Append(s.text[:0], s.raw), nil
}

// grown returns b with room for n bytes more, so that an append in place does not move it.
func grown(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(b, make([]byte, n)...)[:len(b)]
}

// withRoom returns room if n bytes fit into it, and else a slice into which they do.
func withRoom(room []byte, n int) []byte {
	if cap(room) >= n {
		return room
	}
	return make([]byte, 0, n)
}

func (r *Keyring) sealJWE(s *scratch, k *key, f Format, p purpose, c content) ([]byte, error) {
	sealer, err := r.aeadFor(k, f.keyFormat(k.alg), p, 0)
	if err != nil {
		return nil, err
	}
	alg := jwe.Dir
	if f == JWEKeyWrap {
		alg = jwe.A256KW
	}
	text := jwe.AppendHeader(s.text[:0], jwe.Header{Alg: alg, KeyID: uint32(k.id), IssuedAt: uint32(c.issued)})
	header := len(text)
	text = append(text, '.')
	if w, wraps := sealer.(keyWrapper); wraps {
		contentKey, err := newContentKey()
		if err != nil {
			return nil, err
		}
		text = base64url.Append(text, jwe.Wrap(w.block, contentKey.secret[:]))
		sealer = contentKey.aead
	}
	claims := jwe.Claims{IssuedAt: c.issued, Expires: c.expires, Audience: p.name, Payload: c.data}
	if h := c.session; h != nil {
		claims.IsSession, claims.ID, claims.Created, claims.Persistent, claims.Data = true, h.id, h.created, h.persistent, c.data
	}
	s.raw = grown(claims.Append(s.raw[:0]), jwe.NonceSize+jwe.TagSize)
	s.raw = sealer.Seal(s.raw[:0], nil, s.raw, text[:header])
	n := len(s.raw)
	text = base64url.Append(append(text, '.'), s.raw[:jwe.NonceSize])
	text = base64url.Append(append(text, '.'), s.raw[jwe.NonceSize:n-jwe.TagSize])
	return base64url.Append(append(text, '.'), s.raw[n-jwe.TagSize:]), nil
}

// opened is an authenticated and live token.
type opened struct {
	content
	key     *key
	format  Format
	decoded int // bytes that decoding took
}

// open picks the format by the first characters: a JWE begins with "ey", a compact
// token with "A". A token too long, of an unknown version, id or purpose costs no decryption. It decodes
// into the capacity of room, an empty slice, where that is enough.
func (r *Keyring) open(p purpose, token string, room []byte) (opened, error) {
	g, until, err := r.current()
	if err != nil {
		return opened{}, err
	}
	o, err := r.openWith(g, p, token, room)
	if err == ErrUnknownKey {
		if newer := r.learn(g, token, until); newer != g {
			return r.openWith(newer, p, token, room)
		}
	}
	return o, err
}

func (r *Keyring) openWith(g *ring, p purpose, token string, room []byte) (opened, error) {
	if len(token) > maxToken {
		return opened{}, ErrInvalid
	}
	now := r.now().Unix()
	if len(token) > 1 && token[:2] == "ey" {
		return r.openJWE(g, p, token, room, now)
	}
	return r.openCompact(g, p, token, room, now)
}

func (r *Keyring) openCompact(g *ring, p purpose, token string, room []byte, now int64) (opened, error) {
	head, ok := compact.Peek(token)
	if !ok {
		return opened{}, ErrInvalid
	}
	// Before the rest is even decoded: nobody pays for what cannot open.
	k, err := g.opener(keyID(head.KeyID), now)
	if err == nil {
		err = g.inTime(int64(head.IssuedAt), now)
	}
	if err != nil {
		return opened{}, err
	}
	format := Compact.keyFormat(k.alg)
	if (head.Version == compact.V2) != (k.alg == chaCha20Poly1305) {
		return opened{}, ErrInvalid
	}
	raw, ok := base64url.AppendDecode(withRoom(room, base64url.DecodedLen(len(token))), token)
	if !ok {
		return opened{}, ErrInvalid
	}
	_, additional, sealed, ok := compact.Parse(raw)
	if !ok {
		return opened{}, ErrInvalid
	}
	plain, err := r.openAEAD(k, format, p, head.IssuedAt/3600, sealed, additional)
	if err != nil || len(plain) < expiresSize {
		return opened{}, errOr(err, ErrInvalid)
	}
	o := opened{key: k, format: Compact, decoded: len(raw)}
	o.issued, o.expires, o.data = int64(head.IssuedAt), int64(binary.BigEndian.Uint32(plain)), plain[expiresSize:]
	if p.kind == kindSession {
		if o.session, o.data, ok = parseSessionHead(o.data); !ok {
			return opened{}, ErrInvalid
		}
	}
	return o, g.live(o.expires, now)
}

func (r *Keyring) openJWE(g *ring, p purpose, token string, room []byte, now int64) (opened, error) {
	parts, ok := jwe.Split(token)
	if !ok {
		return opened{}, ErrInvalid
	}
	head, ok := jwe.ParseHeader(parts.Header)
	if !ok {
		return opened{}, ErrInvalid
	}
	k, err := g.opener(keyID(head.KeyID), now)
	if err == nil && head.IssuedAt != 0 { // another producer's header has none
		err = g.inTime(int64(head.IssuedAt), now)
	}
	if err != nil {
		return opened{}, err
	}
	header, raw, ok := decodeSealed(parts, room)
	if !ok {
		return opened{}, ErrInvalid
	}
	format := JWE
	var plain []byte
	if head.Alg == jwe.Dir {
		if parts.Key != "" {
			return opened{}, ErrInvalid
		}
		plain, err = r.openAEAD(k, formatJWEDir, p, 0, raw, header)
	} else {
		format = JWEKeyWrap
		plain, err = r.openWrapped(k, p, parts.Key, raw, header)
	}
	if err != nil {
		return opened{}, err
	}
	claims, ok := jwe.ParseClaims(plain, p.name)
	if !ok || claims.IsSession != (p.kind == kindSession) || claims.Audience != p.name ||
		head.IssuedAt != 0 && claims.IssuedAt != int64(head.IssuedAt) { // RFC 7519 §5.3
		return opened{}, ErrInvalid
	}
	o := opened{key: k, format: format, decoded: len(header) + len(raw)}
	o.issued, o.expires, o.data = claims.IssuedAt, claims.Expires, claims.Payload
	if claims.IsSession {
		o.session, o.data = &sessionHead{claims.ID, claims.Created, claims.Persistent}, claims.Data
	}
	if err := g.inTime(o.issued, now); err != nil {
		return opened{}, err
	}
	if claims.NotBefore > now+seconds(g.policy.skew()) { // RFC 7519 §4.1.5; only others write it
		return opened{}, ErrClockSkew
	}
	return o, g.live(o.expires, now)
}

// decodeSealed joins nonce, ciphertext and tag as an AEAD with its own nonce takes them. The
// header's text, which is the additional data, stands before them in the same allocation.
func decodeSealed(parts jwe.Parts, room []byte) (header, raw []byte, ok bool) {
	n := len(parts.Header)
	b := withRoom(room, n+jwe.NonceSize+base64url.DecodedLen(len(parts.Ciphertext))+jwe.TagSize)
	b = append(b, parts.Header...)
	for _, part := range [...]string{parts.Nonce, parts.Ciphertext, parts.Tag} {
		if b, ok = base64url.AppendDecode(b, part); !ok {
			return nil, nil, false
		}
	}
	return b[:n:n], b[n:], true
}

func (g *ring) inTime(issued, now int64) error {
	if issued > now+seconds(g.policy.skew()) {
		return ErrClockSkew
	}
	// Nothing is sealed for longer than life, so past it no decryption can help.
	if now > issued+seconds(g.policy.life())+seconds(g.policy.leeway()) {
		return ErrExpired
	}
	return nil
}

func (g *ring) live(expires, now int64) error {
	if now > expires+seconds(g.policy.leeway()) {
		return ErrExpired
	}
	return nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func errOr(err, fallback error) error {
	if err != nil {
		return err
	}
	return fallback
}

// aeadFor finds or makes the AEAD to seal with, and keeps it: the sealing key is ours.
func (r *Keyring) aeadFor(k *key, format string, p purpose, hour uint32) (aead, error) {
	cache := r.subkeys.Load()
	if a := cache.get(k, format, p, hour); a != nil {
		return a, nil
	}
	a, err := k.newAEAD(format, p, hour)
	if err != nil {
		return nil, err
	}
	cache.put(&subkey{k, format, p, hour, a})
	return a, nil
}

// openAEAD opens in place. An AEAD made for an incoming token is kept only
// after that token has authenticated, so that a stranger cannot fill the cache.
func (r *Keyring) openAEAD(k *key, format string, p purpose, hour uint32, sealed, additional []byte) ([]byte, error) {
	cache := r.subkeys.Load()
	a := cache.get(k, format, p, hour)
	cached := a != nil
	if !cached {
		var err error
		if a, err = k.newAEAD(format, p, hour); err != nil {
			return nil, err
		}
	}
	plain, err := a.Open(sealed[:0], nil, sealed, additional)
	if err != nil {
		return nil, ErrInvalid
	}
	if !cached {
		cache.put(&subkey{k, format, p, hour, a})
	}
	return plain, nil
}

// scratch is the memory of one seal: the bytes and the text of a token. Only ciphertext
// remains in it.
type scratch struct{ raw, text []byte }

var scratchPool = sync.Pool{New: func() any {
	return &scratch{raw: make([]byte, 0, 1024), text: make([]byte, 0, 1536)}
}}

func getScratch() *scratch { return scratchPool.Get().(*scratch) }

func (s *scratch) put() { scratchPool.Put(s) }
