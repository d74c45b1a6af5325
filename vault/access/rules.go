package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"muniment/anchor/journal"
)

// Case is an event about which a Rule is asked, in front of what the events before it have left.
type Case struct {
	journal.Reader
	journal.Entry
	Type string
	Data json.RawMessage

	cache *principalCache
}

// Rule says why the actor of an event may not have caused it; nil if it may. A check of a whole journal asks it of
// every event (journal.FsckConfig.Allowed), whatever the program that wrote the event had made sure of.
type Rule func(c *Case) error

// Rules have a rule for each event type. The package that an event type belongs to has its rule.
type Rules map[string]Rule

// Join are the rules of several packages together.
func Join(some ...Rules) Rules {
	all := Rules{}
	for _, rules := range some {
		maps.Copy(all, rules)
	}
	return all
}

// Allowed is what a check of a journal asks. An event of a type without a rule is not allowed to anybody.
func (rules Rules) Allowed() journal.Allowed {
	cache := principalCache{}
	return func(r journal.Reader, e journal.Entry, typ string, data json.RawMessage) error {
		rule, ok := rules[typ]
		if !ok {
			return errors.New("no rule says who may cause it")
		}
		return rule(&Case{Reader: r, Entry: e, Type: typ, Data: data, cache: &cache})
	}
}

// principalCache has the rows of principals that were read last: nearly every event asks for one of a few.
type principalCache map[string]cachedPrincipal

type cachedPrincipal struct {
	raw []byte
	row principal
}

// maxCachedPrincipals bounds the cache.
const maxCachedPrincipals = 4096

func (m principalCache) get(r journal.Reader, id journal.ID) (p principal, known bool, err error) {
	raw, err := r.Get(principalTable, id[:])
	if err != nil || raw == nil {
		return p, false, err
	}
	if cached, ok := m[string(id[:])]; ok && bytes.Equal(cached.raw, raw) {
		return cached.row, true, nil
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, false, fmt.Errorf("reading a principal: %w", journal.ErrDamaged)
	}
	if len(m) == maxCachedPrincipals {
		clear(m)
	}
	m[string(id[:])] = cachedPrincipal{bytes.Clone(raw), p}
	return p, true, nil
}

// ReadData reads the data of an event as its type has it.
func ReadData[D any](c *Case) (data D, err error) {
	if err := json.Unmarshal(c.Data, &data); err != nil {
		return data, fmt.Errorf("its data cannot be read: %w", err)
	}
	return data, nil
}

var (
	errNobody  = errors.New("its actor is no principal of the tenant")
	errRevoked = errors.New("every API key of its actor had been revoked")
	errWorker  = errors.New("its actor is not the part of the program that causes it")
)

// actor is the principal that caused the event.
func (c *Case) actor() (principal, error) {
	id, err := journal.ParseID(c.Actor)
	if err != nil {
		return principal{}, errNobody
	}
	p, known, err := c.cache.get(c, id)
	if err == nil && (!known || p.Tenant != c.Tenant) {
		err = errNobody
	}
	return p, err
}

// permission says where the actor was permitted an act.
func (c *Case) permission(a Action) (Permission, error) {
	p, err := c.actor()
	if err == nil && p.Revoked {
		err = errRevoked
	}
	return p.permission(a), err
}

// Permitted says whether an actor, not only that of the event, was permitted an act in the whole tenant.
func (c *Case) Permitted(actor string, a Action) (bool, error) {
	id, err := journal.ParseID(actor)
	if err != nil {
		return false, nil
	}
	p, known, err := c.cache.get(c, id)
	return err == nil && known && p.Tenant == c.Tenant && p.permission(a).All, err
}

// Principal is the rule for what follows from an act that was let in, and may outlast the permission for it: the actor
// is a principal of the tenant.
func Principal(c *Case) error {
	_, err := c.actor()
	return err
}

// Needs is the rule for acts that concern the whole tenant.
func Needs(a Action) Rule {
	return NeedsIn(a, func(*Case) (Scope, error) { return Scope{}, nil })
}

// NeedsIn is the rule for acts within a series.
func NeedsIn(a Action, scope func(*Case) (Scope, error)) Rule {
	return func(c *Case) error {
		p, err := c.permission(a)
		if err != nil {
			return err
		}
		s, err := scope(c)
		if err == nil && !p.Covers(s) {
			err = refusal(a, s)
		}
		return err
	}
}

// NeedsSomewhere is the rule for acts that concern every series that the actor was permitted them in.
func NeedsSomewhere(a Action) Rule {
	return func(c *Case) error {
		p, err := c.permission(a)
		if err == nil && p.None() {
			err = refusal(a, Scope{})
		}
		return err
	}
}

func refusal(a Action, s Scope) error {
	if s.Series == "" {
		return fmt.Errorf("its actor was not permitted %s in the tenant", a)
	}
	return fmt.Errorf("its actor was not permitted %s in series %s", a, s.Series)
}

// By is the rule for what a part of the program causes by itself. Tenant "" stands for every tenant but the system.
func By(tenant, actor string) Rule {
	return func(c *Case) error {
		if c.Actor != actor || tenant != c.Tenant && (tenant != "" || c.Tenant == journal.System) {
			return errWorker
		}
		return nil
	}
}

// Either is the rule that one of two is enough.
func Either(one, other Rule) Rule {
	return func(c *Case) error {
		err := one(c)
		if err == nil {
			return nil
		}
		also := other(c)
		if also == nil {
			return nil
		}
		return fmt.Errorf("%w, and %w", err, also)
	}
}

// All is the rule that each of several must permit.
func All(rules ...Rule) Rule {
	return func(c *Case) error {
		for _, rule := range rules {
			if err := rule(c); err != nil {
				return err
			}
		}
		return nil
	}
}

const (
	// BootstrapActor is who creates a tenant: nobody is there yet to do it.
	BootstrapActor = "bootstrap"
	// TenantCreated is the event type that a tenant begins with.
	TenantCreated = "tenant.created/1"
	// maxFounding bounds how many events a tenant begins with.
	maxFounding = 64
)

var errFounding = errors.New("its actor founds tenants, and this is not part of the beginning of one")

// AtBeginning is the rule for what a tenant begins with: one change, of nobody's but the bootstrap's events, in which
// tenant.created came first.
func AtBeginning(c *Case) error {
	if err := By("", BootstrapActor)(c); err != nil {
		return err
	}
	for n := uint64(1); n <= min(c.Index, maxFounding); n++ {
		before, err := journal.RecordAt(c, c.Index-n)
		switch {
		case err != nil:
			return err
		case before.Actor != c.Actor, before.Tenant != c.Tenant, !before.At.Equal(c.At):
			return errFounding
		case before.Type == TenantCreated:
			return nil
		}
	}
	return errFounding
}

// EventRules say who may cause the events of this package, and the journal's own: that package knows no principals.
func EventRules() Rules {
	return Join(peopleRules(), Rules{
		string(Denied):       Principal,
		string(Contradicted): By(journal.System, authorityActor),
		string(Consulted):    consultedRule,

		"journal.created/1":        By(journal.System, "journal"),
		"journal.loss_accepted/1":  By(journal.System, "operator"),
		"clock.stepped/1":          By(journal.System, "clock"),
		"clock.stopped/1":          By(journal.System, "clock"),
		"clock.settled/1":          By(journal.System, "clock"),
		"clock.confirmed/1":        By(journal.System, "clock"),
		"duty.settled/1":           By(journal.System, "duty"),
		string(journal.KeyChanged): Needs(ReshipKey),

		string(journal.TimeAcknowledged): Needs(AcknowledgeTime),

		"reads.unfenced/1":           By(journal.System, "journal"),
		"journal.batches_lost/1":     By(journal.System, "release"),
		"journal.batches_restored/1": By(journal.System, "release"),
	})
}

// consultedRule: a history is for those who may read some, the feed and the principals for those who may see all.
func consultedRule(c *Case) error {
	d, err := ReadData[ConsultedData](c)
	switch {
	case err != nil:
		return err
	case d.What == ConsultedHistory:
		return NeedsSomewhere(History)(c)
	case d.What == ConsultedPrincipals:
		return Needs(ViewUsers)(c)
	}
	return Needs(Feed)(c)
}

// Missing are the event types without a rule.
func (rules Rules) Missing(types []string) []string {
	return slices.DeleteFunc(slices.Clone(types), func(t string) bool { return rules[t] != nil })
}
