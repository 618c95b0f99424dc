package signet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/signet-go/signet"
)

type Visitor struct {
	Name    string         `json:"name,omitempty"`
	Basket  map[string]int `json:"basket,omitempty"`
	Flashes signet.Flashes `json:"flashes,omitempty"`
}

func Example() {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{}))) // in earnest: ParseKeyring
	sessions := signet.Must(signet.New[map[string]string](keys, signet.Config{}))

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		s.Renew()
		s.Data["username"] = r.FormValue("username")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!", sessions.Get(r.Context()).Data["username"])
	})
	app := sessions.Handler(mux)

	login := httptest.NewRecorder()
	app.ServeHTTP(login, httptest.NewRequest("POST", "/login?username=ada", nil))

	again := httptest.NewRequest("GET", "/", nil)
	again.Header.Set("Cookie", login.Result().Cookies()[0].String())
	home := httptest.NewRecorder()
	app.ServeHTTP(home, again)
	fmt.Println(home.Body)
	// Output: Hello, ada!
}

func ExampleKeyring_Seal() {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	link, err := keys.Seal("password-reset", []byte("user 17"), 15*time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	user, err := keys.Open("password-reset", link)
	fmt.Println(string(user), err)
	_, err = keys.Open("oauth-state", link)
	fmt.Println(err)
	// Output:
	// user 17 <nil>
	// signet: invalid token
}

// A page of links, each with a token of its own, in one buffer.
func ExampleKeyring_AppendSeal() {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	var page []byte
	for _, id := range []string{"7", "8"} {
		page = append(page, "/invoice?t="...)
		page = signet.Must(keys.AppendSeal(page, signet.Compact, "invoice", []byte(id), time.Hour))
		page = append(page, '\n')
	}
	_, token, _ := bytes.Cut(bytes.Fields(page)[1], []byte("t="))
	id, err := keys.AppendOpen(nil, "invoice", string(token))
	fmt.Println(string(id), err)
	// Output: 8 <nil>
}

func ExampleParseKeyring() {
	_, err := signet.ParseKeyring([]byte("hunter2hunter2hunter2"))
	fmt.Println(err)
	// Output: signet: key 1: not a signet key: it does not begin with signetkey1_ (it looks like a passphrase or other text, which is no key); run: signet keys new -env
}

// A log-out clears the browser; refusing the id of a session is the application's word.
func ExampleValidate() {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	revoked := map[string]bool{}
	sessions := signet.Must(signet.New[Visitor](keys, signet.Config{
		Validate: signet.Validate(func(r *http.Request, s *signet.Session[Visitor]) error {
			if revoked[s.ID()] {
				return errors.New("logged out elsewhere")
			}
			return nil
		}),
	}))
	app := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		fmt.Println(s.IsNew(), s.Err())
		s.Data.Name = "ada"
		revoked[s.ID()] = true
	}))
	first := httptest.NewRecorder()
	app.ServeHTTP(first, httptest.NewRequest("GET", "/", nil))
	again := httptest.NewRequest("GET", "/", nil)
	again.Header.Set("Cookie", first.Result().Cookies()[0].String())
	app.ServeHTTP(httptest.NewRecorder(), again)
	// Output:
	// true <nil>
	// true logged out elsewhere
}

func ExampleManager_Load() {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	sessions := signet.Must(signet.New[Visitor](keys, signet.Config{}))

	// Without Handler: load, change, save before the response begins.
	app := func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Load(r)
		s.Data.Name = "grace"
		if err := sessions.Save(w, r, s); err != nil {
			http.Error(w, "too much to remember", http.StatusInsufficientStorage)
			return
		}
		fmt.Fprintln(w, "saved")
	}
	w := httptest.NewRecorder()
	app(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(len(w.Result().Cookies()), w.Body)
	// Output: 1 saved
}

func ExampleKeyring_ExportPurpose() {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	set, err := keys.ExportPurpose(signet.JWE, "session", "__Host-Http-session", "")
	fmt.Println(len(set) > 0, err)
	// Output: true <nil>
}

func ExampleFlashes() {
	var v Visitor
	v.Flashes.Add("info", "Saved.")
	for _, m := range v.Flashes.Take() {
		fmt.Println(m.Category, m.Text)
	}
	fmt.Println(len(v.Flashes.Take()))
	// Output:
	// info Saved.
	// 0
}

// The session must change before the response begins: its cookie is in the header.
func ExampleManager_Handler_incorrect() {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	sessions := signet.Must(signet.New[Visitor](keys, signet.Config{Observer: printLost{}}))
	app := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		fmt.Fprintln(w, "hello")
		s.Data.Name = "too late" // move this line up
	}))
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/page", nil))
	fmt.Println(len(w.Result().Cookies()))
	// Output:
	// lost on /page
	// 0
}

// A passphrase is no key: it can be guessed offline from one cookie.
func ExampleParseKeyring_incorrect() {
	_, err := signet.ParseKeyring([]byte("my secret key"))
	fmt.Println(err != nil)
	// Output: true
}

// One purpose for two jobs lets a token of the one pass for the other. Name each job.
func ExampleKeyring_Open_incorrect() {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	unsubscribe, _ := keys.Seal("link", []byte("user 17"), time.Hour)
	asReset, err := keys.Open("link", unsubscribe) // meant for password resets
	fmt.Println(string(asReset), err)
	// Output: user 17 <nil>
}

// Something that must not be rolled back does not belong in a session: the visitor can
// present yesterday's cookie again.
func ExampleSession_incorrect() {
	keys := signet.Must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	type attempts struct{ Left int }
	sessions := signet.Must(signet.New[attempts](keys, signet.Config{}))
	guess := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r.Context())
		if s.IsNew() {
			s.Data.Left = 3
		}
		s.Data.Left--
		fmt.Println("left:", s.Data.Left)
	}))
	first := httptest.NewRecorder()
	guess.ServeHTTP(first, httptest.NewRequest("POST", "/", nil))
	for range 3 { // always the first cookie
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Cookie", first.Result().Cookies()[0].String())
		guess.ServeHTTP(httptest.NewRecorder(), r)
	}
	// Output:
	// left: 2
	// left: 1
	// left: 1
	// left: 1
}

// formPost receives another site's POST, which carries no Lax cookie.
func formPost(keys *signet.Keyring) {
	http.HandleFunc("POST /callback", func(w http.ResponseWriter, r *http.Request) {
		token, err := keys.Seal("oidc-callback", []byte(r.FormValue("state")+" "+r.FormValue("code")), time.Minute)
		if err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/signed-in?t="+token, http.StatusSeeOther) // a GET carries the cookie; compare the state there
	})
}

var _ = formPost

type printLost struct{}

func (printLost) Observe(_ context.Context, e signet.Event) {
	if e.Kind == "lost" {
		fmt.Println("lost on", e.Path)
	}
}
