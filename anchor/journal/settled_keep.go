package journal

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// settledEvery is how long settled time goes without an event while something waits: what a stop can cost at most.
	settledEvery = time.Hour
	// settledLook is how often it is looked whether so much time has passed.
	settledLook = time.Minute
)

// OutsideTime says how much time has passed by the clock of somebody else, such as a witness who has signed earlier
// checkpoints and signs one now: nobody who controls this machine's clock has power over it.
type OutsideTime interface {
	// Since is how much time has passed at least since the log first had so many entries; 0 if that is not known. It
	// is called at most once a minute for each open gap of settled time, and its error is logged.
	Since(ctx context.Context, size uint64) (time.Duration, error)
}

// keepTime does what KeepTime does again and again.
func (j *Journal) keepTime() {
	defer j.workers.Done()
	for {
		if err := j.KeepTime(j.ctx); err != nil && j.ctx.Err() == nil {
			j.cfg.Log.Warn("settled time could not be kept going; trying again", "error", err)
		}
		if !j.sleep(settledLook) {
			return
		}
	}
}

// KeepTime keeps settled time going: from when something waits until its end is on record, it commits a quiet event if
// nothing else was committed for an hour, or by this process; and it asks the outside time about open gaps. An open
// journal does it every minute. One in which nothing waits stays idle.
func (j *Journal) KeepTime(ctx context.Context) error {
	if head := j.head.Load(); !head.Time.waits(head.Time.At) {
		return nil
	}
	if last := j.timeSeen.Load(); last == nil || last.since(last.look()) >= settledEvery {
		_, err := j.Commit(ctx, clockActor, func(View) (Change, error) {
			return Change{Events: []Event{clockSettled.New(ID{}, ClockSettled{})}}, nil
		})
		if err != nil {
			return err
		}
	}
	if j.cfg.Outside == nil {
		return nil
	}
	status, err := j.Time(ctx)
	for _, gap := range status.Gaps {
		err = errors.Join(err, j.confirm(ctx, gap.Index))
	}
	return err
}

// confirm asks the outside time how much of a gap did pass, and puts that on record.
func (j *Journal) confirm(ctx context.Context, gap uint64) error {
	since, err := j.cfg.Outside.Since(ctx, gap)
	if err != nil {
		return fmt.Errorf("asking the outside time: %w", err)
	}
	_, err = j.Commit(ctx, clockActor, func(v View) (Change, error) {
		by, err := j.confirmed(v, gap, since)
		if err != nil || by <= 0 {
			return Change{}, err
		}
		return Change{Events: []Event{clockConfirmed.New(ID{}, ClockConfirmed{Gap: gap, Length: by.String()})}}, nil
	})
	return err
}

// confirmed is how much of what is open of a gap must have passed, if so much time has since the event before it: what
// settled time has gone since then, and what of this gap and later ones counts already, is no part of it.
func (j *Journal) confirmed(v View, index uint64, since time.Duration) (time.Duration, error) {
	t, err := settledTimeOf(v)
	i := t.open(index)
	if err != nil || i < 0 {
		return 0, err
	}
	prover, err := j.Prover(v)
	if err != nil {
		return 0, err
	}
	before, err := prover.Record(index - 1)
	if err != nil {
		return 0, err
	}
	open := t.Gaps[i].Open
	by := min(since-t.At.Sub(before.Settled)-t.counted(index), open).Truncate(time.Microsecond)
	if by < min(open, stepSize) {
		return 0, nil
	}
	return by, nil
}
