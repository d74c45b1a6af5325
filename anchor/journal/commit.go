package journal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// maxGroup bounds how many commits share one transaction.
const maxGroup = 4096

var (
	// ErrPanic says that a decide function or a reducer panicked. Nothing of its change was written; the log has the
	// stack.
	ErrPanic = errors.New("a decide function or reducer panicked")

	errNothing = errors.New("nothing to write") // ends a transaction of a group that wrote nothing
)

// request is one Commit on its way through the committer.
type request struct {
	actor   Actor
	decide  func(View) (Change, error)
	claimed atomic.Bool // by the committer, or by a caller who gives up
	done    chan struct{}
	receipt Receipt
	err     error
}

// Commit is the only way to change state. decide sees every earlier commit and returns what happened. It only reads,
// and may be run twice. Events returned together with an error are committed, then the error is returned: a denial is
// on record too. Concurrent commits share one transaction; each is answered when that is durable.
//
// The receipt is of the change's last event, without proof and checkpoint (see Released). A change without events is
// legal and has an empty receipt. When ctx ends before the commit has begun, nothing is written; after that it is
// waited for.
//
// Errors: those of decide; ErrTooLarge; ErrTaken; ErrPanic; ErrFull (nothing written, a retry may help); ErrClosed;
// ErrStopped.
func (j *Journal) Commit(ctx context.Context, a Actor, decide func(View) (Change, error)) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, fmt.Errorf("committing: %w", err)
	}
	r := &request{actor: a, decide: decide, done: make(chan struct{})}
	select {
	case j.requests <- r:
	case <-j.ctx.Done():
		return Receipt{}, ErrClosed
	case <-j.stopped:
		return Receipt{}, ErrStopped
	case <-ctx.Done():
		return Receipt{}, fmt.Errorf("committing: %w", ctx.Err())
	}
	var gaveUp error
	select {
	case <-r.done:
	case <-ctx.Done():
		gaveUp = fmt.Errorf("committing: %w", ctx.Err())
	case <-j.ctx.Done():
		gaveUp = ErrClosed
	}
	if gaveUp != nil && r.claimed.CompareAndSwap(false, true) {
		return Receipt{}, gaveUp
	}
	<-r.done // the committer has claimed the request, so only it knows the outcome
	return r.receipt, r.err
}

// commitGroups commits all requests that wait as one group, again and again until the journal closes.
func (j *Journal) commitGroups() {
	defer j.workers.Done()
	for {
		var batch []*request
		select {
		case r := <-j.requests:
			batch = j.gather(r)
		case <-j.ctx.Done():
			j.refuse(ErrClosed)
			return
		}
		if j.Err() != nil {
			answer(batch, ErrStopped)
			continue
		}
		j.commitGroup(batch)
	}
}

// gather claims the first request and all that wait behind it.
func (j *Journal) gather(first *request) []*request {
	var batch []*request
	for r := first; ; {
		if r.claimed.CompareAndSwap(false, true) {
			batch = append(batch, r)
		}
		if len(batch) == maxGroup {
			return batch
		}
		select {
		case r = <-j.requests:
		default:
			return batch
		}
	}
}

// refuse answers all requests that still wait with an error.
func (j *Journal) refuse(err error) {
	for {
		select {
		case r := <-j.requests:
			if r.claimed.CompareAndSwap(false, true) {
				answer([]*request{r}, err)
			}
		default:
			return
		}
	}
}

// answer tells each of a batch the same error.
func answer(batch []*request, err error) {
	for _, r := range batch {
		r.receipt, r.err = Receipt{}, err
		close(r.done)
	}
}

// commitGroup runs a batch in one transaction and answers it.
func (j *Journal) commitGroup(batch []*request) {
	j.commitMu.Lock()
	defer j.commitMu.Unlock()
	var (
		g    *group
		time reading
		raw  moment
	)
	err := j.cfg.Backend.Update(context.WithoutCancel(j.ctx), func(tx Txn) error {
		g = nil
		head, err := j.authenticHead(tx)
		if err == nil {
			err = j.wentBack(head)
		}
		if err != nil {
			return err
		}
		if g, err = j.newGroup(tx, head); err != nil {
			return err
		}
		time, raw = j.time.read(head)
		return g.run(j, batch, time, tx)
	})
	switch {
	case errors.Is(err, errNothing):
		// Every commit was refused or changed nothing, and has its answer already.
	case errors.Is(err, ErrUnknown):
		if j.confirmCommit(g) {
			break
		}
		answer(batch, ErrStopped)
		return
	case err != nil:
		if errors.Is(err, ErrStopped) || errors.Is(err, ErrContradicts) {
			j.halt(err)
		}
		answer(batch, fmt.Errorf("committing: %w", j.noteDamage(err)))
		return
	}
	if err == nil || errors.Is(err, ErrUnknown) {
		j.time.advance(time, raw, g.head.Time.At)
		seen := j.time
		j.timeSeen.Store(&seen)
		j.advance(g)
	}
	for _, r := range batch {
		_ = j.noteDamage(r.err)
		close(r.done)
	}
}

// wentBack refuses to go on from a head, authentic as it may be, that is older than what this process has committed:
// somebody has put the database back, and to go on would begin a second history.
func (j *Journal) wentBack(head Head) error {
	if size := j.Size(); head.Size < size {
		return fmt.Errorf("the database is at size %d, and was at %d: it was put back while it was open: %w",
			head.Size, size, ErrContradicts)
	}
	return nil
}

// confirmCommit resolves an unknown outcome by reading the head again, in an update transaction of its own: that one
// waits for a transaction that may still be under way, and a backend that does not trust its disk any more refuses it.
// If the head is not the expected one the journal stops, because a commit that may have happened must not be reported
// as failed.
func (j *Journal) confirmCommit(g *group) bool {
	var head Head
	err := j.cfg.Backend.Update(context.WithoutCancel(j.ctx), func(tx Txn) (err error) {
		if head, _, err = readHead(tx); err != nil {
			return err
		}
		return errNothing
	})
	if g != nil && errors.Is(err, errNothing) && head.Size == g.head.Size && head.Root == g.head.Root {
		return true
	}
	j.cfg.Log.Error("the outcome of a write is unknown; stopping", "error", err)
	j.halt(ErrStopped)
	return false
}

// update runs a transaction of rows that no event explains. An unknown outcome stops the journal here too.
func (j *Journal) update(ctx context.Context, fn func(Txn) error) error {
	err := j.cfg.Backend.Update(ctx, fn)
	if errors.Is(err, ErrUnknown) || errors.Is(err, ErrStopped) {
		j.halt(err)
		return ErrStopped
	}
	return err
}

// advance makes a committed group the state that the next one begins with, and wakes those who wait for it.
func (j *Journal) advance(g *group) {
	j.edge = g.edge
	j.key.Store(g.key) // before the head, as shipBatch reads them in the other order
	j.head.Store(&g.head)
	j.knownHead.Store(&knownHead{row: g.row, head: g.head})
	j.size.Store(g.edge.size)
	fresh := g.head.News > j.lastNews.Swap(g.head.News)
	j.commits.notify()
	if fresh {
		j.news.notify()
	}
}
