package base64url_test

import (
	"encoding/base64"
	"testing"

	"github.com/signet-go/signet/internal/base64url"
	"github.com/stretchr/testify/require"
)

func TestOnlyTheCanonicalSpellingDecodes(t *testing.T) {
	rows := []struct {
		name, text string
		ok         bool
	}{
		{"an empty text is no bytes", "", true},
		{"one byte takes two characters", "QQ", true},
		{"unused bits must be zero", "QR", false},
		{"unused bits of two bytes must be zero", "QUJ", false},
		{"a lone character holds no byte", "Q", false},
		{"five characters are one too many", "QUJDR", false},
		{"padding is refused", "QQ==", false},
		{"the standard alphabet is refused", "+/+/", false},
		{"the URL alphabet is taken", "-_-_", true},
		{"a line feed inside is refused", "QUJ\nD", false},
		{"a line feed at the end is refused", "QUJD\n", false},
		{"a carriage return is refused", "QU\rJD", false},
		{"five characters of which one is a line feed are refused", "QUJD\nQUJD", false},
		{"nothing but line feeds is refused", "\n\n", false},
		{"a blank is refused", "QQ Q", false},
		{"a non-ASCII letter is refused", "QQé", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, ok := base64url.AppendDecode([]byte("x"), row.text)
			require.Equal(t, row.ok, ok)
			if !ok {
				require.Equal(t, "x", string(got))
				return
			}
			require.Equal(t, row.text, base64.RawURLEncoding.EncodeToString(got[1:]))
		})
	}
}

func FuzzDecodeAgreesWithReencoding(f *testing.F) {
	for _, s := range []string{"", "QQ", "QR", "QUJD\n", "Q\nQ", "\r\n\r\n", "-_-_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := base64url.AppendDecode(nil, s)
		if ok && base64.RawURLEncoding.EncodeToString(got) != s {
			t.Fatalf("%q decodes but is not canonical", s)
		}
		lax, err := base64.RawURLEncoding.DecodeString(s)
		if canonical := err == nil && base64.RawURLEncoding.EncodeToString(lax) == s; canonical != ok {
			t.Fatalf("%q: canonical %v, decoded %v", s, canonical, ok)
		}
	})
}

func TestEncodingAndDecodingAgreeWithTheStandardLibraryAtEveryLength(t *testing.T) {
	raw := make([]byte, 100)
	for i := range raw {
		raw[i] = byte(i*151 + i*i*29)
	}
	for n := range raw {
		want := base64.RawURLEncoding.EncodeToString(raw[:n])
		require.Equal(t, "x"+want, string(base64url.Append([]byte("x"), raw[:n])), "%d bytes", n)
		got, ok := base64url.AppendDecode([]byte("x"), want)
		require.True(t, ok, "%d bytes", n)
		require.Equal(t, "x"+string(raw[:n]), string(got), "%d bytes", n)
		got, ok = base64url.AppendDecode([]byte("x"), []byte(want))
		require.True(t, ok, "%d bytes", n)
		require.Equal(t, "x"+string(raw[:n]), string(got), "%d bytes", n)
	}
}

// The text is long enough for each loop of the decoder: eight characters, four, and the rest.
func TestEveryByteIsJudgedAtEveryPlaceAsTheStandardLibraryJudgesIt(t *testing.T) {
	for _, length := range []int{22, 23, 24} {
		for place := range length {
			for c := range 256 {
				text := []byte("QUJDREVGR0hJSktMTU5PUFFS")[:length]
				text[length-1] = 'Q' // no unused bits
				text[place] = byte(c)
				lax, err := base64.RawURLEncoding.DecodeString(string(text))
				want := err == nil && base64.RawURLEncoding.EncodeToString(lax) == string(text)
				got, ok := base64url.AppendDecode(nil, text)
				require.Equal(t, want, ok, "%q", text)
				if ok {
					require.Equal(t, lax, got, "%q", text)
				}
			}
		}
	}
}

// A decoder that stores eight bytes at a time must not store past the end.
func TestDecodingWritesNothingBehindItsBytes(t *testing.T) {
	for n := range 40 {
		text := base64.RawURLEncoding.EncodeToString(make([]byte, n))
		room := make([]byte, n+16)
		for i := range room {
			room[i] = 0xee
		}
		_, ok := base64url.AppendDecode(room[:0], text)
		require.True(t, ok)
		for i, b := range room[n:] {
			require.EqualValues(t, 0xee, b, "%d bytes: byte %d behind the end", n, i)
		}
	}
}

func FuzzEncodingAgreesWithTheStandardLibrary(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := base64url.Append(nil, raw)
		if want := base64.RawURLEncoding.EncodeToString(raw); string(text) != want {
			t.Fatalf("%x became %q, not %q", raw, text, want)
		}
		if got, ok := base64url.AppendDecode(nil, text); !ok || string(got) != string(raw) {
			t.Fatalf("%q came back as %x, %v", text, got, ok)
		}
	})
}
