package transit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"muniment/vault/keys"
)

// findMount asks for a key that need not be there, so that a wrong mount shows at once.
func (s *Service) findMount(ctx context.Context) error {
	_, err := s.vault.readKey(ctx, s.vault.signingKey(Checkpoint))
	if errors.Is(err, keys.ErrNoKey) {
		return nil
	}
	return err
}

// Check says whether Vault answers, is unsealed, takes our login, has the Transit engine where we look for it and
// grants what wrapping, unwrapping, rewrapping and signing need. It makes two requests, which read.
func (s *Service) Check(ctx context.Context) error {
	if err := s.findMount(ctx); err != nil {
		return err
	}
	missing, err := s.vault.missing(ctx, s.needs())
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("the Vault at %s: the policy of our login lacks %s: %w",
			s.vault.host(), strings.Join(missing, ", "), keys.ErrDenied)
	}
	return nil
}

// grant is a capability on a path.
type grant struct{ path, capability string }

// exampleTenant stands for every tenant where the permissions on its key are asked for.
const exampleTenant = "example"

// needs is what the gateway's policy must grant.
func (s *Service) needs() []grant {
	c := s.vault
	tenant := c.tenantKey(exampleTenant)
	return []grant{
		{c.key("encrypt", tenant), "update"}, {c.key("decrypt", tenant), "update"}, {c.key("rewrap", tenant), "update"},
		{c.key("keys", tenant), "read"}, {c.key("keys", tenant), "update"},
		{c.key("encrypt", c.journalKey()), "update"}, {c.key("decrypt", c.journalKey()), "update"},
		{c.key("keys", c.journalKey()), "read"},
		{c.key("sign", c.signingKey(Checkpoint)), "update"}, {c.key("keys", c.signingKey(Checkpoint)), "read"},
		{c.key("sign", c.signingKey(Ledger)), "update"}, {c.key("keys", c.signingKey(Ledger)), "read"},
	}
}

// missing asks which of these our login is not granted: "update on transit/encrypt/…".
func (c *client) missing(ctx context.Context, needs []grant) ([]string, error) {
	var paths []string
	for _, n := range needs {
		if !slices.Contains(paths, n.path) {
			paths = append(paths, n.path)
		}
	}
	content, err := json.Marshal(map[string][]string{"paths": paths})
	if err != nil {
		return nil, fmt.Errorf("asking for our permissions: %w", err)
	}
	req := request{method: http.MethodPost, path: "sys/capabilities-self", body: newBody(content)}
	ans, err := c.call(ctx, req)
	if err != nil {
		return nil, err
	}
	if ans.status != http.StatusOK {
		return nil, c.refusal(req, ans)
	}
	var said struct {
		Data map[string][]string `json:"data"`
	}
	if err := c.decode(req, ans, &said); err != nil {
		return nil, err
	}
	var out []string
	for _, n := range needs {
		has, known := said.Data[n.path]
		if !known {
			return nil, c.failure(req, keys.ErrUnavailable,
				"its answer leaves out what was asked (is a proxy in between?)")
		}
		if !slices.Contains(has, n.capability) && !slices.Contains(has, "root") {
			out = append(out, n.capability+" on "+n.path)
		}
	}
	return out, nil
}
