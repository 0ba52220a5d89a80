package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine/keyring"
)

// rootKeyVariable holds the root key itself, for those who keep it away from the disk.
const rootKeyVariable = "MILLIMETRIC_ROOT_KEY"

// foundKey is a root key and where it was found.
type foundKey struct {
	key  [32]byte
	file string // empty where it came from the environment
	made bool   // just now, for a new data folder
}

// advice says what to do about a root key that was made just now; nothing about another.
func (k foundKey) advice() string {
	if !k.made {
		return ""
	}
	return fmt.Sprintf(`All that is kept is encrypted under the root key in %s.
Move that file off the disk that holds the data, name its new place with --root-key-file or
MILLIMETRIC_ROOT_KEY_FILE, and keep a copy. Whoever has both can read everything; without the root
key the data is lost.

`, k.file)
}

// rootKey finds the key under which the keyring is encrypted: in the environment, else in a file.
// For a new data folder, and only then, it makes the file.
func rootKey(opt folderOptions) (found foundKey, err error) {
	if opt.RootKey != nil {
		return foundKey{key: *opt.RootKey}, nil
	}
	if text := os.Getenv(rootKeyVariable); text != "" {
		if found.key, err = parseRootKey(text); err != nil {
			return found, fmt.Errorf("%s: %w", rootKeyVariable, err)
		}
		return found, nil
	}
	name := opt.RootKeyFile
	if name == "" {
		name = filepath.Join(opt.Dir, rootKeyName)
	}
	found.file = name
	found.key, err = readRootKey(name)
	if errors.Is(err, os.ErrNotExist) {
		if keyring.Exists(vfs.Default, opt.Dir) {
			return found, fmt.Errorf("the root key is missing: %s isn't there and %s isn't set, but the keyring can only be read with it", name, rootKeyVariable)
		}
		found.made = true
		found.key, err = makeRootKey(name)
		return found, err
	}
	if file, stat := os.Stat(name); stat == nil && file.Mode().Perm()&0o077 != 0 {
		opt.Log.Warn("the root key can be read by others than its owner: chmod 600 it", "file", name)
	}
	return found, err
}

func readRootKey(name string) (key [32]byte, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return key, fmt.Errorf("read root key: %w", err)
	}
	if key, err = parseRootKey(string(text)); err != nil {
		return key, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

func parseRootKey(text string) (key [32]byte, err error) {
	raw, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != len(key) {
		return key, errRootKey
	}
	return [32]byte(raw), nil
}

// makeRootKey makes the file last before anything is encrypted under the key: a keyring whose root
// key a power cut took away would be lost.
func makeRootKey(name string) (key [32]byte, err error) {
	_, _ = rand.Read(key[:]) // never fails: it ends the program instead
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return key, fmt.Errorf("make root key: %w", err)
	}
	_, err = file.WriteString(hex.EncodeToString(key[:]) + "\n")
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = syncFolder(filepath.Dir(name))
	}
	if err != nil {
		return key, fmt.Errorf("make root key: %w", errors.Join(err, os.Remove(name)))
	}
	return key, nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
