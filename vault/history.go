package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/invalid"
	"muniment/vault/rekey"
)

// MaxFeed is the most bodies that one call of Feed returns.
const MaxFeed = 1000

// Pages of a history, in events.
const (
	DefaultHistory = 100
	MaxHistory     = 1000
)

// StoryPage is a part of a document's history, newest first.
type StoryPage struct {
	Records []journal.Record
	Next    uint64 // what to give as before for the following page; 0: the history is at its end
}

// History returns a page of the events about a document, newest first: at most limit (at most MaxHistory) of those
// before the event with the index before, or of all when that is 0. Among them, at its place, stands the event that
// says of an erased document that it is so in every backup. access.History is needed. A page costs what it holds,
// however long the history is, and all pages together a thirty-second of the processors' time. One journal.consulted
// event covers all that the actor looks up within an hour.
func (v *Vault) History(ctx context.Context, who access.Who, id journal.ID, before uint64, limit int) (StoryPage,
	error) {
	page, err := v.history(ctx, who, id, before, limit)
	if err != nil {
		return StoryPage{}, fmt.Errorf("reading a document's history: %w", err)
	}
	return page, nil
}

func (v *Vault) history(ctx context.Context, who access.Who, id journal.ID, before uint64, limit int) (page StoryPage,
	err error) {
	if limit < 1 || limit > MaxHistory {
		return page, &invalid.Field{Name: "limit", Reason: fmt.Sprintf("is not 1 to %d", MaxHistory)}
	}
	err = v.cfg.Door.Consult(ctx, who, access.ConsultedHistory, func(r journal.Reader, guard *access.Guard) error {
		_, _, err := visible(r, guard, access.History, id)
		return err
	})
	if err != nil {
		return page, err
	}
	err = v.stories.Do(ctx, func() error {
		return v.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
			if page.Records, page.Next, err = journal.Story(r, id, before, limit); err != nil {
				return err
			}
			return page.putEpilogue(r, who.Tenant, id, before)
		})
	})
	if errors.Is(err, journal.ErrNotInStory) {
		err = fmt.Errorf("%w: no event about the document has the index %d", ErrCursor, before)
	}
	return page, err
}

// putEpilogue puts the event that says of an erased document that it is so in every backup at its place in the page, if
// that is there. The event is about no single document, and does not count towards the limit.
func (p *StoryPage) putEpilogue(r journal.Reader, tenant string, id journal.ID, before uint64) error {
	row, _, err := documents.Get(r, id[:])
	if err != nil || !row.Erased {
		return err
	}
	report, err := rekey.ReportOf(r, tenant, row.ErasedKey)
	if err != nil || report == 0 || report < p.Next || before != 0 && report > before {
		return err
	}
	last, err := journal.RecordAt(r, report)
	place, _ := slices.BinarySearchFunc(p.Records, report, func(rec journal.Record, at uint64) int {
		return cmp.Compare(at, rec.Index) // newest first
	})
	p.Records = slices.Insert(p.Records, place, last)
	return err
}

// Feed returns up to limit (at most MaxFeed) events of who's tenant that follow its number after, in order; access.Feed
// is needed. One journal.consulted event covers all that the actor takes within an hour.
func (v *Vault) Feed(ctx context.Context, who access.Who, after uint64, limit int) ([]journal.Record, error) {
	if limit < 1 || limit > MaxFeed {
		return nil, fmt.Errorf("reading the feed: %w",
			&invalid.Field{Name: "limit", Reason: fmt.Sprintf("is not 1 to %d", MaxFeed)})
	}
	err := v.cfg.Door.Consult(ctx, who, access.ConsultedFeed, func(_ journal.Reader, guard *access.Guard) error {
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
