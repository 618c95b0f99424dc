package explain

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/internal/base64url"
	"github.com/signet-go/signet/internal/compact"
	"github.com/signet-go/signet/internal/jwe"
)

// Purpose is what a token was sealed for.
type Purpose struct{ Kind, Name, Tenant string }

// Opened is what was sealed in a token. It has authenticated, but may be past its end or not
// yet begun: that is for the reader of it to say.
type Opened struct {
	Issued, Expires time.Time
	ID              string // of a session, as are the next two
	Created         time.Time
	Persistent      bool
	Data            []byte
}

// ErrSealed says that a token does not open: forged, damaged or for another purpose.
var ErrSealed = errors.New("it does not open: it was damaged or forged, or sealed for another purpose, kind or tenant")

// Open opens a token with the keys that the ring exports for its purpose, by itself: it is a second
// reading of SPEC.md beside the library's, and opens what has expired, too.
func Open(ring *signet.Keyring, p Purpose, t Token) (Opened, error) {
	secret, err := exported(ring, p, t)
	if err != nil {
		return Opened{}, err
	}
	switch t.Format {
	case "compact":
		return openCompact(secret, p, t.Text)
	case "jwe", "jwe-a256kw":
		return openJWE(secret, p, t.Text)
	}
	return Opened{}, errors.New("a JWE of another system; its own libraries open it")
}

// exported is the key for this purpose that belongs to the token's key id.
func exported(ring *signet.Keyring, p Purpose, t Token) ([]byte, error) {
	formats := map[string]signet.Format{"compact": signet.Compact, "jwe": signet.JWE, "jwe-a256kw": signet.JWEKeyWrap}
	text, err := ring.ExportPurpose(formats[t.Format], p.Kind, p.Name, p.Tenant)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []struct{ K, Kid, Alg string }
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	for _, k := range set.Keys {
		if k.Kid != t.KeyID {
			continue
		}
		if t.Format == "compact" && k.Alg != fmt.Sprintf("signet-compact%d", t.Version) {
			return nil, ErrSealed // the other cipher
		}
		return base64.RawURLEncoding.DecodeString(k.K)
	}
	for _, k := range ring.Keys() {
		if k.ID == t.KeyID {
			return nil, fmt.Errorf("its key %s has expired or is revoked in this ring", t.KeyID)
		}
	}
	return nil, fmt.Errorf("its key %s is not in this ring; it was sealed with another, or with a newer one", t.KeyID)
}

func openCompact(secret []byte, p Purpose, text string) (Opened, error) {
	raw, ok := base64url.AppendDecode(nil, text)
	if !ok {
		return Opened{}, ErrSealed
	}
	head, additional, sealed, ok := compact.Parse(raw)
	if !ok {
		return Opened{}, ErrSealed
	}
	info := binary.BigEndian.AppendUint32([]byte("\x00\x04hour"), head.IssuedAt/3600)
	key, err := hkdf.Expand(sha256.New, secret, string(info), 32)
	if err != nil {
		return Opened{}, err
	}
	plain, err := decrypt(key, head.Version, sealed, additional)
	if err != nil || len(plain) < 4 {
		return Opened{}, ErrSealed
	}
	o := Opened{Issued: unix(head.IssuedAt), Expires: unix(binary.BigEndian.Uint32(plain)), Data: plain[4:]}
	if p.Kind != "session" {
		return o, nil
	}
	if len(o.Data) < 21 {
		return Opened{}, ErrSealed
	}
	o.ID = base64.RawURLEncoding.EncodeToString(o.Data[1:17])
	o.Created = unix(binary.BigEndian.Uint32(o.Data[17:]))
	o.Persistent = o.Data[0]&1 != 0
	o.Data = o.Data[21:]
	return o, nil
}

func unix(seconds uint32) time.Time { return time.Unix(int64(seconds), 0).UTC() }

func decrypt(key []byte, version byte, sealed, additional []byte) ([]byte, error) {
	if version == compact.V1 {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		gcm, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		return gcm.Open(nil, nil, sealed, additional)
	}
	chacha, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, err
	}
	return chacha.Open(nil, sealed[:compact.NonceSize], sealed[compact.NonceSize:], additional)
}

func openJWE(secret []byte, p Purpose, text string) (Opened, error) {
	parts, ok := jwe.Split(text)
	if !ok {
		return Opened{}, ErrSealed
	}
	if parts.Key != "" {
		block, err := aes.NewCipher(secret)
		if err != nil {
			return Opened{}, err
		}
		wrapped, canonical := base64url.AppendDecode(nil, parts.Key)
		if secret, ok = jwe.Unwrap(block, wrapped); !ok || !canonical {
			return Opened{}, ErrSealed
		}
	}
	var sealed []byte
	for _, part := range []string{parts.Nonce, parts.Ciphertext, parts.Tag} {
		if sealed, ok = base64url.AppendDecode(sealed, part); !ok {
			return Opened{}, ErrSealed
		}
	}
	plain, err := decrypt(secret, compact.V1, sealed, []byte(parts.Header))
	if err != nil {
		return Opened{}, ErrSealed
	}
	c, ok := jwe.ParseClaims(plain, "")
	if !ok || c.IsSession != (p.Kind == "session") || c.Audience != p.Name {
		return Opened{}, ErrSealed
	}
	o := Opened{Issued: unix(uint32(c.IssuedAt)), Expires: unix(uint32(c.Expires)), Data: c.Payload}
	if c.IsSession {
		o.ID, o.Created, o.Persistent, o.Data = base64.RawURLEncoding.EncodeToString(c.ID[:]), unix(uint32(c.Created)), c.Persistent, c.Data
	}
	return o, nil
}
