package keys

import (
	"context"
	"errors"

	"muniment/anchor/journal"
)

// KeyName is what the key of a journal's tenant is called in the key service: the journal id, a hyphen and the tenant's
// name. Two installations that use one key service under one prefix so never have a tenant's key in common, and a trim
// in one of them destroys nothing of the other's.
func KeyName(journal journal.ID, tenant string) string { return journal.String() + "-" + tenant }

// ForJournal is a service for the tenants of one journal, whose keys it finds under [KeyName].
func ForJournal(s Service, id journal.ID) Service { return forJournal{s, id} }

// CustodianForJournal is a custodian of the keys of one journal's tenants, which it finds under [KeyName].
func CustodianForJournal(c Custodian, id journal.ID) Custodian { return custodianForJournal{c, id} }

type forJournal struct {
	Service
	id journal.ID
}

// errNoJournal says that a key was to be named after no journal, under which two installations could have it.
var errNoJournal = errors.New("a tenant's key is named after its journal, and there is no journal id")

// CreateTenant makes the key under its name.
func (f forJournal) CreateTenant(ctx context.Context, tenant string) error {
	if f.id.IsZero() {
		return errNoJournal
	}
	return f.Service.CreateTenant(ctx, KeyName(f.id, tenant))
}

// Wrap encrypts with the key of that name.
func (f forJournal) Wrap(ctx context.Context, tenant string, secrets []Secret) ([]string, error) {
	return f.Service.Wrap(ctx, KeyName(f.id, tenant), secrets)
}

// Unwrap decrypts with the key of that name.
func (f forJournal) Unwrap(ctx context.Context, tenant string, wrapped []string) ([]Unwrapped, error) {
	return f.Service.Unwrap(ctx, KeyName(f.id, tenant), wrapped)
}

// Rewrap wraps anew with the key of that name.
func (f forJournal) Rewrap(ctx context.Context, tenant string, wrapped []string) ([]Rewrapped, error) {
	return f.Service.Rewrap(ctx, KeyName(f.id, tenant), wrapped)
}

// Versions describes the key of that name.
func (f forJournal) Versions(ctx context.Context, tenant string) (Versions, error) {
	return f.Service.Versions(ctx, KeyName(f.id, tenant))
}

type custodianForJournal struct {
	Custodian
	id journal.ID
}

// Rotate rotates the key of that name.
func (c custodianForJournal) Rotate(ctx context.Context, tenant string, from int) (int, error) {
	return c.Custodian.Rotate(ctx, KeyName(c.id, tenant), from)
}

// Trim trims the key of that name.
func (c custodianForJournal) Trim(ctx context.Context, tenant string, oldest int) error {
	return c.Custodian.Trim(ctx, KeyName(c.id, tenant), oldest)
}
