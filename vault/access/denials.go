package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"muniment/anchor/journal"
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
	who    Who
	action Action
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

// Flush puts on record how many refusals were left out in the minutes before now, or so far when now is zero.
func (d *Door) Flush(ctx context.Context, now time.Time) error {
	var failed []error
	for key, n := range d.denials.collect(now) {
		event := Denied.New(journal.ID{}, DeniedData{Action: key.action, More: n})
		_, err := d.cfg.Journal.Commit(ctx, key.who.Actor(), func(journal.View) (journal.Change, error) {
			return journal.Change{Events: []journal.Event{event}}, nil
		})
		if err != nil {
			failed = append(failed, err)
			d.denials.putBack(key, n)
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
