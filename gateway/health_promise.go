package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
)

// backupAge is how old the newest verified backup may become: a weekly one may be a day late.
const backupAge = 8 * 24 * time.Hour

// errLost says that released entries are in no whole batch.
var errLost = errors.New("no restore is possible beyond them")

// promise gives the state of what the promise to depositors rests on: that the history can be restored, that backups
// are made, that contents are whole and locked. Requests are served without, so none of it is needed, with one
// exception: entries that cannot be restored and could not be shipped again from the database either. While that is so,
// what a receipt says of a later deposit, that it survives the loss of this machine, is not true.
func (h *health) promise(ctx context.Context, now time.Time) []dependency {
	out := []dependency{{Name: "batches"}, {Name: "verified backup"}, {Name: "contents"}, {Name: "locks"},
		{Name: "erasures"}, {Name: "locked checkpoint"}, {Name: "lease"}}
	for i, check := range []func(context.Context, time.Time) (string, string, error){
		h.batches, h.verifiedBackup, h.contents, h.locks, h.erasures, h.lockedCheckpoint, h.lease} {
		detail, fix, err := check(ctx, now)
		out[i].OK, out[i].Detail = err == nil, detail
		if err != nil {
			out[i].Detail, out[i].Fix, out[i].Needed = err.Error(), fix, errors.Is(err, errLost)
		}
	}
	return out
}

// batches says whether a restore would find every released entry.
func (h *health) batches(context.Context, time.Time) (detail, fix string, err error) {
	state := h.cfg.Journal.ShippedHealth()
	switch {
	case len(state.Lost) > 0:
		leaves := uint64(0)
		for _, lost := range state.Lost {
			leaves += lost.Count
		}
		return "", "put back from a backup the batches that the release bucket lacks from entry " +
				fmt.Sprint(state.Lost[0].First) + " on, and keep a copy of the data folder as it is; muniment fsck " +
				"says what the database lacks",
			fmt.Errorf("%d released entries from %d on are in no whole batch, since %s, and could not be shipped "+
				"again; %w: %w", leaves, state.Lost[0].First, state.Since.Format(time.RFC3339), errLost, state.Err)
	case state.Err != nil:
		return "", "see that the release bucket can be reached and that its batches can be read; the log names them",
			fmt.Errorf("the shipped batches cannot be looked after: %w", state.Err)
	case state.At.IsZero():
		return "they have not been looked at yet", "", nil
	case state.Batches == 0:
		return "the released head holds every released entry", "", nil
	}
	detail = fmt.Sprintf("%d shipped batches hold every released entry, of which %d were read since the start",
		state.Batches, state.Read)
	if state.ShippedAgain > 0 {
		detail += fmt.Sprintf("; %d entries were lost from the bucket and shipped again: find out why",
			state.ShippedAgain)
	}
	return detail, "", nil
}

// lease says whether content may be handed out. That the lease has run out while nobody reads is no failure.
func (h *health) lease(context.Context, time.Time) (detail, fix string, err error) {
	const advice = "see that the release bucket can be reached, and that no other server works with it"
	switch s := h.cfg.Journal.Tenure(); {
	case s.Unfenced:
		return "", advice, fmt.Errorf("content is served without a lease, as release.reads_without_lease permits: %w",
			s.Failure)
	case s.Failure != nil && s.Left <= 0:
		return "", advice, fmt.Errorf("%w, and content is not served: %w", journal.ErrNoLease, s.Failure)
	case s.Failure != nil:
		return "", advice, fmt.Errorf("the lease cannot be renewed, and content is served for %s: %w",
			s.Left.Round(time.Second), s.Failure)
	case s.Left > 0:
		return "held for " + s.Left.Round(time.Second).String(), "", nil
	}
	return "renewed when content is read next", "", nil
}

// verifiedBackup says how old the newest backup is that was read back whole.
func (h *health) verifiedBackup(ctx context.Context, now time.Time) (detail, fix string, err error) {
	const advice = "make one that is read back and goes on record: muniment backup --verify DIR"
	newest, ok, err := h.cfg.Keys.NewestBackup(ctx, vault.DefaultTenant)
	if err != nil {
		return "", fixOf("journal", err), err
	}
	if ok {
		detail = fmt.Sprintf("the newest, of %d entries, was verified on %s",
			newest.Size, newest.At.Format(time.RFC3339))
		if ageOf(now, newest.At) > backupAge {
			return "", advice, errors.New(detail)
		}
		return detail, "", nil
	}
	first, err := h.cfg.Journal.Record(ctx, 0)
	if err != nil {
		return "", fixOf("journal", err), err
	}
	if ageOf(now, first.Wall) > backupAge {
		return "", advice, errors.New("no backup was ever verified")
	}
	return "none yet", "", nil
}

// contents says whether stored contents are on record as damaged.
func (h *health) contents(ctx context.Context, _ time.Time) (detail, fix string, err error) {
	n, err := h.cfg.Vault.DamagedDocuments(ctx)
	switch {
	case err != nil:
		return "", fixOf("journal", err), err
	case n > 0:
		return "", "put the objects back from a backup; the feed's events object.damaged name the documents, and " +
			"muniment fsck finds all", fmt.Errorf("%d documents are on record as damaged", n)
	}
	return "none is on record as damaged", "", nil
}

// locks says whether the store's locks are extended in time.
func (h *health) locks(ctx context.Context, _ time.Time) (detail, fix string, err error) {
	n, err := h.cfg.Vault.OverdueLocks(ctx)
	if err != nil {
		return "", fixOf("journal", err), err
	}
	failing, err := h.cfg.Vault.FailingLocks(ctx)
	if err != nil {
		return "", fixOf("journal", err), err
	}
	tried := fmt.Sprintf("%d could not be extended, the first since %s, and are tried again",
		failing.Count, failing.Since.UTC().Format(time.RFC3339))
	switch {
	case n > 0 && failing.Count > 0:
		tried = "; " + tried
	case n > 0:
		tried = ""
	case failing.Count > 0:
		return "none is overdue by an hour; " + tried, "", nil
	default:
		return "none is overdue", "", nil
	}
	return "", "permit this server to extend locks (s3:PutObjectRetention); the log names a document whose lock was " +
			"refused",
		fmt.Errorf("the locks of %d documents are behind: they should have been extended more than an hour ago; the "+
			"upload's own lock ends a day after it%s", n, tried)
}

// erasures says whether the contents of erased documents can be deleted. A content that is locked waits for the end of
// its lock, which is no failure.
func (h *health) erasures(ctx context.Context, _ time.Time) (detail, fix string, err error) {
	failing, err := h.cfg.Vault.FailingErasures(ctx)
	switch {
	case err != nil:
		return "", fixOf("journal", err), err
	case failing.Count > 0:
		return "", "permit this server to delete versions of objects (s3:DeleteObjectVersion); the log names a " +
				"document whose content could not be deleted",
			fmt.Errorf("the stored contents of %d erased documents could not be deleted, the first since %s, and are "+
				"tried again; their keys are erased", failing.Count, failing.Since.UTC().Format(time.RFC3339))
	}
	return "none is behind", "", nil
}

// lockedCheckpoint says whether the newest checkpoint is kept under a lock in the documents' store, and where that lock
// binds less than it should. Checkpoints that are not signed are told of as the release.
func (h *health) lockedCheckpoint(ctx context.Context, now time.Time) (detail, fix string, err error) {
	s := h.cfg.Locked.Status(ctx)
	const advice = "see that the documents' store takes objects under a lock below muniment-checkpoint/; until then " +
		"grants and approvals are in force and not confirmed outside, and no trim starts"
	detail = "none is there yet"
	if s.Size > 0 {
		detail = fmt.Sprintf("the newest is of %d entries, and locked until %s; %d have been signed since",
			s.Size, s.Until.UTC().Format(time.RFC3339), s.Behind)
	}
	switch {
	case s.Failure != nil:
		return "", advice, fmt.Errorf("none could be written since %s; %s: %w",
			s.Since.UTC().Format(time.RFC3339), detail, s.Failure)
	case s.Size > 0 && !now.Before(s.Until):
		return "", advice, errors.New("its lock has run out: " + detail)
	case s.Weaker != "":
		detail += "; that is weaker than it should be: " + s.Weaker
	}
	if s.Strangers > 0 {
		detail += fmt.Sprintf("; the start has passed over %d objects beside it that no key of the journal has "+
			"signed: "+
			"find out who writes to the documents' bucket", s.Strangers)
	}
	return detail, "", nil
}

// met is an error while damage of the journal's rows was met since the start.
func met(d journal.Damage) error {
	if d.Met == 0 {
		return nil
	}
	return fmt.Errorf("damage was met %d times, last on %s: %w", d.Met, d.At.Format(time.RFC3339), d.Last)
}
