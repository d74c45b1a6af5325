package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A duty that fails stays owed, with rows beside it that no event explains: when it is tried again, and how often it
// has failed. A failure is no event, so a store that refuses for weeks does not fill the log, and a database without
// these rows tries each duty anew.

var (
	failedTable = Table{Volatile, "duty.failed"} // as dutyTable → failedDuty
	retryTable  = Table{Volatile, "duty.retry"}  // kind, 0, next, due, index → 1
)

const (
	// firstWait is how long after its first failure a duty is tried again. Each further time it takes twice as long.
	firstWait = time.Minute
	// longestWait is the longest that it takes: what was mended is noticed within that time.
	longestWait = time.Hour
)

// failedDuty says how it stands with a duty that could not be performed.
type failedDuty struct {
	Tries int       `json:"tries"`
	Since time.Time `json:"since"` // the first failure
	Next  time.Time `json:"next"`  // when it is tried again
}

// retryKey is the key of the duty's row in the order of retries.
func retryKey(d Duty, next time.Time) []byte {
	key := d.key()
	at := len(d.Kind) + 1
	micros := binary.BigEndian.AppendUint64(nil, uint64(next.UnixMicro()))
	return bytes.Join([][]byte{key[:at], micros, key[at:]}, nil)
}

// dutyOfRetry reads a duty's key out of that of its row in the order of retries.
func dutyOfRetry(kind string, key []byte) ([]byte, error) {
	at := len(kind) + 1
	if len(key) != at+24 {
		return nil, fmt.Errorf("a row of %s cannot be read: %w", retryTable, ErrDamaged)
	}
	return bytes.Join([][]byte{key[:at], key[at+8:]}, nil), nil
}

// backoff is how long after it failed a duty is tried again that has failed so often.
func backoff(tries int) time.Duration {
	wait := firstWait
	for range tries - 1 {
		if wait *= 2; wait >= longestWait {
			return longestWait
		}
	}
	return wait
}

// untried reads a batch of duties that are due and have not failed before. It begins where no earlier one can be: those
// that have failed, however many, are passed over once in an hour.
func (j *Journal) untried(ctx context.Context, kind string, most int) (due []Duty, err error) {
	now := j.cfg.Clock.Now()
	until := Duty{Kind: kind, Due: now, Index: ^uint64(0)}.key()
	from := j.tried.from(kind, now)
	var next milestone
	err = j.View(ctx, func(r Reader) error {
		due, next = nil, from
		head, _, err := readHead(r)
		if err != nil {
			return err
		}
		read := func(key, row []byte) error {
			if len(due) == most {
				return Stop
			}
			if failed, err := r.Get(failedTable, key); err != nil || failed != nil {
				return err
			}
			d, err := parseDuty(kind, key, row)
			due = append(due, d)
			return err
		}
		if err := r.Scan(dutyTable, Range{From: from.once, To: firstTimed(kind)}, read); err != nil {
			return err
		}
		// A duty that is owed later is due at once by an event above the head, or after now. A duty that was due before
		// it was owed is found when all are looked at again.
		next.now, next.once = now, Duty{Kind: kind, Due: atOnce, Index: head.Size}.key()
		if len(due) == most {
			return nil
		}
		next.timed = Duty{Kind: kind, Due: now}.key()
		return r.Scan(dutyTable, Range{From: from.timed, To: until}, read)
	})
	if err != nil {
		return nil, err
	}
	j.tried.set(kind, next.before(due))
	return due, nil
}

// failedBefore reads a batch of duties that have failed and are to be tried again now.
func (j *Journal) failedBefore(ctx context.Context, kind string, most int) (due []Duty, err error) {
	prefix := append([]byte(kind), 0)
	after := func(wait time.Duration) []byte { // the key of the first retry after so long
		next := j.cfg.Clock.Now().Add(wait + time.Microsecond)
		return retryKey(Duty{Kind: kind, Due: time.UnixMicro(0)}, next)
	}
	var stale [][]byte // of duties that somebody has settled who did not come to say so here
	err = j.View(ctx, func(r Reader) error {
		due, stale = nil, nil
		read := func(retry, _ []byte) error {
			if len(due)+len(stale) == most {
				return Stop
			}
			key, err := dutyOfRetry(kind, retry)
			if err != nil {
				return err
			}
			row, err := r.Get(dutyTable, key)
			if err != nil {
				return err
			}
			if row == nil {
				stale = append(stale, bytes.Clone(retry))
				return nil
			}
			d, err := parseDuty(kind, key, row)
			due = append(due, d)
			return err
		}
		// A retry that is further ahead than any can be was set by a clock that has been set back since.
		return errors.Join(r.Scan(retryTable, Range{From: prefix, To: after(0)}, read),
			r.Scan(retryTable, Range{From: after(longestWait), To: Prefix(prefix).To}, read))
	})
	if err == nil && len(stale) > 0 {
		err = j.dropStale(ctx, kind, stale)
	}
	return due, err
}

// dropStale removes the rows of duties that are not owed any more.
func (j *Journal) dropStale(ctx context.Context, kind string, retries [][]byte) error {
	return j.update(ctx, func(tx Txn) error {
		for _, retry := range retries {
			key, err := dutyOfRetry(kind, retry)
			if err == nil {
				err = errors.Join(tx.Delete(retryTable, retry), tx.Delete(failedTable, key))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// postpone notes that duties have failed and when each is tried again. Those of a worker that is being stopped have not
// failed.
func (j *Journal) postpone(ctx context.Context, failed []Outcome) error {
	if len(failed) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := j.cfg.Clock.Now().UTC()
	err := j.update(ctx, func(tx Txn) error {
		for _, o := range failed {
			f, err := dropRetry(tx, o.Duty)
			if err != nil {
				return err
			}
			if f.Tries++; f.Tries == 1 {
				f.Since = now
			}
			f.Next = now.Add(backoff(f.Tries)).Truncate(time.Microsecond)
			row, err := json.Marshal(f)
			if err != nil {
				return err
			}
			if err := tx.Put(failedTable, o.key(), row); err != nil {
				return err
			}
			if err := tx.Put(retryTable, retryKey(o.Duty, f.Next), []byte{1}); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, fmt.Errorf("%d failed, one of them because: %w", len(failed), failed[0].Failed))
}

// forget removes what is noted about duties that have failed before.
func (j *Journal) forget(ctx context.Context, performed []Outcome) error {
	return j.update(ctx, func(tx Txn) error {
		for _, o := range performed {
			if _, err := dropRetry(tx, o.Duty); err != nil {
				return err
			}
			if err := tx.Delete(failedTable, o.key()); err != nil {
				return err
			}
		}
		return nil
	})
}

// dropRetry takes a duty out of the order of retries, and returns what is noted about it: nothing if it never failed.
func dropRetry(tx Txn, d Duty) (f failedDuty, err error) {
	row, err := tx.Get(failedTable, d.key())
	if err != nil || row == nil {
		return f, err
	}
	if json.Unmarshal(row, &f) != nil {
		return failedDuty{}, nil // the row is written anew; fsck tells of it
	}
	return f, tx.Delete(retryTable, retryKey(d, f.Next))
}

// Failing counts the duties of a kind that have failed and are tried again, up to most, and says since when the first
// of them does.
func (j *Journal) Failing(ctx context.Context, kind string, most int) (n int, since time.Time, err error) {
	err = j.View(ctx, func(r Reader) error {
		n, since = 0, time.Time{}
		return r.Scan(failedTable, Prefix(append([]byte(kind), 0)), func(key, row []byte) error {
			var f failedDuty
			owed, err := r.Get(dutyTable, key)
			if err != nil || owed == nil || json.Unmarshal(row, &f) != nil {
				return err
			}
			if since.IsZero() || f.Since.Before(since) {
				since = f.Since
			}
			if n++; n == most {
				return Stop
			}
			return nil
		})
	})
	return n, since, err
}
