package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// denialsNamed is how many refusals of one act a principal gets on record one by one within a minute. The rest of that
// minute share one event, so that a client that runs wild, or wants to hide something in a flood, does not fill the
// journal.
const denialsNamed = 16

// denials counts refusals in memory. A crash loses the counts that are not on record yet, never the first refusals.
type denials struct {
	mu   sync.Mutex
	seen map[denialKey]*denialCount
}

type denialKey struct {
	who    access.Who
	action access.Action
	minute int64 // since 1970
}

type denialCount struct{ named, more int }

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// full says whether the next refusal is only to be counted.
func (d *denials) full(key denialKey) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.seen[key]
	return c != nil && c.named >= denialsNamed
}

// note counts a refusal that was put on record, or left out.
func (d *denials) note(key denialKey, named bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.seen[key]
	if c == nil {
		c = &denialCount{}
		d.seen[key] = c
	}
	if named {
		c.named++
	} else {
		c.more++
	}
}

// collect takes out the counts of the minutes before now; all of them when now is zero.
func (d *denials) collect(now time.Time) map[denialKey]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[denialKey]int{}
	for key, c := range d.seen {
		if !now.IsZero() && key.minute >= minuteOf(now) {
			continue
		}
		delete(d.seen, key)
		if c.more > 0 {
			out[key] = c.more
		}
	}
	return out
}

// commit commits an act of who that may be refused, and counts its refusal. Every decide that authorizes goes through
// here.
func (v *Vault) commit(ctx context.Context, who access.Who,
	decide func(journal.View) (journal.Change, error)) (journal.Receipt, error) {
	minute := minuteOf(v.cfg.Clock.Now())
	var (
		refused *denialKey
		named   bool
	)
	receipt, err := v.cfg.Journal.Commit(ctx, who.Actor(), func(view journal.View) (journal.Change, error) {
		change, err := decide(view)
		refused = nil
		for _, event := range change.Events {
			if data, ok := event.Data.(access.DeniedData); ok {
				refused = &denialKey{who: who, action: data.Action, minute: minute}
			}
		}
		if refused == nil {
			return change, err
		}
		if named = !v.denials.full(*refused); !named {
			change.Events = nil // a refused act has no other events
		}
		return change, err
	})
	if refused != nil && refusal(err) {
		v.denials.note(*refused, named)
	}
	return receipt, err
}

// refusal says whether an error is one that a refusal is answered with, rather than that the refusal could not be
// recorded.
func refusal(err error) bool { return errors.Is(err, access.ErrDenied) || errors.Is(err, ErrNotFound) }

// flushDenials puts on record how many refusals were left out in the minutes before now, or so far when now is zero.
func (v *Vault) flushDenials(ctx context.Context, now time.Time) error {
	var failed []error
	for key, n := range v.denials.collect(now) {
		_, err := v.cfg.Journal.Commit(ctx, key.who.Actor(), func(journal.View) (journal.Change, error) {
			return journal.Change{Events: []journal.Event{access.MoreDenials(key.action, n)}}, nil
		})
		if err != nil {
			failed = append(failed, err)
			v.denials.putBack(key, n)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("recording refusals: %w", errors.Join(failed...))
	}
	return nil
}

// putBack returns a count that could not be recorded.
func (d *denials) putBack(key denialKey, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.seen[key]
	if c == nil {
		c = &denialCount{named: denialsNamed}
		d.seen[key] = c
	}
	c.more += n
}
