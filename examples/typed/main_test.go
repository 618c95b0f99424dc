package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
)

// The shop over HTTPS, with a client that keeps cookies as a browser does.
func TestTheShopRemembersNameBasketAndMessages(t *testing.T) {
	ring := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	shop, err := newShop(signet.Must(ring.WithPolicy(signet.Policy{Life: 720 * time.Hour})))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(shop)
	defer server.Close()
	client := server.Client()
	client.Jar, _ = cookiejar.New(nil)
	do := func(path string, form url.Values) string {
		t.Helper()
		var res *http.Response
		var err error
		if path == "/" {
			res, err = client.Get(server.URL)
		} else {
			res, err = client.PostForm(server.URL+path, form)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}

	for _, step := range []struct {
		name, path string
		form       url.Values
		want       string
	}{
		{"a stranger", "/", nil, "Hello, ! In your basket: map[]\n"},
		{"log in, remembered", "/login", url.Values{"name": {"Ada"}, "remember": {"1"}}, "[info] Welcome back.\nHello, Ada! In your basket: map[]\n"},
		{"a message is shown once", "/", nil, "Hello, Ada! In your basket: map[]\n"},
		{"a change deep in the data is seen", "/basket", url.Values{"item": {"tea"}}, "Hello, Ada! In your basket: map[tea:1]\n"},
		{"and again", "/basket", url.Values{"item": {"tea"}}, "Hello, Ada! In your basket: map[tea:2]\n"},
		{"a basket that is too large is refused", "/basket", url.Values{"item": {strings.Repeat("x", 8000)}}, "Your basket is full.\n"},
		{"and what was in it stays", "/", nil, "Hello, Ada! In your basket: map[tea:2]\n"},
		{"log out", "/logout", nil, "Hello, ! In your basket: map[]\n"},
	} {
		if got := do(step.path, step.form); got != step.want {
			t.Fatalf("%s: %q, not %q", step.name, got, step.want)
		}
	}
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	shop, err := newShop(signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/login", strings.NewReader("name=Mallory"))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	shop.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || w.Header().Get("Set-Cookie") != "" {
		t.Fatalf("status %d, Set-Cookie %q", w.Code, w.Header().Get("Set-Cookie"))
	}
}
