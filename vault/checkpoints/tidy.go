package checkpoints

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/objects"
)

// keepDays is for how many days one checkpoint of each is kept after its lock has run out.
const keepDays = 400

// maxRefused is how many deletions may be refused before it is left to the next day: somebody may have put very many
// objects there, under locks that last longer than ours.
const maxRefused = 1000

// tidyWhenDue tidies once a day.
func (k *Keeper) tidyWhenDue(ctx context.Context) error {
	now := k.cfg.Clock.Now()
	k.mu.Lock()
	due := !now.Before(k.tidied.Add(tidyEvery))
	k.mu.Unlock()
	if !due {
		return nil
	}
	if err := errors.Join(k.tidy(ctx, now), k.rollOthers(ctx, now)); err != nil {
		return err
	}
	k.mu.Lock()
	k.tidied = now
	k.mu.Unlock()
	return nil
}

// rollOthers locks the other objects again whose locks run out soon.
func (k *Keeper) rollOthers(ctx context.Context, now time.Time) error {
	k.mu.Lock()
	kept := k.kept
	k.mu.Unlock()
	if kept.Size > 0 { // an earlier process may have written the mark, or nobody has
		c := journal.Checkpoint{Origin: kept.Origin, Size: kept.Size, Note: kept.Note}
		if err := k.mark(ctx, c, now.Add(Lock)); err != nil {
			return err
		}
	}
	k.mu.Lock()
	keys := slices.Clone(k.cfg.Locked)
	if k.marked != "" {
		keys = append(keys, k.marked)
	}
	k.mu.Unlock()
	for _, key := range keys {
		info, err := k.cfg.Store.Stat(ctx, key, "")
		if err == nil && info.RetainUntil.Before(now.Add(rollBefore)) {
			err = k.cfg.Store.Retain(ctx, key, info.Version, now.Add(Lock))
		}
		if err != nil {
			return fmt.Errorf("locking %s again: %w", key, err)
		}
	}
	return nil
}

// tidy deletes what ran out, but for the newest and for one of each of the last days. The list has the largest first,
// so the first of a day is its last.
func (k *Keeper) tidy(ctx context.Context, now time.Time) error {
	ours, err := newVerifiers(k.cfg.Keys)
	if err != nil {
		return err
	}
	k.mu.Lock()
	newest := k.kept
	k.mu.Unlock()
	days, refused := map[string]bool{}, 0 // days of which one is kept
	for info, err := range k.cfg.Store.List(ctx, prefixOf(k.cfg.ID), "") {
		if err != nil {
			return fmt.Errorf("tidying up the kept checkpoints: %w", err)
		}
		age := now.Sub(info.Modified)
		if age < Lock || info.Key == newest.Key && info.Version == newest.Version {
			continue
		}
		day := info.Modified.UTC().Format(time.DateOnly)
		kept, genuine := ours.open(k.cfg.ID, info.Key)
		if genuine && (kept.mark || age < keepDays*24*time.Hour && !days[day]) {
			days[day] = days[day] || !kept.mark
			continue
		}
		err = k.cfg.Store.Delete(ctx, info.Key, info.Version)
		if errors.Is(err, objects.ErrLocked) { // locked again while it was the newest, or by somebody else for longer
			if refused++; refused == maxRefused {
				return nil
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("tidying up the kept checkpoints: %w", err)
		}
	}
	return nil
}
