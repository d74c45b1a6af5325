package journaltest

import (
	"bytes"
	"crypto/sha256"
	"sync"

	"muniment/anchor/journal"
)

// LocalKey is a [journal.LocalKey] in memory, which outlives the journal as the file in a data folder does.
type LocalKey struct {
	mu     sync.Mutex
	secret [sha256.Size]byte
	drawn  int
}

var _ journal.LocalKey = (*LocalKey)(nil)

// NewLocalKey has its first secret.
func NewLocalKey() *LocalKey { return &LocalKey{secret: sha256.Sum256([]byte("the first local key"))} }

// Secret is the present secret.
func (k *LocalKey) Secret() ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return bytes.Clone(k.secret[:]), nil
}

// Renew makes the next secret.
func (k *LocalKey) Renew() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.secret, k.drawn = sha256.Sum256(k.secret[:]), k.drawn+1
	return nil
}

// Drawn is how often Renew was called.
func (k *LocalKey) Drawn() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.drawn
}
