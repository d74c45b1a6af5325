package checkpoints

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/objects"
)

const (
	// every is how often the newest checkpoint is kept, if there is a newer one.
	every = time.Minute
	// rollBefore is how long before the end of its lock the newest checkpoint is locked again: time enough to notice
	// that it cannot be.
	rollBefore = 7 * 24 * time.Hour
	// tidyEvery is how often that which ran out is deleted.
	tidyEvery = 24 * time.Hour
	// lastWait is how long the end of Run tries to keep the last checkpoint.
	lastWait = 5 * time.Second
)

// Journal is the journal whose checkpoints are kept.
type Journal interface {
	// Checkpoint is the newest signed one.
	Checkpoint() journal.Checkpoint
	// AwaitCheckpoint waits until one of at least that size is signed, and returns the newest.
	AwaitCheckpoint(ctx context.Context, size uint64) (journal.Checkpoint, error)
}

// Config is what a Keeper needs. Every field is required unless it says otherwise.
type Config struct {
	Journal Journal
	ID      journal.ID
	Keys    []string // verifier keys of all origins that the journal has had
	Store   objects.Store
	Clock   journal.Clock
	Log     *slog.Logger
	// Newest is what Newest found at the start; zero when there was none.
	Newest Kept
	// Locked are the keys of other objects whose newest version stays locked, too; may be empty.
	Locked []string
	// Weaker says why the store's locks are weaker than they should be, such as governance; empty when they are not.
	// Nil means that they are not.
	Weaker func(context.Context) string
}

// Keeper keeps the newest checkpoint of a journal. Its methods may be called concurrently.
type Keeper struct {
	cfg     Config
	origins int           // that the journal has had
	turns   chan struct{} // has an element while somebody writes: one at a time

	mu      sync.Mutex
	kept    Kept
	marked  string    // the key of the mark of the present origin, once it is written
	failure error     // of the last try; nil when it went well
	since   time.Time // since when tries have failed
	tidied  time.Time
}

// Status is how a keeper stands, for those who watch over it.
type Status struct {
	Size   uint64    // of the newest locked checkpoint; 0 when there is none
	At     time.Time // when it was written
	Until  time.Time // the end of its lock
	Behind uint64    // how many entries have been signed since
	// Weaker says why the lock is weaker than it should be; empty when it is not.
	Weaker string
	// Strangers are how many objects the start has listed before it that no key of the journal has signed.
	Strangers int
	// Failure is why the last try failed, and Since since when all have; nil when it went well.
	Failure error
	Since   time.Time
}

// New makes a keeper.
func New(cfg Config) (*Keeper, error) {
	if cfg.Journal == nil || cfg.ID.IsZero() || len(cfg.Keys) == 0 || cfg.Store == nil || cfg.Clock == nil ||
		cfg.Log == nil {
		return nil, errors.New("keeping checkpoints: journal, its id, verifier keys, store, clock and log are required")
	}
	ours, err := newVerifiers(cfg.Keys)
	if err != nil {
		return nil, fmt.Errorf("keeping checkpoints: %w", err)
	}
	return &Keeper{cfg: cfg, origins: len(ours.names), turns: make(chan struct{}, 1), kept: cfg.Newest}, nil
}

// Run keeps the newest checkpoint once in each minute that had news, and locks it again before its lock runs out, until
// ctx ends. Then it tries once more to keep the last one.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		k.Turn(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWait)
	defer cancel()
	k.Turn(last)
}

// Turn does what Run does each minute, and logs what fails.
func (k *Keeper) Turn(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	err := k.write(ctx, k.cfg.Journal.Checkpoint().Size)
	if err == nil {
		err = k.roll(ctx)
	}
	if err == nil {
		err = k.tidyWhenDue(ctx)
	}
	if err != nil && ctx.Err() == nil {
		k.cfg.Log.Warn("the newest checkpoint could not be kept under a lock in the documents' store; "+
			"it will be tried again", "error", err)
	}
}

// Keep sees to it that a locked checkpoint covers the first size entries, and returns nil only then. It does not wait
// for the next minute: it waits for the signature as long as ctx lets it, and then writes at once; a write that fails
// ends it. Callers under way at the same time share a write.
//
// Any error is ErrUnkept: the entries are on record and rule from their commit, and Run goes on trying. An act of
// authority is then answered as accepted, and not as done; what cannot be undone does not begin.
func (k *Keeper) Keep(ctx context.Context, size uint64) error {
	if k.covers(size) {
		return nil
	}
	_, err := k.cfg.Journal.AwaitCheckpoint(ctx, size)
	if err == nil {
		err = k.write(ctx, size)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnkept, err)
	}
	return nil
}

// Status is how the keeper stands.
func (k *Keeper) Status(ctx context.Context) Status {
	weaker := ""
	if k.cfg.Weaker != nil {
		weaker = k.cfg.Weaker(ctx)
	}
	newest := k.cfg.Journal.Checkpoint().Size
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Status{Size: k.kept.Size, At: k.kept.At, Until: k.kept.Until, Weaker: weaker,
		Strangers: k.cfg.Newest.Strangers, Failure: k.failure, Since: k.since}
	s.Behind = newest - min(newest, k.kept.Size)
	return s
}

// covers says whether the newest kept checkpoint is under a lock and covers the size.
func (k *Keeper) covers(size uint64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept.Size >= size && k.cfg.Clock.Now().Before(k.kept.Until)
}

// write keeps the newest checkpoint unless the newest kept one covers the size.
func (k *Keeper) write(ctx context.Context, size uint64) error {
	if err := k.enter(ctx); err != nil {
		return err
	}
	defer k.leave()
	if size == 0 || k.covers(size) {
		return nil
	}
	return k.note(k.put(ctx))
}

// enter waits for the turn to write.
func (k *Keeper) enter(ctx context.Context) error {
	select {
	case k.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *Keeper) leave() { <-k.turns }

// put writes the newest checkpoint under a lock.
func (k *Keeper) put(ctx context.Context) error {
	c := k.cfg.Journal.Checkpoint()
	now := k.cfg.Clock.Now()
	until := now.Add(Lock)
	key, err := Key(k.cfg.ID, c)
	if err != nil {
		return fmt.Errorf("keeping the checkpoint at %d: %w", c.Size, err)
	}
	info, err := k.cfg.Store.Put(ctx, key, bytes.NewReader(c.Note), objects.PutOptions{
		Length: int64(len(c.Note)), RetainUntil: until,
	})
	if err != nil {
		return fmt.Errorf("keeping the checkpoint at %d: %w", c.Size, err)
	}
	if err := k.mark(ctx, c, until); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = Kept{Origin: c.Origin, Size: c.Size, Root: c.Root, Note: c.Note, Key: info.Key, Version: info.Version,
		At: now, Until: until}
	return nil
}

// mark writes the mark of an origin that is not the journal's first, unless it is there.
func (k *Keeper) mark(ctx context.Context, c journal.Checkpoint, until time.Time) error {
	prefix := markPrefix(k.cfg.ID, c.Origin)
	k.mu.Lock()
	marked := strings.HasPrefix(k.marked, prefix)
	k.mu.Unlock()
	if marked || k.origins < 2 {
		return nil
	}
	key, err := k.findMark(ctx, prefix)
	if err == nil && key == "" {
		var signature []byte
		if signature, err = signatureOf(c); err == nil {
			key = prefix + name(c, signature)
			_, err = k.cfg.Store.Put(ctx, key, bytes.NewReader(c.Note), objects.PutOptions{
				Length: int64(len(c.Note)), Condition: objects.Condition{Absent: true}, RetainUntil: until,
			})
		}
	}
	if err != nil && !errors.Is(err, objects.ErrExists) {
		return fmt.Errorf("marking the origin %s: %w", c.Origin, err)
	}
	k.mu.Lock()
	k.marked = key
	k.mu.Unlock()
	return nil
}

// findMark finds the mark that an earlier process has written; empty when there is none.
func (k *Keeper) findMark(ctx context.Context, prefix string) (string, error) {
	ours, err := newVerifiers(k.cfg.Keys)
	if err != nil {
		return "", err
	}
	for info, err := range k.cfg.Store.List(ctx, prefix, "") {
		if err != nil {
			return "", err
		}
		if _, ok := ours.open(k.cfg.ID, info.Key); ok {
			return info.Key, nil
		}
	}
	return "", nil
}

// roll locks the newest kept checkpoint again when its lock runs out soon, and writes it anew if that is refused.
func (k *Keeper) roll(ctx context.Context) error {
	if err := k.enter(ctx); err != nil {
		return err
	}
	defer k.leave()
	k.mu.Lock()
	kept := k.kept
	k.mu.Unlock()
	until := k.cfg.Clock.Now().Add(Lock)
	if kept.Size == 0 || kept.Until.After(until.Add(rollBefore-Lock)) {
		return nil
	}
	if err := k.cfg.Store.Retain(ctx, kept.Key, kept.Version, until); err != nil {
		k.cfg.Log.Warn("the newest locked checkpoint could not be locked again; it is written anew", "error", err)
		return k.note(k.put(ctx))
	}
	k.mu.Lock()
	k.kept.Until = until
	k.mu.Unlock()
	return k.note(nil)
}

// note remembers how a try went.
func (k *Keeper) note(err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure == nil && err != nil {
		k.since = k.cfg.Clock.Now()
	}
	if k.failure = err; err == nil {
		k.since = time.Time{}
	}
	return err
}
