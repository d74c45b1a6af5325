// Package vault keeps documents that only a recorded act can read or erase: it encrypts each under a key of its own,
// stores the ciphertext, and puts every deposit, read and refusal on record in the journal before anybody sees its
// result.
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
	"muniment/vault/budget"
	"muniment/vault/keys"
	"muniment/vault/objects"
	"muniment/vault/pace"
)

// Defaults of Config.
const (
	DefaultMaxSize  = 5 << 40 // bytes: the largest object of S3
	DefaultLockWait = 30 * time.Second
)

// Config is what a vault needs. Every field is required unless it says otherwise.
type Config struct {
	Journal *journal.Journal
	// Door is the way of every act to the journal. The vault's workers put on record the refusals that it counts.
	Door *access.Door
	// Keys are asked for tenants under keys.KeyName, so that no other journal's tenants have the same keys.
	Keys    keys.Service
	Objects objects.Store
	Rules   Rules
	Clock   journal.Clock
	Rand    io.Reader // must be safe for concurrent use, as crypto/rand.Reader is
	Log     *slog.Logger
	// MaxSize is the size of the largest document, in bytes; 0 means DefaultMaxSize.
	MaxSize int64
	// Memory is what uploads and reads work in; nil means without a bound. An objects.Store may share it.
	Memory *budget.Memory
	// LockWait is how long a deposit waits for another one under the same external id or idempotency key to end; 0
	// means DefaultLockWait.
	LockWait time.Duration
	// FIPS chooses AES-256-CTR-HMAC-SHA-256 for new documents, which runs under GODEBUG=fips140=only.
	FIPS bool
	// Ahead is how many documents' keys may be wrapped ahead in one call to the key service, for a second at most and
	// only while deposits are frequent; 0: none are.
	Ahead int
	// Store names the documents' store in attestations: kind and digest, no secret; required with Attest.
	Store string
	// Attest tries what the documents' store enforces. Nil says that there is nothing to try, as with a folder, whose
	// locks are this program's own rule: then no series that demands immutability takes documents.
	Attest func(context.Context) (objects.Attestation, error)
}

// Vault keeps documents. Its methods may be called concurrently.
type Vault struct {
	*unsealer
	cfg      Config
	sessions *sessions
	locks    depositLocks
	buffers  sync.Pool // *workspace
	pool     keyPool
	puts     puts
	stories  *pace.Pace // the reading of histories
	// spareKey authenticates cursors while the key service, which has the index key, is down.
	spareKey keys.Secret

	cancel  context.CancelFunc
	workers sync.WaitGroup
}

// Open starts a vault and its workers: the duties to lock and to delete objects, and those that put on record that
// locks are behind, the outcome of reads and the number of refusals, and what the store was seen to enforce. The caller
// closes it before the journal.
func Open(ctx context.Context, cfg Config) (*Vault, error) {
	if cfg.Journal == nil || cfg.Door == nil || cfg.Keys == nil || cfg.Objects == nil || cfg.Rules == nil ||
		cfg.Clock == nil || cfg.Rand == nil || cfg.Log == nil {
		return nil, errors.New("opening the vault: journal, door, keys, objects, rules, clock, randomness and log " +
			"are all required")
	}
	if err := cfg.nameStore(); err != nil {
		return nil, err
	}
	if cfg.MaxSize == 0 {
		cfg.MaxSize = DefaultMaxSize
	}
	if cfg.LockWait == 0 {
		cfg.LockWait = DefaultLockWait
	}
	service := cfg.Keys
	cfg.Keys = keys.ForJournal(service, cfg.Journal.ID())
	v := &Vault{
		unsealer: NewIndexer(cfg.Journal.View, service).unsealer, cfg: cfg, sessions: newSessions(),
		locks: depositLocks{held: map[string]chan struct{}{}},
		pool:  newKeyPool(cfg.Ahead), stories: pace.New(),
	}
	if err := v.reindex(ctx); err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	v.spareKey = make([]byte, indexKeySize)
	if _, err := io.ReadFull(cfg.Rand, v.spareKey); err != nil {
		return nil, fmt.Errorf("opening the vault: drawing a key for cursors: %w", err)
	}
	v.buffers.New = func() any { return &workspace{} }
	ctx, v.cancel = context.WithCancel(context.WithoutCancel(ctx))
	v.start(func() { v.workLocks(ctx) })
	v.start(func() { v.workErasures(ctx) })
	v.start(func() { v.workLockAlarm(ctx) })
	if cfg.Ahead > 0 {
		v.start(func() { v.workPool(ctx) })
	}
	v.start(func() { v.workOutcomes(ctx) })
	if cfg.Attest != nil {
		v.start(func() { v.workAttestations(ctx) })
	}
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

// Close stops the workers and puts on record the outcome of every open read session and what refusals were only
// counted. Reads that still stream go on; the bytes that they take from now on are not counted any more.
func (v *Vault) Close() error {
	v.cancel()
	v.workers.Wait()
	ctx := context.Background()
	if err := errors.Join(v.flushOutcomes(ctx, time.Time{}), v.cfg.Door.Flush(ctx, time.Time{})); err != nil {
		return fmt.Errorf("closing the vault: %w", err)
	}
	return nil
}

// Rules are what the vault asks before it files a document. Package retention implements them. Its methods are called
// inside decide: they only read.
type Rules interface {
	// File says under which rules a document may be filed now. An empty series means the tenant's default one.
	// ErrNoSeries when the tenant has no such series.
	File(r journal.Reader, tenant, series string) (Filing, error)
	// MayErase returns nil if a document may be destroyed now, else why not: an error that wraps ErrRetained.
	MayErase(r journal.Reader, tenant string, id journal.ID) error
	// NewTenant returns the events that a new tenant begins with, its default series among them. They are committed by
	// an actor of that tenant.
	NewTenant() []journal.Event
}

// Filing is the rules' answer.
type Filing struct {
	Series string
	// Scheduled says that a schedule item applies. A document in an unscheduled series can never be destroyed.
	Scheduled bool
	// RetainUntil is when the document may be destroyed at the earliest; zero while that is not known.
	RetainUntil time.Time
	// Immutable demands that the store was seen to enforce its locks (WORM): else the deposit is refused with
	// ErrNotImmutable.
	Immutable bool
}
