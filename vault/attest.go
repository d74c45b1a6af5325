package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/objects"
)

const (
	// attestAgain is how old an attestation may become before the store is tried again.
	attestAgain = 7 * 24 * time.Hour
	// attestRetry is how long to wait after a trial that came to no result.
	attestRetry = 15 * time.Minute
)

// Attestation is a trial on record.
type Attestation struct {
	StorageAttestedData
	Index uint64 // of its event
}

// attestationRow is a row of the table of attestations, under the store's name: the newest one.
type attestationRow struct {
	At        time.Time `json:"at"` // by the clock
	Immutable bool      `json:"immutable"`
}

var attestations = journal.NewRows[attestationRow]("attestations")

func reduceAttested(w *journal.Writer, e journal.Entry, d StorageAttestedData) error {
	return attestations.Put(w, []byte(d.Store), attestationRow{At: e.Wall, Immutable: d.Immutable})
}

// Attest tries what the documents' store enforces and puts it on record; who needs access.AttestStore. A store that
// cannot be tried (Config.Attest is nil) enforces nothing.
func (v *Vault) Attest(ctx context.Context, who access.Who) (Attestation, error) {
	if err := v.cfg.Door.Permit(ctx, who, access.AttestStore); err != nil {
		return Attestation{}, fmt.Errorf("attesting the store: %w", err)
	}
	found, err := v.tryStore(ctx)
	if err != nil {
		return Attestation{}, err
	}
	receipt, err := v.cfg.Door.Act(ctx, who, access.AttestStore, found.record)
	if err != nil {
		return Attestation{}, fmt.Errorf("attesting the store: %w", err)
	}
	found.Index = receipt.Index
	return found, nil
}

// tryStore tries what the store enforces. The result is not on record yet.
func (v *Vault) tryStore(ctx context.Context) (Attestation, error) {
	found := Attestation{StorageAttestedData: StorageAttestedData{Store: v.cfg.Store}}
	if v.cfg.Attest != nil {
		trial, err := v.cfg.Attest(ctx)
		if err != nil {
			return found, fmt.Errorf("attesting the store: %w", err)
		}
		found.Immutable, found.Trial = trial.Immutable(), &trial
	}
	return found, nil
}

// record is the change that puts the trial on record.
func (a Attestation) record(journal.View) (journal.Change, error) {
	event := StorageAttested.New(journal.ID{}, a.StorageAttestedData)
	return journal.Change{Events: []journal.Event{event}}, nil
}

// workAttestations tries the store whenever its newest attestation is too old, until ctx ends. A start shortly after
// another costs nothing.
func (v *Vault) workAttestations(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		pause, err := v.attestWhenDue(ctx)
		if err != nil && ctx.Err() == nil {
			v.cfg.Log.Warn("the documents' store could not be attested; it will be tried again", "error", err)
			pause = attestRetry
		}
		timer.Reset(pause)
	}
}

// attestWhenDue tries the store if that is due, and says how long nothing will be.
func (v *Vault) attestWhenDue(ctx context.Context) (time.Duration, error) {
	var newest attestationRow
	err := v.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		newest, _, err = attestations.Get(r, []byte(v.cfg.Store))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("looking for the store's attestation: %w", err)
	}
	if left := newest.At.Add(attestAgain).Sub(v.cfg.Clock.Now()); left > 0 && left <= attestAgain {
		return left, nil
	}
	found, err := v.tryStore(ctx)
	if err != nil {
		return 0, err
	}
	actor := journal.Actor{Tenant: journal.System, ID: attestActor}
	if _, err := v.cfg.Journal.Commit(ctx, actor, found.record); err != nil {
		return 0, fmt.Errorf("attesting the store: %w", err)
	}
	if found.Immutable {
		v.cfg.Log.Info("the documents' store enforces its locks", "store", found.Store)
	} else {
		v.cfg.Log.Warn("the documents' store does not enforce its locks: "+
			"series that demand immutability take no documents",
			"store", found.Store)
	}
	return attestAgain, objects.TidyProbes(ctx, v.cfg.Objects, v.cfg.Clock.Now())
}

// immutable says whether the store was last seen to enforce its locks: ErrNotImmutable if not.
func (v *Vault) immutable(r journal.Reader) error {
	newest, _, err := attestations.Get(r, []byte(v.cfg.Store))
	if err != nil {
		return fmt.Errorf("looking for the store's attestation: %w", err)
	}
	if !newest.Immutable {
		return ErrNotImmutable
	}
	return nil
}

// EnforcesLocks says whether the documents' store was last seen to enforce its locks.
func (v *Vault) EnforcesLocks(ctx context.Context) (bool, error) {
	err := v.cfg.Journal.View(ctx, v.immutable)
	if errors.Is(err, ErrNotImmutable) {
		return false, nil
	}
	return err == nil, err
}

// nameStore gives a store without a name one, and refuses to attest it.
func (c *Config) nameStore() error {
	if c.Store != "" {
		return nil
	}
	c.Store = "unnamed"
	if c.Attest != nil {
		return errors.New("opening the vault: a store that is to be attested needs a name")
	}
	return nil
}
