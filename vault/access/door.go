package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"muniment/anchor/journal"
)

var (
	// ErrUnasked says that an act came to the door without asking whether it is permitted. Nothing of it is written. It
	// is a fault of the program.
	ErrUnasked = errors.New("an act came to the door without asking whether it is permitted")
	// ErrUnreleased says that an act is on record and in force, but was not released in time, or not kept outside: its
	// record may still be lost with this machine.
	ErrUnreleased = errors.New("it is on record but not released yet")
)

// DefaultReleaseWait is how long Released, Shipped and Kept wait unless DoorConfig.ReleaseWait says otherwise.
const DefaultReleaseWait = 30 * time.Second

// DoorConfig is what a Door needs. Every field is required unless it says otherwise.
type DoorConfig struct {
	Journal *journal.Journal
	Clock   journal.Clock
	// ReleaseWait is how long Released, Shipped and Kept wait before they return ErrUnreleased; 0 means
	// DefaultReleaseWait.
	ReleaseWait time.Duration
	// Log is told of rows that contradict the events about principals and keys, and of acts that are in force and not
	// kept outside yet. Nil: nobody is.
	Log *slog.Logger
}

// Door is the only way by which an act of a principal reaches the journal, whichever package the act belongs to.
//
// The function that decides about an act is given a Guard, and asks it in the same transaction that the act is written
// in: one that forgets to ask fails with ErrUnasked. Refusals of the guard go on record, and so do the events of an
// error made by Recorded; any other error writes nothing. The first 16 refusals of one principal and act within a
// minute have an event each, and the others share one.
//
// Workers that act for nobody, and those that write what an act let in before has come to, commit to the journal
// themselves; a test of cmd/muniment names them all, each with its reason. A Door's methods may be called concurrently.
type Door struct {
	cfg       DoorConfig
	authority *Authority
	denials   denials
	consults  consultations
	keeper    Keeper // nil until KeepWith
}

// NewDoor makes the door of a journal. There is one for a process: it counts the refusals. The caller has Flush called
// from time to time, and at the end.
func NewDoor(cfg DoorConfig) *Door {
	if cfg.ReleaseWait == 0 {
		cfg.ReleaseWait = DefaultReleaseWait
	}
	return &Door{cfg: cfg, authority: NewAuthority(cfg.Journal, cfg.Log),
		denials: denials{seen: map[denialKey]*denialCount{}}}
}

// Authority is what the door permits acts by. The caller of NewDoor has it started and closed.
func (d *Door) Authority() *Authority { return d.authority }

func (d *Door) guard(r journal.Reader, who Who) *Guard {
	return &Guard{authority: d.authority, r: r, who: who}
}

// Commit commits what decide returns, if the guard that decide asks permits it. decide only reads, and may be run
// twice, as with Journal.Commit.
//
// Errors: those of decide; ErrUnasked; those of Journal.Commit.
func (d *Door) Commit(ctx context.Context, who Who,
	decide func(journal.View, *Guard) (journal.Change, error)) (journal.Receipt, error) {
	minute := minuteOf(d.cfg.Clock.Now())
	var (
		key    denialKey
		denied error // nil unless the act is refused
		named  bool
	)
	receipt, err := d.cfg.Journal.Commit(ctx, who.Actor(), func(view journal.View) (journal.Change, error) {
		denied = nil
		guard := d.guard(view, who)
		change, err := decide(view, guard)
		if err == nil && !guard.asked {
			err = ErrUnasked
		}
		if err == nil {
			return change, nil
		}
		var found *recorded
		if !errors.As(err, &found) {
			return journal.Change{}, err
		}
		change = journal.Change{Events: found.events}
		if action, refused := found.refused(); refused {
			key, denied = denialKey{who: who, action: action, minute: minute}, err
			if named = !d.denials.full(key); !named {
				change.Events = nil // Flush puts their number on record
			}
		}
		return change, err
	})
	if denied != nil && errors.Is(err, denied) { // another error says that the refusal could not be recorded
		d.denials.note(key, named)
	}
	return receipt, err
}

// Act is Commit for an act that concerns the whole tenant: decide is run if who may do a there.
func (d *Door) Act(ctx context.Context, who Who, a Action,
	decide func(journal.View) (journal.Change, error)) (journal.Receipt, error) {
	return d.Commit(ctx, who, func(view journal.View, guard *Guard) (journal.Change, error) {
		if err := guard.Authorize(a, Scope{}, journal.ID{}); err != nil {
			return journal.Change{}, err
		}
		return decide(view)
	})
}

// View looks in a snapshot, and puts nothing on record. It is for those who have learned already that nothing can be:
// the journal's disk is full.
func (d *Door) View(ctx context.Context, who Who, look func(journal.Reader, *Guard) error) error {
	return d.cfg.Journal.View(ctx, func(r journal.Reader) error {
		guard := d.guard(r, who)
		err := look(r, guard)
		if err == nil && !guard.asked {
			err = ErrUnasked
		}
		return err
	})
}

// Look looks in a snapshot, which costs the committer nothing. An error that has to go on record makes it look again in
// a commit, where the answer is settled: a principal to whom it was permitted in between is let in.
func (d *Door) Look(ctx context.Context, who Who, look func(journal.Reader, *Guard) error) error {
	err := d.View(ctx, who, look)
	var found *recorded
	if !errors.As(err, &found) {
		return err
	}
	_, err = d.Commit(ctx, who, func(view journal.View, guard *Guard) (journal.Change, error) {
		return journal.Change{}, look(view, guard)
	})
	return err
}

// Permit says whether who may do a in the whole tenant, before work that the act itself, which asks again, comes after:
// ErrDenied. It asks in a commit, so that no such work begins on a journal that has stopped and could not record it.
func (d *Door) Permit(ctx context.Context, who Who, a Action) error {
	_, err := d.Act(ctx, who, a, func(journal.View) (journal.Change, error) { return journal.Change{}, nil })
	return err
}

// Released waits until the receipt of an act is a proof, with inclusion proof and checkpoint: ErrUnreleased, together
// with the receipt as it was.
func (d *Door) Released(ctx context.Context, r journal.Receipt) (journal.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ReleaseWait)
	defer cancel()
	released, err := d.cfg.Journal.Released(ctx, r)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrUnreleased, err)
	}
	return released, nil
}

// Shipped waits until all that is on record now is in the released head: ErrUnreleased. An act that cannot be undone
// waits for that first. Until the head is swapped, this machine may be lost together with the record of the act, or may
// have been overtaken by another one, which knows of more documents and more holds.
func (d *Door) Shipped(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ReleaseWait)
	defer cancel()
	if err := d.cfg.Journal.Shipped(ctx, journal.Receipt{Index: d.cfg.Journal.Size() - 1}); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreleased, err)
	}
	return nil
}
