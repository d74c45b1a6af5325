package vault

import (
	"context"
	"fmt"
	"time"

	"muniment/anchor/journal"
)

const (
	// locksAlarm is how long a lock may be overdue before that goes on record. The upload's own lock, which a document
	// has until then, ends a day after the deposit.
	locksAlarm = 6 * time.Hour
	// locksLook is how often locks that are behind are looked for.
	locksLook = time.Minute
	// locksMore is how many times as many must be behind before the alarm is raised again.
	locksMore = 10
	// lockActor is who has found that locks are behind, in the tenant's record.
	lockActor = "lock"
)

// The events about locks that are not extended in time.
const (
	LocksBehind   journal.Type[LocksBehindData]   = "locks.behind/1"
	LocksCaughtUp journal.Type[LocksCaughtUpData] = "locks.caught_up/1"
)

// LocksBehindData says that the locks of documents should have been extended hours ago, and were not: the store refuses
// to, or is away. When the locks that they have end, the store lets the documents be deleted. It is recorded when that
// begins, and again when there are ten times as many. It is about no document.
type LocksBehindData struct {
	Count int       `json:"count"` // 10000: so many or more
	Since time.Time `json:"since"` // when the first of them should have been extended
}

// LocksCaughtUpData says that no lock is behind any more. It is about no document.
type LocksCaughtUpData struct{}

// lateLocks are the alarms that are not over: tenant → what was last recorded.
var lateLocks = journal.NewRows[LocksBehindData]("locks_behind")

func reduceLocksBehind(w *journal.Writer, e journal.Entry, d LocksBehindData) error {
	return lateLocks.Put(w, []byte(e.Tenant), d)
}

func reduceLocksCaughtUp(w *journal.Writer, e journal.Entry, _ LocksCaughtUpData) error {
	return lateLocks.Delete(w, []byte(e.Tenant))
}

// workLockAlarm puts on record that locks are behind, and that they are not any more, until ctx ends.
func (v *Vault) workLockAlarm(ctx context.Context) {
	ticker := time.NewTicker(locksLook)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := v.watchLocks(ctx); err != nil && ctx.Err() == nil {
			v.cfg.Log.Warn("whether locks are behind could not be put on record", "error", err)
		}
	}
}

// watchLocks puts on record what has changed about locks that are behind.
func (v *Vault) watchLocks(ctx context.Context) error {
	now := v.cfg.Clock.Now()
	var behind map[string]LocksBehindData
	late := map[string]bool{} // tenants of which a lock is overdue at all
	known := map[string]LocksBehindData{}
	err := v.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		if behind, err = overdueLocks(r, now.Add(-locksAlarm)); err != nil {
			return err
		}
		clear(known)
		if err := lateLocks.Scan(r, journal.Range{}, func(tenant []byte, d LocksBehindData) error {
			known[string(tenant)] = d
			return nil
		}); err != nil || len(known) == 0 {
			return err
		}
		overdue, err := overdueLocks(r, now.Add(-locksLate))
		for tenant := range overdue {
			late[tenant] = true
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for locks that are behind: %w", err)
	}
	for tenant, found := range behind {
		if found.Count >= locksMore*known[tenant].Count {
			v.cfg.Log.Error("the locks of documents are not extended; unless that is mended, the store will let them "+
				"be deleted", "documents", found.Count, "since", found.Since)
			if err := v.recordLocks(ctx, tenant, LocksBehind.New(journal.ID{}, found)); err != nil {
				return err
			}
		}
	}
	for tenant := range known {
		if !late[tenant] {
			v.cfg.Log.Info("no lock is behind any more")
			if err := v.recordLocks(ctx, tenant, LocksCaughtUp.New(journal.ID{}, LocksCaughtUpData{})); err != nil {
				return err
			}
		}
	}
	return nil
}

// overdueLocks are the locks that should have been extended before a time, by tenant.
func overdueLocks(r journal.Reader, before time.Time) (map[string]LocksBehindData, error) {
	found := map[string]LocksBehindData{}
	n := 0
	err := journal.EachOverdue(r, lockDuty, before, func(d journal.Duty) error {
		row, _, err := documents.Get(r, d.Doc[:])
		if err != nil || row.Erased {
			return err
		}
		of := found[row.Tenant]
		if of.Count++; of.Count == 1 {
			of.Since = d.Due
		}
		found[row.Tenant] = of
		if n++; n == maxCount {
			return journal.Stop
		}
		return nil
	})
	return found, err
}

// recordLocks commits one of the two events, unless another process has: it must change what is known.
func (v *Vault) recordLocks(ctx context.Context, tenant string, event journal.Event) error {
	actor := journal.Actor{Tenant: tenant, ID: lockActor}
	_, err := v.cfg.Journal.Commit(ctx, actor, func(view journal.View) (journal.Change, error) {
		known, there, err := lateLocks.Get(view, []byte(tenant))
		found, begins := event.Data.(LocksBehindData)
		if err != nil || begins && there && found.Count < locksMore*known.Count || !begins && !there {
			return journal.Change{}, err
		}
		return journal.Change{Events: []journal.Event{event}}, nil
	})
	return err
}
