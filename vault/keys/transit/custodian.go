package transit

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"muniment/vault/keys"
)

// Custodian is a keys.Custodian over a Vault, under a login of its own with the custodian's policy.
type Custodian struct {
	vault *client
	once  sync.Once
}

var _ keys.Custodian = (*Custodian)(nil)

// OpenCustodian logs in as the key custodian. Unlike [Open] it needs a Vault that answers. The settings of signing
// keys are ignored. Its login should be a person's: the vault command's token, with the custodian's policy. ErrConfig.
func OpenCustodian(ctx context.Context, cfg Config) (*Custodian, error) {
	cfg, err := cfg.complete()
	if err == nil {
		var vault *client
		if vault, err = newClient(cfg); err == nil {
			if err = vault.login.begin(ctx); err == nil {
				return &Custodian{vault: vault}, nil
			}
			vault.close()
		}
	}
	return nil, fmt.Errorf("opening Vault as the key custodian: %w", err)
}

// Close gives the login back, unless it is a token that was given to us.
func (c *Custodian) Close() error {
	c.once.Do(c.vault.close)
	return nil
}

// Format keeps what is inside out of whatever prints a Custodian.
func (c *Custodian) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[vault custodian]") }

// Versions describes the tenant's key.
func (c *Custodian) Versions(ctx context.Context, tenant string) (keys.Versions, error) {
	return c.vault.versions(ctx, tenant)
}

// Rotate adds a version. Vault's rotation is not conditional: of two custodians who rotate the same key at the same
// moment both may add one, which does no harm.
func (c *Custodian) Rotate(ctx context.Context, tenant string, from int) (int, error) {
	before, err := c.vault.versions(ctx, tenant)
	switch {
	case err != nil:
		return 0, err
	case from > before.Newest:
		return 0, fmt.Errorf("the Vault at %s: rotating from version %d, but the newest is %d: %w",
			c.vault.host(), from, before.Newest, keys.ErrVersion)
	case from < before.Newest:
		return before.Newest, nil
	}
	// It is sent once: whether a rotation whose answer was lost took place is seen by reading the key.
	path := c.vault.key("keys", c.vault.tenantKey(tenant), "rotate")
	req := request{method: http.MethodPost, path: path, body: newBody([]byte("{}")), once: true}
	failed := c.act(ctx, req)
	after, err := c.vault.versions(ctx, tenant)
	switch {
	case err == nil && after.Newest > from:
		return after.Newest, nil
	case failed != nil:
		return 0, failed
	case err != nil:
		return 0, err
	default:
		return 0, c.vault.failure(req, keys.ErrUnavailable,
			"it answered that it has rotated the key, but the key has no new version")
	}
}

// act makes a request of which only the status counts.
func (c *Custodian) act(ctx context.Context, req request) error {
	ans, err := c.vault.call(ctx, req)
	if err != nil {
		return err
	}
	if ans.status != http.StatusOK && ans.status != http.StatusNoContent {
		return c.vault.refusal(req, ans)
	}
	return nil
}

// Trim raises the minimum versions, looks whether they are raised, destroys the versions below oldest, and looks again.
// Broken off between, the same Trim goes on from there. A minimum decryption version that is higher already stays, and
// what lies between is not destroyed: who raised it may lower it again, and living documents may need that.
func (c *Custodian) Trim(ctx context.Context, tenant string, oldest int) error {
	v, err := c.vault.versions(ctx, tenant)
	if err != nil {
		return err
	}
	if oldest > v.Newest {
		return fmt.Errorf("the Vault at %s: trimming below version %d, but the newest is %d: %w",
			c.vault.host(), oldest, v.Newest, keys.ErrVersion)
	}
	if oldest <= v.Kept {
		return nil
	}
	minimum := max(oldest, v.Oldest)
	n := strconv.Itoa(minimum)
	steps := []struct {
		operation, content string
		done               func(keyInfo) bool
	}{
		{
			"config", `{"min_decryption_version":` + n + `,"min_encryption_version":` + n + `}`,
			func(k keyInfo) bool { return k.MinDecryption >= minimum && k.MinEncryption >= minimum },
		},
		{
			"trim", `{"min_available_version":` + strconv.Itoa(oldest) + `}`,
			func(k keyInfo) bool { return k.MinAvailable >= oldest },
		},
	}
	name := c.vault.tenantKey(tenant)
	for _, step := range steps {
		req := request{method: http.MethodPost, path: c.vault.key("keys", name, step.operation),
			body: newBody([]byte(step.content))}
		failed := c.act(ctx, req)
		key, err := c.vault.readKey(ctx, name)
		switch {
		case err == nil && step.done(key):
		case failed != nil:
			return failed
		case err != nil:
			return err
		default:
			return c.vault.failure(req, keys.ErrUnavailable,
				"it answered that it has done so, but the key's versions say otherwise")
		}
	}
	return nil
}
