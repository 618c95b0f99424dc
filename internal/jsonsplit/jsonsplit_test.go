package jsonsplit_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/jsonsplit"
)

var objects = []struct {
	name string
	text string
	want []jsonsplit.Member // nil is no object
	err  string
}{
	{"an empty object", `{}`, []jsonsplit.Member{}, ""},
	{"blanks alone inside", " \t\r\n{ \n } \n", []jsonsplit.Member{}, ""},
	{"values of each kind, in order", `{"s":"x","n":-1.5e3,"t":true,"z":null,"a":[1,{"b":2}],"o":{"c":[]}}`, []jsonsplit.Member{
		{Name: "s", Value: json.RawMessage(`"x"`)}, {Name: "n", Value: json.RawMessage(`-1.5e3`)}, {Name: "t", Value: json.RawMessage(`true`)}, {Name: "z", Value: json.RawMessage(`null`)},
		{Name: "a", Value: json.RawMessage(`[1,{"b":2}]`)}, {Name: "o", Value: json.RawMessage(`{"c":[]}`)}}, ""},
	{"blanks around names and values are no part of them", "{ \"a\" : 1 ,\n\"b\"\t:\r[ 2 , 3 ] }", []jsonsplit.Member{{Name: "a", Value: json.RawMessage(`1`)}, {Name: "b", Value: json.RawMessage(`[ 2 , 3 ]`)}}, ""},
	{"brackets, quotes and commas within strings", `{"}":"{\"],\\","b":["}\\\"",":"]}`, []jsonsplit.Member{{Name: "}", Value: json.RawMessage(`"{\"],\\"`)}, {Name: "b", Value: json.RawMessage(`["}\\\"",":"]`)}}, ""},
	{"an escaped name is unquoted", `{"\u0061\n\"":1}`, []jsonsplit.Member{{Name: "a\n\"", Value: json.RawMessage(`1`)}}, ""},
	{"a name that is not UTF-8, as encoding/json reads it", "{\"\xff\":1}", []jsonsplit.Member{{Name: "\ufffd", Value: json.RawMessage(`1`)}}, ""},
	{"a name twice, and in another case", `{"a":1,"a":2,"A":3}`, []jsonsplit.Member{{Name: "a", Value: json.RawMessage(`1`)}, {Name: "a", Value: json.RawMessage(`2`)}, {Name: "A", Value: json.RawMessage(`3`)}}, ""},
	{"an array", `[1]`, nil, "no JSON object"},
	{"null", `null`, nil, "no JSON object"},
	{"text", ` "{}"`, nil, "no JSON object"},
	{"nothing", ``, nil, "broken JSON near line 1; is the file cut short?"},
	{"an object cut short in its third line", "{\n\"a\":\n[1,", nil, "broken JSON near line 3; is the file cut short?"},
	{"a comma too many", `{"a":1,}`, nil, "broken JSON near line 1; is the file cut short?"},
	{"a name without quotes", "{\na:1}", nil, "broken JSON near line 2; is the file cut short?"},
	{"another object behind it", "{\"a\":1}\n\n{}", nil, "something follows the JSON object, near line 3"},
	{"nested beyond what encoding/json takes", strings.Repeat(`{"a":`, 20000), nil, "broken JSON near line 1; is the file cut short?"},
}

func TestObject(t *testing.T) {
	for _, row := range objects {
		t.Run(row.name, func(t *testing.T) {
			text := []byte(row.text)
			got, err := jsonsplit.Object(text)
			if row.err != "" {
				require.EqualError(t, err, row.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.want, got)
			require.Equal(t, row.text, string(text), "it is not written to")
		})
	}
}

func TestElements(t *testing.T) {
	for _, row := range []struct {
		name string
		text string
		want []json.RawMessage
		ok   bool
	}{
		{"an empty array", ` [ ] `, nil, true},
		{"values of each kind", `[1, "a,]" ,[2,3],{"b":[]},null]`, []json.RawMessage{[]byte(`1`), []byte(`"a,]"`), []byte(`[2,3]`), []byte(`{"b":[]}`), []byte(`null`)}, true},
		{"an object", `{}`, nil, false},
		{"null", `null`, nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, ok := jsonsplit.Elements([]byte(row.text))
			require.Equal(t, row.ok, ok)
			require.Equal(t, row.want, got)
		})
	}
}

func TestString(t *testing.T) {
	for _, row := range []struct {
		name, raw, want string
		ok              bool
	}{
		{"plain", `"abc"`, "abc", true},
		{"empty", `""`, "", true},
		{"escapes and letters beyond ASCII", `"\u00e4ü\"\\"`, `äü"\`, true},
		{"null", `null`, "", false},
		{"a number", `1`, "", false},
		{"nothing", ``, "", false},
		{"a quote alone", `"`, "", false},
		{"two strings", `"a""b"`, "", false},
		{"a control character", "\"\n\"", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, ok := jsonsplit.String([]byte(row.raw))
			require.Equal(t, row.ok, ok)
			require.Equal(t, row.want, got)
		})
	}
}

// FuzzObject holds the package to a json.Decoder that goes through the same text token by token.
func FuzzObject(f *testing.F) {
	for _, row := range objects {
		f.Add([]byte(row.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, ok := decoded(text)
		got, err := jsonsplit.Object(text)
		if (err == nil) != ok {
			t.Fatalf("%q: %v, the decoder says %v", text, err, ok)
		}
		if err != nil {
			return
		}
		require.Equal(t, len(want), len(got))
		for i := range want {
			if want[i].Name != got[i].Name || !bytes.Equal(want[i].Value, got[i].Value) {
				t.Fatalf("%q: member %d is %q: %q, for the decoder %q: %q", text, i, got[i].Name, got[i].Value, want[i].Name, want[i].Value)
			}
			var values, each []json.RawMessage
			if json.Unmarshal(got[i].Value, &values) == nil && got[i].Value[0] == '[' {
				each, ok = jsonsplit.Elements(got[i].Value)
				if !ok || len(each) != len(values) {
					t.Fatalf("%q: %d elements, %v; for encoding/json %d", got[i].Value, len(each), ok, len(values))
				}
				for j := range each {
					require.Equal(t, string(values[j]), string(each[j]))
				}
			}
			if inner, ok := jsonsplit.Members(got[i].Value); ok != (got[i].Value[0] == '{') {
				t.Fatalf("%q: %v", got[i].Value, ok)
			} else if again, err := jsonsplit.Object(got[i].Value); ok {
				require.NoError(t, err)
				require.Equal(t, again, inner)
			}
			var s string
			if text, ok := jsonsplit.String(got[i].Value); ok != (got[i].Value[0] == '"') || ok && (json.Unmarshal(got[i].Value, &s) != nil || s != text) {
				t.Fatalf("%q is %q, %v; for encoding/json %q", got[i].Value, text, ok, s)
			}
		}
	})
}

func decoded(text []byte) (all []jsonsplit.Member, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		all = append(all, jsonsplit.Member{Name: name.(string), Value: value})
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	_, err := d.Token()
	return all, err == io.EOF
}
