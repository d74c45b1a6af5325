// Package rekey changes a tenant's key while its documents stay readable: rotate, rewrap, trim.
//
// Rotating gives the key a newer version, rewrapping wraps the keys of every sealed row with it, and trimming destroys
// the versions before it, which reaches every backup: what was erased while it was wrapped with one of them cannot be
// opened from anywhere any more. A trim takes two people, a waiting period, and a verified backup.
package rekey

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
)

// Rows is what this package asks about sealed rows, whose kinds are the vault's.
type Rows interface {
	// Tenant is the tenant that the sealed row under the key belongs to; "" when no event binds it.
	Tenant(r journal.Reader, key []byte) (string, error)
	// Binding is what the row's keys are bound to; journal.ErrNotFound when no event binds it any more.
	Binding(r journal.Reader, key []byte) ([]byte, error)
	// Canary is the key of a sealed row that a tenant has from its beginning, and whose binding names the journal.
	Canary(r journal.Reader, tenant string) ([]byte, error)
	// Unreadable raises the alarm about a row that cannot be rewrapped, if it is a document's.
	Unreadable(ctx context.Context, who access.Who, key []byte, err error)
	// ErasedUnder counts the erased documents whose rows were last wrapped with a version from oldest on and before the
	// other.
	ErasedUnder(r journal.Reader, tenant string, oldest, before int) (uint64, error)
}

// Config is what Keys needs. Every field is required unless it says otherwise.
type Config struct {
	Journal *journal.Journal
	Door    *access.Door
	// Keys and Custodian are asked for tenants under keys.KeyName, as the vault's are.
	Keys  keys.Service
	Rows  Rows
	Clock journal.Clock
	Rand  io.Reader // must be safe for concurrent use, as crypto/rand.Reader is
	Log   *slog.Logger
	// Custodian rotates and trims the tenants' keys, where that is in this process's hands; nil where a key custodian
	// does it with credentials of their own, as with Vault.
	Custodian keys.Custodian
	// TrimWait is how long a trim of a tenant's key waits after it was proposed; 0 means DefaultTrimWait.
	TrimWait time.Duration
}

// Keys leads the tenants' keys through their life. Its methods may be called concurrently.
type Keys struct {
	cfg     Config
	rewraps rewraps

	working context.Context // of the rewraps; ends at Close
	cancel  context.CancelFunc
	workers sync.WaitGroup
}

// Open makes a Keys. The caller closes it before the vault and the journal.
func Open(cfg Config) (*Keys, error) {
	if cfg.Journal == nil || cfg.Door == nil || cfg.Keys == nil || cfg.Rows == nil || cfg.Clock == nil ||
		cfg.Rand == nil || cfg.Log == nil {
		return nil, errors.New("opening the tenants' keys: journal, door, keys, rows, clock, randomness and log " +
			"are all required")
	}
	if cfg.TrimWait == 0 {
		cfg.TrimWait = DefaultTrimWait
	}
	cfg.Keys = keys.ForJournal(cfg.Keys, cfg.Journal.ID())
	if cfg.Custodian != nil {
		cfg.Custodian = keys.CustodianForJournal(cfg.Custodian, cfg.Journal.ID())
	}
	k := &Keys{cfg: cfg, rewraps: rewraps{of: map[string]*rewrapping{}}}
	k.working, k.cancel = context.WithCancel(context.Background())
	return k, nil
}

// Close breaks off the rewraps that run. The rows that they have rewrapped stay so.
func (k *Keys) Close() error {
	k.cancel()
	k.workers.Wait()
	return nil
}
