package transit

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"muniment/vault/keys"
)

// WrapShipping encrypts under PREFIX-journal, after a look at that key. It is never made here: the operator makes it,
// and the gateway's policy forbids it.
func (s *Service) WrapShipping(ctx context.Context, secret keys.Secret) (string, error) {
	if err := keys.CheckSizes([]keys.Secret{secret}); err != nil {
		return "", fmt.Errorf("wrapping a shipping key in Vault: %w", err)
	}
	if err := s.vault.checkJournalKey(ctx); err != nil {
		return "", err
	}
	out, err := s.encryptWith(ctx, s.vault.journalKey(), [][]byte{plaintextItem(secret)})
	if err != nil {
		return "", err
	}
	return out[0].wrapped, out[0].err
}

// UnwrapShipping decrypts what WrapShipping gave, after a look at the key: one that can be exported by now is refused,
// since whoever has a copy of it can forge what a journal ships.
func (s *Service) UnwrapShipping(ctx context.Context, wrapped string) (keys.Secret, error) {
	if err := checkWrapped(wrapped); err != nil {
		return nil, fmt.Errorf("reading a shipping key that Vault has wrapped: %w", err)
	}
	if err := s.vault.checkJournalKey(ctx); err != nil {
		return nil, err
	}
	out, err := s.decryptWith(ctx, s.vault.journalKey(), [][]byte{ciphertextItem(wrapped)})
	if err != nil {
		return nil, err
	}
	return out[0].secret, out[0].err
}

// checkJournalKey says whether the journals' key is there and of our kind.
func (c *client) checkJournalKey(ctx context.Context) error {
	name := c.journalKey()
	key, err := c.readKey(ctx, name)
	if errors.Is(err, keys.ErrNoKey) {
		return fmt.Errorf("the journals' key is missing (make it: %s): %w", c.makeJournalKey(), err)
	}
	if err != nil {
		return err
	}
	if fault := key.fault(); fault != "" {
		return c.failure(request{method: http.MethodGet, path: c.key("keys", name)}, keys.ErrDenied, fault)
	}
	return nil
}

// makeJournalKey is the command that makes the journals' key.
func (c *client) makeJournalKey() string {
	return "vault write -f " + c.key("keys", c.journalKey()) + " type=" + tenantType
}
