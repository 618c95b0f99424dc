package signet_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet"
	"github.com/stretchr/testify/require"
)

// Test keys, made from a label. Two labels that collide in the 32 bits of their id were found by
// trying 34,526 of them, as the birthday bound lets one expect.
var (
	keyA     = newRefKey(refStream("signet keyring vectors: a", 32), false)
	keyB     = newRefKey(refStream("signet keyring vectors: b", 32), false)
	keyC     = newRefKey(refStream("signet keyring vectors: c", 32), true)
	collide1 = newRefKey(refStream("signet collision 19492", 32), false)
	collide2 = newRefKey(refStream("signet collision 34525", 32), false)
)

// jwk is one key as text; extra is further members, with a comma before them.
func jwk(k refKey, extra string) string {
	return fmt.Sprintf(`{"kty":"oct","k":%q,"kid":%q,"alg":%q%s}`, b64(k.secret), k.id(), k.alg(), extra)
}

func keyFile(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// short is the short form of a key, from the text of SPEC.md.
func short(k refKey, nbf int64) string {
	prefix := "signetkey1_"
	if k.chacha {
		prefix = "signetkey2_"
	}
	return shortOf(prefix, append(k.secret[:32:32], be32(nbf)...))
}

func shortOf(prefix string, payload []byte) string {
	sum := sha256.Sum256(append([]byte(prefix), payload...))
	return prefix + b64(append(payload, sum[:4]...))
}

type keyringVectors struct {
	Description []string         `json:"description"`
	Now         int64            `json:"now"`
	Valid       []validKeyring   `json:"valid"`
	Invalid     []invalidKeyring `json:"invalid"`
}

type validKeyring struct {
	Name       string           `json:"name"`
	Text       string           `json:"text"`
	Keys       []vectorKeyInfo  `json:"keys"` // in the order in which they seal
	Revoked    []string         `json:"revoked,omitempty"`
	Policy     map[string]int64 `json:"policy"` // seconds, with the defaults
	Generation uint64           `json:"generation,omitempty"`
}

type vectorKeyInfo struct {
	Kid     string `json:"kid"`
	Alg     string `json:"alg"`
	Iat     int64  `json:"iat,omitempty"`
	Nbf     int64  `json:"nbf"`
	Exp     int64  `json:"exp,omitempty"`
	Sealing bool   `json:"sealing,omitempty"` // at now
}

type invalidKeyring struct {
	Name  string `json:"name"`
	Text  string `json:"text"`
	Error string `json:"error"`
}

func policyOf(period, propagation, skew, life, leeway int64) map[string]int64 {
	return map[string]int64{"period": period, "propagation": propagation, "skew": skew, "life": life, "leeway": leeway}
}

func validKeyrings() []validKeyring {
	defaults := policyOf(720*3600, 3600, 300, 86400, 60)
	a := vectorKeyInfo{Kid: keyA.id(), Alg: "signet-v1", Sealing: true}
	only := func(k vectorKeyInfo) []vectorKeyInfo { return []vectorKeyInfo{k} }
	at := func(k refKey, nbf int64, sealing bool) vectorKeyInfo {
		return vectorKeyInfo{Kid: k.id(), Alg: k.alg(), Nbf: nbf, Sealing: sealing}
	}
	const now = vectorNow
	whole := vectorKeyInfo{Kid: keyA.id(), Alg: "signet-v1", Iat: now - 20, Nbf: now - 10, Exp: 4000000000, Sealing: true}
	return []validKeyring{
		{"a key file of one key", keyFile(jwk(keyA, "")), only(a), nil, defaults, 0},
		{"without kid, which is derived", keyFile(strings.Replace(jwk(keyA, ""), `"kid":"`+keyA.id()+`",`, "", 1)), only(a), nil, defaults, 0},
		{"blanks and line feeds around it", " \r\n\t" + keyFile(jwk(keyA, "")) + "\n\n", only(a), nil, defaults, 0},
		{"a byte order mark", "\ufeff" + keyFile(jwk(keyA, "")), only(a), nil, defaults, 0},
		{"members in another order, with blanks", "{\n \"keys\" : [ {\n\"alg\":\"signet-v1\" , \"k\" : \"" + b64(keyA.secret) + "\",\"kty\":\"oct\"} ]\n}", only(a), nil, defaults, 0},
		{"use and key_ops say nothing", keyFile(jwk(keyA, `,"use":"enc","key_ops":["encrypt"]`)), only(a), nil, defaults, 0},
		{"a key of ChaCha20-Poly1305", keyFile(jwk(keyC, "")), only(at(keyC, 0, true)), nil, defaults, 0},
		{"all times", keyFile(jwk(keyA, fmt.Sprintf(`,"iat":%d,"nbf":%d,"exp":%d`, now-20, now-10, 4000000000))), only(whole), nil, defaults, 0},
		{"two keys, the later nbf seals", keyFile(jwk(keyA, `,"nbf":7`), jwk(keyB, `,"nbf":8`)), []vectorKeyInfo{at(keyA, 7, false), at(keyB, 8, true)}, nil, defaults, 0},
		{"the order of the file means nothing", keyFile(jwk(keyB, `,"nbf":8`), jwk(keyA, `,"nbf":7`)), []vectorKeyInfo{at(keyA, 7, false), at(keyB, 8, true)}, nil, defaults, 0},
		{"an nbf that lies ahead does not seal", keyFile(jwk(keyA, ""), jwk(keyB, fmt.Sprintf(`,"nbf":%d`, now+1))), []vectorKeyInfo{at(keyA, 0, true), at(keyB, now+1, false)}, nil, defaults, 0},
		{"revoked, policy and generation",
			`{"generation":7,"policy":{"period":"48h","propagation":"10m","skew":"90s","life":"12h","leeway":"5s"},"revoked":["0badc0de"],"keys":[` + jwk(keyA, "") + `]}`,
			only(a), []string{"0badc0de"}, policyOf(48*3600, 600, 90, 12*3600, 5), 7},
		{"a rate", `{"policy":{"period":"24h","rate":5000},"keys":[` + jwk(keyA, "") + `]}`, only(a), nil, policyOf(86400, 3600, 300, 86400, 60), 0},
		{"the short form of one key", short(keyA, 0), only(a), nil, defaults, 0},
		{"blanks and line feeds around the short form", "\n " + short(keyA, 0) + "\r\n", only(a), nil, defaults, 0},
		{"a byte order mark before the short form", "\ufeff" + short(keyA, 0) + "\n", only(a), nil, defaults, 0},
		{"keys separated by commas", short(keyA, 7) + "," + short(keyB, 8), []vectorKeyInfo{at(keyA, 7, false), at(keyB, 8, true)}, nil, defaults, 0},
		{"keys separated by blanks and line feeds, in any order", short(keyB, 8) + " ,\n " + short(keyA, 7), []vectorKeyInfo{at(keyA, 7, false), at(keyB, 8, true)}, nil, defaults, 0},
		{"the short form of ChaCha20-Poly1305", short(keyC, 0), only(at(keyC, 0, true)), nil, defaults, 0},
		{"iat and exp in the short form, in any order",
			fmt.Sprintf("exp=%s:4000000000 %s %s iat=%s:%d", keyA.id(), short(keyA, now-10), short(keyB, 0), keyA.id(), now-20), []vectorKeyInfo{at(keyB, 0, false), whole}, nil, defaults, 0},
		{"revoked, policy and generation in the short form",
			"generation=7 " + short(keyA, 0) + " life=12h,period=48h,propagation=10m,skew=90s,leeway=5s revoked=0badc0de", only(a), []string{"0badc0de"}, policyOf(48*3600, 600, 90, 12*3600, 5), 7},
	}
}

func invalidKeyrings() []invalidKeyring {
	k := b64(keyA.secret)
	kid := "kid " + keyA.id() + ": "
	const cure = "; run: signet keys new"
	one := func(kty, k, alg string) string {
		return keyFile(fmt.Sprintf(`{"kty":%q,"k":%q,"alg":%q}`, kty, k, alg))
	}
	secret := func(b []byte) string { return one("oct", b64(b), "signet-v1") }
	const steps = "signet: key 1: the key is a counted sequence, not random bytes" + cure
	counted := make([]byte, 32)
	for i := range counted {
		counted[i] = byte(200 + 3*i)
	}
	var half []byte // of 16 different bytes
	for _, b := range keyA.secret {
		if len(half) < 16 && !bytes.Contains(half, []byte{b}) {
			half = append(half, b)
		}
	}
	twice := append(half[:16:16], half...)
	few := make([]byte, 32)
	for i := range few {
		few[i] = byte(i*i%14) * 17
	}
	shortA := short(keyA, 0)
	damagedShort := shortA[:30] + string('A'+(shortA[30]&1)) + shortA[31:]
	const short60 = `damaged: %d characters after signetkey1_, not 54 of base64url; was the paste cut short? Copy it again, or run: signet keys new -env`
	damaged := func(n int) string { return fmt.Sprintf("signet: key 1: "+short60, n) }
	notOurs := func(like string) string {
		return "signet: key 1: not a signet key: it does not begin with signetkey1_ (" + like + "); run: signet keys new -env"
	}
	hexed, std := hex.EncodeToString(keyA.secret), base64.StdEncoding.EncodeToString(keyA.secret)
	return []invalidKeyring{
		// Neither form.
		{"nothing", "", "signet: no keys: the text is empty; run: signet keys new -env"},
		{"blanks", " \n\t", "signet: no keys: the text is empty; run: signet keys new -env"},
		{"a byte order mark alone", "\ufeff\n", "signet: no keys: the text is empty; run: signet keys new -env"},
		{"a passphrase", "correct-horse-battery-staple", notOurs("it looks like a passphrase or other text, which is no key")},
		{"hex", hexed, notOurs("it looks like 32 bytes in hex")},
		{"base64", std, notOurs("it looks like 32 bytes in base64")},
		{"base64url", k, notOurs("it looks like 32 bytes in base64")},
		{"PEM", "-----BEGIN", notOurs("it looks like PEM")},
		{"a JOSE token", "eyJhbGciOiJkaXIifQ..AAAA", notOurs("it looks like a JOSE token")},
		{"quotes that a shell would have taken off", `"` + shortA + `"`, notOurs("it is in quotes; drop them")},
		{"a JSON array", "[" + jwk(keyA, "") + "]", `signet: the key file is a JSON array; put it into {"keys": … }`},
		{"a single JWK", jwk(keyA, ""), `signet: key file, "kty": this is a single JWK; put it into {"keys": [ … ]}`},
		{"UTF-16", "\xff\xfe{\x00", "signet: the key file is UTF-16, as PowerShell's > writes it; save it as UTF-8"},
		// The key file as a whole.
		{"cut short", keyFile(jwk(keyA, ""))[:60], "signet: the key file is not a JWK Set: broken JSON near line 1; is the file cut short?"},
		{"cut in its second line", "{\n\"revoked\": [", "signet: the key file is not a JWK Set: broken JSON near line 2; is the file cut short?"},
		{"cut before its end", strings.TrimSuffix(keyFile(jwk(keyA, "")), "}"), "signet: the key file is not a JWK Set: broken JSON near line 1; is the file cut short?"},
		{"two objects", keyFile(jwk(keyA, "")) + "\n{}", "signet: the key file is not a JWK Set: something follows the JSON object, near line 2"},
		{"a member twice", `{"keys":[],"keys":[]}`, `signet: the key file is not a JWK Set: member "keys" is there twice`},
		{"a misspelt member", `{"keys":[` + jwk(keyA, "") + `],"revokd":[]}`, `signet: key file, "revokd": unknown member "revokd"; a key file holds keys, revoked, policy and generation`},
		{"a member's name in capitals", `{"Keys":[` + jwk(keyA, "") + `]}`, `signet: key file, "Keys": unknown member "Keys"; a key file holds keys, revoked, policy and generation`},
		{"a key where a name belongs", `{"` + k + `":1}`, "signet: key file, (a long name): unknown member (a long name); a key file holds keys, revoked, policy and generation"},
		{"keys is no array", `{"keys":{}}`, `signet: key file, "keys": must be an array`},
		{"keys is null", `{"keys":null}`, `signet: key file, "keys": must be an array`},
		{"no keys", `{"keys":[]}`, "signet: the ring is empty" + cure},
		{"the empty object", `{}`, "signet: the ring is empty" + cure},
		{"generation is no number", `{"generation":"7","keys":[]}`, `signet: key file, "generation": must be a whole number`},
		{"a negative generation", `{"generation":-7,"keys":[]}`, `signet: key file, "generation": must be a whole number`},
		{"revoked is no array", `{"revoked":"0badc0de"}`, `signet: key file, "revoked": must be an array`},
		{"a revoked id in capitals", `{"revoked":["0BADC0DE"]}`, `signet: key file, "revoked": a key id is 8 lower-case hexadecimal digits`},
		{"a revoked id that is null", `{"revoked":[null]}`, `signet: key file, "revoked": a key id is 8 lower-case hexadecimal digits`},
		{"a whole key where an id belongs", `{"revoked":["` + k + `"]}`, `signet: key file, "revoked": a key id is 8 lower-case hexadecimal digits`},
		// The policy.
		{"policy is no object", `{"policy":[]}`, `signet: key file, "policy": no JSON object`},
		{"a duration as a number", `{"policy":{"life":86400}}`, `signet: key file, "policy": "life": write a duration as text, as in "720h"`},
		{"a duration without unit", `{"policy":{"life":"86400"}}`, `signet: key file, "policy": policy life: write a positive duration, as in "720h" or "5m"`},
		{"a duration of zero", `{"policy":{"life":"0s"}}`, `signet: key file, "policy": policy life: write a positive duration, as in "720h" or "5m"`},
		{"a misspelt policy member", `{"policy":{"lifetime":"1h"}}`, `signet: key file, "policy": unknown policy member "lifetime"; there are period, propagation, skew, life, leeway and rate`},
		{"a duration over ten years", `{"policy":{"life":"90000h"},"keys":[` + jwk(keyA, "") + `]}`, `signet: policy life is over ten years (90000h0m0s)`},
		{"milliseconds", `{"policy":{"skew":"2000ms"}}`, `signet: key file, "policy": policy skew: write a positive duration, as in "720h" or "5m"`},
		{"a plus sign", `{"policy":{"skew":"+5m"}}`, `signet: key file, "policy": policy skew: write a positive duration, as in "720h" or "5m"`},
		{"a fraction of a second", `{"policy":{"skew":"1.5s"},"keys":[` + jwk(keyA, "") + `]}`, `signet: policy skew is not in whole seconds (1.5s)`},
		{"a period too short to publish the next key in", `{"policy":{"period":"1h"},"keys":[` + jwk(keyA, "") + `]}`,
			"signet: policy period (1h0m0s) is shorter than propagation and skew together (1h5m0s): a key would be followed before it is known everywhere"},
		// One key of a file. All name the position, and the id where the file gives it.
		{"a key that is no object", keyFile(`"` + k + `"`), "signet: key 1: not a JWK: no JSON object"},
		{"a key that is null", keyFile("null"), "signet: key 1: not a JWK: no JSON object"},
		{"no kty", keyFile(`{"k":"` + k + `","alg":"signet-v1"}`), `signet: key 1: kty must be "oct", a symmetric key` + cure},
		{"kty EC", one("EC", k, "signet-v1"), `signet: key 1: kty must be "oct", a symmetric key` + cure},
		{"no alg", keyFile(`{"kty":"oct","k":"` + k + `"}`), `signet: key 1: alg must be "signet-v1" or "signet-v1-chacha"` + cure},
		{"a JOSE alg", one("oct", k, "A256GCM"), `signet: key 1: alg must be "signet-v1" or "signet-v1-chacha"` + cure},
		{"no k", keyFile(`{"kty":"oct","alg":"signet-v1"}`), "signet: key 1: k holds 0 bytes, not 32" + cure},
		{"k of 31 bytes", secret(keyA.secret[:31]), "signet: key 1: k holds 31 bytes, not 32 (it looks like 31 bytes in base64)" + cure},
		{"k of 33 bytes", secret(append(keyA.secret[:32:32], 7)), "signet: key 1: k holds 33 bytes, not 32 (it looks like 33 bytes in base64)" + cure},
		{"k in hex", one("oct", hexed, "signet-v1"), "signet: key 1: k holds 48 bytes, not 32 (it looks like 32 bytes in hex)" + cure},
		{"k in padded base64", one("oct", std, "signet-v1"), "signet: key 1: k is not base64url without padding (it looks like 32 bytes in base64)" + cure},
		{"k is a passphrase", one("oct", "correct horse battery staple", "signet-v1"), "signet: key 1: k is not base64url without padding (it looks like a passphrase or other text, which is no key)" + cure},
		{"k with a line feed", keyFile(`{"kty":"oct","k":"` + k[:20] + `\n` + k[20:] + `","alg":"signet-v1"}`),
			"signet: key 1: k is not base64url without padding (it looks like 32 bytes in base64)" + cure},
		{"k with unused bits set", one("oct", respelled(k), "signet-v1"), "signet: key 1: k is not base64url without padding (it looks like 32 bytes in base64)" + cure},
		{"k is a number", keyFile(`{"kty":"oct","k":7,"alg":"signet-v1"}`), `signet: key 1: "k" must be text`},
		{"all zero", secret(make([]byte, 32)), steps},
		{"one byte repeated", secret([]byte(strings.Repeat("\xa7", 32))), steps},
		{"a counted sequence", secret(counted), steps},
		{"few different bytes", secret(few), "signet: key 1: the key repeats a few bytes and is not random" + cure},
		{"one half twice", secret(twice), "signet: key 1: the key is one half twice and is not random" + cure},
		{"text of 32 bytes", secret([]byte("correct horse battery staple 123")), "signet: key 1: the key is text, not random bytes" + cure},
		{"hex digits as the bytes", secret([]byte(hexed[:32])), "signet: key 1: the key is text, not random bytes" + cure},
		{"an unknown member", keyFile(jwk(keyA, `,"crv":"P-256"`)), `signet: key 1: unknown member "crv"`},
		{"a misspelt exp", keyFile(jwk(keyA, `,"Exp":7`)), `signet: key 1: unknown member "Exp"`},
		{"k twice", keyFile(jwk(keyA, `,"k":"`+b64(keyB.secret)+`"`)), `signet: key 1: not a JWK: member "k" is there twice`},
		{"a kid of somebody's choice", keyFile(strings.Replace(jwk(keyA, ""), keyA.id(), "my-key", 1)), "signet: key 1: kid: a key id is 8 lower-case hexadecimal digits; leave it out, it is derived"},
		{"an empty kid", keyFile(strings.Replace(jwk(keyA, ""), keyA.id(), "", 1)), "signet: key 1: kid: a key id is 8 lower-case hexadecimal digits; leave it out, it is derived"},
		{"the kid of another key", keyFile(strings.Replace(jwk(keyA, ""), keyA.id(), keyB.id(), 1)),
			"signet: key 1: kid " + keyB.id() + ": the key does not have this id, so one of the two was damaged; restore the file, or run: signet keys new"},
		{"a key that is damaged, with its kid", keyFile(strings.Replace(jwk(keyA, ""), k, k[:42], 1)), "signet: key 1: " + kid + "k is not base64url without padding (it looks like 31 bytes in base64)" + cure},
		{"nbf with a fraction", keyFile(jwk(keyA, `,"nbf":1.5`)), `signet: key 1: "nbf" must be a time in whole Unix seconds`},
		{"nbf as text", keyFile(jwk(keyA, `,"nbf":"7"`)), `signet: key 1: "nbf" must be a time in whole Unix seconds`},
		{"a negative iat", keyFile(jwk(keyA, `,"iat":-1`)), `signet: key 1: "iat" must be a time in whole Unix seconds`},
		{"exp above 32 bits, as in milliseconds", keyFile(jwk(keyA, `,"exp":1790000000000`)), `signet: key 1: "exp" must be a time in whole Unix seconds`},
		{"exp of 0", keyFile(jwk(keyA, `,"exp":0`)), `signet: key 1: "exp" is 0; leave it out for a key without end`},
		{"exp at nbf", keyFile(jwk(keyA, `,"nbf":7,"exp":7`)), "signet: key 1: " + kid + "exp (7) is not after nbf (7)"},
		{"exp before nbf", keyFile(jwk(keyA, `,"nbf":7,"exp":6`)), "signet: key 1: " + kid + "exp (6) is not after nbf (7)"},
		{"the second key is at fault", keyFile(jwk(keyA, ""), `{"kty":"RSA"}`), `signet: key 2: kty must be "oct", a symmetric key` + cure},
		// The set.
		{"a key twice", keyFile(jwk(keyA, ""), jwk(keyB, ""), jwk(keyA, `,"nbf":7`)), "signet: key 3 (" + keyA.id() + ") is in the ring twice; remove one"},
		{"two keys of one id", keyFile(jwk(collide1, ""), jwk(collide2, "")), "signet: key 2 has the id 00aab9c4 of another key; replace it: run: signet keys new"},
		{"every key has expired", keyFile(jwk(keyA, `,"exp":1700000000`), jwk(keyB, `,"exp":1700000001`)), "signet: every key in the ring has expired or is revoked; run: signet keys rotate FILE, or signet keys new"},
		{"every key is revoked", `{"keys":[` + jwk(keyA, "") + `],"revoked":["` + keyA.id() + `"]}`, "signet: every key in the ring has expired or is revoked; run: signet keys rotate FILE, or signet keys new"},
		{"one has expired, the other is revoked", `{"keys":[` + jwk(keyA, "") + `,` + jwk(keyB, `,"exp":7`) + `],"revoked":["` + keyA.id() + `"]}`, "signet: every key in the ring has expired or is revoked; run: signet keys rotate FILE, or signet keys new"},
		// The short form.
		{"cut short by a character", shortA[:len(shortA)-1], damaged(53)},
		{"cut in half", shortA[:40], damaged(29)},
		{"the prefix alone", "signetkey1_", damaged(0)},
		{"with a character more", shortA + "A", damaged(55)},
		{"with a character of another alphabet", shortA[:30] + "+" + shortA[31:], damaged(54)},
		{"a character changed", damagedShort, "signet: key 1: damaged: the checksum does not match; copy it again, or run: signet keys new -env"},
		{"the prefix changed", strings.Replace(shortA, "signetkey1_", "signetkey2_", 1), "signet: key 1: damaged: the checksum does not match; copy it again, or run: signet keys new -env"},
		{"the prefix in capitals", strings.ToUpper(shortA[:11]) + shortA[11:], notOurs("it looks like a passphrase or other text, which is no key")},
		{"the second word is no key", shortA + ", hunter2hunter2", "signet: key 2: not a signet key: it does not begin with signetkey1_ (it looks like a passphrase or other text, which is no key); run: signet keys new -env"},
		{"all zero, with a good checksum", shortOf("signetkey1_", make([]byte, 36)), "signet: key 1: the key is a counted sequence, not random bytes; run: signet keys new -env"},
		{"a key twice in the short form", shortA + " " + short(keyA, 9), "signet: key 2 (" + keyA.id() + ") is in the ring twice; remove one"},
		{"settings without a key", "life=12h", "signet: the ring is empty" + cure},
		{"a setting twice", shortA + " life=12h life=1h", "signet: word 3: life is there twice; which one counts?"},
		{"a setting that is no duration", shortA + " life=forever", `signet: word 2, life: policy life: write a positive duration, as in "720h" or "5m"`},
		{"a generation that is no number", shortA + " generation=x", "signet: word 2, generation: write a whole number"},
		{"a revoked id too long", shortA + " revoked=0badc0de0", "signet: word 2, revoked: a key id is 8 lower-case hexadecimal digits"},
		{"a rate in quotes", `{"policy":{"rate":"5000"}}`, `signet: key file, "policy": policy rate: write a positive whole number, the tokens per second, without quotes`},
		{"a rate of 0", shortA + " rate=0", "signet: word 2, rate: policy rate: write a positive whole number, the tokens per second, without quotes"},
		{"a rate that a key's budget does not allow", shortA + " rate=5000", `signet: in a period of 720h one key would seal more than 2^32 JWEs at a rate of 5000/s; set "policy": {"period": "238h"} or a lower "rate" in the key file, or use Format JWEKeyWrap`},
		{"an exp of a key that is not there", shortA + " exp=0badc0de:7", "signet: exp is of a key 0badc0de, which is not there; was the paste cut short?"},
		{"an exp without a key", shortA + " exp=4000000000", "signet: exp: a key id is 8 lower-case hexadecimal digits, then a colon and the time; write it as in exp=8ecfff22:1791300000"},
		{"an exp of 0", shortA + " exp=" + keyA.id() + ":0", "signet: exp of key " + keyA.id() + ": must be a time in whole Unix seconds, above 0"},
		{"an exp without time", shortA + " exp=" + keyA.id(), "signet: exp of key " + keyA.id() + ": must be a time in whole Unix seconds, above 0"},
		{"an exp at nbf in the short form", short(keyA, 7) + " exp=" + keyA.id() + ":7", "signet: key " + keyA.id() + ": exp (7) is not after nbf (7)"},
		{"an exp twice", shortA + " exp=" + keyA.id() + ":7 exp=" + keyA.id() + ":8", "signet: exp of key " + keyA.id() + " is there twice"},
		{"an iat twice", shortA + " iat=" + keyA.id() + ":7 iat=" + keyA.id() + ":8", "signet: iat of key " + keyA.id() + " is there twice"},
		{"an unknown setting", shortA + " lifetime=12h", "signet: key 2: not a signet key: it does not begin with signetkey1_ (it looks like a passphrase or other text, which is no key); run: signet keys new -env"},
	}
}

func TestVectorsKeyring(t *testing.T) {
	valid, invalid := validKeyrings(), invalidKeyrings()
	for i := range invalid { // bytes that are no UTF-8 have no place in a JSON file
		if strings.HasPrefix(invalid[i].Name, "UTF-16") {
			_, err := signet.ParseKeyring([]byte(invalid[i].Text))
			require.EqualError(t, err, invalid[i].Error)
			invalid = append(invalid[:i], invalid[i+1:]...)
			break
		}
	}
	f := vectorFile(t, "keyring.json", keyringVectors{
		Description: []string{
			"Key files and short forms (SPEC.md, Key file), read at now.",
			"invalid: the error of this package, word for word. Other implementations need not use the same words, but must refuse.",
		},
		Now: vectorNow, Valid: valid, Invalid: invalid,
	})
	for _, v := range f.Valid {
		t.Run("read: "+v.Name, func(t *testing.T) {
			ring, err := signet.ParseKeyring([]byte(v.Text))
			require.NoError(t, err)
			requireRing(t, v, ring)
			// What is written again says the same.
			text, err := ring.SecretJWKS()
			require.NoError(t, err)
			again, err := signet.ParseKeyring(text)
			require.NoError(t, err)
			requireRing(t, v, again)
		})
	}
	for _, v := range f.Invalid {
		t.Run("refused: "+v.Name, func(t *testing.T) {
			_, err := signet.ParseKeyring([]byte(v.Text))
			require.EqualError(t, err, v.Error)
			requireNothingOf(t, v.Text, err.Error())
		})
	}
	report(t, "%d valid and %d invalid texts", len(f.Valid), len(f.Invalid))
}

func requireRing(t *testing.T, want validKeyring, ring *signet.Keyring) {
	t.Helper()
	ring.SetClock(func() time.Time { return time.Unix(vectorNow, 0) })
	unix := func(at time.Time) int64 {
		if at.IsZero() {
			return 0
		}
		return at.Unix()
	}
	var got []vectorKeyInfo
	for _, k := range ring.Keys() {
		got = append(got, vectorKeyInfo{k.ID, k.Algorithm, unix(k.Issued), unix(k.NotBefore), unix(k.Expires), k.Sealing})
	}
	require.Equal(t, want.Keys, got)
	text, err := ring.SecretJWKS()
	require.NoError(t, err)
	var file struct {
		Revoked    []string
		Generation uint64
	}
	require.NoError(t, json.Unmarshal(text, &file))
	require.Equal(t, want.Revoked, file.Revoked)
	require.Equal(t, want.Generation, file.Generation)
	require.Equal(t, want.Policy, signet.PolicySeconds(ring))
}

// requireNothingOf fails if eight characters in a row of what could be a secret in text, which is
// everything but names and punctuation, stand in message.
func requireNothingOf(t *testing.T, text, message string) {
	t.Helper()
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("\"{}[]:=, \n", r) })
	for _, word := range words {
		switch word {
		case keyA.id(), keyB.id(), collide1.id(), "0badc0de": // ids may be shown
			continue
		case "signet-v1", "signet-v1-chacha", "lifetime", "generation": // names
			continue
		}
		for _, prefix := range []string{"signetkey1_", "signetkey2_", "-----BEGIN"} {
			word = strings.TrimPrefix(word, prefix)
		}
		for i := 0; i+8 <= len(word); i++ {
			require.NotContains(t, message, word[i:i+8])
		}
	}
}

// Texts too large for a vector file.
func TestAKeyFileOverItsBoundsIsRefused(t *testing.T) {
	many := func(n int) (keys, words []string) {
		for i := range n {
			k := newRefKey(refStream(fmt.Sprintf("signet many %d", i), 32), false)
			keys, words = append(keys, jwk(k, "")), append(words, short(k, 0))
		}
		return keys, words
	}
	keys, words := many(65)
	ids := func(n int) string { return strings.TrimSuffix(strings.Repeat(`"0badc0de",`, n), ",") }
	for _, row := range []struct{ name, text, want string }{
		{"a text of 1 MiB and a byte", strings.Repeat(" ", 1<<20+1), "signet: the key file has 1048577 bytes, over the limit of 1048576; is it the right file?"},
		{"65 keys", keyFile(keys...), "signet: the key file has 65 keys, over the limit of 64; drop the expired ones: run: signet keys rotate FILE"},
		{"65 keys in the short form", strings.Join(words, ","), "signet: more than 64 keys; drop the expired ones"},
		{"4,097 revoked ids", `{"revoked":[` + ids(4097) + `]}`, `signet: key file, "revoked": more than 4096 revoked ids`},
		{"5,000 words", strings.Repeat("x ", 5000), "signet: the text has 5000 words; is it the right one?"},
		{"100,000 members", "{" + strings.TrimSuffix(manyMembers(70000), ",") + "}", "signet: key file, (an odd name): unknown member (an odd name); a key file holds keys, revoked, policy and generation"},
		{"nested beyond sense", `{"keys":` + strings.Repeat("[", 500000), "signet: the key file is not a JWK Set: broken JSON near line 1; is the file cut short?"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := signet.ParseKeyring([]byte(row.text))
			require.EqualError(t, err, row.want)
		})
	}
	for _, text := range []string{
		keyFile(keys[:64]...), strings.Join(words[:64], "\n"), strings.Repeat(" ", 1<<20-len(words[0])) + words[0],
		strings.Join(words[:64], " ") + strings.Repeat(" revoked=0badc0de", 4096) + " period=48h propagation=1h skew=1m life=1h leeway=1s generation=1",
	} {
		_, err := signet.ParseKeyring([]byte(text))
		require.NoError(t, err, "at the bound")
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%d":1,`, i)
	}
	return b.String()
}

func TestNewKeyringRefusesWhatAKeyFileMay(t *testing.T) {
	k := signet.GenerateKey(time.Time{})
	_, err := signet.NewKeyring()
	require.EqualError(t, err, "signet: the ring is empty; run: signet keys new")
	_, err = signet.NewKeyring(k, signet.Key{})
	require.EqualError(t, err, "signet: key 2 is the zero Key; make one with GenerateKey, or run: signet keys new")
	_, err = signet.NewKeyring(k, k)
	require.EqualError(t, err, "signet: key 2 ("+k.ID()+") is in the ring twice; remove one")
	_, err = new(signet.Keyring).SecretJWKS()
	require.ErrorContains(t, err, "make it with ParseKeyring or NewKeyring")
	require.Error(t, signet.Must(signet.NewKeyring(k)).Replace(new(signet.Keyring)))
	_, err = signet.Must(signet.NewKeyring(k)).WithPolicy(signet.Policy{Skew: -1, Life: 1})
	require.ErrorContains(t, err, "policy skew is negative")
	require.ErrorContains(t, err, "policy life is not in whole seconds", "all problems at once")
}

func TestAGeneratedKeyFitsIntoAKeyFile(t *testing.T) {
	for _, from := range []time.Time{{}, time.Unix(-5, 0), time.Unix(0, 0), time.Unix(1<<32-1, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		ring := signet.Must(signet.NewKeyring(signet.GenerateKey(from)))
		text, err := ring.SecretJWKS()
		require.NoError(t, err)
		again, err := signet.ParseKeyring(text)
		require.NoError(t, err, from)
		require.Equal(t, ring.Keys(), again.Keys())
		env, err := ring.SecretEnv()
		require.NoError(t, err)
		_, err = signet.ParseKeyring([]byte(env))
		require.NoError(t, err, from)
	}
}

func TestAFreshKeyIsOfTheAlgorithmOfTheNewest(t *testing.T) {
	aes, chacha := signet.GenerateKey(time.Unix(1, 0)), signet.GenerateChaChaKey(time.Unix(2, 0))
	for _, row := range []struct {
		name    string
		ring    *signet.Keyring
		alg     string
		version byte
	}{
		{"of a ring of AES-256-GCM", signet.Must(signet.NewKeyring(aes)), "signet-v1", 1},
		{"of a ring of ChaCha20-Poly1305", signet.Must(signet.NewKeyring(chacha)), "signet-v1-chacha", 2},
		{"of a ring that changes over", signet.Must(signet.NewKeyring(chacha, aes)), "signet-v1-chacha", 2},
		{"of no ring", new(signet.Keyring), "signet-v1", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			fresh := row.ring.FreshKey()
			ring := signet.Must(signet.NewKeyring(fresh))
			require.Equal(t, row.alg, ring.Keys()[0].Algorithm)
			require.True(t, ring.Keys()[0].Sealing)
			require.NotEqual(t, fresh.ID(), row.ring.FreshKey().ID())
			if row.version == 2 && fipsOnly() {
				return // which refuses to seal with it, see TestChaChaKeysUnderEnforcedFIPSAreRefusedAtConstruction
			}
			token, err := ring.Seal("reset-link", []byte("x"), time.Hour)
			require.NoError(t, err)
			require.Equal(t, row.version, unb64(token)[0])
		})
	}
}

func TestRotationKeepsTheAlgorithm(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	ring := signet.Must(signet.NewKeyring(signet.GenerateChaChaKey(time.Time{})))
	for range 3 {
		var err error
		ring, err = ring.Policy().Next(ring, ring.FreshKey(), now)
		require.NoError(t, err)
		now = now.Add(period)
	}
	ring = signet.Must(ring.Policy().Hasten(ring, ring.FreshKey(), now))
	ring = signet.Must(ring.Policy().Revoke(ring, ring.FreshKey(), now, ring.Keys()[0].ID))
	for _, k := range ring.Keys() {
		require.Equal(t, "signet-v1-chacha", k.Algorithm)
	}
}

func TestBothFormsHaveOneMeaning(t *testing.T) {
	for _, v := range validKeyrings() {
		t.Run(v.Name, func(t *testing.T) {
			ring, err := signet.ParseKeyring([]byte(v.Text))
			require.NoError(t, err)
			text, err := ring.SecretEnv()
			require.NoError(t, err)
			if len(v.Keys) == 1 {
				v.Keys[0].Iat = 0 // of a lone key the short form leaves it out
			}
			require.NotContains(t, text, "\n")
			again, err := signet.ParseKeyring([]byte(text))
			require.NoError(t, err)
			requireRing(t, v, again)
		})
	}
}

// sealedBy is the id of the key that sealed a compact token.
func sealedBy(token string) string { return hex.EncodeToString(unb64(token)[1:5]) }

func TestWhichKeySealsIsAFunctionOfTheSetAndTheClock(t *testing.T) {
	// The larger id of two that tie.
	low, high := keyA, keyB
	if low.id() > high.id() {
		low, high = high, low
	}
	const now = vectorNow
	key := func(k refKey, nbf, exp int64) string {
		text := fmt.Sprintf(`,"nbf":%d`, nbf)
		if exp != 0 {
			text += fmt.Sprintf(`,"exp":%d`, exp)
		}
		return jwk(k, text)
	}
	for _, row := range []struct {
		name    string
		keys    []string
		revoked string
		want    refKey // without secret: sealing is refused
	}{
		{"the only key", []string{key(low, 0, 0)}, "", low},
		{"the latest nbf that has passed", []string{key(low, now-10, 0), key(high, now-20, 0)}, "", low},
		{"an nbf of just now has passed", []string{key(low, now, 0), key(high, now-20, 0)}, "", low},
		{"an nbf a second ahead has not", []string{key(low, now+1, 0), key(high, now-20, 0)}, "", high},
		{"the larger id at a tie", []string{key(low, now-10, 0), key(high, now-10, 0)}, "", high},
		{"at a tie of 0, too, in either order", []string{key(high, 0, 0), key(low, 0, 0)}, "", high},
		{"the earliest if none has passed", []string{key(high, now+20, 0), key(low, now+10, 0)}, "", low},
		{"the smaller id at a tie of those", []string{key(high, now+10, 0), key(low, now+10, 0)}, "", low},
		{"one that expires now does not seal", []string{key(low, now-10, now), key(high, now-20, 0)}, "", high},
		{"one that expires in a second does", []string{key(low, now-10, now+1), key(high, now-20, 0)}, "", low},
		{"a revoked one does not seal", []string{key(low, now-10, 0), key(high, now-20, 0)}, low.id(), high},
		{"of the larger id at a tie neither", []string{key(low, 0, 0), key(high, 0, 0)}, high.id(), low},
		{"one that lies ahead, if the one that has passed is revoked", []string{key(low, now+10, 0), key(high, 0, 0)}, high.id(), low},
		{"none, if all are past their end", []string{key(low, 0, now), key(high, 0, now-1)}, "", refKey{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := keyFile(row.keys...)
			if row.revoked != "" {
				text = strings.TrimSuffix(text, "}") + `,"revoked":["` + row.revoked + `"]}`
			}
			synctest.Test(t, func(t *testing.T) { // in the year 2000, when none of the keys has expired
				ring, err := signet.ParseKeyring([]byte(text))
				require.NoError(t, err)
				ring.SetClock(func() time.Time { return time.Unix(now, 0) })
				token, err := ring.Seal("p", []byte("x"), time.Hour)
				if row.want.secret == nil {
					require.EqualError(t, err, "signet: every key in the ring has expired; run: signet keys rotate FILE")
					return
				}
				require.NoError(t, err)
				require.Equal(t, row.want.id(), sealedBy(token))
				for _, k := range ring.Keys() {
					require.Equal(t, k.ID == row.want.id(), k.Sealing)
				}
			})
		})
	}
}

func TestEveryLiveKeyOpensAndNoOther(t *testing.T) {
	const now = vectorNow
	seal := func(k refKey) string {
		return refCompact(k, refPurpose{"token", "p", ""}, refContent{now, now + 60, nil, []byte("x")}, make([]byte, 12)).token
	}
	ring := signet.Must(signet.ParseKeyring([]byte(`{"keys":[` + jwk(keyA, `,"nbf":4000000000`) + `,` + jwk(keyB, fmt.Sprintf(`,"exp":%d`, now+1)) + `],"revoked":["` + collide1.id() + `"]}`)))
	at := func(seconds int64) { ring.SetClock(func() time.Time { return time.Unix(seconds, 0) }) }
	at(now)
	for _, k := range []refKey{keyA, keyB} {
		_, err := ring.Open("p", seal(k))
		require.NoError(t, err, "a key opens before its nbf, and until its exp")
	}
	at(now + 1)
	_, err := ring.Open("p", seal(keyB))
	require.Equal(t, signet.ErrExpired, err, "now < exp")
	_, err = ring.Open("p", seal(collide2))
	require.Equal(t, signet.ErrRevoked, err, "a revoked id needs no key in the ring")
}

// Two keys of one id never answer for each other, even in the cache of AEADs.
func TestAReplacedKeyDoesNotAnswerForItsSuccessor(t *testing.T) {
	ring := signet.Must(signet.ParseKeyring([]byte(keyFile(jwk(collide1, "")))))
	next := signet.Must(signet.ParseKeyring([]byte(keyFile(jwk(collide2, "")))))
	for _, format := range formats {
		token, err := ring.SealAs(format, "p", []byte("x"), time.Hour)
		require.NoError(t, err)
		_, err = ring.Open("p", token)
		require.NoError(t, err)
		successor := signet.Must(signet.ParseKeyring([]byte(keyFile(jwk(collide1, "")))))
		_, err = successor.Open("p", token)
		require.NoError(t, err, "cached there, too")
		require.NoError(t, successor.Replace(next))
		_, err = successor.Open("p", token)
		require.Equal(t, signet.ErrInvalid, err)
	}
}

func TestTheSwapOfARingIsAtomic(t *testing.T) {
	a := signet.Must(signet.ParseKeyring([]byte(keyFile(jwk(keyA, "")))))
	b := signet.Must(signet.ParseKeyring([]byte(keyFile(jwk(keyB, ""), jwk(keyA, `,"exp":4000000000`)))))
	ring := signet.Must(signet.ParseKeyring([]byte(keyFile(jwk(keyA, "")))))
	done := make(chan struct{})
	var readers, writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if next := []*signet.Keyring{a, b}[i%2]; ring.Replace(next) != nil {
				t.Error("Replace failed")
			}
		}
	})
	for range 64 {
		readers.Go(func() {
			for range 50 {
				// One state or the other, never a mixture: A alone, or B and an A that ends.
				keys := ring.Keys()
				if len(keys) == 1 && (keys[0].ID != keyA.id() || !keys[0].Expires.IsZero()) || len(keys) == 2 && keys[0].ID == keyA.id() && keys[0].Expires.IsZero() {
					t.Error("a mixture of two rings")
				}
				token, err := ring.Seal("p", []byte("x"), time.Minute)
				if err != nil {
					t.Error(err)
				}
				if _, err := ring.Open("p", token); err != nil && err != signet.ErrUnknownKey {
					t.Error(err)
				}
			}
		})
	}
	readers.Wait()
	close(done)
	writer.Wait()
}
