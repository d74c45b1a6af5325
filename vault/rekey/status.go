package rekey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
)

const (
	// shownTrims is how many trims a Status tells of.
	shownTrims = 10
	// statusWait is how long a Status waits for the key service, without which it is nearly whole.
	statusWait = 2 * time.Second
)

// Status is the state of a tenant's key.
type Status struct {
	Journal journal.ID // with it and the tenant the key is named in the key service: keys.KeyName
	Tenant  string
	// Custodian says that this process rotates and trims the key itself.
	Custodian bool
	Newest    int       // version on record
	Oldest    int       // version that has not been trimmed, on record
	Rotated   time.Time // zero if it never was
	// InService is what the key service says; nil when it does not answer.
	InService *keys.Versions
	// Rewrapped is a version than which no sealed row is older.
	Rewrapped int
	Rewrap    *Rewrap // that runs in this process, or the last one that did; nil if there was none
	// Covered says that a verified backup holds the end of the last rewrap. Backup is the size of the longest one; 0
	// for none.
	Covered  bool
	Backup   uint64
	Shipping ShippingKey
	TrimWait time.Duration
	Trims    []Trim // the last ten that are proved, newest first
	// Time is where the settled time stands that they wait by.
	Time journal.TimeStatus
}

// ShippingKey is the key that authenticates what the journal ships, which is no tenant's.
type ShippingKey struct {
	Number  int // from 1
	Shipped int // the number of the key that the release bucket is under; less while the history is shipped again
	// Done of Of entries are shipped again; both are 0 when none are to be.
	Done, Of uint64
}

// Status describes the key of who's tenant; access.ViewKeys is needed. It answers while the key service is down too.
func (k *Keys) Status(ctx context.Context, who access.Who) (Status, error) {
	if err := k.cfg.Door.Permit(ctx, who, access.ViewKeys); err != nil {
		return Status{}, fmt.Errorf("describing the tenant's key: %w", err)
	}
	out := Status{
		Journal: k.cfg.Journal.ID(), Tenant: who.Tenant, Custodian: k.cfg.Custodian != nil,
		Rewrap:   k.lastRewrap(who.Tenant),
		TrimWait: k.cfg.TrimWait,
	}
	out.Shipping.Number, out.Shipping.Shipped = k.cfg.Journal.ShippingKey()
	out.Shipping.Done, out.Shipping.Of = k.cfg.Journal.Reshipping()
	var err error
	if out.Time, err = k.cfg.Journal.Time(ctx); err != nil {
		return Status{}, fmt.Errorf("describing the tenant's key: %w", err)
	}
	err = k.cfg.Journal.View(ctx, func(r journal.Reader) error {
		key, err := keyOf(r, who.Tenant)
		if err != nil {
			return err
		}
		out.Newest, out.Oldest, out.Rotated, out.Rewrapped = key.Newest, key.Oldest, key.Rotated, key.Rewrapped
		out.Backup, out.Covered = key.Backup, key.Backup > key.Complete
		out.Trims, err = k.trimsOf(r, who.Tenant, key, out.Time.Settled)
		return err
	})
	if err != nil {
		return Status{}, fmt.Errorf("describing the tenant's key: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	versions, err := k.cfg.Keys.Versions(ctx, who.Tenant)
	if err != nil {
		k.cfg.Log.Warn("the key service does not say which versions of a tenant's key it has",
			"tenant", who.Tenant, "error", err)
		return out, nil
	}
	out.InService = &versions
	return out, nil
}

// trimsOf are the newest trims of a tenant.
func (k *Keys) trimsOf(r journal.Reader, tenant string, key keyRow, settled time.Time) (out []Trim, err error) {
	rg := journal.Prefix(tenantKey(tenant))
	rg.Reverse = true
	err = trims.Scan(r, rg, func(at []byte, row trimRow) error {
		if len(out) == shownTrims {
			return journal.Stop
		}
		id := journal.ID(at[len(at)-len(journal.ID{}):])
		trim, err := k.public(r, tenant, row, id, key, settled)
		if errors.Is(err, access.ErrForged) { // what nobody has proposed is no trim, and the alarm is raised
			return nil
		}
		out = append(out, trim)
		return err
	})
	return out, err
}
