package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// errMoved says that another server has written to the bucket while this one waited for its silence.
var errMoved = errors.New("the release bucket has changed")

const (
	// giveBackTime is how long Close may take to give the lease back.
	giveBackTime = 5 * time.Second
	// looks is how often in a term the bucket is looked at by a process that waits for its silence.
	looks = 30
)

// settle brings the backend up to the released head, as synchronize does, and enters upon the lease. It does both again
// when the bucket has changed in between, so that what this process will write follows what is there.
func (j *Journal) settle(ctx context.Context) (head Head, released *releasedHead, err error) {
	watch := &vigil{term: j.tenure.term}
	for {
		if head, released, err = j.synchronize(ctx); err != nil {
			return head, nil, err
		}
		if j.provisional.Load() { // endProvisional enters
			return head, released, nil
		}
		if released, err = j.enter(ctx, watch, released); !errors.Is(err, errMoved) {
			return head, released, err
		}
	}
}

// enter waits until this process may write to the bucket, and takes the lease and the head. It returns the head as it
// stands then, and errMoved when the head is not the given one any more.
//
// The database that holds the lease goes on at once if it lies where it lay before: whoever wrote there has ended, or
// shares its history. Everybody goes on at once when the lease was given back. Anybody else waits one whole term, by a
// clock of its own, in which neither lease nor head has changed; the holder's term is over then.
func (j *Journal) enter(ctx context.Context, watch *vigil, released *releasedHead) (*releasedHead, error) {
	t := j.tenure
	var err error
	if t.holder, err = j.leaseHolder(ctx); err != nil {
		return nil, err
	}
	headTag := ""
	if released != nil {
		headTag = released.tag
	}
	for {
		found, err := readTenure(ctx, j.cfg.Bucket)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		watch.see(now, found.tag, headTag)
		ours := t.holder != "" && found.Holder == t.holder
		free := found.Ended || watch.silent(now)
		switch {
		case released == nil && (found.tag == "" || ours || free):
			return nil, j.begin(found)
		case released == nil:
		case ours && found.Tenure == released.Tenure:
			return released, j.join(ctx, found)
		case free:
			return j.take(ctx, found, released)
		}
		if err := j.lookAgain(ctx, watch, now, released); err != nil {
			return nil, err
		}
	}
}

// lookAgain pauses, to the end of the term at most, and checks that the head is still the given one.
func (j *Journal) lookAgain(ctx context.Context, watch *vigil, now time.Time, released *releasedHead) error {
	if watch.hopeless() {
		return fmt.Errorf("the lease or the head has changed %d times meanwhile: %w", watch.changes, ErrHeld)
	}
	if !watch.told {
		watch.told = true
		j.cfg.Log.Info("the last holder of the lease on the release bucket has not given it back; waiting for its end",
			"term", watch.term)
	}
	timer := time.NewTimer(max(0, min(watch.term/looks, watch.term-now.Sub(watch.since))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return fmt.Errorf("waiting for the end of another server's lease: %w", ctx.Err())
	}
	var before []byte
	if released != nil {
		before = released.raw
	}
	raw, _, err := j.cfg.Bucket.Get(ctx, headObject)
	if err != nil && !errors.Is(err, ErrNoObject) {
		return fmt.Errorf("looking whether another server writes to the release bucket: %w", err)
	}
	if !bytes.Equal(raw, before) {
		return errMoved
	}
	return nil
}

// begin begins a tenure with a history of which nothing is released yet. Its first swap makes the head, which nobody
// else can do then, and the lease is written after it: a start that is broken off before leaves nothing.
func (j *Journal) begin(found tenureObject) (err error) {
	t := j.tenure
	t.id, err = NewID(j.cfg.Clock.Now(), j.cfg.Rand)
	t.object = found
	t.entered.Store(err == nil)
	return err
}

// join goes on with the tenure of this database, and writes the lease. A write that a process before has sent and given
// up may still arrive, and would be taken for true: that it gave the lease back, above all, whereupon another server
// need not wait. After this write it changes nothing.
func (j *Journal) join(ctx context.Context, found tenureObject) error {
	t := j.tenure
	found.Ended = false
	sent := time.Now()
	if err := found.write(ctx, j.cfg.Bucket); err != nil {
		return movedIf(err)
	}
	t.id, t.object = found.Tenure, found
	t.entered.Store(true)
	t.extend(sent)
	return nil
}

// take takes the lease over, and then the head, so that the next swap of the holder before fails.
//
// The lease comes first. A process that has it and not the head holds nothing, and a next one waits a whole term
// because the two name different tenures. Were it the other way round, a holder that reads and swaps nothing could
// renew its lease after it had lost the head.
func (j *Journal) take(ctx context.Context, found tenureObject, released *releasedHead) (*releasedHead, error) {
	t := j.tenure
	id, err := NewID(j.cfg.Clock.Now(), j.cfg.Rand)
	if err != nil {
		return nil, err
	}
	next := tenureObject{Journal: released.Journal, Holder: t.holder, Tenure: id, N: found.N, tag: found.tag}
	if err := next.write(ctx, j.cfg.Bucket); err != nil {
		return nil, movedIf(err)
	}
	head := *released
	head.Tenure, head.PrevHeadHash = id, released.hash()
	key, err := j.bucket.keys.get(ctx, released.Key)
	if err != nil {
		return nil, err
	}
	if err := head.encode(key); err != nil {
		return nil, err
	}
	sent := time.Now()
	if head.tag, err = j.cfg.Bucket.Put(ctx, headObject, head.raw, released.tag); err != nil {
		return nil, movedIf(fmt.Errorf("taking the released head: %w", err))
	}
	t.id, t.object = id, next
	t.entered.Store(true)
	t.extend(sent)
	return &head, nil
}

// movedIf makes errMoved of a conflict.
func movedIf(err error) error {
	if errors.Is(err, ErrConflict) {
		return errMoved
	}
	return err
}

// giveBack ends the tenure, so that a start elsewhere need not wait. It does nothing for a process that has lost the
// lease, or never had it.
//
// A backend that several processes use at a time will have to ask whether another one still uses the lease.
func (j *Journal) giveBack() {
	t := j.tenure
	t.until.Store(nil)
	if !t.entered.Load() || j.Err() != nil || j.swapped.Load().Tenure != t.id {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), giveBackTime)
	defer cancel()
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.object
	next.Journal, next.Holder, next.Tenure, next.Ended = j.id, t.holder, t.id, true
	if err := next.write(ctx, j.cfg.Bucket); err != nil {
		j.cfg.Log.Warn("the lease on the release bucket could not be given back; a start on another machine will wait "+
			"for its end", "error", err)
	}
}

// vigil watches the bucket for a term in which nothing changes.
type vigil struct {
	term    time.Duration
	since   time.Time // when the present state was first seen
	lease   string    // the tags of both objects
	head    string
	changes int
	told    bool
}

// see notes the tags of lease and head at a time after both were read.
func (v *vigil) see(now time.Time, lease, head string) {
	if v.since.IsZero() {
		v.changes = -1
	}
	if v.since.IsZero() || lease != v.lease || head != v.head {
		v.since, v.lease, v.head = now, lease, head
		v.changes++
	}
}

// silent says whether nothing has changed for a whole term.
func (v *vigil) silent(now time.Time) bool { return now.Sub(v.since) >= v.term }

// vigilChanges is how many changes a start sees before it takes it that another server works with the bucket. A server
// that is about to stop makes a few.
const vigilChanges = 10

// hopeless says whether another server works with the bucket.
func (v *vigil) hopeless() bool { return v.changes > vigilChanges }
