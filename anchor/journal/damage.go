package journal

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrUnreleasable says that entries are committed and cannot be released, because the journal is damaged where they
// stand. It passes only when an operator acts.
var ErrUnreleasable = errors.New("the entries cannot be released")

// Damage is what has been met of it while the journal is open.
type Damage struct {
	Met  uint64    // how often a row was found not to be what the log says that it must be
	Last error     // the last time; nil when it was never met
	At   time.Time // when that was
}

// damageSeen counts damage.
type damageSeen struct {
	mu   sync.Mutex
	seen Damage
}

// Damage tells of the damage that was met since the journal was opened. Where there is some there may be more, which
// shows as rows that are missing: muniment fsck finds all.
func (j *Journal) Damage() Damage {
	j.damage.mu.Lock()
	defer j.damage.mu.Unlock()
	return j.damage.seen
}

// noteDamage counts an error that tells of damage, and returns it.
func (j *Journal) noteDamage(err error) error {
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	j.damage.mu.Lock()
	defer j.damage.mu.Unlock()
	j.damage.seen.Met++
	j.damage.seen.Last, j.damage.seen.At = err, j.cfg.Clock.Now().UTC()
	return err
}

// cannotRelease tells those who wait for a release that there will be none, because of damage; nil that there may be.
func (j *Journal) cannotRelease(damage error) {
	if damage == nil {
		j.unreleasable.Store(nil)
		return
	}
	err := fmt.Errorf("%w: %w", ErrUnreleasable, damage)
	j.unreleasable.Store(&err)
	j.swaps.notify()
	j.checkpoints.notify()
}

// releasable is the error of those who wait for a release that cannot come.
func (j *Journal) releasable() error {
	if err := j.unreleasable.Load(); err != nil {
		return *err
	}
	return nil
}
