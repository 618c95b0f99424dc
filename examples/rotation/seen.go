package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"sync"
	"time"

	"github.com/signet-go/signet"
)

// keyUse counts what each key opens. Its file is what "signet keys list keys.json -seen seen.json" reads.
type keyUse struct {
	mu   sync.Mutex
	keys map[string]use
}

type use struct {
	Last  int64 `json:"last"` // Unix seconds
	Count int64 `json:"count"`
}

func newKeyUse() *keyUse { return &keyUse{keys: map[string]use{}} }

// Observe is called on each request's goroutine.
func (u *keyUse) Observe(_ context.Context, e signet.Event) {
	if e.Kind != "opened" {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keys[e.KeyID] = use{time.Now().Unix(), u.keys[e.KeyID].Count + 1}
}

// write keeps the file until ctx is done. An empty name is none.
func (u *keyUse) write(ctx context.Context, name string, every time.Duration) {
	for name != "" {
		if err := u.save(name); err != nil {
			log.Print(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

func (u *keyUse) save(name string) error {
	u.mu.Lock()
	text, err := json.Marshal(u.keys)
	u.mu.Unlock()
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".tmp", text, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}
