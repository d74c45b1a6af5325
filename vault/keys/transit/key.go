package transit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"muniment/vault/keys"
)

const tenantType = "aes256-gcm96"

// tenantPattern is what Vault takes for a key's name after our prefix, of the names that a tenant may have: 63 bytes,
// and before them the 36 of a journal id with a hyphen.
var tenantPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$`)

// isTenant says whether a tenant may have the name.
func isTenant(name string) bool { return tenantPattern.MatchString(name) && name != keys.Journals }

func (c *client) tenantKey(tenant string) string { return c.cfg.Prefix + "-tenant-" + tenant }
func (c *client) signingKey(name string) string  { return c.cfg.Prefix + "-" + name }
func (c *client) journalKey() string             { return c.cfg.Prefix + "-" + keys.Journals }

// keyInfo is what Vault says about a key.
type keyInfo struct {
	Type            string                     `json:"type"`
	Latest          int                        `json:"latest_version"`
	MinDecryption   int                        `json:"min_decryption_version"`
	MinEncryption   int                        `json:"min_encryption_version"` // 0: the latest
	MinAvailable    int                        `json:"min_available_version"`  // 0: all
	Exportable      bool                       `json:"exportable"`
	PlaintextBackup bool                       `json:"allow_plaintext_backup"`
	Deletable       bool                       `json:"deletion_allowed"`
	Derived         bool                       `json:"derived"`
	Keys            map[string]json.RawMessage `json:"keys"`
}

func (k keyInfo) versions() keys.Versions {
	return keys.Versions{Newest: k.Latest, Oldest: max(k.MinDecryption, 1), Kept: max(k.MinAvailable, 1)}
}

// fault says what keeps a key from being a tenant's or the journals', and what to do; empty for nothing.
func (k keyInfo) fault() string {
	switch {
	case k.Type != tenantType:
		return "the key is of type " + printable(k.Type) + " and must be " + tenantType +
			" (that name is ours: choose another prefix)"
	case k.Derived:
		return "the key is a derived one, which needs a context that we do not have " +
			"(that name is ours: choose another prefix)"
	case k.Exportable || k.PlaintextBackup:
		return "the key may be exported, so it may be elsewhere already, and that cannot be undone " +
			"(choose another prefix)"
	case k.Deletable:
		return "the key may be deleted, and with it all that it has wrapped " +
			"(vault write …/config deletion_allowed=false)"
	default:
		return ""
	}
}

var wordPattern = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// printable lets a word of Vault's through, and nothing that could be something else.
func printable(word string) string {
	if !wordPattern.MatchString(word) {
		return "unknown"
	}
	return word
}

// readKey asks for a key's description: ErrNoKey if it has none of that name.
func (c *client) readKey(ctx context.Context, name string) (keyInfo, error) {
	req := request{method: http.MethodGet, path: c.key("keys", name)}
	ans, err := c.call(ctx, req)
	if err != nil {
		return keyInfo{}, err
	}
	return c.keyAnswer(req, ans)
}

func (c *client) keyAnswer(req request, ans *answer) (keyInfo, error) {
	if ans.status != http.StatusOK {
		return keyInfo{}, c.refusal(req, ans)
	}
	var said struct {
		Data keyInfo `json:"data"`
	}
	if err := c.decode(req, ans, &said); err != nil {
		return keyInfo{}, err
	}
	if said.Data.Latest < 1 || said.Data.Type == "" {
		return keyInfo{}, c.failure(req, keys.ErrUnavailable,
			"its answer does not describe a key (is a proxy in between?)")
	}
	return said.Data, nil
}

// CreateTenant has Vault draw a key for the tenant, unless there is one, which must be of our kind. The tenant's name
// is 1 to 100 lower-case letters, digits and hyphens, none of them at an end, and not keys.Journals.
func (s *Service) CreateTenant(ctx context.Context, tenant string) error {
	if !isTenant(tenant) {
		return errors.New("making a tenant's key in Vault: the tenant's name must be 1 to 100 of [a-z0-9-] " +
			"without a hyphen at either end, and " + keys.Journals + " is reserved")
	}
	content := `{"type":"` + tenantType + `","exportable":false,"allow_plaintext_backup":false,"derived":false}`
	req := request{method: http.MethodPost, path: s.vault.key("keys", s.vault.tenantKey(tenant)),
		body: newBody([]byte(content))}
	ans, err := s.vault.call(ctx, req)
	if err != nil {
		return err
	}
	var key keyInfo
	if ans.status == http.StatusNoContent { // before Vault 1.15
		key, err = s.vault.readKey(ctx, s.vault.tenantKey(tenant))
	} else {
		key, err = s.vault.keyAnswer(req, ans)
	}
	if err != nil {
		return err
	}
	if fault := key.fault(); fault != "" {
		return s.vault.failure(req, keys.ErrDenied, fault)
	}
	return nil
}

// Versions describes the tenant's key.
func (s *Service) Versions(ctx context.Context, tenant string) (keys.Versions, error) {
	return s.vault.versions(ctx, tenant)
}

func (c *client) versions(ctx context.Context, tenant string) (keys.Versions, error) {
	name, err := c.keyOf(tenant)
	if err != nil {
		return keys.Versions{}, err
	}
	key, err := c.readKey(ctx, name)
	return key.versions(), err
}

// keyOf is the name of the tenant's key: keys.ErrNoKey for a name that no tenant's key can have.
func (c *client) keyOf(tenant string) (string, error) {
	if !isTenant(tenant) {
		return "", fmt.Errorf("looking for a tenant's key in Vault: no key has such a name: %w", keys.ErrNoKey)
	}
	return c.tenantKey(tenant), nil
}
