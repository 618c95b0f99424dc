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
