package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"muniment/anchor/journal"
)

// Standing is how a principal stands: its power, and what is proposed of it.
type Standing struct {
	Who
	Origin   string // OriginBootstrap, OriginFounding or OriginCreated
	Created  time.Time
	Name     journal.ID // of the sealed row with its display name; zero for none
	Grants   []Grant
	Keys     []Key     // by their digests
	Revoked  bool      // keys spoke for it, and none does any more
	Code     time.Time // when its one-time code lapses; zero for none
	Proposed *Proposed // the newest proposal, while it is neither approved nor declined
	Approved journal.ID
}

// Key is an API key of a principal.
type Key struct {
	Digest []byte // SHA-256
	Added  time.Time
	Speaks bool // for the principal: it needs no approval any more
}

// Proposed is a proposal that a principal has further grants, and that all its keys speak for it.
type Proposed struct {
	ID       journal.ID
	Proposer string // actor
	Proposed time.Time
	Lapses   time.Time
	Grants   []Grant // further ones
}

// After are the grants that the principal has once the open proposal is approved.
func (s Standing) After() []Grant {
	if s.Proposed == nil {
		return s.Grants
	}
	return Union(s.Grants, s.Proposed.Grants)
}

// digestFormat is the beginning of what Digest is computed over.
const digestFormat = "muniment grants v1"

// Digest is what an approval is of: SHA-256 over the format, tenant, principal, name, proposal, the grants before and
// after, and the digests of all keys, each behind its length as four bytes, and lists behind their number. A change of
// any of them, after somebody has looked, makes it another digest.
func (s Standing) Digest() []byte {
	h := sha256.New()
	number := func(n int) { h.Write(binary.BigEndian.AppendUint32(nil, uint32(n))) }
	field := func(b []byte) {
		number(len(b))
		h.Write(b)
	}
	grants := func(list []Grant) {
		number(len(list))
		for _, g := range list {
			field([]byte(g.Role))
			field([]byte(g.Series))
		}
	}
	field([]byte(digestFormat))
	field([]byte(s.Tenant))
	field(s.Principal[:])
	field(s.Name[:])
	var id journal.ID
	if s.Proposed != nil {
		id = s.Proposed.ID
	}
	field(id[:])
	grants(s.Grants)
	grants(s.After())
	number(len(s.Keys))
	for _, key := range s.Keys {
		field(key.Digest)
	}
	return h.Sum(nil)
}

// standing describes a principal whose keys are given.
func standing(id journal.ID, p principal, keys []apiKey) Standing {
	out := Standing{
		Who: Who{Tenant: p.Tenant, Principal: id}, Origin: p.Origin, Created: p.Created, Name: p.Name,
		Grants: p.Grants, Revoked: p.Revoked, Approved: p.Approved,
	}
	for _, key := range keys {
		out.Keys = append(out.Keys, Key{Digest: key.Digest, Added: key.Added, Speaks: key.Speaks})
	}
	if p.Code != nil {
		out.Code = p.Code.Lapses
	}
	if p.Proposed != nil {
		out.Proposed = &Proposed{
			ID: p.Proposed.ID, Proposer: p.Proposed.Proposer, Proposed: p.Proposed.Proposed,
			Lapses: p.Proposed.Lapses, Grants: p.Proposed.Grants,
		}
	}
	return out
}

// standings describes the principals of a tenant, in the order of their ids, which is that of their creation.
func (s *state) standings(tenant string) (out []Standing) {
	keys := map[journal.ID][]apiKey{}
	for _, key := range s.apiKeys.all() {
		keys[key.Principal] = append(keys[key.Principal], key)
	}
	for id, p := range s.principals.all() {
		if p.Tenant != tenant {
			continue
		}
		slices.SortFunc(keys[id], func(a, b apiKey) int { return bytes.Compare(a.Digest, b.Digest) })
		out = append(out, standing(id, p, keys[id]))
	}
	slices.SortFunc(out, func(a, b Standing) int { return bytes.Compare(a.Principal[:], b.Principal[:]) })
	return out
}

// Standing describes a principal; ok is false if the tenant has none such.
func (a *Authority) Standing(r journal.Reader, who Who) (out Standing, ok bool, err error) {
	err = a.in(r, func(s *state, _ bool) error {
		p, known := s.of(who)
		if ok = known; known {
			out = standing(who.Principal, p, s.keysOf(who.Principal))
		}
		return nil
	})
	return out, ok, err
}

// Standings describes all principals of a tenant, in the order of their creation.
func (a *Authority) Standings(r journal.Reader, tenant string) (out []Standing, err error) {
	err = a.in(r, func(s *state, _ bool) error {
		out = s.standings(tenant)
		return nil
	})
	return out, err
}

// StandingsAt describes how all principals of a tenant stood at a moment that has passed. It reads all events about
// principals and keys up to then.
func (a *Authority) StandingsAt(r journal.Reader, tenant string, at time.Time) ([]Standing, error) {
	s, err := a.readAll(r, at)
	if err != nil {
		return nil, fmt.Errorf("reading who could do what: %w", err)
	}
	return s.standings(tenant), nil
}

// Proposal finds the principal of a tenant that a proposal is about; ok is false if none is open or approved under the
// id. It looks at every principal: proposals are few.
func (a *Authority) Proposal(r journal.Reader, tenant string, id journal.ID) (out Standing, ok bool, err error) {
	err = a.in(r, func(s *state, _ bool) error {
		for who, p := range s.principals.all() {
			if p.Tenant == tenant && (p.Proposed != nil && p.Proposed.ID == id || p.Approved == id) {
				out, ok = standing(who, p, s.keysOf(who)), true
				return nil
			}
		}
		return nil
	})
	return out, ok, err
}

// Coded finds the principal for which a key can be claimed with a one-time code: ErrUnknownKey. Whether the code has
// lapsed, and whether it is in force yet, is for the caller to say. It looks at every principal: codes are few.
func (a *Authority) Coded(r journal.Reader, c Code) (out Standing, err error) {
	sum := c.Digest()
	err = a.in(r, func(s *state, _ bool) error {
		for id, p := range s.principals.all() {
			if p.Code != nil && equal(p.Code.Digest, sum[:]) {
				out = standing(id, p, s.keysOf(id))
				return nil
			}
		}
		return ErrUnknownKey
	})
	return out, err
}
