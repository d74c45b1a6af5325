package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// leaseTime is how long a worker may work without renewing its lease.
	leaseTime = time.Minute
	// leaseSkew is by how much the clocks of gateways may differ.
	leaseSkew = 5 * time.Minute
)

// lease names the process that may perform the duties of a kind, and until when. Leases save gateways double work;
// nothing depends on them, because duties are idempotent.
type lease struct {
	Holder string    `json:"holder"`
	Until  time.Time `json:"until"`
}

// binds says whether the lease keeps a process from working. A lease that ends later than any can was taken by a clock
// that was ahead, and does not.
func (l lease) binds(holder string, now time.Time) bool {
	return l.Holder != holder && now.Before(l.Until) && l.Until.Before(now.Add(leaseTime+leaseSkew))
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
		if row != nil && json.Unmarshal(row, &l) == nil && l.binds(j.holder, now) {
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
