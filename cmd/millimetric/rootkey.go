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

// rootKey finds the key under which the keyring is encrypted: in the environment, else in a file.
// For a new data folder, and only then, it makes the file.
func rootKey(opt folderOptions) ([32]byte, error) {
	if text := os.Getenv(rootKeyVariable); text != "" {
		key, err := parseRootKey(text)
		if err != nil {
			return key, fmt.Errorf("%s: %w", rootKeyVariable, err)
		}
		return key, nil
	}
	name := opt.RootKeyFile
	if name == "" {
		name = filepath.Join(opt.Dir, rootKeyName)
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		if keyring.Exists(vfs.Default, opt.Dir) {
			return [32]byte{}, fmt.Errorf("the root key is missing: %s isn't there and %s isn't set, but the keyring can only be read with it", name, rootKeyVariable)
		}
		return makeRootKey(name)
	}
	if err != nil {
		return [32]byte{}, fmt.Errorf("read root key: %w", err)
	}
	if file, err := os.Stat(name); err == nil && file.Mode().Perm()&0o077 != 0 {
		opt.Log.Warn("the root key can be read by others than its owner: chmod 600 it", "file", name)
	}
	key, err := parseRootKey(string(text))
	if err != nil {
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
