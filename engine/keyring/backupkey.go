package keyring

import "fmt"

// BackupKey returns the key of the store's backups, made at first use. It is none of the root key's: who copies
// or checks a backup needs no more than it.
func (k *Keyring) BackupKey() ([32]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held.Backup != nil {
		return *k.held.Backup, nil
	}
	next := k.held.clone()
	made := newSecret()
	next.Backup = &made
	if err := k.replace(next); err != nil {
		return [32]byte{}, fmt.Errorf("make the backup key: %w", err)
	}
	return made, nil
}
