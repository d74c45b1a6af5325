package key

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/pflag"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/vault/keys"
	"muniment/vault/keys/transit"
)

// custody acts on the keys themselves, with the credentials of the person at the keyboard.
type custody interface {
	keys.Custodian
	io.Closer
}

// vaultFlags is where in Vault the keys are.
type vaultFlags struct {
	mount, prefix string
}

func (c *vaultFlags) addTo(f *pflag.FlagSet) {
	f.StringVar(&c.mount, "vault-mount", "transit",
		"where the Transit engine is mounted in Vault, as the server's keys.vault.mount has it")
	f.StringVar(&c.prefix, "vault-prefix", "muniment",
		"what the keys' names begin with, as the server's keys.vault.prefix has it")
}

// keyName is what the tenant's key is called in the key service, after the prefix.
func keyName(id, tenant string) (string, error) {
	of, err := journal.ParseID(id)
	if err != nil {
		return "", fmt.Errorf("reading the journal id: %w", err)
	}
	return keys.KeyName(of, tenant), nil
}

// custodian logs in to Vault as the vault command would.
func custodian(ctx context.Context, p *cli.Program, place vaultFlags) (custody, error) {
	address, token := p.Getenv("VAULT_ADDR"), p.Getenv("VAULT_TOKEN")
	if address == "" || token == "" {
		return nil, cli.Hint(errors.New("the keys are in Vault, which the server may not change: this takes your "+
			"own credentials there"),
			"set VAULT_ADDR, and VAULT_TOKEN to a token with the key custodian's policy (vault login, then vault "+
				"print token)")
	}
	return transit.OpenCustodian(ctx, transit.Config{
		Address: address, CA: p.Getenv("VAULT_CACERT"), Namespace: p.Getenv("VAULT_NAMESPACE"), Mount: place.mount,
		Prefix: place.prefix,
		Auth:   transit.Auth{Method: transit.Token, Token: keys.Secret(token)},
		Clock:  journal.SystemClock{}, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
	})
}
