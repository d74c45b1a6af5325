package rekey

import (
	"context"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
)

// Rotation is what a call of Rotate came to.
type Rotation struct {
	Version int // the newest version of the tenant's key
	// Recorded says that this call has put it on record; false when it was there already.
	Recorded bool
}

// Rotate gives the key of who's tenant a newer version, which everything is wrapped with from then on;
// access.RotateKey is needed. Where this process is no custodian of the keys (Config.Custodian), the key custodian
// rotates in the key service first, and Rotate puts on record what it finds there. It can be repeated after a
// failure: one that has rotated already and was broken off before the record is only recorded.
//
// Errors: ErrCustody when there is nothing to record and no custodian here; keys.ErrVersion when the key service knows
// fewer versions than the record; access.ErrDenied; keys.ErrUnavailable.
func (k *Keys) Rotate(ctx context.Context, who access.Who) (_ Rotation, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("rotating the tenant's key: %w", err)
		}
	}()
	if err := k.cfg.Door.Permit(ctx, who, access.RotateKey); err != nil {
		return Rotation{}, err
	}
	var known keyRow
	err = k.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		known, err = keyOf(r, who.Tenant)
		return err
	})
	if err != nil {
		return Rotation{}, err
	}
	newest, err := k.newestKey(ctx, who.Tenant, known.Newest)
	if err != nil {
		return Rotation{}, err
	}
	var out Rotation
	_, err = k.cfg.Door.Act(ctx, who, access.RotateKey, func(view journal.View) (journal.Change, error) {
		key, err := keyOf(view, who.Tenant)
		if err != nil {
			return journal.Change{}, err
		}
		if out = (Rotation{Version: max(key.Newest, newest), Recorded: newest > key.Newest}); !out.Recorded {
			return journal.Change{}, nil
		}
		return journal.Change{Events: []journal.Event{KeyRotated.New(journal.ID{}, KeyRotatedData{Version: newest})}},
			nil
	})
	return out, err
}

// newestKey rotates the tenant's key from the version that is on record, if that is for this process to do, and returns
// the newest one that there is.
func (k *Keys) newestKey(ctx context.Context, tenant string, known int) (int, error) {
	if k.cfg.Custodian != nil {
		return k.cfg.Custodian.Rotate(ctx, tenant, known)
	}
	versions, err := k.cfg.Keys.Versions(ctx, tenant)
	switch {
	case err != nil:
		return 0, err
	case versions.Newest < known:
		return 0, fmt.Errorf("version %d is on record and the newest is %d: %w",
			known, versions.Newest, keys.ErrVersion)
	case versions.Newest == known:
		return 0, ErrCustody
	}
	return versions.Newest, nil
}
