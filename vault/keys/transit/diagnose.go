package transit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"muniment/vault/keys"
)

// Finding is what one examination of the key service gave.
type Finding struct {
	Name   string // what was examined, such as "login" or "key of tenant default"
	OK     bool
	Detail string // what was found
	Fix    string // what to do, if not OK
}

// Diagnose examines the key service from the ground up, and stops where nothing further can be found out. It reads, and
// wraps and unwraps a probe with each tenant's key. ErrUnavailable and the like stand in the findings.
func (s *Service) Diagnose(ctx context.Context, tenants []string) []Finding {
	d := &diagnosis{service: s, ctx: ctx}
	if d.reach() && d.mount() {
		d.policy()
		d.excess()
		d.journal()
		d.signer(Checkpoint)
		d.signer(Ledger)
		for _, tenant := range tenants {
			d.tenant(tenant)
		}
	}
	return d.findings
}

type diagnosis struct {
	service  *Service
	ctx      context.Context // it lives for one call
	findings []Finding
}

func (d *diagnosis) add(name string, err error, detail, fix string) bool {
	f := Finding{Name: name, OK: err == nil, Detail: detail}
	if err != nil {
		f.Detail, f.Fix = err.Error(), fix
	}
	d.findings = append(d.findings, f)
	return f.OK
}

func (d *diagnosis) reach() bool {
	c := d.service.vault
	_, err := c.login.token(d.ctx)
	fix := "see the message; log in by hand with the same credential to try it"
	if errors.Is(err, keys.ErrUnavailable) {
		fix = "start or unseal Vault, and see that its address, certificate and the network between are right; " +
			"it is tried again by itself"
	}
	return d.add("login", err, "logged in at "+c.host()+" by "+string(c.cfg.Auth.Method), fix)
}

func (d *diagnosis) mount() bool {
	c := d.service.vault
	err := d.service.findMount(d.ctx)
	return d.add("transit engine", err, "there at "+c.cfg.Mount,
		"vault secrets enable -path="+c.cfg.Mount+" transit; and give our login the gateway's policy")
}

func (d *diagnosis) policy() {
	missing, err := d.service.vault.missing(d.ctx, d.service.needs())
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("the policy of our login lacks %s", strings.Join(missing, ", "))
	}
	d.add("permissions", err, "our login may do what it must",
		"give our login the gateway's policy, with our mount and prefix in it: "+
			"vault policy write muniment-gateway gateway.hcl")
}

// excess looks for the custodian's permissions, which a gateway that is broken into should not have.
func (d *diagnosis) excess() {
	c := d.service.vault
	tenant := c.tenantKey(exampleTenant)
	forbidden := []grant{
		{c.key("keys", tenant, "rotate"), "update"}, {c.key("keys", tenant, "config"), "update"},
		{c.key("keys", tenant, "trim"), "update"},
		{c.key("keys", tenant), "delete"}, {c.key("export", "encryption-key", tenant), "read"},
		{c.key("backup", tenant), "read"},
		{c.key("keys", c.journalKey(), "rotate"), "update"}, {c.key("keys", c.journalKey(), "config"), "update"},
		{c.key("keys", c.journalKey(), "trim"), "update"}, {c.key("keys", c.journalKey()), "delete"},
		{c.key("export", "encryption-key", c.journalKey()), "read"}, {c.key("backup", c.journalKey()), "read"},
	}
	missing, err := c.missing(d.ctx, forbidden)
	var has []string
	for _, f := range forbidden {
		if name := f.capability + " on " + f.path; !slices.Contains(missing, name) {
			has = append(has, name)
		}
	}
	if err == nil && len(has) > 0 {
		err = fmt.Errorf("our login may do what only the key custodian should: %s", strings.Join(has, ", "))
	}
	d.add("separation of duties", err, "our login may not end a key's life",
		"log in as a role that has the gateway's policy and no other; never with a root token")
}

func (d *diagnosis) signer(name string) {
	signer, err := d.service.Signer(name)
	if err == nil {
		_, err = signer.Sign(d.ctx, []byte("muniment doctor"))
	}
	detail := ""
	if err == nil {
		detail = fmt.Sprintf("signs with version %d of %s", signer.version, signer.name)
	}
	c := d.service.vault
	d.add(name+" key", err, detail, fmt.Sprintf("the key custodian makes it, once: vault write -f %s type=%s",
		c.key("keys", c.signingKey(name)), signerType))
}

// journal looks at the key that wraps the journals' shipping keys.
func (d *diagnosis) journal() {
	s := d.service
	wrapped, err := s.WrapShipping(d.ctx, keys.Secret("probe"))
	if err == nil {
		_, err = s.UnwrapShipping(d.ctx, wrapped)
	}
	name := s.vault.journalKey()
	d.add("journals' key", err, name+" wraps and unwraps shipping keys", "make it, once, as one who may make keys "+
		"(neither the server nor the key custodian): "+s.vault.makeJournalKey())
}

func (d *diagnosis) tenant(tenant string) {
	s := d.service
	key, err := s.vault.readKey(d.ctx, s.vault.tenantKey(tenant))
	if fault := key.fault(); err == nil && fault != "" {
		err = errors.New(fault)
	}
	if err == nil {
		err = s.probe(d.ctx, tenant)
	}
	v := key.versions()
	detail := fmt.Sprintf("wraps with version %d, unwraps from %d on", v.Newest, v.Oldest)
	if v.Kept < v.Oldest {
		detail += fmt.Sprintf("; versions from %d on are still stored: a trim was broken off (repeat it), "+
			"or the minimum was raised by hand", v.Kept)
	}
	d.add("key of tenant "+tenant, err, detail,
		"see the message; a key that is gone comes back only with Vault's own backup")
}

// probe wraps and unwraps something that is no secret.
func (s *Service) probe(ctx context.Context, tenant string) error {
	wrapped, err := s.Wrap(ctx, tenant, []keys.Secret{keys.Secret("probe")})
	if err != nil {
		return err
	}
	got, err := s.Unwrap(ctx, tenant, wrapped)
	if err != nil {
		return err
	}
	if got[0].Err == nil && string(got[0].Secret) != "probe" {
		return fmt.Errorf("the Vault at %s does not give back what it wrapped: %w", s.vault.host(), keys.ErrWrapped)
	}
	return got[0].Err
}
