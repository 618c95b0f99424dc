// Package explain says what stands in a token or a cookie: without a key what anybody can
// read, with a ring what is sealed in it. It is for people: what is read without a key is
// whatever a stranger wrote there.
package explain

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/base64url"
	"github.com/signet-go/signet/internal/compact"
	"github.com/signet-go/signet/internal/jwe"
)

// Token is what a token says in the clear.
type Token struct {
	Text    string
	Format  string    // "compact", "jwe", "jwe-a256kw" or "foreign jwe"
	Version byte      // of a compact token
	About   string    // the format in words
	KeyID   string    // empty if it names no key of a signet ring
	Sealed  time.Time // zero if it does not say
	Size    int       // bytes of the token, decoded
	Parts   []Part    // in order; the dots of a JWE belong to none
	Faults  []string  // why it opens nowhere, as far as anybody can see
}

// Part is one field of a token.
type Part struct {
	Name     string
	From, To int // characters of Text; where a field begins within a character, the nearer boundary
	Bytes    int
	Value    string // what it says, empty for what nobody can read
	Meaning  string
}

var errNoToken = errors.New("this is no signet token: one begins with A, a JWE with ey, a split one with a digit and a dot")

// ParseToken reads a token. Of one that is cut short (a session of which a cookie is missing) it
// reads what is there.
func ParseToken(text string, whole bool) (Token, error) {
	if strings.HasPrefix(text, "ey") {
		return parseJWE(text, whole)
	}
	return parseCompact(text, whole)
}

func parseCompact(text string, whole bool) (Token, error) {
	head, ok := compact.Peek(text)
	if !ok {
		return Token{}, errNoToken
	}
	t := Token{Text: text, Format: "compact", Version: head.Version, KeyID: fmt.Sprintf("%08x", head.KeyID), Sealed: time.Unix(int64(head.IssuedAt), 0).UTC()}
	t.About = "compact, version 1: AES-256-GCM under a key of its hour"
	if head.Version == compact.V2 {
		t.About = "compact, version 2: ChaCha20-Poly1305 under a key of its hour"
	}
	t.Size = base64url.DecodedLen(len(text))
	if raw, ok := base64url.AppendDecode(nil, text); !ok && whole {
		t.Faults = append(t.Faults, "it is not canonical base64url: a character is wrong, missing or one too many")
	} else if ok {
		t.Size = len(raw)
	}
	tag := compact.TagSize
	if !whole {
		tag = 0
	}
	t.Parts = t.compactParts(tag)
	return t, nil
}

// compactParts lays the fields over the characters, which hold six bits each.
func (t Token) compactParts(tag int) []Part {
	nonce := ""
	if from, to := 12, 28; len(t.Text) >= to {
		if raw, ok := base64url.AppendDecode(nil, t.Text[from:to]); ok {
			nonce = hex.EncodeToString(raw)
		}
	}
	parts := []Part{
		{Name: "version", Bytes: 1, Value: fmt.Sprint(t.Version), Meaning: "which cipher"},
		{Name: "key id", Bytes: 4, Value: t.KeyID, Meaning: "which key opens it; no other is tried"},
		{Name: "time", Bytes: 4, Value: t.Sealed.Format(time.DateTime) + " UTC", Meaning: "when it was sealed; the key is of that hour"},
		{Name: "nonce", Bytes: compact.NonceSize, Value: nonce, Meaning: "random, so that no two look alike"},
		{Name: "ciphertext", Bytes: max(t.Size-compact.HeaderSize-compact.NonceSize-tag, 0), Meaning: "its end, id and data, for the key alone to read"},
		{Name: "tag", Bytes: tag, Meaning: "proves that no bit of all this was changed"},
	}
	if tag == 0 {
		parts = parts[:5]
	}
	at := 0
	for i := range parts {
		parts[i].From = (at*8 + 3) / 6
		at += parts[i].Bytes
		parts[i].To = min((at*8+3)/6, len(t.Text))
	}
	parts[len(parts)-1].To = len(t.Text)
	return parts
}

func parseJWE(text string, whole bool) (Token, error) {
	first, _, dotted := strings.Cut(text, ".")
	raw, ok := base64url.AppendDecode(nil, first[:min(len(first), 4096)])
	if !ok || !dotted || len(raw) == 0 || raw[0] != '{' {
		return Token{}, errNoToken
	}
	t := Token{Text: text, Format: "foreign jwe", About: "a JWE (RFC 7516) that no signet ring sealed or opens"}
	if head, ok := jwe.ParseHeader(first); ok {
		t.KeyID = fmt.Sprintf("%08x", head.KeyID)
		t.Format, t.About = "jwe", "JWE (RFC 7516): dir and A256GCM"
		if head.Alg == jwe.A256KW {
			t.Format, t.About = "jwe-a256kw", "JWE (RFC 7516): A256KW and A256GCM"
		}
		if head.IssuedAt != 0 {
			t.Sealed = time.Unix(int64(head.IssuedAt), 0).UTC()
		}
	} else {
		t.Faults = append(t.Faults, "its header is none that a signet ring takes; its own libraries open it")
	}
	if _, ok := jwe.Split(text); !ok && whole {
		t.Faults = append(t.Faults, "it has not the five parts of a JWE with A256GCM: header, key, 12-byte nonce, ciphertext, 16-byte tag")
	}
	t.jweParts(raw)
	return t, nil
}

func (t *Token) jweParts(header []byte) {
	names := []Part{
		{Name: "header", Value: string(header[:min(len(header), 200)]), Meaning: "algorithms, key id and time"},
		{Name: "encrypted key", Meaning: "the content key, wrapped; empty with dir"},
		{Name: "nonce", Meaning: "random, so that no two look alike"},
		{Name: "ciphertext", Meaning: "a JWT claims set, for the key alone to read"},
		{Name: "tag", Meaning: "proves that no bit of all this was changed"},
	}
	at := 0
	for i, text := range strings.SplitN(t.Text, ".", len(names)) {
		p := names[i]
		p.From, p.To, p.Bytes = at, at+len(text), base64url.DecodedLen(len(text))
		at += len(text) + 1
		t.Size += p.Bytes
		if p.Name == "nonce" {
			raw, _ := base64url.AppendDecode(nil, text[:min(len(text), 64)])
			p.Value = hex.EncodeToString(raw)
		}
		if _, ok := base64url.AppendDecode(nil, text); !ok {
			t.Faults = append(t.Faults, "its "+p.Name+" is not canonical base64url")
		}
		t.Parts = append(t.Parts, p)
	}
}
