package vault

import (
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/invalid"
	"muniment/vault/rekey"
)

// Describe describes a document; access.Describe is needed. That its sealed fields were opened goes on record first.
// ErrNotFound for unknown ids and for those of other tenants. An erased document is described without the sealed
// fields; the content's digest needs access.Disclose too. While the journal's disk is full, or the key service down, a
// document is described without the sealed fields.
func (v *Vault) Describe(ctx context.Context, who access.Who, id journal.ID) (Document, error) {
	doc, err := v.describe(ctx, who, func(journal.Reader, *access.Guard) (journal.ID, error) {
		return id, nil
	})
	if err != nil {
		return Document{}, fmt.Errorf("describing a document: %w", err)
	}
	return doc, nil
}

// Find describes the document with the caller's own id, in a series or, where that is "", in any that the principal may
// describe: what lies in others is not looked at. Of several, the one that is not erased is meant. ErrErased when it
// was erased: the id stays taken. A *Ambiguous names the series when several have it.
func (v *Vault) Find(ctx context.Context, who access.Who, series, externalID string) (Document, error) {
	doc, err := v.find(ctx, who, series, externalID)
	if err != nil {
		return Document{}, fmt.Errorf("finding a document: %w", err)
	}
	return doc, nil
}

func (v *Vault) find(ctx context.Context, who access.Who, series, externalID string) (Document, error) {
	if reason := invalid.Series(series); reason != "" {
		return Document{}, &invalid.Field{Name: "series", Reason: reason}
	}
	if reason := externalIDFault(externalID); reason != "" || externalID == "" {
		return Document{}, ErrNotFound // nothing can have been deposited under it
	}
	key, err := v.indexKey(ctx, who.Tenant)
	if err != nil {
		return Document{}, err
	}
	doc, err := v.describe(ctx, who, func(r journal.Reader, guard *access.Guard) (journal.ID, error) {
		return withExternalID(r, guard, key, series, externalID)
	})
	if err == nil && doc.State == Erased {
		return Document{}, ErrErased
	}
	return doc, err
}

// describe commits that the document was described, then opens its sealed row.
func (v *Vault) describe(ctx context.Context, who access.Who, which func(journal.Reader, *access.Guard) (journal.ID,
	error)) (Document, error) {
	var (
		id     journal.ID
		row    document
		sealed []byte
		key    rekey.Versions

		disclose bool
	)
	look := func(r journal.Reader, guard *access.Guard) (err error) {
		if id, err = which(r, guard); err != nil {
			return err
		}
		if row, sealed, err = visible(r, guard, access.Describe, id); err != nil {
			return err
		}
		if key, err = rekey.VersionsOf(r, who.Tenant); err != nil {
			return err
		}
		permission, err := guard.Permission(access.Disclose)
		disclose = permission.Covers(access.Scope{Series: row.Series})
		return err
	}
	_, err := v.cfg.Door.Commit(ctx, who, func(view journal.View, guard *access.Guard) (journal.Change, error) {
		if err := look(view, guard); err != nil || row.Erased {
			return journal.Change{}, err
		}
		return journal.Change{Events: []journal.Event{DocumentDescribed.New(id, DocumentDescribedData{})}}, nil
	})
	if errors.Is(err, journal.ErrFull) {
		if err := v.cfg.Door.View(ctx, who, look); err != nil {
			return Document{}, err
		}
		doc := row.public(id)
		doc.withhold(ReasonFull)
		return doc, nil
	}
	if err != nil {
		return Document{}, err
	}
	doc := row.public(id)
	if row.Erased {
		doc.ErasedInBackups = row.erasedInBackups(key)
		return doc, nil
	}
	opened, err := v.open(ctx, who, id, row.Series, sealed)
	if keysFail(err) {
		v.keysDown(err)
		doc.withhold(ReasonKeys)
		return doc, nil
	}
	if err != nil {
		return Document{}, err
	}
	opened.text.into(&doc, disclose)
	return doc, nil
}
