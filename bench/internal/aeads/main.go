// Command aeads times both ciphers of compact tokens in the machine that it was compiled
// for, native or WebAssembly, and prints nanoseconds by name as JSON.
package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/signet-go/signet"
)

const rounds = 15

func main() {
	var names []string
	ops := map[string]func(){}
	add := func(name string, op func()) { names, ops[name] = append(names, name), op }
	for _, size := range []int{256, 3072} {
		add(fmt.Sprintf("AES-256-GCM, %d B", size), cycle(signet.Must(cipher.NewGCM(signet.Must(aes.NewCipher(secret(1))))), size))
		add(fmt.Sprintf("ChaCha20-Poly1305, %d B", size), cycle(signet.Must(chacha20poly1305.New(secret(1))), size))
		add(fmt.Sprintf("signet, alg signet-v1, %d B", size), token("signet-v1", size))
		add(fmt.Sprintf("signet, alg signet-v1-chacha, %d B", size), token("signet-v1-chacha", size))
	}
	samples := map[string][]float64{}
	for range rounds {
		for _, name := range names {
			samples[name] = append(samples[name], measure(ops[name]))
		}
	}
	out := map[string]float64{}
	for name, s := range samples {
		out[name] = slices.Min(s) // elapsed time: the quickest round is the one that nothing disturbed
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
}

// secret is no key of anyone: bytes that look random enough for a ring.
func secret(seed byte) []byte {
	b := make([]byte, 32)
	x := uint32(seed) + 12345
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func cycle(aead cipher.AEAD, size int) func() {
	nonce, plain := make([]byte, aead.NonceSize()), make([]byte, size)
	sealed, opened := make([]byte, 0, size+64), make([]byte, 0, size)
	return func() {
		sealed = aead.Seal(sealed[:0], nonce, plain, nil)
		if _, err := aead.Open(opened, nonce, sealed, nil); err != nil {
			panic(err)
		}
	}
}

func token(alg string, size int) func() {
	file := fmt.Sprintf(`{"keys":[{"kty":"oct","k":"%s","alg":"%s","nbf":0}]}`, base64.RawURLEncoding.EncodeToString(secret(2)), alg)
	ring := signet.Must(signet.ParseKeyring([]byte(file)))
	plain := make([]byte, size)
	return func() {
		text := signet.Must(ring.Seal("bench", plain, time.Hour))
		if got := signet.Must(ring.Open("bench", text)); len(got) != size {
			panic("the token does not return its payload")
		}
	}
}

// measure is the time of one op, over 5 milliseconds: a clock in WebAssembly may be coarse.
func measure(op func()) float64 {
	n := 0
	start := time.Now()
	for {
		for range 16 {
			op()
		}
		n += 16
		if d := time.Since(start); d > 5*time.Millisecond {
			return float64(d) / float64(n)
		}
	}
}
