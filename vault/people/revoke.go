package people

import (
	"context"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// RevokeKeys revokes every API key of a principal of who's tenant, and says how many there were; access.ManageUsers is
// needed. Requests that are being served are refused at their next check: a principal whose every key was revoked may
// do nothing. Nobody can revoke their own keys, so that a tenant is not left without anybody who could make new ones.
//
// Errors: ErrNotFound; approval.ErrOwnRequest; access.ErrDenied; access.ErrUnreleased, together with the number, when
// no locked checkpoint covers the revocation yet, which is in force.
func (p *People) RevokeKeys(ctx context.Context, who access.Who, principal journal.ID) (int, error) {
	n := 0
	_, err := p.cfg.Door.Commit(ctx, who, func(view journal.View, guard *access.Guard) (journal.Change, error) {
		s, err := p.managed(view, guard, principal)
		if err != nil {
			return journal.Change{}, err
		}
		var change journal.Change
		n = len(s.Keys)
		for _, key := range s.Keys {
			data := access.KeyRevokedData{Principal: principal, Digest: key.Digest}
			change.Events = append(change.Events, access.KeyRevoked.New(journal.ID{}, data))
		}
		return change, nil
	})
	if err != nil {
		return 0, fmt.Errorf("revoking a principal's keys: %w", err)
	}
	if err := p.cfg.Door.Kept(ctx); err != nil {
		return n, fmt.Errorf("revoking a principal's keys: %w", err)
	}
	return n, nil
}
