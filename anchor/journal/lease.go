package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// leaseTime is how long a worker may work without renewing its lease.
const leaseTime = time.Minute

// lease names the process that may perform the duties of a kind, and until when. Leases save gateways double work;
// nothing depends on them, because duties are idempotent.
type lease struct {
	Holder string    `json:"holder"`
	Until  time.Time `json:"until"`
}

// lease takes or renews the lease of a kind; false when somebody else holds it.
func (j *Journal) lease(ctx context.Context, kind string) (held bool, err error) {
	now := j.cfg.Clock.Now().UTC()
	j.leaseMu.Lock()
	defer j.leaseMu.Unlock()
	if now.Add(leaseTime / 2).Before(j.leases[kind]) {
		return true, nil
	}
	err = j.update(ctx, func(tx Txn) error {
		var l lease
		row, err := tx.Get(leaseTable, []byte(kind))
		if err != nil {
			return err
		}
		if row != nil && json.Unmarshal(row, &l) == nil && l.Holder != j.holder && now.Before(l.Until) {
			held = false
			return errNothing
		}
		held = true
		row, err = json.Marshal(lease{Holder: j.holder, Until: now.Add(leaseTime)})
		if err != nil {
			return err
		}
		return tx.Put(leaseTable, []byte(kind), row)
	})
	if err != nil && !errors.Is(err, errNothing) {
		return false, fmt.Errorf("taking the lease of %s: %w", kind, err)
	}
	if held {
		j.leases[kind] = now.Add(leaseTime)
	}
	return held, nil
}
