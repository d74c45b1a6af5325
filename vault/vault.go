// Package vault keeps documents that only a recorded act can read or erase: it encrypts each under a key of its own, stores
// the ciphertext, and puts every deposit, read and refusal on record in the journal before anybody sees its result.
package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/objects"
)

// Defaults and limits of Config.
const (
	DefaultMaxSize  = 5 << 40 // bytes: the largest object of S3
	DefaultPatience = 30 * time.Second
)

// Config is what a vault needs. Every field is required unless it says otherwise.
type Config struct {
	Journal *journal.Journal
	Keys    keys.Service
	Objects objects.Store
	Rules   Rules
	Clock   journal.Clock
	Rand    io.Reader // must be safe for concurrent use, as crypto/rand.Reader is
	Log     *slog.Logger
	// MaxSize is the size of the largest document, in bytes; 0 means DefaultMaxSize.
	MaxSize int64
	// Patience is how long a deposit waits for its release before it returns ErrUnreleased; 0 means DefaultPatience.
	Patience time.Duration
	// FIPS chooses AES-256-CTR-HMAC-SHA-256 for new documents, which runs under GODEBUG=fips140=only.
	FIPS bool
}

// Vault keeps documents. Its methods may be called concurrently.
type Vault struct {
	*unsealer
	cfg      Config
	sessions *sessions
	consults consultations
	denials  denials
	claims   claims
	buffers  sync.Pool // *[]byte of chunkSize

	cancel  context.CancelFunc
	workers sync.WaitGroup
}

// Open starts a vault and its workers: the lock duty and the one that puts the outcome of reads and the
// number of refusals on record. The caller closes it before the journal.
func Open(ctx context.Context, cfg Config) (*Vault, error) {
	if cfg.Journal == nil || cfg.Keys == nil || cfg.Objects == nil || cfg.Rules == nil ||
		cfg.Clock == nil || cfg.Rand == nil || cfg.Log == nil {
		return nil, errors.New("opening the vault: journal, keys, objects, rules, clock, randomness and log are all required")
	}
	if cfg.MaxSize == 0 {
		cfg.MaxSize = DefaultMaxSize
	}
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	v := &Vault{
		unsealer: NewIndexer(cfg.Journal.View, cfg.Keys).unsealer, cfg: cfg, sessions: newSessions(),
		denials: denials{seen: map[denialKey]*denialCount{}}, claims: claims{held: map[string]chan struct{}{}},
	}
	if err := v.reindex(ctx); err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	v.buffers.New = func() any { b := make([]byte, chunkSize); return &b }
	ctx, v.cancel = context.WithCancel(context.WithoutCancel(ctx))
	v.start(func() { v.workLocks(ctx) })
	v.start(func() { v.workOutcomes(ctx) })
	return v, nil
}

// start runs a worker that Close waits for.
func (v *Vault) start(work func()) {
	v.workers.Add(1)
	go func() {
		defer v.workers.Done()
		work()
	}()
}

// Close stops the workers and puts on record the outcome of every open read session and what refusals were only counted.
// Reads that still stream go on; the bytes that they take from now on are not counted any more.
func (v *Vault) Close() error {
	v.cancel()
	v.workers.Wait()
	ctx := context.Background()
	if err := errors.Join(v.flushOutcomes(ctx, time.Time{}), v.flushDenials(ctx, time.Time{})); err != nil {
		return fmt.Errorf("closing the vault: %w", err)
	}
	return nil
}

// Check says whether the vault can serve now: the first of its dependencies that cannot, as an error that names it.
func (v *Vault) Check(ctx context.Context) error {
	if err := v.cfg.Journal.Err(); err != nil {
		return fmt.Errorf("checking the journal: %w", err)
	}
	if err := v.cfg.Keys.Check(ctx); err != nil {
		return fmt.Errorf("checking the key service: %w", err)
	}
	if err := v.cfg.Objects.Check(ctx); err != nil {
		return fmt.Errorf("checking the object store: %w", err)
	}
	return nil
}

// Permit says whether a principal may do an act of the whole tenant that needs no other word of the vault's, and puts a
// refusal on record: access.ErrDenied.
func (v *Vault) Permit(ctx context.Context, who access.Who, a access.Action) error {
	_, err := v.commit(ctx, who, func(view journal.View) (journal.Change, error) {
		return v.authorize(view, who, a, access.Scope{}, journal.ID{})
	})
	return err
}

// authorize is the check that stands in every decide. Its change puts a refusal on record. doc is the zero ID unless the act
// is about a document of the actor's own tenant.
func (v *Vault) authorize(r journal.Reader, who access.Who, a access.Action, s access.Scope, doc journal.ID) (journal.Change, error) {
	err := access.Authorize(r, who, a, s)
	if errors.Is(err, access.ErrDenied) {
		return journal.Change{Events: []journal.Event{access.Denial(a, s, doc)}}, err
	}
	return journal.Change{}, err
}
