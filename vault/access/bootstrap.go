package access

import (
	"fmt"
	"slices"

	"muniment/anchor/journal"
)

// BootstrapKeys names the first principals of tenants, which hold nearly every role, for which an API key still speaks.
func BootstrapKeys(r journal.Reader) ([]Who, error) {
	var found []Who
	err := apiKeys.Scan(r, journal.Range{}, func(_ []byte, key apiKey) error {
		p, ok, err := principals.Get(r, key.Principal[:])
		who := Who{Tenant: p.Tenant, Principal: key.Principal}
		if err == nil && ok && p.Origin == OriginBootstrap && !slices.Contains(found, who) {
			found = append(found, who)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for keys of bootstrap principals: %w", err)
	}
	return found, nil
}
