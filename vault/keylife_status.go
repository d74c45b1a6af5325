package vault

import (
	"context"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
)

const (
	// shownTrims is how many trims a KeyStatus tells of.
	shownTrims = 10
	// statusPatience is how long a KeyStatus waits for the key service, without which it is nearly whole.
	statusPatience = 2 * time.Second
)

// KeyStatus is the state of a tenant's key.
type KeyStatus struct {
	Tenant string
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
	TrimWait time.Duration
	Trims    []Trim // the last ten, newest first
}

// KeyStatus describes the key of who's tenant; access.ViewKeys is needed. It answers while the key service is down too.
func (v *Vault) KeyStatus(ctx context.Context, who access.Who) (KeyStatus, error) {
	if err := v.cfg.Door.Permit(ctx, who, access.ViewKeys); err != nil {
		return KeyStatus{}, fmt.Errorf("describing the tenant's key: %w", err)
	}
	out := KeyStatus{
		Tenant: who.Tenant, Custodian: v.cfg.Custodian != nil, Rewrap: v.lastRewrap(who.Tenant),
		TrimWait: v.cfg.TrimWait,
	}
	now := v.cfg.Clock.Now()
	err := v.cfg.Journal.View(ctx, func(r journal.Reader) error {
		key, err := keyOf(r, who.Tenant)
		if err != nil {
			return err
		}
		out.Newest, out.Oldest, out.Rotated, out.Rewrapped = key.Newest, key.Oldest, key.Rotated, key.Rewrapped
		out.Backup, out.Covered = key.Backup, key.Backup > key.Complete
		out.Trims, err = trimsOf(r, who.Tenant, key, now)
		return err
	})
	if err != nil {
		return KeyStatus{}, fmt.Errorf("describing the tenant's key: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	versions, err := v.cfg.Keys.Versions(ctx, who.Tenant)
	if err != nil {
		v.cfg.Log.Warn("the key service does not say which versions of a tenant's key it has",
			"tenant", who.Tenant, "error", err)
		return out, nil
	}
	out.InService = &versions
	return out, nil
}

// trimsOf are the newest trims of a tenant.
func trimsOf(r journal.Reader, tenant string, key keyRow, now time.Time) (out []Trim, err error) {
	rg := journal.Prefix(tenantKey(tenant))
	rg.Reverse = true
	err = trims.Scan(r, rg, func(at []byte, row trimRow) error {
		if len(out) == shownTrims {
			return journal.Stop
		}
		id := journal.ID(at[len(at)-len(journal.ID{}):])
		out = append(out, row.public(id, key, now))
		return nil
	})
	return out, err
}
