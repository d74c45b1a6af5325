package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// dutyTime is how long a batch may take, so that it ends before its lease does. A duty that is being performed then has
// failed; the others of the batch were not tried.
const dutyTime = leaseTime * 3 / 4

// Worker performs the duties of one kind.
type Worker struct {
	Kind  string
	Batch int           // how many at most to perform before their completion is recorded; at most 1000
	Every time.Duration // how often to look when nothing is known to be due
	// Do performs duties, each of which may have been performed before, and says how each went that it tried. A duty
	// that failed is tried again later, in a batch of such duties. An error concerns no single duty, and is logged.
	// Two batches may be performed at a time: one of duties that are tried for the first time, and one of the others.
	Do func(ctx context.Context, due []Duty) ([]Outcome, error)
}

// Work performs duties until ctx ends or the journal closes. Duties that have failed before are tried again beside the
// others, which never wait for them.
func (j *Journal) Work(ctx context.Context, w Worker) error {
	ended := make(chan error)
	go func() { ended <- j.workOn(ctx, w, j.retries(w.Kind)) }()
	err := j.workOn(ctx, w, j.firsts(w.Kind))
	return errors.Join(err, <-ended)
}

// WorkOnce performs one batch of what is due now for the first time, and one of what has failed before and is to be
// tried again, and returns how many duties were done. It does nothing while somebody else holds the lease for this
// kind.
func (j *Journal) WorkOnce(ctx context.Context, w Worker) (int, error) {
	first, _, err := j.workBatch(ctx, w, j.firsts(w.Kind))
	again, _, failed := j.workBatch(ctx, w, j.retries(w.Kind))
	return first + again, errors.Join(err, failed)
}

// queue is where a worker's batches come from.
type queue struct {
	lease string // its name
	again bool   // the duties in it have failed before
	read  func(ctx context.Context, most int) ([]Duty, error)
}

func (j *Journal) firsts(kind string) queue {
	return queue{lease: kind, read: func(ctx context.Context, most int) ([]Duty, error) {
		return j.untried(ctx, kind, most)
	}}
}

func (j *Journal) retries(kind string) queue {
	return queue{lease: kind + " again", again: true, read: func(ctx context.Context, most int) ([]Duty, error) {
		return j.failedBefore(ctx, kind, most)
	}}
}

// workOn performs the duties of one queue until ctx ends or the journal closes.
func (j *Journal) workOn(ctx context.Context, w Worker, q queue) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-j.ctx.Done():
			return ErrClosed
		case <-j.stopped:
			return ErrStopped
		}
		done, more, err := j.workBatch(ctx, w, q)
		if err != nil && ctx.Err() == nil {
			j.cfg.Log.Warn("duties could not be performed; trying again", "kind", w.Kind, "error", err)
		}
		if more && done > 0 {
			timer.Reset(0)
		} else {
			timer.Reset(w.Every)
		}
	}
}

// workBatch performs one batch, and says how many duties were done and whether the batch was a full one.
func (j *Journal) workBatch(ctx context.Context, w Worker, q queue) (done int, full bool, err error) {
	if w.Batch < 1 || w.Batch > maxDuties {
		return 0, false, fmt.Errorf("a worker's batch of %d duties is not of 1 to %d", w.Batch, maxDuties)
	}
	due, err := q.read(ctx, w.Batch)
	if err != nil || len(due) == 0 {
		return 0, false, err
	}
	if held, err := j.lease(ctx, q.lease); err != nil || !held {
		return 0, false, err
	}
	limited, stop := context.WithTimeout(ctx, dutyTime)
	outcomes, err := w.Do(limited, due)
	stop()
	var performed, failed []Outcome
	for _, o := range outcomes {
		if o.Failed == nil {
			performed = append(performed, o)
		} else {
			failed = append(failed, o)
		}
	}
	if len(performed) > 0 {
		if err := j.settleDuties(ctx, w.Kind, performed); err != nil {
			return 0, false, err
		}
		if q.again {
			err = errors.Join(err, j.forget(ctx, performed))
		}
	}
	return len(performed), len(due) == w.Batch, errors.Join(err, j.postpone(ctx, failed))
}

// reached is how far into the duties of each kind all have been performed or have failed, while the clock goes forward.
type reached struct {
	mu   sync.Mutex
	kind map[string]milestone
}

type milestone struct {
	once, timed []byte    // the places in the duties that were due at once, and in the others
	now         time.Time // when it was reached
	whole       time.Time // when all were last looked at
}

// wholeAgain is how often all duties that are due are looked at, so that one which came to lie before the place that
// was reached is found: it was due before it was owed, or is so by a clock other than this one.
const wholeAgain = longestWait

// before is the milestone if duties before it have not been performed.
func (m milestone) before(due []Duty) milestone {
	for _, d := range due {
		key, place := d.key(), &m.timed
		if d.Due.Equal(atOnce) {
			place = &m.once
		}
		if bytes.Compare(key, *place) < 0 {
			*place = key
		}
	}
	return m
}

// from is where a look at a time begins.
func (r *reached) from(kind string, now time.Time) milestone {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.kind[kind]
	// Round strips the monotonic reading, which does not go back with the clock.
	if !ok || now.Round(0).Before(at.now.Round(0)) || now.Sub(at.whole) >= wholeAgain {
		return milestone{once: append([]byte(kind), 0), timed: firstTimed(kind), now: now, whole: now}
	}
	return at
}

func (r *reached) set(kind string, at milestone) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kind == nil {
		r.kind = map[string]milestone{}
	}
	r.kind[kind] = at
}
