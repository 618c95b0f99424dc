package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet"
)

// now is the clock of the commands.
var now = time.Now

// edit makes the next ring of one.
type edit func(ring *signet.Keyring, at time.Time) (*signet.Keyring, error)

// changeKeys applies an edit to the ring in a file, or from stdin to stdout for "-". It writes
// nothing if the change could lose sessions, unless force is set. What happened it says on stderr.
func changeKeys(std stdio, name string, force bool, do edit) error {
	if name == "-" {
		text, err := readKeys(std, name)
		if err != nil {
			return err
		}
		_, out, err := changed(std, text, force, do)
		if err != nil {
			return err
		}
		_, err = std.out.Write(out)
		return err
	}
	path, err := filepath.EvalSymlinks(name) // so that the file is replaced and not the link
	if err != nil {
		_, err = readKeys(std, name)
		return err
	}
	unlock, err := lock(path)
	if err != nil {
		return fmt.Errorf("signet: cannot lock the folder of the key file: %w", withoutPath(err))
	}
	defer unlock()
	text, err := readKeys(std, path)
	if err != nil {
		return err
	}
	differs, out, err := changed(std, text, force, do)
	if err != nil || !differs {
		return err
	}
	return replaceFile(std, path, text, out)
}

// changed is the text after the edit, and whether it is another one.
func changed(std stdio, text []byte, force bool, do edit) (differs bool, out []byte, err error) {
	old, err := signet.ParseKeyring(text)
	if err != nil {
		return false, nil, err
	}
	at := now()
	next, err := do(old, at)
	if err != nil {
		return false, nil, err
	}
	if next == old {
		fmt.Fprintln(std.err, "signet: nothing to do;", nextEvent(old, at))
		return false, text, nil
	}
	if err := refuse(std, old, next, at, force); err != nil {
		return false, nil, err
	}
	tell(std, old, next, at)
	out, err = ringText(next, !isJSON(text))
	return true, out, err
}

func isJSON(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff"))), []byte("{"))
}

// refuse prints what the change could lose, and is an error unless that was so before or is wanted.
func refuse(std stdio, old, next *signet.Keyring, at time.Time, force bool) error {
	before := findings(next.Policy().Check(old, old, at))
	n := 0
	for _, f := range findings(next.Policy().Check(old, next, at)) {
		fmt.Fprintln(std.err, "signet:", f)
		if !slices.ContainsFunc(before, func(b signet.Finding) bool { return b.Kind == f.Kind && b.KeyID == f.KeyID }) {
			n++
		}
	}
	if n > 0 && !force {
		return fmt.Errorf("signet: this could log somebody out, so nothing was written; -force writes it all the same")
	}
	return nil
}

func findings(err error) []signet.Finding {
	var unsafe *signet.UnsafeError
	if errors.As(err, &unsafe) {
		return unsafe.Findings
	}
	if err != nil {
		return []signet.Finding{{Kind: "policy", Text: strings.TrimPrefix(err.Error(), "signet: ")}}
	}
	return nil
}

// tell says what differs, key by key.
func tell(std stdio, old, next *signet.Keyring, at time.Time) {
	before := map[string]signet.KeyInfo{}
	for _, k := range old.Keys() {
		before[k.ID] = k
	}
	for _, k := range next.Keys() {
		was, had := before[k.ID]
		delete(before, k.ID)
		switch {
		case !had:
			fmt.Fprintf(std.err, "signet: published key %s; it seals from %s, %s\n", k.ID, when(k.NotBefore), distance(at, k.NotBefore))
		case !was.NotBefore.Equal(k.NotBefore):
			fmt.Fprintf(std.err, "signet: key %s now seals from %s, %s\n", k.ID, when(k.NotBefore), distance(at, k.NotBefore))
		}
		if had && !was.Expires.Equal(k.Expires) && !k.Expires.IsZero() {
			fmt.Fprintf(std.err, "signet: key %s opens until %s, %s\n", k.ID, when(k.Expires), distance(at, k.Expires))
		}
	}
	for _, id := range sortedKeys(before) {
		fmt.Fprintf(std.err, "signet: dropped key %s\n", id)
	}
	if old.Policy() != next.Policy() {
		fmt.Fprintln(std.err, "signet: the policy in the file is another one")
	}
	fmt.Fprintf(std.err, "signet: generation %d\n", next.Generation())
}

func sortedKeys[V any](m map[string]V) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// step is called between any two things that change the disk. Tests end the process there.
var step = func(string) {}

// replaceFile puts out in the place of old at path, so that at every moment the one or the other
// is there as a whole. The old one stays beside it as a backup.
func replaceFile(std stdio, path string, old, out []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return withoutPath(err)
	}
	if tight := info.Mode().Perm() & 0o640; tight != info.Mode().Perm() {
		fmt.Fprintf(std.err, "signet: the key file's mode goes from %04o to %04o\n", info.Mode().Perm(), tight)
	}
	step("begin")
	if err := writeWhole(path+".bak", old, info); err != nil {
		return fmt.Errorf("signet: writing the backup: %w; the key file is as it was", withoutPath(err))
	}
	step("backed up")
	// Whoever edits without the lock must not be overwritten.
	if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, old) {
		return errors.New("signet: the key file was changed meanwhile; nothing was written; run this again")
	}
	if err := writeWhole(path, out, info); err != nil {
		return fmt.Errorf("signet: writing the key file: %w; it is as it was", withoutPath(err))
	}
	return nil
}

// writeWhole writes a temporary file in the same folder and renames it, since a rename
// within a folder is atomic; each is on the disk before the next step.
func writeWhole(path string, text []byte, like fs.FileInfo) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // fails, as it should, after the rename
	step("made " + filepath.Base(path))
	_, err = temp.Write(text)
	step("wrote " + filepath.Base(path))
	err = errors.Join(err, temp.Sync(), keepOwner(temp, like), temp.Chmod(like.Mode().Perm()&0o640), temp.Close())
	if err != nil {
		return err
	}
	step("synced " + filepath.Base(path))
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	step("renamed " + filepath.Base(path))
	syncDir(dir)
	step("done with " + filepath.Base(path))
	return nil
}

// syncDir makes a rename last. Where folders cannot be synced, the system does it by itself.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// withoutPath is an error without the path, which may be a key that somebody took for one.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}
