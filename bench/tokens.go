package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	paseto "aidanwoods.dev/go-paseto"
	"github.com/go-jose/go-jose/v4"
	"github.com/gorilla/securecookie"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwe"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/signet-go/signet"
)

// codec seals a payload into text that fits a cookie, and opens it again.
type codec struct {
	name, config string
	aead         bool
	seal         func([]byte) string
	open         func(string) []byte
}

var key32 = func() []byte { k := make([]byte, 32); rand.Read(k); return k }()

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// payload is JSON text of exactly size bytes, as a session is.
func payload(size int) []byte {
	b := []byte(`{"user":"`)
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	for i := 0; len(b) < size-2; i++ {
		b = append(b, letters[(i*7)%len(letters)])
	}
	return append(b, `"}`...)
}

// floor is the physical limit: one AES-256-GCM with a ready key, appended into reused
// buffers, and standard-library base64. It makes no string and checks nothing but the tag.
func floor() codec {
	gcm := must(cipher.NewGCM(must(aes.NewCipher(key32))))
	nonce := make([]byte, gcm.NonceSize())
	sealed, text := make([]byte, 0, 8192), make([]byte, 16384)
	raw, plain := make([]byte, 8192), make([]byte, 0, 8192)
	var n int
	return codec{"floor", "crypto/aes GCM, ready key, reused buffers + encoding/base64", true,
		func(p []byte) string {
			sealed = gcm.Seal(append(sealed[:0], nonce...), nonce, p, nil)
			n = base64.RawURLEncoding.EncodedLen(len(sealed))
			base64.RawURLEncoding.Encode(text, sealed)
			return ""
		},
		func(string) []byte {
			m := must(base64.RawURLEncoding.Decode(raw, text[:n]))
			plain = must(gcm.Open(plain[:0], raw[:12], raw[12:m], nil))
			return plain
		}}
}

func signetCodec(format signet.Format) codec {
	ring := must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	return codec{"signet " + format.String(), "Keyring.SealAs, Keyring.Open", true,
		func(p []byte) string { return must(ring.SealAs(format, "bench", p, time.Hour)) },
		func(t string) []byte { return must(ring.Open("bench", t)) }}
}

func gorillaCodec() codec {
	sc := securecookie.New(key32, key32)
	sc.SetSerializer(securecookie.NopEncoder{})
	sc.MaxLength(0)
	return codec{"gorilla/securecookie", "hash and block key of 32 bytes, NopEncoder", false,
		// A copy, since its encryption overwrites what NopEncoder hands it.
		func(p []byte) string { return must(sc.Encode("session", bytes.Clone(p))) },
		func(t string) []byte {
			var p []byte
			if err := sc.Decode("session", t, &p); err != nil {
				panic(err)
			}
			return p
		}}
}

func joseCodec(alg jose.KeyAlgorithm) codec {
	enc := must(jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: alg, Key: key32}, nil))
	return codec{"go-jose " + string(alg), "one Encrypter, A256GCM", true,
		func(p []byte) string { return must(must(enc.Encrypt(p)).CompactSerialize()) },
		func(t string) []byte {
			return must(must(jose.ParseEncrypted(t, []jose.KeyAlgorithm{alg}, []jose.ContentEncryption{jose.A256GCM})).Decrypt(key32))
		}}
}

func pasetoCodec() codec {
	key := must(paseto.V4SymmetricKeyFromBytes(key32))
	parser := paseto.NewParserWithoutExpiryCheck()
	return codec{"go-paseto v4.local", "one claim holding the payload", true,
		func(p []byte) string {
			token := paseto.NewToken()
			token.SetString("d", string(p))
			return token.V4Encrypt(key, nil)
		},
		func(t string) []byte {
			return []byte(must(must(parser.ParseV4Local(key, t, nil)).GetString("d")))
		}}
}

func tinkCodec() codec {
	primitive := must(aead.New(must(keyset.NewHandle(aead.AES256GCMKeyTemplate()))))
	return codec{"tink-go AES256-GCM", "one primitive, base64url around it", true,
		func(p []byte) string {
			return base64.RawURLEncoding.EncodeToString(must(primitive.Encrypt(p, nil)))
		},
		func(t string) []byte {
			return must(primitive.Decrypt(must(base64.RawURLEncoding.DecodeString(t)), nil))
		}}
}

func jwxCodec() codec {
	option := jwe.WithKey(jwa.DIRECT(), key32)
	return codec{"lestrrat-go/jwx dir", "jwe.Encrypt, jwe.Decrypt, A256GCM", true,
		func(p []byte) string {
			return string(must(jwe.Encrypt(p, option, jwe.WithContentEncryption(jwa.A256GCM()))))
		},
		func(t string) []byte { return must(jwe.Decrypt([]byte(t), option)) }}
}

func codecs() []codec {
	return []codec{floor(), signetCodec(signet.Compact), signetCodec(signet.JWE), signetCodec(signet.JWEKeyWrap),
		gorillaCodec(), joseCodec(jose.DIRECT), joseCodec(jose.A256KW), pasetoCodec(), tinkCodec(), jwxCodec()}
}

// roundTrips are the codecs as subjects, each checked to give the payload back.
func roundTrips(size int) []subject {
	p := payload(size)
	var out []subject
	for _, c := range codecs() {
		if got := c.open(c.seal(p)); !bytes.Equal(got, p) {
			panic(fmt.Sprintf("%s does not return its payload", c.name))
		}
		out = append(out, subject{c.name, c.config, func() { c.open(c.seal(p)) }})
	}
	return out
}
