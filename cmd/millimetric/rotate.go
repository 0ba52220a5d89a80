package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/audit"
	"millimetric/engine/keyring"
)

// nextSuffix marks the file of a new root key that is about to take the old one's place.
const nextSuffix = ".new"

func rootkeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rootkey",
		Short: "Change the root key while the server is stopped",
		Args:  refuseArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(rotateCommand())
	return cmd
}

func rotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Put the keyring under a new root key",
		Long: "Put the keyring under a new root key. Events need not be encrypted anew, so it takes no time.\n\n" +
			"The new root key replaces the old one in its file. With --new-root-key-file it is taken from\n" +
			"that file instead, or made there, and the old file stays. The old root key opens nothing from\n" +
			"then on but copies of the keyring that were made before.\n" +
			"A rotation that was interrupted is finished by running it again.",
		Example: "  millimetric rootkey rotate --data ./data\n  millimetric rootkey rotate --data ./data --new-root-key-file /mnt/keys/millimetric.key",
		Args:    refuseArgs,
	}
	read := bindSettings(cmd, []setting{settingData, settingRootKey})
	target := cmd.Flags().String("new-root-key-file", "", "file with the new root key; made where it is missing")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		opt := offlineOptions(cmd, read())
		if err := rotate(opt, *target, cmd.OutOrStdout()); err != nil {
			return err
		}
		return noteRotation(cmd.Context(), opt, *target)
	}
	return cmd
}

// noteRotation has the audit log say that the root key was changed. That takes the store, which a rotation
// itself doesn't need: where there is none yet, there is nothing to note.
func noteRotation(ctx context.Context, opt folderOptions, target string) (err error) {
	if !exists(filepath.Join(opt.Dir, storeName)) {
		return nil
	}
	if target != "" {
		key, err := readRootKey(target)
		if err != nil {
			return err
		}
		opt.RootKey = &key // what the environment says is the old one
	}
	f, err := openFolder(opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	return f.note(ctx, audit.Entry{Action: "rootkey.rotate"})
}

func rotate(opt folderOptions, target string, out io.Writer) (err error) {
	ring, old, lock, err := lockedRing(opt)
	if errors.Is(err, keyring.ErrRootKey) && target != "" && opensWith(opt, target) {
		return sayRotated(out, target, true)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	r, err := newRotation(ring, old, target)
	if err != nil {
		return err
	}
	for _, step := range r.steps() {
		if err := step(); err != nil {
			return fmt.Errorf("rotate root key: %w", err)
		}
	}
	return sayRotated(out, r.file, target != "")
}

// rotation changes the root key so that after a cut of the power at any moment one of the files of
// keys opens the keyring, and it is known which:
//
//  1. The new root key is in a file, synced, before anything is encrypted under it. Cut here, the
//     old one opens the keyring as before; the new file means nothing and is made anew or, where
//     the operator named it, used next time.
//  2. The keyring is replaced by itself under the new root key, in one step. Cut before it, as in
//  1. Cut after it, the old root key doesn't fit any more: the next opening looks beside it,
//     finds the new file, which by 1 is whole, and does step 3 (finishRotation). Where the operator
//     named the new file, the next opening names it, too.
//  3. Only now does the new file take the old one's name, in one step, which destroys the old root
//     key: before 2 has returned, it may still be the one that is needed.
type rotation struct {
	ring  *keyring.Keyring
	old   foundKey
	file  string // where the new root key ends up
	first string // where it is made; file, or beside it
	key   [32]byte
}

func newRotation(ring *keyring.Keyring, old foundKey, target string) (*rotation, error) {
	if target != "" {
		return &rotation{ring: ring, old: old, file: target, first: target}, nil
	}
	if old.file == "" {
		return nil, usageError{fmt.Errorf("the root key is in %s, which can't be changed from here: name a file for the new one with --new-root-key-file", rootKeyVariable)}
	}
	// A link must stay one, and what it leads to is what must be replaced.
	file, err := filepath.EvalSymlinks(old.file)
	if err != nil {
		return nil, fmt.Errorf("rotate root key: %w", err)
	}
	return &rotation{ring: ring, old: old, file: file, first: file + nextSuffix}, nil
}

func (r *rotation) steps() []func() error {
	return []func() error{r.prepare, r.rewrap, r.replace}
}

// prepare is step 1.
func (r *rotation) prepare() (err error) {
	if r.first != r.file {
		if err := os.Remove(r.first); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	r.key, err = readRootKey(r.first)
	if errors.Is(err, os.ErrNotExist) {
		r.key, err = makeRootKey(r.first)
	}
	if err == nil && r.key == r.old.key {
		err = fmt.Errorf("%s holds the root key that is in use already", r.first)
	}
	return err
}

// rewrap is step 2.
func (r *rotation) rewrap() error { return r.ring.Rewrap(r.key) }

// replace is step 3.
func (r *rotation) replace() error {
	if r.first == r.file {
		return nil
	}
	return replaceFile(r.first, r.file)
}

func replaceFile(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// finishRotation opens the keyring with the new root key of a rotation that was cut after its
// second step, and does the third. refused is what is returned where there was none.
func finishRotation(opt folderOptions, old foundKey, refused error) (*keyring.Keyring, foundKey, error) {
	file, err := filepath.EvalSymlinks(old.file)
	if err != nil {
		return nil, old, refused
	}
	key, err := readRootKey(file + nextSuffix)
	if err != nil {
		return nil, old, refused
	}
	ring, err := keyring.Open(vfs.Default, opt.Dir, key, keyring.Options{Now: opt.Now})
	if err != nil {
		return nil, old, refused
	}
	// The next opening finds it beside again, so that not being able to is no reason to stop.
	if err := replaceFile(file+nextSuffix, file); err != nil {
		opt.Log.Warn("the new root key could not take the old one's place; both files are needed", "cause", err)
	}
	return ring, foundKey{key: key, file: old.file}, nil
}

// opensWith reports whether the keyring is under the root key in a file already.
func opensWith(opt folderOptions, file string) bool {
	lock, err := lockFolder(opt.Dir)
	if err != nil {
		return false
	}
	defer lock.Close()
	key, err := readRootKey(file)
	if err == nil {
		_, err = keyring.Open(vfs.Default, opt.Dir, key, keyring.Options{Now: opt.Now})
	}
	return err == nil
}

func sayRotated(out io.Writer, file string, elsewhere bool) error {
	_, err := fmt.Fprintf(out, "The keyring is under the root key in %s now.\n", file)
	if err == nil && elsewhere {
		_, err = fmt.Fprintf(out, "Start with --root-key-file %s from now on.\n", file)
	}
	if err == nil {
		_, err = fmt.Fprintln(out, "Replace all copies of the file \"keyring\": older ones still open with the old root key.")
	}
	return err
}
