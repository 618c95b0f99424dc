// Package gorilla has the old applications: gorilla/sessions, and the same cookies through gin.
package gorilla

import (
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"net/http"

	ginsessions "github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gin-gonic/gin"
	"github.com/gorilla/sessions"
)

// Keys are hash and block key of each secret, the newest first.
func Keys(secrets []string) (pairs [][]byte) {
	for _, s := range secrets {
		pairs = append(pairs, []byte(s+" for the hash"), []byte((s + "-0123456789abcdef0123456789abcdef")[:32]))
	}
	return pairs
}

// Application is the one that the name says: gorilla or gin.
func Application(name string, secrets []string) http.Handler {
	gob.Register(map[string]any{}) // the nested values that it stores
	gob.Register([]any{})
	if name == "gin" {
		return ginApplication(secrets)
	}
	return gorillaApplication(secrets)
}

func gorillaApplication(secrets []string) http.Handler {
	store := sessions.NewCookieStore(Keys(secrets)...)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /old/set", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "app")
		var members map[string]any
		if err := json.NewDecoder(r.Body).Decode(&members); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for name, value := range members {
			s.Values[name] = value
		}
		if err := s.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /old/get", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "app")
		members := map[string]any{}
		for name, value := range s.Values {
			members[name.(string)] = notNil(value)
		}
		_ = json.NewEncoder(w).Encode(members)
	})
	mux.HandleFunc("POST /old/logout", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "app")
		s.Options.MaxAge = -1
		_ = s.Save(r, w)
	})
	return mux
}

func ginApplication(secrets []string) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(ginsessions.Sessions("app", cookie.NewStore(Keys(secrets)...)))
	router.POST("/old/set", func(c *gin.Context) {
		var members map[string]any
		if err := c.BindJSON(&members); err != nil {
			return
		}
		s := ginsessions.Default(c)
		for name, value := range members {
			s.Set(name, value)
		}
		if err := s.Save(); err != nil {
			c.String(http.StatusInternalServerError, err.Error())
		}
	})
	router.GET("/old/get", func(c *gin.Context) {
		s := ginsessions.Default(c)
		members := map[string]any{}
		list, _ := base64.StdEncoding.DecodeString(c.GetHeader("X-Names"))
		var names []string // gin's sessions do not list theirs
		_ = json.Unmarshal(list, &names)
		for _, name := range names {
			if value := s.Get(name); value != nil {
				members[name] = notNil(value)
			}
		}
		c.JSON(http.StatusOK, members)
	})
	router.POST("/old/logout", func(c *gin.Context) {
		s := ginsessions.Default(c)
		s.Clear()
		s.Options(ginsessions.Options{Path: "/", MaxAge: -1})
		_ = s.Save()
	})
	return router
}

// notNil makes empty lists and maps of nil ones: gob does not tell them apart, and JSON does.
func notNil(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = notNil(v[i])
		}
		return list
	case map[string]any:
		members := make(map[string]any, len(v))
		for name := range v {
			members[name] = notNil(v[name])
		}
		return members
	}
	return v
}
