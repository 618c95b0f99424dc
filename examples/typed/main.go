// Typed keeps a struct in the session: a name, a basket and messages shown once. Run it with
//
//	SIGNET_KEYS="$(signet keys new -env) life=720h" go run ./examples/typed
package main

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/signet-go/signet"
)

type Visitor struct {
	Name    string         `json:"name,omitempty"`
	Basket  map[string]int `json:"basket,omitempty"`
	Flashes signet.Flashes `json:"flashes,omitempty"`
}

type Shop struct{ sessions *signet.Manager[Visitor] }

func (shop Shop) login(w http.ResponseWriter, r *http.Request) {
	s := shop.sessions.Get(r.Context())
	s.Renew() // a new id, so that nobody can fix one beforehand
	s.Data.Name = r.FormValue("name")
	if r.FormValue("remember") != "" {
		if err := s.SetLifetime(30 * 24 * time.Hour); err != nil {
			log.Print(err) // above the "life" of the key file: it says which line to change
		}
		s.SetPersistent(true)
	}
	s.Data.Flashes.Add("info", "Welcome back.")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (shop Shop) home(w http.ResponseWriter, r *http.Request) {
	s := shop.sessions.Get(r.Context())
	messages := s.Data.Flashes.Take() // before the first Write
	for _, m := range messages {
		fmt.Fprintf(w, "[%s] %s\n", m.Category, m.Text)
	}
	fmt.Fprintf(w, "Hello, %s! In your basket: %v\n", s.Data.Name, s.Data.Basket)
}

func (shop Shop) add(w http.ResponseWriter, r *http.Request) {
	s := shop.sessions.Get(r.Context())
	if s.Data.Basket == nil {
		s.Data.Basket = map[string]int{}
	}
	s.Data.Basket[r.FormValue("item")]++
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (shop Shop) logout(w http.ResponseWriter, r *http.Request) {
	shop.sessions.Get(r.Context()).Destroy()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func newShop(keys *signet.Keyring) (http.Handler, error) {
	sessions, err := signet.New[Visitor](keys, signet.Config{
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			var large *signet.TooLargeError
			if errors.As(err, &large) {
				http.Error(w, "Your basket is full.", http.StatusInsufficientStorage)
				return
			}
			http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		},
	})
	if err != nil {
		return nil, err
	}
	shop := Shop{sessions}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", shop.home)
	mux.HandleFunc("POST /login", shop.login)
	mux.HandleFunc("POST /basket", shop.add)
	mux.HandleFunc("POST /logout", shop.logout)
	// A form of another site is refused before it reaches a session.
	return http.NewCrossOriginProtection().Handler(sessions.Handler(mux)), nil
}

func main() {
	keys := signet.Must(signet.ParseKeyring([]byte(os.Getenv("SIGNET_KEYS"))))
	log.Fatal(http.ListenAndServe("localhost:8080", signet.Must(newShop(keys))))
}
