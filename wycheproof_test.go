package signet_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/internal/base64url"
	"github.com/signet-go/signet/internal/jwe"
	"github.com/stretchr/testify/require"
)

// hexBytes is text in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(text []byte) (err error) {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	*h, err = hex.DecodeString(s)
	return err
}

// wycheproofCase is a case of any of the files.
type wycheproofCase struct {
	ID                         int `json:"tcId"`
	Comment, Result            string
	Key, IV, AAD, Msg, Ct, Tag hexBytes
	IKM, Salt, Info, OKM       hexBytes
	Size                       int
	JWE                        string
}

type wycheproofGroup struct {
	IVSize, TagSize int
	Private         struct{ Alg, Kty, K string }
	Tests           []wycheproofCase
}

func wycheproof(t testing.TB, name string) []wycheproofGroup {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "wycheproof", name+"_test.json"))
	require.NoError(t, err)
	var file struct{ TestGroups []wycheproofGroup }
	require.NoError(t, json.Unmarshal(text, &file))
	return file.TestGroups
}

// The AEADs as tokens use them: nonce ‖ ciphertext ‖ tag, opened in place. What the second
// implementation of reference_test.go seals is compared on the way.
func TestWycheproofAEAD(t *testing.T) {
	for _, row := range []struct {
		file      string
		open      func(key, sealed, additional []byte) ([]byte, error)
		reference func(key, nonce, plaintext, additional []byte) []byte
		cases     int
	}{
		{"aes_gcm", signet.OpenGCM, refGCM, 197},
		{"chacha20_poly1305", signet.OpenChaCha, refChaCha, 316},
	} {
		t.Run(row.file, func(t *testing.T) {
			valid, invalid := 0, 0
			for _, g := range wycheproof(t, row.file) {
				if g.IVSize != 96 || g.TagSize != 128 {
					continue // tokens have no others
				}
				for _, c := range g.Tests {
					sealed := bytes.Join([][]byte{c.IV, c.Ct, c.Tag}, nil)
					plain, err := row.open(c.Key, sealed, c.AAD)
					if fipsOnly() && row.file == "chacha20_poly1305" {
						require.ErrorContains(t, err, "cannot be used under GODEBUG=fips140=only")
						continue
					}
					if c.Result != "valid" {
						invalid++
						require.Error(t, err, "case %d: %s", c.ID, c.Comment)
						continue
					}
					valid++
					require.NoError(t, err, "case %d: %s", c.ID, c.Comment)
					require.True(t, bytes.Equal(c.Msg, plain), "case %d: %s", c.ID, c.Comment)
					require.True(t, bytes.Equal(append(c.Ct, c.Tag...), row.reference(c.Key, c.IV, c.Msg, c.AAD)), "reference, case %d: %s", c.ID, c.Comment)
				}
			}
			if !fipsOnly() || row.file == "aes_gcm" {
				require.Equal(t, row.cases, valid+invalid)
			}
			report(t, "%d valid and %d invalid cases", valid, invalid)
		})
	}
}

func TestWycheproofKeyWrap(t *testing.T) {
	valid, invalid := 0, 0
	for _, g := range wycheproof(t, "aes_wrap") {
		for _, c := range g.Tests {
			block, err := signet.NewAES(c.Key)
			require.NoError(t, err)
			plain, ok := jwe.Unwrap(block, c.Ct)
			if c.Result != "valid" {
				invalid++
				require.False(t, ok, "case %d: %s", c.ID, c.Comment)
				continue
			}
			valid++
			require.True(t, ok, "case %d: %s", c.ID, c.Comment)
			require.True(t, bytes.Equal(c.Msg, plain), "case %d", c.ID)
			require.True(t, bytes.Equal(c.Ct, jwe.Wrap(block, c.Msg)), "case %d", c.ID)
			require.True(t, bytes.Equal(c.Ct, refWrap(c.Key, c.Msg)), "reference, case %d", c.ID)
		}
	}
	require.Equal(t, 165, valid+invalid)
	report(t, "%d valid and %d invalid cases", valid, invalid)
}

// Extract is used without salt and Expand for up to 32 bytes; the longer outputs run all the same.
func TestWycheproofHKDF(t *testing.T) {
	expanded, extracted, short := 0, 0, 0
	for _, g := range wycheproof(t, "hkdf_sha256") {
		for _, c := range g.Tests {
			if c.Result != "valid" {
				require.Panics(t, func() { signet.Expand(make([]byte, 32), string(c.Info), c.Size) }, "case %d: %s", c.ID, c.Comment)
				continue
			}
			salt := c.Salt
			if len(salt) == 0 {
				salt = make([]byte, 32)
			}
			if fipsOnly() && len(salt) < 14 {
				continue // a key of HMAC under 112 bits, which the standard library refuses; signet has none
			}
			prk := refHMAC(salt, c.IKM)
			if len(c.Salt) == 0 && len(c.IKM) == 32 {
				if got, err := signet.Extract([32]byte(c.IKM)); err == nil { // weak keys are refused
					extracted++
					require.True(t, bytes.Equal(prk, got), "case %d", c.ID)
				}
			}
			expanded++
			require.True(t, bytes.Equal(c.OKM, signet.Expand(prk, string(c.Info), c.Size)), "case %d: %s", c.ID, c.Comment)
			if c.Size <= 32 {
				short++
				require.True(t, bytes.Equal(c.OKM, refExpand(prk, c.Info)[:c.Size]), "reference, case %d", c.ID)
			}
		}
	}
	if !fipsOnly() {
		require.Equal(t, 83, expanded)
	}
	require.NotZero(t, extracted)
	report(t, "%d cases expanded, %d of them to at most 32 bytes; %d extracted", expanded, short, extracted)
}

// None of these tokens has a header that a producer with a signet key writes, so all of them are
// refused before anything is decrypted. Those of A256KW are also opened by hand, with the parts that
// openJWE is made of.
func TestWycheproofJWE(t *testing.T) {
	ring := newRing(t)
	refused, unwrapped, opened := 0, 0, 0
	for _, g := range wycheproof(t, "json_web_encryption") {
		for _, c := range g.Tests {
			_, err := ring.Open("p", c.JWE)
			require.Equal(t, signet.ErrInvalid, err, "case %d: %s", c.ID, c.Comment)
			refused++
			parts, ok := jwe.Split(c.JWE)
			if !ok || g.Private.Alg != "A256KW" || g.Private.Kty != "oct" {
				continue
			}
			kek, ok := base64url.AppendDecode(nil, g.Private.K)
			require.True(t, ok)
			block, err := signet.NewAES(kek)
			require.NoError(t, err)
			wrapped, ok := base64url.AppendDecode(nil, parts.Key)
			require.True(t, ok)
			contentKey, ok := jwe.Unwrap(block, wrapped)
			if c.Comment == "rejectsModifiedEncryptedKey" || c.Comment == "rejectsMissingEncryptedKey" || c.Comment == "KwKeyUsedWithGcm" {
				require.False(t, ok, "case %d: %s", c.ID, c.Comment)
				continue
			}
			require.True(t, ok, "case %d: %s", c.ID, c.Comment)
			unwrapped++
			sealed, ok := base64url.AppendDecode(nil, parts.Nonce+parts.Ciphertext)
			require.True(t, ok)
			sealed, ok = base64url.AppendDecode(sealed, parts.Tag)
			require.True(t, ok)
			_, err = signet.OpenGCM(contentKey, sealed, []byte(parts.Header))
			require.Equal(t, c.Result == "valid", err == nil, "case %d: %s", c.ID, c.Comment)
			opened++
		}
	}
	require.Equal(t, 139, refused)
	report(t, "%d tokens refused as none of ours; %d unwrapped and %d opened by hand", refused, unwrapped, opened)
}
