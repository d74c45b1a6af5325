package rekey

import (
	"errors"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// trimmable says that what is still kept can do without the versions of a tenant's key before oldest: every sealed row
// is wrapped with a newer one, and a backup is on record in which that is so too. Both are proved by the events that
// the key's row names.
//
// Errors: ErrNotRewrapped, ErrNoBackup; access.ErrForged.
func (k *Keys) trimmable(r journal.Reader, tenant string, key keyRow, oldest int) error {
	switch {
	case key.Rewrapped < oldest, key.Floor < oldest:
		return ErrNotRewrapped
	case key.Backup <= key.Complete:
		return ErrNoBackup
	}
	err := k.proveKey(r, tenant, key)
	if errors.Is(err, access.ErrForged) {
		k.cfg.Door.Authority().Contradict(keyTable, []byte(tenant))
	}
	return err
}

// proveKey proves the last rewrap that a key's row speaks of, and the longest backup.
func (k *Keys) proveKey(r journal.Reader, tenant string, key keyRow) error {
	prover, err := k.cfg.Journal.Prover(r)
	if err != nil {
		return err
	}
	_, rewrap, err := access.EventAt(prover, tenant, KeyRewrapCompleted, key.Complete)
	if err != nil {
		return err
	}
	_, backup, err := access.EventAt(prover, tenant, BackupVerified, key.BackedUp)
	if err == nil && (rewrap.Version != key.Rewrapped || backup.Size != key.Backup) {
		err = access.ErrForged
	}
	return err
}
