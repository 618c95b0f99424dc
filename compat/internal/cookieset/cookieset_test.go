package cookieset_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/cookieset"
	"github.com/stretchr/testify/require"
)

func cookies(pairs ...string) []*http.Cookie {
	var all []*http.Cookie
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, &http.Cookie{Name: pairs[i], Value: pairs[i+1]})
	}
	return all
}

// open opens what begins with "good" and ends with a full stop.
func open(seen *[]string) func(string) (*signet.Foreign, error) {
	return func(value string) (*signet.Foreign, error) {
		*seen = append(*seen, value)
		switch {
		case strings.HasPrefix(value, "good") && strings.HasSuffix(value, "."):
			return &signet.Foreign{}, nil
		case strings.HasPrefix(value, "old"):
			return nil, signet.ErrExpired
		case strings.HasPrefix(value, "other"):
			return nil, signet.ErrUnknownKey
		}
		return nil, signet.ErrInvalid
	}
}

func TestOpen(t *testing.T) {
	set := cookieset.Set{Name: "s", Separator: "."}
	complete := set
	complete.Complete = func(joined string) bool { return strings.HasSuffix(joined, ".") }
	raw := set
	raw.Raw = true
	whole := cookieset.Set{Name: "s"}
	long := strings.Repeat("x", 8<<10)
	nine := cookies("s.0", "good", "s.1", "1", "s.2", "2", "s.3", "3", "s.4", "4", "s.5", "5", "s.6", "6", "s.7", "7", "s.8", ".")
	for name, row := range map[string]struct {
		set     cookieset.Set
		cookies []*http.Cookie
		tried   []string
		want    error
	}{
		"nothing":                       {set, nil, nil, http.ErrNoCookie},
		"others":                        {set, cookies("ss", "good.", "S", "good.", "s.x", "good.", "s.00", "good.", "s.-1", "good.", "s.99", "good."), nil, http.ErrNoCookie},
		"an empty one":                  {set, cookies("s", ""), nil, http.ErrNoCookie},
		"one":                           {set, cookies("s", "good."), []string{"good."}, nil},
		"the same twice, tried once":    {set, cookies("s", "bad", "s", "bad"), []string{"bad"}, signet.ErrInvalid},
		"the second of a name":          {set, cookies("s", "bad", "s", "good."), []string{"bad", "good."}, nil},
		"the fifth of a name, too late": {set, cookies("s", "1", "s", "2", "s", "3", "s", "4", "s", "good."), []string{"1", "2", "3", "4"}, signet.ErrInvalid},
		"an unknown key says more than a forgery": {set, cookies("s", "other", "s", "bad"), []string{"other", "bad"}, signet.ErrUnknownKey},
		"an expired one says more than a forgery": {set, cookies("s", "bad", "s", "old", "s", "worse"), []string{"bad", "old", "worse"}, signet.ErrExpired},
		"chunks in any order":                     {set, cookies("s.1", "er.", "s.0", "good"), []string{"gooder."}, nil},
		"chunks beside a whole one":               {set, cookies("s.0", "good.", "s", "bad"), []string{"bad"}, signet.ErrInvalid},
		"chunks of a set that is never split":     {whole, cookies("s.0", "good."), nil, http.ErrNoCookie},
		"an empty whole one beside chunks":        {set, cookies("s", "", "s.0", "good."), []string{"good."}, nil},
		"a first chunk that is missing":           {set, cookies("s.1", "good."), nil, signet.ErrTorn},
		"a gap":                                   {set, cookies("s.0", "good", "s.2", "."), []string{"good"}, signet.ErrTorn},
		"a gap behind what is whole":              {set, cookies("s.0", "good.", "s.2", "stale"), []string{"good."}, nil},
		"a stale chunk":                           {set, cookies("s.0", "good", "s.1", ".", "s.2", "stale"), []string{"good.stale"}, signet.ErrInvalid},
		"a stale chunk behind what is complete":   {complete, cookies("s.0", "good", "s.1", ".", "s.2", "stale"), []string{"good."}, nil},
		"chunks that came twice, the later good":  {set, cookies("s.0", "bad", "s.0", "good", "s.1", "."), []string{"bad.", "good."}, nil},
		"nine chunks":                             {set, nine, nil, signet.ErrTorn},
		"chunks over 16 KiB":                      {set, cookies("s.0", "good"+long, "s.1", long, "s.2", "."), []string{"good" + long}, signet.ErrTorn},
		"a value over 16 KiB":                     {set, cookies("s", "good"+long+long+"."), nil, http.ErrNoCookie},
		"percent-encoding of either case":         {set, cookies("s", "%67o%6Fd%2e"), []string{"good."}, nil},
		"percent-encoding, undone once":           {set, cookies("s", "good%2525."), []string{"good%25."}, nil},
		"a bad escape, which stays":               {set, cookies("s", "good%zz."), []string{"good%zz."}, nil},
		"percent-encoding of a set that has none": {raw, cookies("s", "good%2e"), []string{"good%2e"}, signet.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			var tried []string
			f, err := row.set.Open(row.cookies, open(&tried))
			require.Equal(t, row.tried, tried)
			if row.want != nil {
				require.ErrorIs(t, err, row.want)
				require.Nil(t, f)
				return
			}
			require.NoError(t, err)
		})
	}
}

func TestOpenSaysWhatMustGo(t *testing.T) {
	set := cookieset.Set{Name: "s", Separator: "__", Domain: "a.test", Path: "/p", SameSite: http.SameSiteStrictMode, Secure: true, HTTPOnly: true}
	var tried []string
	f, err := set.Open(cookies("s", "good.", "s__7", "stale", "s", "twice", "s.0", "not ours", "t", "nor this"), open(&tried))
	require.NoError(t, err)
	require.Len(t, f.Cookies, 2)
	require.Equal(t, "s=; Path=/p; Domain=a.test; Max-Age=0; HttpOnly; Secure; SameSite=Strict", f.Cookies[0].String())
	require.Equal(t, "s__7", f.Cookies[1].Name)
}
