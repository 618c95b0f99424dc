package jwe

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"

	"github.com/signet-go/signet/internal/base64url"
)

// Claims is the JWT claims set (RFC 7519) in a token. A session has ID, Created and Data, a
// token of an application has Payload.
type Claims struct {
	IssuedAt, Expires int64  // "iat", "exp", Unix seconds
	Audience          string // "aud": the purpose
	ID                [16]byte
	Created           int64  // "created", Unix seconds
	Persistent        bool   // "persistent"
	Data              []byte // "d": the session, a JSON object
	Payload           []byte // "p": anything else, base64url in the JSON
	IsSession         bool
}

// Append appends the claims as JSON. The order of the members is fixed, so that
// ParseClaims reads back what was written here without a general parse.
func (c *Claims) Append(dst []byte) []byte {
	dst = append(dst, `{"iat":`...)
	dst = strconv.AppendInt(dst, c.IssuedAt, 10)
	dst = append(dst, `,"exp":`...)
	dst = strconv.AppendInt(dst, c.Expires, 10)
	dst = append(dst, `,"aud":`...)
	dst = appendString(dst, c.Audience)
	if !c.IsSession {
		dst = append(dst, `,"p":"`...)
		dst = base64url.Append(dst, c.Payload)
		return append(dst, `"}`...)
	}
	dst = append(dst, `,"jti":"`...)
	dst = base64url.Append(dst, c.ID[:])
	dst = append(dst, `","created":`...)
	dst = strconv.AppendInt(dst, c.Created, 10)
	if c.Persistent {
		dst = append(dst, `,"persistent":true`...)
	}
	dst = append(dst, `,"d":`...)
	dst = append(dst, c.Data...)
	return append(dst, '}')
}

func appendString(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // cannot fail for a string
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// ParseClaims reads the claims of an authenticated token, whoever wrote them: another
// library may order, space and escape them as it likes. Data and Payload may alias raw.
func ParseClaims(raw []byte) (*Claims, bool) {
	if c, ok := parseOwn(raw); ok {
		return c, true
	}
	var in struct {
		Iat        *json.Number    `json:"iat"`
		Exp        *json.Number    `json:"exp"`
		Aud        json.RawMessage `json:"aud"`
		Jti        *string         `json:"jti"`
		Created    *json.Number    `json:"created"`
		Persistent bool            `json:"persistent"`
		D          json.RawMessage `json:"d"`
		P          *string         `json:"p"`
	}
	if json.Unmarshal(raw, &in) != nil {
		return nil, false
	}
	c := &Claims{Persistent: in.Persistent, Data: in.D, IsSession: in.D != nil}
	var ok [4]bool
	c.IssuedAt, ok[0] = seconds(in.Iat)
	c.Expires, ok[1] = seconds(in.Exp)
	c.Audience, ok[2] = audience(in.Aud)
	ok[3] = true
	switch {
	case c.IsSession:
		if in.P != nil || in.Jti == nil {
			return nil, false
		}
		id, idOK := base64url.AppendDecode(nil, *in.Jti)
		if !idOK || len(id) != len(c.ID) {
			return nil, false
		}
		c.ID = [16]byte(id)
		c.Created, ok[3] = seconds(in.Created)
	case in.P != nil:
		c.Payload, ok[3] = base64url.AppendDecode([]byte{}, *in.P)
	default:
		return nil, false
	}
	return c, ok == [4]bool{true, true, true, true}
}

// seconds reads a NumericDate (RFC 7519 §2), which may have a fraction, as whole seconds in uint32.
func seconds(n *json.Number) (int64, bool) {
	if n == nil {
		return 0, false
	}
	f, err := n.Float64()
	if err != nil || !(f >= 0) || f > math.MaxUint32 {
		return 0, false
	}
	return int64(f), true
}

// audience takes a string, or an array of just one (RFC 7519 §4.1.3).
func audience(raw json.RawMessage) (string, bool) {
	var one string
	if raw != nil && json.Unmarshal(raw, &one) == nil {
		return one, raw[0] == '"'
	}
	var list []string
	if raw == nil || json.Unmarshal(raw, &list) != nil || len(list) != 1 {
		return "", false
	}
	return list[0], true
}

// parseOwn reads what Append writes, at a tenth of the cost. It gives up at the
// first byte that differs, and the general parse decides.
func parseOwn(raw []byte) (*Claims, bool) {
	c := new(Claims)
	s := scanner{raw, true}
	s.skip(`{"iat":`)
	c.IssuedAt = s.number()
	s.skip(`,"exp":`)
	c.Expires = s.number()
	s.skip(`,"aud":"`)
	c.Audience = string(s.until('"'))
	if s.optional(`,"p":"`) {
		text := s.until('"')
		payload, ok := base64url.AppendDecode(make([]byte, 0, base64.RawURLEncoding.DecodedLen(len(text))), text)
		c.Payload = payload
		return c, ok && s.ok && string(s.rest) == "}"
	}
	c.IsSession = true
	s.skip(`,"jti":"`)
	id, idOK := base64url.AppendDecode(c.ID[:0], s.until('"'))
	s.skip(`,"created":`)
	c.Created = s.number()
	c.Persistent = s.optional(`,"persistent":true`)
	s.skip(`,"d":`)
	if !s.ok || !idOK || len(id) != len(c.ID) || len(s.rest) < 2 || s.rest[len(s.rest)-1] != '}' {
		return nil, false
	}
	c.Data = s.rest[:len(s.rest)-1]
	// Members that follow d would make this no single value.
	return c, json.Valid(c.Data)
}

// scanner walks over text that it expects to know. After the first surprise ok
// is false and every further call does nothing.
type scanner struct {
	rest []byte
	ok   bool
}

func (s *scanner) optional(text string) bool {
	if !s.ok || len(s.rest) < len(text) || string(s.rest[:len(text)]) != text {
		return false
	}
	s.rest = s.rest[len(text):]
	return true
}

func (s *scanner) skip(text string) { s.ok = s.ok && s.optional(text) }

func (s *scanner) number() (n int64) {
	i := 0
	for ; i < len(s.rest) && i < 10 && s.rest[i] >= '0' && s.rest[i] <= '9'; i++ {
		n = n*10 + int64(s.rest[i]-'0')
	}
	s.ok = s.ok && i > 0 && n <= math.MaxUint32 && (i == 1 || s.rest[0] != '0')
	s.rest = s.rest[i:]
	return n
}

// until returns what stands before the next end, which is skipped. Text with an
// escape is for the general parse.
func (s *scanner) until(end byte) []byte {
	i := bytes.IndexByte(s.rest, end)
	if i < 0 || bytes.IndexByte(s.rest[:i], '\\') >= 0 {
		s.ok = false
		return nil
	}
	text := s.rest[:i]
	s.rest = s.rest[i+1:]
	return text
}
