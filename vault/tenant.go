package vault

import (
	"context"
	"fmt"
	"io"
	"regexp"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/invalid"
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

// CreateTenant makes a tenant: its key in the key service, its index key, the events that the rules begin with, and one
// principal with the grants given. The name is 1 to 63 of [a-z0-9-]. Only the operator of the process may call it:
// there is nobody to authorize yet. ErrBootstrapped when there is such a tenant.
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
	var none access.APIKey
	if !tenantPattern.MatchString(tenant) || tenant == journal.System {
		return access.Who{}, none, &invalid.Field{Name: "tenant",
			Reason: "is not 1 to 63 of [a-z0-9-], or is reserved"}
	}
	exists := func(r journal.Reader) error {
		_, ok, err := tenants.Get(r, []byte(tenant))
		if err == nil && ok {
			err = ErrBootstrapped
		}
		return err
	}
	if err := v.cfg.Journal.View(ctx, exists); err != nil {
		return access.Who{}, none, err
	}
	if err := v.cfg.Keys.CreateTenant(ctx, tenant); err != nil {
		return access.Who{}, none, err
	}
	index, row, err := v.newIndexKey(ctx, tenant)
	if err != nil {
		return access.Who{}, none, err
	}
	who, key, events, err := v.newPrincipal(tenant, access.OriginBootstrap, grants)
	if err != nil {
		return access.Who{}, none, err
	}
	events = append(append([]journal.Event{TenantCreated.New(journal.ID{}, TenantCreatedData{IndexKey: index})},
		v.cfg.Rules.NewTenant()...), events...)
	actor := journal.Actor{Tenant: tenant, ID: access.BootstrapActor}
	_, err = v.cfg.Journal.Commit(ctx, actor, func(view journal.View) (journal.Change, error) {
		if err := exists(view); err != nil {
			return journal.Change{}, err
		}
		return journal.Change{Events: events, Sealed: []journal.Row{row}}, nil
	})
	if err != nil {
		return access.Who{}, none, err
	}
	return who, key, nil
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
	value, err := v.sealText(ctx, tenant, bindIndexKey(tenant, v.cfg.Journal.ID(), id), key)
	return id, journal.Row{Key: sealedKey(sealedIndexKey, id), Value: value}, err
}

// CreatePrincipal makes a principal of who's tenant with an API key; who needs access.ManageUsers. The key is shown
// once and stored nowhere.
//
// When it returns access.ErrUnreleased the principal and its key are returned, too: they are in force, but no locked
// checkpoint covers them yet. The same again would make another principal.
func (v *Vault) CreatePrincipal(ctx context.Context, who access.Who, grants []access.Grant) (access.Who, access.APIKey,
	error) {
	created, key, events, err := v.newPrincipal(who.Tenant, access.OriginCreated, grants)
	if err == nil {
		_, err = v.cfg.Door.Act(ctx, who, access.ManageUsers, func(journal.View) (journal.Change, error) {
			return journal.Change{Events: events}, nil
		})
	}
	if err != nil {
		return access.Who{}, access.APIKey{}, fmt.Errorf("creating a principal: %w", err)
	}
	if err := v.cfg.Door.Kept(ctx); err != nil {
		return created, key, fmt.Errorf("creating a principal: %w", err)
	}
	return created, key, nil
}

// newPrincipal draws a principal and its key.
func (v *Vault) newPrincipal(tenant, origin string, grants []access.Grant) (access.Who, access.APIKey, []journal.Event,
	error) {
	for _, g := range grants {
		if !g.Role.Known() {
			return access.Who{}, access.APIKey{}, nil,
				&invalid.Field{Name: "grants", Reason: "name an unknown role; " +
					"there are depositor, reader, records_officer, approver, auditor, key_custodian and administrator"}
		}
		if fault := seriesFault(g.Series); fault != "" {
			return access.Who{}, access.APIKey{}, nil,
				&invalid.Field{Name: "grants", Reason: "name a series whose code " + fault}
		}
	}
	id, err := journal.NewID(v.cfg.Clock.Now(), v.cfg.Rand)
	if err != nil {
		return access.Who{}, access.APIKey{}, nil, err
	}
	key, err := access.NewAPIKey(v.cfg.Rand)
	if err != nil {
		return access.Who{}, access.APIKey{}, nil, err
	}
	digest := key.Digest()
	return access.Who{Tenant: tenant, Principal: id}, key, []journal.Event{
		access.PrincipalCreated.New(journal.ID{},
			access.PrincipalCreatedData{Principal: id, Origin: origin, Grants: grants}),
		access.KeyAdded.New(journal.ID{}, access.KeyAddedData{Principal: id, Digest: digest[:]}),
	}, nil
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
