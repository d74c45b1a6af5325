package vault

import (
	"context"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/approval"
)

// RevokeKeys revokes every API key of a principal of who's tenant, and says how many there were; access.ManageUsers is
// needed. Requests that are being served are refused at their next check: a principal whose every key was revoked may
// do nothing. Nobody can revoke their own keys, so that a tenant is not left without anybody who could make new ones.
//
// Errors: ErrNotFound; approval.ErrOwnRequest; access.ErrDenied; access.ErrUnreleased, together with the number, when
// no locked checkpoint covers the revocation yet, which is in force.
func (v *Vault) RevokeKeys(ctx context.Context, who access.Who, principal journal.ID) (int, error) {
	n := 0
	_, err := v.cfg.Door.Act(ctx, who, access.ManageUsers, func(view journal.View) (journal.Change, error) {
		if principal == who.Principal {
			return journal.Change{}, approval.ErrOwnRequest
		}
		known, err := v.cfg.Door.Authority().Exists(view, access.Who{Tenant: who.Tenant, Principal: principal})
		if err == nil && !known {
			err = ErrNotFound
		}
		if err != nil {
			return journal.Change{}, err
		}
		digests, err := v.cfg.Door.Authority().KeysOf(view, principal)
		if err != nil {
			return journal.Change{}, err
		}
		var change journal.Change
		n = len(digests)
		for _, digest := range digests {
			data := access.KeyRevokedData{Principal: principal, Digest: digest}
			change.Events = append(change.Events, access.KeyRevoked.New(journal.ID{}, data))
		}
		return change, nil
	})
	if err != nil {
		return 0, fmt.Errorf("revoking a principal's keys: %w", err)
	}
	if err := v.cfg.Door.Kept(ctx); err != nil {
		return n, fmt.Errorf("revoking a principal's keys: %w", err)
	}
	return n, nil
}
