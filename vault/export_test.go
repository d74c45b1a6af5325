package vault

import (
	"context"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/pace"
	"muniment/vault/seal"
)

// LockWorker is the worker of the lock duty, for tests to run when they want.
func LockWorker(v *Vault) journal.Worker { return v.lockWorker() }

// WatchLocks is what the worker that looks for locks that are behind does at each turn.
func WatchLocks(ctx context.Context, v *Vault) error { return v.watchLocks(ctx) }

// SpendHistories takes from the readers of histories what they have earned while nobody read one.
func SpendHistories(ctx context.Context, v *Vault) error {
	return v.stories.Do(ctx, func() error {
		<-time.After(pace.Burst)
		return nil
	})
}

// RecordRead puts a read on record as Read does before it opens anything.
func RecordRead(ctx context.Context, v *Vault, who access.Who, id journal.ID, purpose string) error {
	return v.recordRead(ctx, &reading{who: who, id: id, req: ReadRequest{Purpose: purpose}})
}

// OpenSessions is how many read sessions can be joined.
func OpenSessions(v *Vault) int {
	v.sessions.mu.Lock()
	defer v.sessions.mu.Unlock()
	return v.sessions.ages.Len()
}

// MaxSessions is how many there can be.
const MaxSessions = sessionsOpen

// AttestWhenDue is what the worker that attests the store does at each turn.
func AttestWhenDue(ctx context.Context, v *Vault) (time.Duration, error) { return v.attestWhenDue(ctx) }

// EraseWorker is the worker of the erase duty, for tests to run when they want.
func EraseWorker(v *Vault) journal.Worker { return v.eraseWorker() }

// SealNotes puts reads of a document with n notes on record, in few commits.
func SealNotes(ctx context.Context, v *Vault, who access.Who, doc journal.ID, n int) error {
	for n > 0 {
		batch := min(n, 500)
		n -= batch
		var change journal.Change
		items := make([]seal.Item, batch)
		for i := range items {
			id, err := journal.NewID(v.cfg.Clock.Now(), v.cfg.Rand)
			if err != nil {
				return err
			}
			items[i] = seal.Item{Binding: seal.RowBinding(who.Tenant, noteBinding, id[:]), Text: []byte("a note")}
			change.Events = append(change.Events, DocumentRead.New(doc, DocumentReadData{Purpose: "test", Note: &id}))
			change.Sealed = append(change.Sealed, journal.Row{Key: sealedKey(sealedNote, id)})
		}
		values, err := seal.Seal(ctx, v.cfg.Keys, who.Tenant, items)
		if err != nil {
			return err
		}
		for i := range values {
			change.Sealed[i].Value = values[i]
		}
		_, err = v.cfg.Journal.Commit(ctx, who.Actor(),
			func(journal.View) (journal.Change, error) { return change, nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// SealDocuments puts n deposits on record without content, in few commits.
func SealDocuments(ctx context.Context, v *Vault, who access.Who, n int) error {
	for n > 0 {
		batch := min(n, 500)
		n -= batch
		var change journal.Change
		items := make([]seal.Item, batch)
		for i := range items {
			own, err := journal.NewID(v.cfg.Clock.Now(), v.cfg.Rand)
			if err != nil {
				return err
			}
			keyset, err := seal.NewKeyset(seal.GCMSmall)
			if err != nil {
				return err
			}
			raw, err := (&sealedText{V: textVersion, Series: "default", FileName: "application.pdf",
				Title: "An application", MediaType: "application/pdf",
				ContentSHA256: make([]byte, 32), Fingerprint: make([]byte, 32)}).marshal()
			if err != nil {
				return err
			}
			items[i] = seal.Item{Binding: seal.Binding(who.Tenant, own), Keyset: keyset, Salt: make([]byte, saltSize),
				Text: raw}
			data := DocumentDepositedData{
				Series: "default", Size: 1, LockDue: v.cfg.Clock.Now().AddDate(1, 0, 0), Commitment: make([]byte, 32),
				Object: StoredObject{Key: who.Tenant + "/" + own.String(), Version: "1", Size: 1,
					SHA256: make([]byte, 32)},
			}
			change.Events = append(change.Events, DocumentDeposited.New(own, data))
			change.Sealed = append(change.Sealed, journal.Row{Key: sealedKey(sealedDocument, own)})
		}
		values, err := seal.Seal(ctx, v.cfg.Keys, who.Tenant, items)
		if err != nil {
			return err
		}
		for i := range values {
			change.Sealed[i].Value = values[i]
		}
		_, err = v.cfg.Journal.Commit(ctx, who.Actor(),
			func(journal.View) (journal.Change, error) { return change, nil })
		if err != nil {
			return err
		}
	}
	return nil
}
