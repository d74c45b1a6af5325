package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrNoLease says that this process may not hand out content: its lease has run out, and the release bucket, which
	// alone could renew it, cannot be reached. Another server may have taken over meanwhile.
	ErrNoLease = errors.New("the lease on the release bucket has run out")
	// ErrHeld is returned by Open when another server works with the release bucket.
	ErrHeld = errors.New("another server works with this release bucket")
	// ErrTakenOver says that another server has taken the lease, so that this process may not go on.
	ErrTakenOver = errors.New("another server has taken over")
)

const (
	// defaultTerm is how long a lease lasts.
	defaultTerm = 30 * time.Second
	// renewTime is how long the bucket may take to renew a lease before reads are refused.
	renewTime = 5 * time.Second
)

// tenure is this process's part in the lease on the release bucket. The lease fences content off from a second server
// on a copy of the database: the copy commits reads as well as the original does, and would serve them off the record
// until its first swap of the head fails.
//
// The lease belongs to a database at its place, not to a process: processes that share a database share its history,
// so they share the tenure. Terms are measured by the process's monotonic clock, from before a write was sent. Every
// swap of the head begins a new term, and so does every write of the lease; the latter is written only when content is
// read and the heads are too far apart, so that nothing is written while nothing happens.
type tenure struct {
	term    time.Duration
	holder  string      // names database and place; empty when the place is not known; set before the workers start
	id      ID          // stands in the lease and in each head; set before the workers start
	entered atomic.Bool // id is set

	until atomic.Pointer[time.Time] // the term's end; nil when there is none
	asked chan struct{}             // a reader wants a new term
	tried *broadcast                // rings after each attempt to begin one

	mu     sync.Mutex
	object tenureObject // as this process last saw it

	failed atomic.Pointer[tenureFailure] // of the last attempt; nil after one that succeeded

	episode  sync.Mutex
	unfenced atomic.Bool // content is handed out without a lease, and that is on record
}

// tenureFailure is an attempt to begin a new term that came to nothing.
type tenureFailure struct {
	at  time.Time
	err error
}

func newTenure(term time.Duration) *tenure {
	if term == 0 {
		term = defaultTerm
	}
	return &tenure{term: term, asked: make(chan struct{}, 1), tried: newBroadcast()}
}

// left is how long the term still lasts. A machine that slept, whose monotonic clock stood still meanwhile, is noticed
// by its wall clock; a wall clock that is set back changes nothing.
func (t *tenure) left(now time.Time) time.Duration {
	until := t.until.Load()
	if until == nil {
		return 0
	}
	return min(until.Sub(now), until.Round(0).Sub(now.Round(0)))
}

// extend begins a new term with a write that succeeded and was sent at the time given.
func (t *tenure) extend(sent time.Time) {
	until := sent.Add(t.term)
	for {
		old := t.until.Load()
		if old != nil && !until.After(*old) {
			return
		}
		if t.until.CompareAndSwap(old, &until) {
			t.failed.Store(nil)
			t.unfenced.Store(false)
			return
		}
	}
}

// pause is the least time between a failed attempt and the next.
func (t *tenure) pause() time.Duration { return t.term / 30 }

// ask asks for a new term, unless one could not be had just now. It returns why not.
func (t *tenure) ask(now time.Time) error {
	if f := t.failed.Load(); f != nil && now.Sub(f.at) < t.pause() {
		return f.err
	}
	select {
	case t.asked <- struct{}{}:
	default: // somebody has asked already
	}
	return nil
}

// Fence returns nil if content may leave now: the lease has not run out. It costs a look at the clock, but for the
// first call after a pause, which waits for the lease to be renewed. ErrNoLease when it cannot be, ErrStopped when
// another server has it. With Config.ReadsWithoutLease it returns nil instead of ErrNoLease, once that is on record.
func (j *Journal) Fence(ctx context.Context) error {
	t := j.tenure
	if j.Err() != nil {
		return ErrStopped
	}
	for asked := false; ; asked = true {
		tried := t.tried.wait()
		now := time.Now()
		left := t.left(now)
		if left > t.term/2 {
			return nil
		}
		if left > 0 {
			_ = t.ask(now) // ahead of time: the term in hand is good until it ends
			return nil
		}
		if !t.entered.Load() {
			return fmt.Errorf("%w: this journal has none yet", ErrNoLease)
		}
		err := t.ask(now)
		if f := t.failed.Load(); asked && f != nil {
			err = f.err
		}
		if err != nil {
			return j.withoutLease(ctx, now, err)
		}
		if err := j.await(ctx, tried); err != nil {
			return fmt.Errorf("waiting for the lease: %w", err)
		}
	}
}

// keepTenure begins a new term whenever a reader asks for one, until the journal closes.
func (j *Journal) keepTenure() {
	defer j.workers.Done()
	for {
		select {
		case <-j.tenure.asked:
		case <-j.ctx.Done():
			return
		case <-j.stopped:
			return
		}
		j.tryTenure(j.ctx)
	}
}

// tryTenure makes an attempt to begin a new term, and tells those who wait.
func (j *Journal) tryTenure(ctx context.Context) {
	t := j.tenure
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	before := t.failed.Load()
	switch err := j.renewTenure(ctx); {
	case errors.Is(err, ErrTakenOver):
		j.cfg.Log.Error("another server has taken the lease on the release bucket; stopping", "error", err)
		j.halt(err)
	case err != nil:
		t.failed.Store(&tenureFailure{at: time.Now(), err: err})
		if before == nil && j.ctx.Err() == nil {
			j.cfg.Log.Warn("the lease on the release bucket cannot be renewed; content is served until it runs out",
				"error", err, "left", t.left(time.Now()).Round(time.Second))
		}
	case before != nil:
		j.cfg.Log.Info("the lease on the release bucket is renewed again")
	}
	t.tried.notify()
}

// renewTries bounds how often a lease that others of this tenure write too is written again.
const renewTries = 5

// renewTenure writes the lease once more. ErrTakenOver when it has passed to another tenure.
//
// A write whose answer was lost may have taken effect long before this one was sent. So a lease that is found to be
// ours does not count: it is written again.
func (j *Journal) renewTenure(ctx context.Context) error {
	t := j.tenure
	t.mu.Lock()
	defer t.mu.Unlock()
	if j.swapped.Load().Tenure != t.id {
		return errors.New("the lease begins with the first release")
	}
	for range renewTries {
		next := t.object
		next.Journal, next.Holder, next.Tenure, next.Ended = j.id, t.holder, t.id, false
		t.object.N++ // two attempts never write the same bytes
		sent := time.Now()
		err := next.write(ctx, j.cfg.Bucket)
		if err == nil {
			t.object = next
			t.extend(sent)
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
		found, err := readTenure(ctx, j.cfg.Bucket)
		if err != nil {
			return err
		}
		if found.tag != "" && found.Tenure != t.id {
			return fmt.Errorf("the lease is held by another: %w: %w", ErrTakenOver, ErrContradicts)
		}
		// It is ours, or nobody's: it was removed. A process that waits for its end has seen it change.
		found.N = max(found.N, t.object.N)
		t.object = found
	}
	return fmt.Errorf("the lease was changed before each of %d writes: %w", renewTries, ErrConflict)
}

// readsUnfenced is the event of the first read in an episode of reads without a lease. It is not quiet: an auditor must
// see it as soon as anybody does, for there may be a second history by then, and this one be lost.
const readsUnfenced Type[ReadsUnfenced] = "reads.unfenced/1"

// ReadsUnfenced is the data of reads.unfenced/1.
type ReadsUnfenced struct {
	Since time.Time `json:"since"` // when the lease ran out
}

// withoutLease says whether content may leave although the lease has run out, because of the error given.
func (j *Journal) withoutLease(ctx context.Context, now time.Time, why error) error {
	t := j.tenure
	if !j.cfg.ReadsWithoutLease {
		return fmt.Errorf("%w: %w", ErrNoLease, why)
	}
	t.episode.Lock()
	defer t.episode.Unlock()
	if t.unfenced.Load() || t.left(now) > 0 {
		return nil
	}
	since := now
	if until := t.until.Load(); until != nil {
		since = *until
	}
	data := ReadsUnfenced{Since: since.UTC().Truncate(time.Microsecond)}
	_, err := j.Commit(ctx, Actor{System, "journal"}, func(View) (Change, error) {
		return Change{Events: []Event{readsUnfenced.New(ID{}, data)}}, nil
	})
	if err != nil {
		return fmt.Errorf("%w, and reads without one could not be put on record: %w", ErrNoLease, err)
	}
	t.unfenced.Store(true)
	j.cfg.Log.Error("content is served without a lease, as release.reads_without_lease permits: another server may "+
		"have taken over", "since", data.Since, "error", why)
	return nil
}

// TenureState is how a journal stands with its lease.
type TenureState struct {
	// Left is how long content may be handed out without a further write to the bucket. It is zero or less after a
	// pause in which nothing was read, and that is no failure.
	Left time.Duration
	// Failure says why the lease cannot be renewed; nil while it can be.
	Failure error
	// Unfenced says that content is handed out without a lease.
	Unfenced bool
}

// Tenure says how the journal stands with its lease.
func (j *Journal) Tenure() TenureState {
	s := TenureState{Left: j.tenure.left(time.Now()), Unfenced: j.tenure.unfenced.Load()}
	if f := j.tenure.failed.Load(); f != nil {
		s.Failure = f.err
	}
	return s
}
