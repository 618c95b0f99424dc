package jwe

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"

	"github.com/signet-go/signet/internal/base64url"
	"github.com/signet-go/signet/internal/jsonsplit"
)

// Claims is the JWT claims set (RFC 7519) in a token. A session has ID, Created and Data, a
// token of an application has Payload.
type Claims struct {
	IssuedAt, Expires int64  // "iat", "exp", Unix seconds
	NotBefore         int64  // "nbf", never written here; 0 if absent
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
// library may order, space and escape them as it likes, and add claims of its own. Names are
// exact and none of them may be there twice. Data and Payload alias raw, which is written to. The audience
// that is expected is given so that it need not be copied; another one is read as well.
func ParseClaims(raw []byte, audience string) (Claims, bool) {
	if c, ok := parseOwn(raw, audience); ok {
		if !c.IsSession { // over its own text: the decoder writes three bytes where it has read four characters
			c.Payload, ok = base64url.AppendDecode(c.Payload[:0], c.Payload)
		}
		return c, ok
	}
	return parseAny(raw)
}

func parseAny(raw []byte) (c Claims, ok bool) {
	fields, ok := object(raw)
	if !ok {
		return c, false
	}
	ok = numericDate(fields["iat"], &c.IssuedAt) && numericDate(fields["exp"], &c.Expires) && audience(fields["aud"], &c.Audience)
	if nbf, has := fields["nbf"]; has {
		ok = ok && numericDate(nbf, &c.NotBefore)
	}
	data, isSession := fields["d"]
	payload, isToken := fields["p"]
	if !ok || isSession == isToken {
		return c, false
	}
	if isToken {
		c.Payload, ok = encoded(payload, []byte{})
		return c, ok
	}
	c.IsSession, c.Data = true, data
	id, ok := encoded(fields["jti"], c.ID[:0])
	if !ok || len(id) != len(c.ID) || !numericDate(fields["created"], &c.Created) {
		return c, false
	}
	flag, has := fields["persistent"]
	c.Persistent = string(flag) == "true"
	return c, !has || c.Persistent || string(flag) == "false"
}

// object splits a JSON object. encoding/json alone would fold the case of names
// and let the last of two win, and another library might believe the first.
func object(raw []byte) (map[string]json.RawMessage, bool) {
	all, err := jsonsplit.Object(raw)
	fields := make(map[string]json.RawMessage, len(all))
	for _, m := range all {
		fields[m.Name] = m.Value
	}
	return fields, err == nil && len(fields) == len(all)
}

// numericDate reads a NumericDate (RFC 7519 §2), which may have a fraction, as whole seconds in uint32.
func numericDate(raw json.RawMessage, seconds *int64) bool {
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || !(f >= 0) || f > math.MaxUint32 {
		return false // "12" with its quotes fails here, too
	}
	*seconds = int64(f)
	return true
}

// audience takes a string, or an array of just one (RFC 7519 §4.1.3).
func audience(raw json.RawMessage, name *string) bool {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, name) == nil
	}
	var list []*string
	if json.Unmarshal(raw, &list) != nil || len(list) != 1 || list[0] == nil {
		return false
	}
	*name = *list[0]
	return true
}

// encoded appends the bytes of a string of base64url.
func encoded(raw json.RawMessage, dst []byte) ([]byte, bool) {
	var text string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return nil, false
	}
	return base64url.AppendDecode(dst, text)
}

// parseOwn reads what Append writes, at a tenth of the cost, and leaves Payload encoded. It gives
// up at the first byte that differs, and the general parse decides.
func parseOwn(raw []byte, audience string) (c Claims, ok bool) {
	s := scanner{raw, true}
	s.skip(`{"iat":`)
	c.IssuedAt = s.number()
	s.skip(`,"exp":`)
	c.Expires = s.number()
	s.skip(`,"aud":"`)
	if name := s.plain(); string(name) == audience {
		c.Audience = audience
	} else {
		c.Audience = string(name)
	}
	if s.optional(`,"p":"`) {
		c.Payload = s.until('"')
		return c, s.ok && bytes.IndexByte(c.Payload, '\\') < 0 && string(s.rest) == "}"
	}
	c.IsSession = true
	s.skip(`,"jti":"`)
	id, idOK := base64url.AppendDecode(c.ID[:0], s.until('"'))
	s.skip(`,"created":`)
	c.Created = s.number()
	c.Persistent = s.optional(`,"persistent":true`)
	s.skip(`,"d":`)
	if !s.ok || !idOK || len(id) != len(c.ID) || len(s.rest) < 2 || s.rest[len(s.rest)-1] != '}' {
		return c, false
	}
	c.Data = s.rest[:len(s.rest)-1]
	if len(bytes.TrimSpace(c.Data)) != len(c.Data) {
		return c, false // another producer's blanks, which are not part of the value
	}
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

// until returns what stands before the next end, which is skipped.
func (s *scanner) until(end byte) []byte {
	i := bytes.IndexByte(s.rest, end)
	if i < 0 {
		s.ok = false
		return nil
	}
	text := s.rest[:i]
	s.rest = s.rest[i+1:]
	return text
}

// plain returns the rest of a string. One with an escape, or that is no printable
// ASCII, is for the general parse.
func (s *scanner) plain() []byte {
	text := s.until('"')
	for _, c := range text {
		s.ok = s.ok && c >= ' ' && c <= '~' && c != '\\'
	}
	return text
}
