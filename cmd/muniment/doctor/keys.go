package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"muniment/anchor/bounded"
	"muniment/anchor/journal"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/vault"
	"muniment/vault/keys"
	"muniment/vault/keys/local"
	"muniment/vault/keys/transit"
	"muniment/vault/objects"
)

// keyService looks at what holds the tenants' keys.
func (d *doctor) keyService(ctx context.Context, r *report) {
	if d.cfg.Keys.Kind == config.KeysVault {
		d.vaultServer(ctx, r)
		d.vaultKeys(ctx, r)
		return
	}
	path := node.Folder(d.cfg.Data).Keys()
	info, err := os.Stat(path)
	switch {
	case err != nil && d.hasVault():
		r.refused("", err, "put the key file back from its backup: without it no document can ever be read")
	case err != nil:
		r.ok("", "there is none yet; the first serve makes %s", path)
	case info.Mode().Perm()&0o077 != 0:
		r.fail("", "chmod 600 "+path, "others than its owner may read %s, which holds the keys in the clear (mode "+
			"%04o)", path, info.Mode().Perm())
	case d.ready.answered:
		r.ok("", "%s; the running server has it open, and says above how it is", path)
	default:
		d.keyFile(path, r)
	}
}

func (d *doctor) keyFile(path string, r *report) {
	s, err := local.Open(path)
	if errors.Is(err, local.ErrLocked) {
		r.warn("", otherServerAdvice, "%s: another process has it open", path)
		return
	}
	if err != nil {
		r.refused("", err, "put the key file back from its backup: without it no document can ever be read")
		return
	}
	defer func() { _ = s.Close() }() // nothing depends on how that ends
	r.warn("", "keep records with their keys in a HashiCorp Vault (keys.kind: vault)",
		"the keys stand in the clear in %s: who copies the data folder has everything", path)
}

// hasVault says whether there is a vault already, as far as the data folder tells.
func (d *doctor) hasVault() bool {
	_, err := os.Stat(node.Folder(d.cfg.Data).Journal())
	return err == nil
}

// vaultServer asks what Vault tells anybody.
func (d *doctor) vaultServer(ctx context.Context, r *report) {
	for _, p := range peers(d.cfg) {
		if p.probe != vaultHealth {
			continue
		}
		got, err := p.ask(ctx)
		if err != nil {
			r.fail("server", p.advise(err), "%v", err)
			return
		}
		v, ok := parseVaultServer(got.body)
		switch {
		case !ok:
			r.fail("server", "check keys.vault.address: is there a HashiCorp Vault, or a proxy that answers for it?",
				"%s answers %d, and not as Vault does", p.base, got.status)
		case !v.Initialized:
			r.fail("server", "vault operator init, then vault operator unseal", "Vault %s is not initialized",
				v.Version)
		case v.Sealed:
			r.fail("server", "vault operator unseal, with as many unseal keys as it asks for", "Vault %s is sealed",
				v.Version)
		default:
			r.ok("server", "Vault %s, unsealed", v.Version)
			d.vaultToken(ctx, p, r)
		}
	}
}

// vaultToken looks at how long a token lives that the operator has put into a file. Tokens that the server gets
// by logging in do not matter: it logs in again.
func (d *doctor) vaultToken(ctx context.Context, p peer, r *report) {
	c := d.cfg.Keys.Vault
	if c.Auth != config.AuthToken {
		return
	}
	text, err := bounded.ReadFile(c.TokenFile, bounded.Small)
	if err != nil {
		return // the configuration's lines say so
	}
	header := http.Header{"X-Vault-Token": {strings.TrimSpace(string(text))}}
	if c.Namespace != "" {
		header.Set("X-Vault-Namespace", c.Namespace)
	}
	got, err := p.get(ctx, "/v1/auth/token/lookup-self", header)
	var said struct {
		Data struct {
			TTL       int64 `json:"ttl"` // seconds
			Period    int64 `json:"period"`
			MaxTTL    int64 `json:"explicit_max_ttl"`
			Renewable bool  `json:"renewable"`
		} `json:"data"`
	}
	if err != nil || got.status != http.StatusOK || json.Unmarshal(got.body, &said) != nil {
		return // the line about the login says so
	}
	left := (time.Duration(said.Data.TTL) * time.Second).String()
	const fix = "give the server a periodic token (vault token create -period=1h), or have it log in by AppRole"
	switch {
	case said.Data.TTL == 0:
		r.warn("token", fix, "it never ends: who copies it has it for good")
	case !said.Data.Renewable:
		r.warn("token", fix, "it ends in %s and cannot be renewed: put another into its place before that", left)
	case said.Data.MaxTTL > 0 || said.Data.Period == 0:
		r.warn("token", fix, "it ends in %s unless it is renewed, which its greatest age puts an end to", left)
	default:
		r.ok("token", "it ends in %s unless it is renewed, which the server does", left)
	}
}

// vaultKeys looks at all that needs a login.
func (d *doctor) vaultKeys(ctx context.Context, r *report) {
	f := node.Folder(d.cfg.Data)
	conf := node.TransitConfig(d.cfg.Keys.Vault, f, slog.New(slog.DiscardHandler))
	if _, err := os.Stat(conf.PublicKeys); err != nil {
		conf.PublicKeys = "" // it is serve that makes it
	}
	s, err := transit.Open(ctx, conf)
	if err != nil {
		r.refused("login and keys", err,
			"where it refuses the login, put a valid credential in its place; where it forbids a path: vault "+
				"secrets enable -path="+
				conf.Mount+" transit, and give our login the gateway's policy, with that mount and our prefix in it")
		return
	}
	defer func() { _ = s.Close() }() // nothing depends on how that ends
	tenants, err := d.tenantKeys(ctx)
	if err != nil {
		r.warn("tenants' keys", "see the line about the release bucket", "which keys are this vault's is not known: %v",
			err)
	}
	for _, found := range s.Diagnose(ctx, tenants) {
		name := found.Name
		if len(tenants) > 0 { // a person knows the tenant, not the journal id
			name = strings.Replace(name, tenants[0], vault.DefaultTenant, 1)
		}
		if found.OK {
			r.ok(name, "%s", found.Detail)
		} else {
			r.fail(name, found.Fix, "%s", found.Detail)
		}
	}
}

// tenantKeys are the names that the tenants' keys have in the key service, after the prefix. The journal id in them is
// the released head's, which is there whoever has the journal open. It is not authenticated: with another one the keys
// are not found.
func (d *doctor) tenantKeys(ctx context.Context) ([]string, error) {
	if !d.hasVault() {
		return nil, nil
	}
	release, err := d.openRelease(ctx)
	if err != nil || release == nil {
		return nil, err
	}
	defer func() { _ = release.Close() }() // it was only read from
	head, err := journal.ReadReleased(ctx, objects.NewBucket(release), nil)
	if err != nil {
		return nil, err
	}
	return []string{keys.KeyName(head.Journal, vault.DefaultTenant)}, nil
}
