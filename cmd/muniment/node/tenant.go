package node

import (
	"context"
	"fmt"

	"muniment/cmd/muniment/config"
	"muniment/vault"
	"muniment/vault/people"
)

// openTenant makes the default tenant where there is none: at the first start, or at the one after a first start that
// was broken off and has left its beginning in the release bucket. Where two people have yet to claim their keys, it
// makes new codes for those who have not: the earlier ones may have been lost with the terminal that they were on.
func (n *Node) openTenant(ctx context.Context, cfg config.Config) error {
	if n.Storage.Found != Whole {
		there, err := n.Vault.Bootstrapped(ctx)
		if err != nil {
			return err
		}
		if !there {
			n.Created = true
			return n.createTenant(ctx, cfg)
		}
	}
	founding, waits, err := n.People.FoundingCodes(ctx, vault.DefaultTenant)
	if err != nil {
		return fmt.Errorf("making new codes for the founders: %w", err)
	}
	if waits {
		n.Founding = &founding
	}
	return nil
}

// createTenant makes the default tenant: on trial where everything is embedded, else to be founded by two people.
func (n *Node) createTenant(ctx context.Context, cfg config.Config) (err error) {
	if Trial(cfg) {
		n.Bootstrap, err = n.Vault.Bootstrap(ctx)
	} else {
		var begun people.Founding
		begun, err = n.People.BeginFounding(ctx, vault.DefaultTenant, n.Vault.BeginTenant)
		n.Founding = &begun
	}
	if err != nil {
		return fmt.Errorf("creating the default tenant: %w", err)
	}
	return nil
}

// Trial says whether a vault of this configuration begins on trial, with one key that may nearly everything. A vault
// with its documents in S3 or its keys in Vault is no trial, and is founded by two people from the start.
func Trial(cfg config.Config) bool {
	return cfg.Storage.Kind != config.StorageS3 && cfg.Keys.Kind != config.KeysVault
}
