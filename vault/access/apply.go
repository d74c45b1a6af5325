package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"muniment/anchor/journal"
)

// tables are what the events about principals and keys come to. Reducers write them to the database, for people and
// tools to look at, and Authority has them in memory, for what a principal may do is read from the events themselves:
// the same changes make both.
type tables interface {
	principal(id journal.ID) (principal, bool, error)
	putPrincipal(id journal.ID, p principal) error
	key(id keyID) (apiKey, bool, error)
	putKey(id keyID, key apiKey) error
	deleteKey(id keyID) error
	// keys are all keys.
	keys() (map[keyID]apiKey, error)
	tenancy(tenant string) (tenancy, bool, error)
	putTenancy(tenant string, t tenancy) error
	// bind and unbind say that there must be a sealed row from now on, or none any more.
	bind(sealed []byte) error
	unbind(sealed []byte) error
	// wait says that something waits until a settled time and lapses at another, and waited that what an event has made
	// wait does not any more.
	wait(what string, until, lapses time.Time) error
	waited(index uint64, until time.Time) error
}

// The faults of an event about principals and keys, which no log holds.
var (
	errPrincipalTwice = errors.New("there is a principal with this id already")
	errNoPrincipal    = errors.New("there is no such principal")
	errKeyTwice       = errors.New("there is an API key with the first half of this digest already")
	errNoKey          = errors.New("the principal has no such API key")
	errDigestSize     = fmt.Errorf("the digest of an API key is not of %d bytes", digestSize)
	errNoProposal     = errors.New("there is no such proposal")
	errTenantTwice    = errors.New("the tenant was founded, or is on trial, already")
	errFormer         = errors.New("the principal had another name before")
	errNoFounding     = errors.New("no founding by these two is under way")
)

// change is what the events of one type do to the tables.
type change struct {
	definition journal.Definition
	apply      func(tables, journal.Entry, json.RawMessage) error
}

func changes[D any](t journal.Type[D], do func(tables, journal.Entry, D) error) change {
	return change{
		definition: t.On(func(w *journal.Writer, e journal.Entry, d D) error {
			return do(rowTables{w}, e, d)
		}).Auth(),
		apply: func(to tables, e journal.Entry, raw json.RawMessage) error {
			var data D
			if err := json.Unmarshal(raw, &data); err != nil {
				return fmt.Errorf("reading the data of %s: %w", t, err)
			}
			return do(to, e, data)
		},
	}
}

// allChanges are the changes by event type.
var allChanges = map[string]change{
	string(TrialBegun):       changes(TrialBegun, beginTrial),
	string(FoundingBegun):    changes(FoundingBegun, beginFounding),
	string(FoundingStopped):  changes(FoundingStopped, stopFounding),
	string(TenantFounded):    changes(TenantFounded, endFounding),
	string(PrincipalCreated): changes(PrincipalCreated, createPrincipal),
	string(PrincipalNamed):   changes(PrincipalNamed, namePrincipal),
	string(CodeIssued):       changes(CodeIssued, issueCode),
	string(KeyAdded):         changes(KeyAdded, addKey),
	string(KeyRevoked):       changes(KeyRevoked, revokeKey),
	string(GrantsGiven):      changes(GrantsGiven, giveGrants),
	string(GrantsProposed):   changes(GrantsProposed, proposeGrants),
	string(GrantsApproved):   changes(GrantsApproved, approveGrants),
	string(GrantsDeclined):   changes(GrantsDeclined, declineGrants),
	string(GrantsRevoked):    changes(GrantsRevoked, revokeGrants),
}

// Definitions are the event types of this package, with their reducers.
func Definitions() []journal.Definition {
	nothing := []journal.Definition{
		Denied.On(func(*journal.Writer, journal.Entry, DeniedData) error { return nil }),
		Contradicted.On(func(*journal.Writer, journal.Entry, ContradictedData) error { return nil }),
		Consulted.On(func(*journal.Writer, journal.Entry, ConsultedData) error { return nil }).Quiet(),
	}
	for _, name := range sortedKeys(allChanges) {
		nothing = append(nothing, allChanges[name].definition)
	}
	return nothing
}

func beginTrial(t tables, e journal.Entry, _ TrialBegunData) error {
	if _, there, err := t.tenancy(e.Tenant); err != nil || there {
		return errors.Join(err, errTenantTwice)
	}
	return t.putTenancy(e.Tenant, tenancy{Trial: true})
}

func beginFounding(t tables, e journal.Entry, d FoundingBegunData) error {
	tenant, _, err := t.tenancy(e.Tenant)
	if err != nil {
		return err
	}
	for _, id := range []journal.ID{d.Administrator, d.Approver} {
		if p, known, err := t.principal(id); err != nil || !known || p.Tenant != e.Tenant {
			return errors.Join(err, errNoPrincipal)
		}
	}
	if err := stop(t, tenant.Founding); err != nil {
		return err
	}
	tenant.Founding = &founding{Administrator: d.Administrator, Approver: d.Approver}
	if d.NotBefore != nil && d.Lapses != nil {
		f := tenant.Founding
		f.NotBefore, f.Lapses, f.From, f.Index = *d.NotBefore, *d.Lapses, e.Settled, e.Index
		if err := t.wait("recovery", f.NotBefore, f.Lapses); err != nil {
			return err
		}
	}
	return t.putTenancy(e.Tenant, tenant)
}

func stopFounding(t tables, e journal.Entry, _ FoundingStoppedData) error {
	tenant, _, err := t.tenancy(e.Tenant)
	if err != nil || tenant.Founding == nil {
		return errors.Join(err, errNoFounding)
	}
	if err := stop(t, tenant.Founding); err != nil {
		return err
	}
	tenant.Founding = nil
	return t.putTenancy(e.Tenant, tenant)
}

// stop ends a founding that does not go on: its founders' codes are taken from them, and it waits no more.
func stop(t tables, f *founding) error {
	if f == nil {
		return nil
	}
	if !f.NotBefore.IsZero() {
		if err := t.waited(f.Index, f.NotBefore); err != nil {
			return err
		}
	}
	for _, id := range []journal.ID{f.Administrator, f.Approver} {
		p, known, err := t.principal(id)
		if err != nil {
			return err
		}
		if !known || p.Code == nil {
			continue
		}
		p.Code = nil
		if err := t.putPrincipal(id, p); err != nil {
			return err
		}
	}
	return nil
}

func endFounding(t tables, e journal.Entry, d TenantFoundedData) error {
	tenant, _, err := t.tenancy(e.Tenant)
	if err != nil || tenant.Founding == nil || tenant.Founding.Administrator != d.Administrator ||
		tenant.Founding.Approver != d.Approver {
		return errors.Join(err, errNoFounding)
	}
	keys, err := t.keys()
	if err != nil {
		return err
	}
	recovery := !tenant.Founded.IsZero()
	for id, key := range keys {
		p, known, err := t.principal(key.Principal)
		if err != nil || !known {
			return errors.Join(err, errNoPrincipal)
		}
		switch {
		case p.Tenant != e.Tenant:
			continue
		case tenant.Founding.has(key.Principal):
			if !key.Speaks {
				key.Speaks, p = true, p.withKey()
				err = t.putKey(id, key)
			}
		case recovery:
			continue
		default:
			if key.Speaks {
				p = p.withoutKey()
			}
			err = t.deleteKey(id)
		}
		if err = errors.Join(err, t.putPrincipal(key.Principal, p)); err != nil {
			return err
		}
	}
	tenant.Trial, tenant.Founding = false, nil
	if !recovery {
		tenant.Founded = e.At
	}
	return t.putTenancy(e.Tenant, tenant)
}

func createPrincipal(t tables, e journal.Entry, d PrincipalCreatedData) error {
	if _, there, err := t.principal(d.Principal); err != nil || there {
		return errors.Join(err, errPrincipalTwice)
	}
	return t.putPrincipal(d.Principal, principal{Tenant: e.Tenant, Origin: d.Origin, Created: e.At, Grants: d.Grants})
}

// changePrincipal changes a principal's row.
func changePrincipal(t tables, id journal.ID, change func(p *principal) error) error {
	p, known, err := t.principal(id)
	if err != nil || !known {
		return errors.Join(err, errNoPrincipal)
	}
	if err := change(&p); err != nil {
		return err
	}
	return t.putPrincipal(id, p)
}

func namePrincipal(t tables, _ journal.Entry, d PrincipalNamedData) error {
	if d.Former != nil {
		if err := t.unbind(NameRow(*d.Former)); err != nil {
			return err
		}
	}
	if err := t.bind(NameRow(d.Name)); err != nil {
		return err
	}
	return changePrincipal(t, d.Principal, func(p *principal) error {
		former := journal.ID{}
		if d.Former != nil {
			former = *d.Former
		}
		if p.Name != former {
			return errFormer
		}
		p.Name = d.Name
		return nil
	})
}

func issueCode(t tables, _ journal.Entry, d CodeIssuedData) error {
	if len(d.Digest) != digestSize {
		return errDigestSize
	}
	return changePrincipal(t, d.Principal, func(p *principal) error {
		p.Code = &code{Digest: d.Digest, Lapses: d.Lapses}
		return nil
	})
}

func addKey(t tables, e journal.Entry, d KeyAddedData) error {
	if len(d.Digest) != digestSize {
		return errDigestSize
	}
	added := digest(d.Digest).id()
	if _, there, err := t.key(added); err != nil || there {
		return errors.Join(err, errKeyTwice)
	}
	tenant, _, err := t.tenancy(e.Tenant)
	if err != nil {
		return err
	}
	return changePrincipal(t, d.Principal, func(p *principal) error {
		key := apiKey{Digest: d.Digest, Principal: d.Principal, Added: e.At}
		if d.Claimed {
			p.Code = nil
		}
		if key.Speaks = tenant.Trial && !tenant.Founding.has(d.Principal); key.Speaks {
			*p = p.withKey()
		}
		return t.putKey(added, key)
	})
}

func revokeKey(t tables, _ journal.Entry, d KeyRevokedData) error {
	if len(d.Digest) != digestSize {
		return errDigestSize
	}
	id := digest(d.Digest).id()
	key, there, err := t.key(id)
	if err != nil || !there || key.Principal != d.Principal || !bytes.Equal(key.Digest, d.Digest) {
		return errors.Join(err, errNoKey)
	}
	return changePrincipal(t, d.Principal, func(p *principal) error {
		if key.Speaks {
			*p = p.withoutKey()
		}
		return t.deleteKey(id)
	})
}

func giveGrants(t tables, _ journal.Entry, d GrantsGivenData) error {
	return changePrincipal(t, d.Principal, func(p *principal) error {
		p.Grants = Union(p.Grants, d.Grants)
		return nil
	})
}

func proposeGrants(t tables, e journal.Entry, d GrantsProposedData) error {
	return changePrincipal(t, d.Principal, func(p *principal) error {
		p.Proposed = &proposal{ID: d.ID, Proposer: e.Actor, Proposed: e.At, Lapses: d.Lapses, Grants: d.Grants}
		return nil
	})
}

func approveGrants(t tables, _ journal.Entry, d GrantsApprovedData) error {
	return changePrincipal(t, d.Principal, func(p *principal) error {
		if p.Proposed == nil || p.Proposed.ID != d.ID {
			return errNoProposal
		}
		p.Grants, p.Approved, p.Proposed = d.Grants, d.ID, nil
		for _, raw := range d.Keys {
			if len(raw) != digestSize {
				return errDigestSize
			}
			id := digest(raw).id()
			key, there, err := t.key(id)
			if err != nil || !there || key.Principal != d.Principal || !bytes.Equal(key.Digest, raw) {
				return errors.Join(err, errNoKey)
			}
			if key.Speaks {
				continue
			}
			key.Speaks = true
			*p = p.withKey()
			if err := t.putKey(id, key); err != nil {
				return err
			}
		}
		return nil
	})
}

func declineGrants(t tables, _ journal.Entry, d GrantsDeclinedData) error {
	return changePrincipal(t, d.Principal, func(p *principal) error {
		if p.Proposed == nil || p.Proposed.ID != d.ID {
			return errNoProposal
		}
		p.Proposed = nil
		return nil
	})
}

func revokeGrants(t tables, _ journal.Entry, d GrantsRevokedData) error {
	return changePrincipal(t, d.Principal, func(p *principal) error {
		p.Grants = slices.DeleteFunc(slices.Clone(p.Grants), func(g Grant) bool { return slices.Contains(d.Grants, g) })
		return nil
	})
}

func (p principal) withKey() principal {
	p.Keys, p.Revoked = p.Keys+1, false
	return p
}

func (p principal) withoutKey() principal {
	p.Keys--
	p.Revoked = p.Keys == 0
	return p
}
