package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/config"
	"muniment/vault/keys"
	"muniment/vault/keys/local"
	"muniment/vault/keys/transit"
)

// Keys are the tenants' keys, and those that sign in the name of the journal and its ledger.
type Keys struct {
	keys.Service
	io.Closer
	// Signer is the signing key of that name: local.Checkpoint or local.Ledger.
	Signer func(name string) (journal.Signer, error)
	// Custodian rotates and trims keys; nil where a key custodian does that, with credentials of their own.
	Custodian keys.Custodian
}

// ShippingKeys is the key service as a journal needs it.
type ShippingKeys struct {
	Keys keys.Service
}

var _ journal.ShippingKeys = ShippingKeys{}

// Wrap encrypts a shipping key under the journals' own key.
func (s ShippingKeys) Wrap(ctx context.Context, secret []byte) (string, error) {
	wrapped, err := s.Keys.WrapShipping(ctx, keys.Secret(secret))
	return wrapped, shippingError(err)
}

// Unwrap decrypts what Wrap gave.
func (s ShippingKeys) Unwrap(ctx context.Context, wrapped string) ([]byte, error) {
	secret, err := s.Keys.UnwrapShipping(ctx, wrapped)
	return secret, shippingError(err)
}

// shippingError tells a key service that cannot be asked now, whatever the reason, from one that has answered.
func shippingError(err error) error {
	if errors.Is(err, keys.ErrUnavailable) || errors.Is(err, keys.ErrDenied) {
		return fmt.Errorf("%w: %w", journal.ErrKeysUnavailable, err)
	}
	return err
}

// signers is a key service's Signer, which returns a type of its own, as the journal takes it.
func signers[S journal.Signer](of func(name string) (S, error)) func(name string) (journal.Signer, error) {
	return func(name string) (journal.Signer, error) { return of(name) }
}

// OpenKeys opens the key service. With keys in a file, create makes that file; in Vault the operator has made what
// there must be.
func OpenKeys(ctx context.Context, cfg config.Config, log *slog.Logger, create bool) (*Keys, error) {
	f := Folder(cfg.Data)
	if cfg.Keys.Kind == config.KeysVault {
		s, err := transit.Open(ctx, TransitConfig(cfg.Keys.Vault, f, log))
		if err != nil {
			return nil, err
		}
		return &Keys{Service: s, Closer: s, Signer: signers(s.Signer)}, nil
	}
	open := local.Open
	if create {
		open = local.Create
	}
	s, err := open(f.Keys())
	if err != nil {
		return nil, err
	}
	return &Keys{Service: s, Closer: s, Signer: signers(s.Signer), Custodian: s}, nil
}

// readKeys reads the key file as it is, beside a process that may have it open.
func readKeys(f Folder) (*Keys, error) {
	s, err := local.Read(f.Keys())
	if err != nil {
		return nil, err
	}
	return &Keys{Service: s, Closer: s, Signer: signers(s.Signer)}, nil
}

// TransitConfig is how the keys in Vault are reached.
func TransitConfig(v config.Vault, f Folder, log *slog.Logger) transit.Config {
	return transit.Config{
		Address: v.Address, CA: v.CA, ServerName: v.ServerName, Namespace: v.Namespace, Mount: v.Mount,
		Prefix:            v.Prefix,
		Auth:              transitAuth(v),
		CheckpointVersion: v.CheckpointKeyVersion, LedgerVersion: v.LedgerKeyVersion, PublicKeys: f.PublicKeys(),
		RequestTimeout: time.Duration(v.Timeout), RetryTime: time.Duration(v.RetryTime),
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log,
	}
}

// transitAuth is who we are to Vault.
func transitAuth(v config.Vault) transit.Auth {
	auth := transit.Auth{Method: transit.Method(v.Auth), Mount: v.AuthMount}
	switch v.Auth {
	case config.AuthToken:
		auth.TokenFile = v.TokenFile
	case config.AuthAppRole:
		auth.RoleID, auth.SecretIDFile = v.RoleID, v.SecretIDFile
	case config.AuthKubernetes:
		auth.Role, auth.JWTFile = v.Role, v.JWTFile
	}
	return auth
}

// openVaultKeys opens the keys in Vault, those that sign included where they will be needed.
func (s *Storage) openVaultKeys(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	if s.Found != Whole {
		if err := s.Folder.Make(); err != nil { // public keys are remembered in it
			return err
		}
	}
	if s.Keys, err = OpenKeys(ctx, cfg, log, false); err != nil || s.Found == Whole {
		return err
	}
	for _, name := range []string{local.Checkpoint, local.Ledger} {
		_, err := s.Keys.Signer(name)
		if errors.Is(err, keys.ErrUnavailable) && s.Found == Unrestored { // what is there can be checked meanwhile
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
