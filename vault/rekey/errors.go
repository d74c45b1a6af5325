package rekey

import "errors"

var (
	// ErrBackup says that a backup is not one of this journal: it has another root at its size, or more entries.
	ErrBackup = errors.New("the backup is not one of this journal")
	// ErrCustody says that the tenants' keys are in the custody of somebody else than this process, who has to act
	// first.
	ErrCustody = errors.New("the key custodian has to act in the key service first")
	// ErrNotRewrapped says that sealed rows may still be wrapped with versions of the key that are to be trimmed.
	ErrNotRewrapped = errors.New("not everything is rewrapped yet")
	// ErrNoBackup says that no verified backup holds the end of the last rewrap.
	ErrNoBackup = errors.New("no verified backup covers the last rewrap")
	// ErrCanary says that the key in the key service is not the one that the tenant's rows are wrapped with.
	ErrCanary = errors.New("the key service has another key under the tenant's name than the one that the tenant's " +
		"rows are wrapped with: another key service's, or another installation's")
	// ErrNotStarted says that the beginning of a trim is on record, but that no locked checkpoint covers it yet,
	// without which no version is destroyed. The call has destroyed nothing, and can be repeated. It comes with
	// access.ErrUnreleased.
	ErrNotStarted = errors.New("nothing was destroyed: no locked checkpoint covers the beginning of the trim yet")
	// ErrNoTrim says that the tenant has no such trim.
	ErrNoTrim = errors.New("no such trim")
)
