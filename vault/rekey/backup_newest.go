package rekey

import (
	"context"
	"fmt"

	"muniment/anchor/journal"
)

// NewestBackup is the newest verified backup on record of a tenant; ok is false while there is none.
func (k *Keys) NewestBackup(ctx context.Context, tenant string) (newest Backup, ok bool, err error) {
	rg := journal.Prefix(tenantKey(tenant))
	rg.Reverse = true
	err = k.cfg.Journal.View(ctx, func(r journal.Reader) error {
		ok = false
		return backups.Scan(r, rg, func(_ []byte, b Backup) error {
			newest, ok = b, true
			return journal.Stop
		})
	})
	if err != nil {
		return Backup{}, false, fmt.Errorf("looking for the newest backup: %w", err)
	}
	return newest, ok, nil
}
