package jwe_test

import (
	"testing"

	"github.com/signet-go/signet/internal/jwe"
	"github.com/stretchr/testify/require"
)

func TestWhatAppendWritesIsReadBack(t *testing.T) {
	long := make([]byte, 300)
	for i := range long {
		long[i] = byte(i * 7)
	}
	rows := []struct {
		name   string
		claims jwe.Claims
	}{
		{"a token without data", jwe.Claims{IssuedAt: 1, Expires: 2, Audience: "reset", Payload: []byte{}}},
		{"a token whose data is decoded over its own text", jwe.Claims{IssuedAt: 1, Expires: 2, Audience: "reset", Payload: long}},
		{"a purpose that JSON escapes", jwe.Claims{IssuedAt: 1, Expires: 2, Audience: "a\"b\\c\nd", Payload: long}},
		{"a session", jwe.Claims{IssuedAt: 1, Expires: 2, Audience: "__Host-s", IsSession: true, ID: [16]byte(long), Created: 3, Data: []byte(`{"a":1}`)}},
		{"a persistent session", jwe.Claims{IssuedAt: 1, Expires: 2, Audience: "__Host-s", IsSession: true, Created: 3, Persistent: true, Data: []byte(`{}`)}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for _, audience := range []string{row.claims.Audience, "another"} {
				got, ok := jwe.ParseClaims(row.claims.Append(nil), audience)
				require.True(t, ok)
				require.Equal(t, row.claims, got)
			}
		})
	}
}

func TestAPayloadOfAnotherSpellingIsForTheGeneralParse(t *testing.T) {
	rows := []struct {
		name, text string
		ok         bool
	}{
		{"ours", `{"iat":1,"exp":2,"aud":"a","p":"QUJD"}`, true},
		{"with an escape in it", `{"iat":1,"exp":2,"aud":"a","p":"QUJ\u0044"}`, true},
		{"with a blank behind it", `{"iat":1,"exp":2,"aud":"a","p":"QUJD" }`, true},
		{"with unused bits set", `{"iat":1,"exp":2,"aud":"a","p":"QUJ"}`, false},
		{"with a control character", "{\"iat\":1,\"exp\":2,\"aud\":\"a\",\"p\":\"QUJ\x01\"}", false},
		{"with padding", `{"iat":1,"exp":2,"aud":"a","p":"QQ=="}`, false},
		{"that is not ended", `{"iat":1,"exp":2,"aud":"a","p":"QUJD`, false},
		{"with a member behind it", `{"iat":1,"exp":2,"aud":"a","p":"QUJD","x":1}`, true},
		{"given twice", `{"iat":1,"exp":2,"aud":"a","p":"QUJD","p":"QUJD"}`, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, ok := jwe.ParseClaims([]byte(row.text), "a")
			require.Equal(t, row.ok, ok)
			if ok {
				require.Equal(t, "ABC", string(got.Payload))
			}
		})
	}
}
