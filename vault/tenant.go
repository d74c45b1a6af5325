package vault

import (
	"context"
	"fmt"
	"io"
	"regexp"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/invalid"
	"muniment/vault/people"
	"muniment/vault/seal"
)

// DefaultTenant is the tenant of the embedded default.
const DefaultTenant = "default"

// A tenant's name is the first part of its objects' keys.
var tenantPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Bootstrap creates the tenant "default" with its default series and one principal, and returns that principal's API
// key: it is shown once and stored nowhere. The principal holds depositor, reader, records officer, auditor and
// administrator, which is right for trying things out and wrong for keeping records. ErrBootstrapped when it was done
// already.
func (v *Vault) Bootstrap(ctx context.Context) (access.APIKey, error) {
	_, key, err := v.CreateTenant(ctx, DefaultTenant, []access.Grant{
		{Role: access.Depositor}, {Role: access.ReaderRole}, {Role: access.RecordsOfficer}, {Role: access.Auditor},
		{Role: access.Administrator},
	})
	return key, err
}

// CreateTenant makes a tenant on trial: its key in the key service, its index key, the events that the rules begin
// with, and one principal with the grants given. The name is 1 to 63 of [a-z0-9-]. Only the operator of the process may
// call it: there is nobody to authorize yet. ErrBootstrapped when there is such a tenant.
func (v *Vault) CreateTenant(ctx context.Context, tenant string, grants []access.Grant) (access.Who, access.APIKey,
	error) {
	who, key, err := v.createTenant(ctx, tenant, grants)
	if err != nil {
		return access.Who{}, access.APIKey{}, fmt.Errorf("creating a tenant: %w", err)
	}
	return who, key, nil
}

func (v *Vault) createTenant(ctx context.Context, tenant string, grants []access.Grant) (access.Who, access.APIKey,
	error) {
	id, err := journal.NewID(v.cfg.Clock.Now(), v.cfg.Rand)
	if err != nil {
		return access.Who{}, access.APIKey{}, err
	}
	key, err := access.NewAPIKey(v.cfg.Rand)
	if err == nil {
		err = people.CheckGrants(grants)
	}
	if err != nil {
		return access.Who{}, access.APIKey{}, err
	}
	digest := key.Digest()
	err = v.BeginTenant(ctx, tenant, func(journal.View) []journal.Event {
		return []journal.Event{
			access.TrialBegun.New(journal.ID{}, access.TrialBegunData{}),
			access.PrincipalCreated.New(journal.ID{},
				access.PrincipalCreatedData{Principal: id, Origin: access.OriginBootstrap, Grants: grants}),
			access.KeyAdded.New(journal.ID{}, access.KeyAddedData{Principal: id, Digest: digest[:]}),
		}
	})
	return access.Who{Tenant: tenant, Principal: id}, key, err
}

// BeginTenant makes a tenant: its key in the key service, its index key, and the events that the rules begin with. Its
// first events end with those of first. Only the operator of the process may call it. ErrBootstrapped when there is
// such a tenant; a *invalid.Field for the name.
func (v *Vault) BeginTenant(ctx context.Context, tenant string, first func(journal.View) []journal.Event) error {
	if !tenantPattern.MatchString(tenant) || tenant == journal.System {
		return &invalid.Field{Name: "tenant", Reason: "is not 1 to 63 of [a-z0-9-], or is reserved"}
	}
	exists := func(r journal.Reader) error {
		_, ok, err := tenants.Get(r, []byte(tenant))
		if err == nil && ok {
			err = ErrBootstrapped
		}
		return err
	}
	if err := v.cfg.Journal.View(ctx, exists); err != nil {
		return err
	}
	if err := v.cfg.Keys.CreateTenant(ctx, tenant); err != nil {
		return err
	}
	index, row, err := v.newIndexKey(ctx, tenant)
	if err != nil {
		return err
	}
	actor := journal.Actor{Tenant: tenant, ID: access.BootstrapActor}
	_, err = v.cfg.Journal.Commit(ctx, actor, func(view journal.View) (journal.Change, error) {
		if err := exists(view); err != nil {
			return journal.Change{}, err
		}
		events := []journal.Event{TenantCreated.New(journal.ID{}, TenantCreatedData{IndexKey: index})}
		events = append(append(events, v.cfg.Rules.NewTenant()...), first(view)...)
		return journal.Change{Events: events, Sealed: []journal.Row{row}}, nil
	})
	return err
}

// newIndexKey draws a tenant's index key and seals it.
func (v *Vault) newIndexKey(ctx context.Context, tenant string) (journal.ID, journal.Row, error) {
	id, err := journal.NewID(v.cfg.Clock.Now(), v.cfg.Rand)
	if err != nil {
		return id, journal.Row{}, err
	}
	key := make([]byte, indexKeySize)
	if _, err := io.ReadFull(v.cfg.Rand, key); err != nil {
		return id, journal.Row{}, fmt.Errorf("drawing an index key: %w", err)
	}
	value, err := seal.Text(ctx, v.cfg.Keys, tenant, bindIndexKey(tenant, v.cfg.Journal.ID(), id), key)
	return id, journal.Row{Key: sealedKey(sealedIndexKey, id), Value: value}, err
}

// Bootstrapped says whether the tenant "default" exists.
func (v *Vault) Bootstrapped(ctx context.Context) (bool, error) {
	var ok bool
	err := v.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		_, ok, err = tenants.Get(r, []byte(DefaultTenant))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("looking for the default tenant: %w", err)
	}
	return ok, nil
}
