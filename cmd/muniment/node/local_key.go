package node

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"muniment/anchor/bounded"
	"muniment/anchor/journal"
)

// LocalKey authenticates the heads that are written while the key service is down. It lies beside the database and not
// in it, so that who can write to the database alone cannot go on with the log.
func (f Folder) LocalKey() string { return f.part("local-key") }

// localKey is the folder's key as the journal needs it. Its file has 32 random bytes in hexadecimal digits.
type localKey struct{ folder Folder }

var _ journal.LocalKey = localKey{}

const localKeySize = 32

// Secret reads the key, and draws it if there is none yet.
func (k localKey) Secret() ([]byte, error) {
	raw, err := bounded.ReadFile(k.folder.LocalKey(), bounded.Small)
	if errors.Is(err, fs.ErrNotExist) {
		if err := k.Renew(); err != nil {
			return nil, err
		}
		raw, err = bounded.ReadFile(k.folder.LocalKey(), bounded.Small)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the local key: %w", err)
	}
	secret, err := hex.DecodeString(string(bytes.TrimSpace(raw)))
	if err != nil || len(secret) != localKeySize {
		return nil, fmt.Errorf("the local key in %s is damaged", k.folder.LocalKey())
	}
	return secret, nil
}

// Renew draws another key. It is on stable storage when Renew returns, for what it authenticates will be, too.
func (k localKey) Renew() error {
	secret := make([]byte, localKeySize)
	if _, err := rand.Read(secret); err != nil {
		return fmt.Errorf("drawing the local key: %w", err)
	}
	if err := writeDurably(k.folder.LocalKey(), append(hex.AppendEncode(nil, secret), '\n')); err != nil {
		return fmt.Errorf("writing the local key: %w", err)
	}
	return nil
}

// writeDurably writes a file that its owner alone can read in the place of one that may be there.
func writeDurably(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes it durable which names a folder has.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
