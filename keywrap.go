package signet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"

	"github.com/signet-go/signet/internal/base64url"
	"github.com/signet-go/signet/internal/jwe"
)

// keyWrapper stands where an AEAD stands for the formats that use their key
// directly: the key of jwe-a256kw wraps content keys and never seals text.
type keyWrapper struct {
	aead
	block cipher.Block
}

func newKeyWrapper(key []byte) (aead, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return keyWrapper{block: block}, nil
}

// contentKey seals a single token.
type contentKey struct {
	secret [keySize]byte
	aead   aead
}

func newContentKey() (c contentKey, err error) {
	rand.Read(c.secret[:])
	c.aead, err = newGCM(c.secret[:])
	return c, err
}

// openWrapped unwraps the content key and opens with it. A wrapped key that fails its own check and
// a tag that fails give one answer.
func (r *Keyring) openWrapped(k *key, p purpose, key string, sealed, additional []byte) ([]byte, error) {
	wrapped, ok := base64url.AppendDecode(make([]byte, 0, jwe.WrappedKeySize), key)
	if !ok || len(wrapped) != jwe.WrappedKeySize {
		return nil, ErrInvalid
	}
	cache := r.subkeys.Load()
	a := cache.get(k, formatJWEA256KW, p, 0)
	if a == nil {
		var err error
		if a, err = k.newAEAD(formatJWEA256KW, p, 0); err != nil {
			return nil, err
		}
	}
	secret, ok := jwe.Unwrap(a.(keyWrapper).block, wrapped)
	if !ok {
		return nil, ErrInvalid
	}
	content, err := newGCM(secret)
	if err != nil {
		return nil, err
	}
	plain, err := content.Open(sealed[:0], nil, sealed, additional)
	if err != nil {
		return nil, ErrInvalid
	}
	cache.put(&subkey{k, formatJWEA256KW, p, 0, a})
	return plain, nil
}
