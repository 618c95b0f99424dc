//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// lock makes a file beside the key file, at most once. If the process is killed it stays, and the
// error says so after half a minute.
func lock(path string) (unlock func(), err error) {
	name := path + ".lock"
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			return func() { _ = f.Close(); _ = os.Remove(name) }, nil
		}
		// Windows answers "access is denied" while another process is removing the file.
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		if time.Since(start) > 30*time.Second {
			return nil, fmt.Errorf("another rotation holds it; if none runs, delete the .lock file beside the key file")
		}
	}
}

func keepOwner(*os.File, fs.FileInfo) error { return nil }
