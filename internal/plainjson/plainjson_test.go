package plainjson_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet/internal/plainjson"
	"github.com/stretchr/testify/require"
)

type inner struct {
	Text string `json:"t"`
	N    int8   `json:"n,omitempty"`
}

type name string

type outer struct {
	Name    name              `json:"name,omitempty"`
	Visits  int               `json:"visits"`
	Size    uint16            `json:"size,omitempty"`
	Admin   bool              `json:"admin,omitempty"`
	Inner   inner             `json:"inner"`
	List    []inner           `json:"list,omitempty"`
	Basket  map[name]int      `json:"basket,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Any     any               `json:"any,omitempty"`
	Words   []string          `json:"words"`
	Ignored string            `json:"-"`
	hidden  string
	Plain   string
}

// reference is encoding/json as the sessions use it.
func encodeReference(t *testing.T, v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(v))
	return strings.TrimSuffix(b.String(), "\n")
}

func decodeReference(raw []byte, v any) error {
	if !json.Valid(raw) {
		return json.Unmarshal(raw, v)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return dec.Decode(v)
}

// integers makes int of the numbers in interfaces that are one, as the sessions do.
func integers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
	case map[string]any:
		for k := range v {
			v[k] = integers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	}
	return v
}

// agree holds the codec of T to encoding/json over one text.
func agree[T any](t *testing.T, raw []byte, fix func(*T)) (decoded bool) {
	codec := plainjson.For(reflect.TypeFor[T]())
	require.NotNil(t, codec)
	var got, want T
	err := decodeReference(raw, &want)
	fix(&want)
	decoded, exact := codec.Decode(raw, reflect.ValueOf(&got).Elem())
	if decoded {
		require.NoError(t, err, "%q", raw)
		require.Equal(t, want, got, "%q", raw)
	} else {
		require.Zero(t, got, "%q", raw)
	}
	again, whole := codec.Append(nil, reflect.ValueOf(got))
	if same := whole && string(again) == string(raw); decoded {
		require.Equal(t, same, exact, "%q", raw)
	}
	if err == nil {
		text, ok := codec.Append([]byte("x"), reflect.ValueOf(want))
		if ok {
			require.Equal(t, "x"+encodeReference(t, want), string(text))
		} else {
			require.Equal(t, "x", string(text))
		}
	}
	return decoded
}

func agreeAll(t *testing.T, raw []byte) (o, s, a bool) {
	o = agree(t, raw, func(v *outer) { v.Any = integers(v.Any) })
	s = agree(t, raw, func(*map[string]string) {})
	a = agree(t, raw, func(v *map[string]any) { integers(*v) })
	return o, s, a
}

func TestTextIsDecodedAsTheStandardLibraryDoesOrLeftToIt(t *testing.T) {
	rows := []struct {
		name, text       string
		outer, str, anyT bool // who decodes it here
	}{
		{"an empty object", `{}`, true, true, true},
		{"nothing", ``, false, false, false},
		{"null", `null`, false, false, false},
		{"an open object", `{`, false, false, false},
		{"something behind the object", `{} `, false, false, false},
		{"a second object", `{}{}`, false, false, false},
		{"two strings", `{"a":"b","c":"d"}`, false, true, true},
		{"one name twice: the last counts", `{"a":"b","a":"d"}`, false, true, true},
		{"a comma too many", `{"a":"b",}`, false, false, false},
		{"a comma first", `{,"a":"b"}`, false, false, false},
		{"no comma", `{"a":"b""c":"d"}`, false, false, false},
		{"a blank", `{"a": "b"}`, false, false, false},
		{"an escape", `{"a":"\u0062"}`, false, false, false},
		{"an escaped quotation mark", `{"a":"b\"c"}`, false, false, false},
		{"a control character", "{\"a\":\"b\x1fcdefghijk\"}", false, false, false},
		{"a control character behind seven others", "{\"a\":\"1234567\x1f\"}", false, false, false},
		{"text beyond ASCII", `{"a":"schöne Grüße"}`, false, true, true},
		{"text that is no UTF-8", "{\"a\":\"b\xff\"}", false, false, false},
		{"a line separator, which decodes but is written escaped", "{\"a\":\"b\u2028\"}", false, true, true},
		{"numbers and booleans in interfaces", `{"a":1,"b":-12,"c":true,"d":null,"e":[1,[]],"f":{"g":false}}`, false, false, true},
		{"a fraction", `{"a":1.5}`, false, false, false},
		{"an exponent", `{"a":1e3}`, false, false, false},
		{"minus zero", `{"a":-0}`, false, false, false},
		{"a leading zero", `{"a":01}`, false, false, false},
		{"a minus alone", `{"a":-}`, false, false, false},
		{"eighteen digits", `{"a":123456789012345678}`, false, false, true},
		{"nineteen digits", `{"a":1234567890123456789}`, false, false, false},
		{"every member of a struct", `{"name":"n","visits":-3,"size":65535,"admin":true,"inner":{"t":"x","n":-128},"list":[{"t":"y"}],"basket":{"a":1},"labels":{"k":"v"},"any":[1,"a"],"words":["a","b"],"Plain":"p"}`, true, false, true},
		{"some members of a struct", `{"visits":1,"inner":{"t":""},"words":[]}`, true, false, true},
		{"members in another order", `{"inner":{"t":""},"visits":1}`, false, false, true},
		{"a member that the struct does not know", `{"visits":1,"new":2}`, false, false, true},
		{"another case of a name", `{"VISITS":1}`, false, false, true},
		{"a number too large for its field", `{"visits":1,"size":65536}`, false, false, true},
		{"a negative number for an unsigned field", `{"visits":1,"size":-1}`, false, false, true},
		{"a null list", `{"visits":1,"words":null}`, false, false, true},
		{"a string for a number", `{"visits":"1"}`, false, true, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			o, s, a := agreeAll(t, []byte(row.text))
			require.Equal(t, []bool{row.outer, row.str, row.anyT}, []bool{o, s, a})
		})
	}
}

func TestValuesAreEncodedAsTheStandardLibraryDoesOrLeftToIt(t *testing.T) {
	deep := any("bottom")
	for range 40 {
		deep = []any{deep}
	}
	rows := []struct {
		name string
		v    any
		ok   bool
	}{
		{"a zero struct", outer{}, true},
		{"what is hidden stays hidden", outer{hidden: "h", Ignored: "i"}, true},
		{"maps are sorted by name", map[string]string{"b": "1", "a": "2", "ä": "3", "": "4"}, true},
		{"more names than there is room for on the stack", map[string]any{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9, "j": 10, "k": 11, "l": 12, "m": 13, "n": 14, "o": 15, "p": 16, "q": 17}, true},
		{"a map that is none", map[string]string(nil), true},
		{"lists in interfaces", map[string]any{"a": []any(nil), "b": []any{}, "c": map[string]any(nil)}, true},
		{"less than and ampersand are not escaped", map[string]string{"a": "<&>"}, true},
		{"a delete character is not escaped", map[string]string{"a": "\x7f"}, true},
		{"a quotation mark", map[string]string{"a": `"`}, false},
		{"a backslash", map[string]string{"a": `\`}, false},
		{"a backslash in a name", map[string]string{`\`: ""}, false},
		{"a paragraph separator", map[string]string{"a": "\u2029"}, false},
		{"a float in an interface", map[string]any{"a": 1.5}, false},
		{"an int64 in an interface", map[string]any{"a": int64(1)}, false},
		{"an interface in interfaces in interfaces", map[string]any{"a": deep}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			codec := plainjson.For(reflect.TypeOf(row.v))
			require.NotNil(t, codec)
			text, ok := codec.Append(nil, reflect.ValueOf(row.v))
			require.Equal(t, row.ok, ok)
			if ok {
				require.Equal(t, encodeReference(t, row.v), string(text))
			}
		})
	}
}

type marshals struct{ A string }

func (*marshals) MarshalText() ([]byte, error) { return nil, nil }

type itself struct{ Next []itself }

func TestATypeThatNeedsMoreIsNotPlain(t *testing.T) {
	rows := []struct {
		name string
		v    any
	}{
		{"a float", struct{ A float64 }{}},
		{"bytes, which are base64", struct{ A []byte }{}},
		{"an array", struct{ A [2]int }{}},
		{"a pointer", struct{ A *int }{}},
		{"a time, which writes itself", struct{ A time.Time }{}},
		{"a method on the pointer", struct{ A marshals }{}},
		{"raw JSON", struct{ A json.RawMessage }{}},
		{"a number kept as text", struct{ A json.Number }{}},
		{"an embedded struct", struct{ inner }{}},
		{"a number quoted by its tag", struct {
			A int `json:",string"`
		}{}},
		{"omitzero", struct {
			A int `json:",omitzero"`
		}{}},
		{"a name that is escaped or refused", struct {
			A int `json:"a<b"`
		}{}},
		{"two fields of one name", reflect.Zero(reflect.StructOf([]reflect.StructField{ // made here, for vet refuses to read it
			{Name: "A", Type: reflect.TypeFor[int](), Tag: `json:"a"`}, {Name: "B", Type: reflect.TypeFor[int](), Tag: `json:"a"`},
		})).Interface()},
		{"a map by numbers", map[int]string{}},
		{"a map by text that writes itself", map[marshals]string{}},
		{"a type inside itself", itself{}},
		{"an interface with methods", struct{ A error }{}},
		{"a channel", struct{ A chan int }{}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			require.Nil(t, plainjson.For(reflect.TypeOf(row.v)))
		})
	}
}

func FuzzAgreesWithTheStandardLibrary(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":"b","c":"d"}`, `{"a":1,"b":[true,null,{"c":"d"}]}`, `{"visits":1,"inner":{"t":"ü"},"list":[{"t":"x","n":1}],"words":["a"]}`, `{"a":"\n"}`, `{"a":-0}`, "{\"a\":\"\u2028\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { agreeAll(t, raw) })
}
