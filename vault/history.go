package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/invalid"
	"muniment/vault/rekey"
)

// MaxFeed is the most bodies that one call of Feed returns.
const MaxFeed = 1000

// The values of JournalConsultedData.What.
const (
	consultedFeed    = "feed"
	consultedHistory = "history"

	consultedPrincipals = "principals"
)

// History returns every event about a document, oldest first, and after them, of one that is erased in backups too, the
// one that says so of all such documents; access.History is needed. One journal.consulted event covers all that the
// actor looks up within an hour.
func (v *Vault) History(ctx context.Context, who access.Who, id journal.ID) ([]journal.Record, error) {
	err := v.consult(ctx, who, consultedHistory, func(r journal.Reader, guard *access.Guard) error {
		_, _, err := visible(r, guard, access.History, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading a document's history: %w", err)
	}
	var story []journal.Record
	err = v.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		if story, err = journal.StoryOf(r, id); err != nil {
			return err
		}
		last, err := epilogue(r, who.Tenant, id)
		story = append(story, last...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading a document's history: %w", err)
	}
	return story, nil
}

// epilogue is the event that says of an erased document that it is so in every backup; nothing before that.
func epilogue(r journal.Reader, tenant string, id journal.ID) ([]journal.Record, error) {
	row, _, err := documents.Get(r, id[:])
	if err != nil || !row.Erased {
		return nil, err
	}
	report, err := rekey.ReportOf(r, tenant, row.ErasedKey)
	if err != nil || report == 0 {
		return nil, err
	}
	last, err := journal.RecordAt(r, report)
	return []journal.Record{last}, err
}

// Feed returns up to limit (at most MaxFeed) events of who's tenant that follow its number after, in order; access.Feed
// is needed. One journal.consulted event covers all that the actor takes within an hour.
func (v *Vault) Feed(ctx context.Context, who access.Who, after uint64, limit int) ([]journal.Record, error) {
	if limit < 1 || limit > MaxFeed {
		return nil, fmt.Errorf("reading the feed: %w",
			&invalid.Field{Name: "limit", Reason: fmt.Sprintf("is not 1 to %d", MaxFeed)})
	}
	err := v.consult(ctx, who, consultedFeed, func(_ journal.Reader, guard *access.Guard) error {
		return guard.Authorize(access.Feed, access.Scope{}, journal.ID{})
	})
	if err != nil {
		return nil, fmt.Errorf("reading the feed: %w", err)
	}
	records, err := v.cfg.Journal.Records(ctx, who.Tenant, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the feed: %w", err)
	}
	return records, nil
}

// consult puts on record that the actor is given bodies, once an hour, if check permits it. Bodies hold nothing sealed,
// so they are given even while the journal's disk is full.
func (v *Vault) consult(ctx context.Context, who access.Who, what string,
	check func(journal.Reader, *access.Guard) error) error {
	c := consultation{who: who, what: what}
	hour := v.cfg.Clock.Now().Unix() / 3600
	known := v.consults.known(c, hour)
	_, err := v.cfg.Door.Commit(ctx, who, func(view journal.View, guard *access.Guard) (journal.Change, error) {
		if err := check(view, guard); err != nil || known {
			return journal.Change{}, err
		}
		return journal.Change{Events: []journal.Event{JournalConsulted.New(journal.ID{},
			JournalConsultedData{What: what})}}, nil
	})
	if errors.Is(err, journal.ErrFull) {
		return v.cfg.Door.View(ctx, who, check)
	}
	if err == nil {
		v.consults.note(c, hour)
	}
	return err
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

// consultations remembers who was given bodies within the present hour, so that one event covers them.
type consultations struct {
	mu   sync.Mutex
	hour int64
	seen map[consultation]bool
}

type consultation struct {
	who  access.Who
	what string
}
