package access

import (
	"context"
	"errors"
	"sync"

	"muniment/anchor/journal"
)

// Consult puts on record that who looks at what the journal has on record, once an hour, if check permits it. That
// holds nothing sealed but names, so it is given even while the journal's disk is full.
func (d *Door) Consult(ctx context.Context, who Who, what string, check func(journal.Reader, *Guard) error) error {
	c := consultation{who: who, what: what}
	hour := d.cfg.Clock.Now().Unix() / 3600
	if d.consults.known(c, hour) {
		return d.Look(ctx, who, check)
	}
	_, err := d.Commit(ctx, who, func(view journal.View, guard *Guard) (journal.Change, error) {
		if err := check(view, guard); err != nil {
			return journal.Change{}, err
		}
		return journal.Change{Events: []journal.Event{Consulted.New(journal.ID{}, ConsultedData{What: what})}}, nil
	})
	if errors.Is(err, journal.ErrFull) {
		return d.View(ctx, who, check)
	}
	if err == nil {
		d.consults.note(c, hour)
	}
	return err
}

// consultations remembers who was given what within the present hour, so that one event covers it.
type consultations struct {
	mu   sync.Mutex
	hour int64
	seen map[consultation]bool
}

type consultation struct {
	who  Who
	what string
}

func (t *consultations) known(c consultation, hour int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hour == hour && t.seen[c]
}

func (t *consultations) note(c consultation, hour int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hour != hour || t.seen == nil {
		t.hour, t.seen = hour, map[consultation]bool{}
	}
	t.seen[c] = true
}
