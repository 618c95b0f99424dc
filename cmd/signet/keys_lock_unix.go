//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lock waits until no other rotates a key file in this folder, at most half a minute. The folder
// is what is locked, since the file is replaced and a lock on it would go with it. The
// system ends the lock with the process, however that ends.
func lock(path string) (unlock func(), err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = dir.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) || time.Since(start) > 30*time.Second {
			return nil, errors.Join(err, dir.Close())
		}
	}
}

// keepOwner gives the new file the owner and group of the old one. If it must not, it is an error where
// that was another user, who could not read the file any more.
func keepOwner(temp *os.File, like fs.FileInfo) error {
	old, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	err := temp.Chown(int(old.Uid), int(old.Gid))
	if err != nil && int(old.Uid) == os.Getuid() {
		return nil // a group that we are not in; the mode says what it could do
	}
	return err
}
