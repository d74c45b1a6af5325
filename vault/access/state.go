package access

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"muniment/anchor/journal"
)

// digest is the SHA-256 of an API key, and keyID its first half, under which the key's row stands.
type (
	digest [digestSize]byte
	keyID  [keyRow]byte
)

func (d digest) id() keyID { return keyID(d[:keyRow]) }

// state is what the events about principals and keys come to, up to one of them. It is made from records of the log
// alone, and knows what was revoked as well as what was granted, for it lacks nothing that came before.
//
// A state above another one holds only what differs from it.
type state struct {
	below *state

	begun bool         // there was an event
	at    uint64       // the index of the newest one
	count uint64       // how many there were
	leaf  journal.Hash // its entry, which holds 16 random bytes: no other history has the same one in its place

	principals map[journal.ID]principal
	keys       map[keyID]keyEntry // in a state above another, one of nobody says that the key was revoked
}

// keyEntry is an API key.
type keyEntry struct {
	digest    digest
	principal journal.ID // the zero ID is nobody
}

func newState() *state {
	return &state{principals: map[journal.ID]principal{}, keys: map[keyID]keyEntry{}}
}

// above is a state that begins as s, and leaves it as it is.
func (s *state) above() *state {
	over := newState()
	over.below, over.begun, over.at, over.count, over.leaf = s, s.begun, s.at, s.count, s.leaf
	return over
}

func (s *state) principal(id journal.ID) (principal, bool) {
	for ; s != nil; s = s.below {
		if p, ok := s.principals[id]; ok {
			return p, true
		}
	}
	return principal{}, false
}

// key is the API key with the first half of a digest.
func (s *state) key(id keyID) (keyEntry, bool) {
	for ; s != nil; s = s.below {
		if key, ok := s.keys[id]; ok {
			return key, !key.principal.IsZero()
		}
	}
	return keyEntry{}, false
}

// owner is the principal that an API key speaks for. It takes the same time for a wrong second half of the digest as
// for a right one; nobody can choose digests byte by byte anyway, as they are those of SHA-256.
func (s *state) owner(d digest) (journal.ID, bool) {
	key, ok := s.key(d.id())
	if !ok || subtle.ConstantTimeCompare(key.digest[:], d[:]) != 1 {
		return journal.ID{}, false
	}
	return key.principal, true
}

// eachKey calls fn for every key that speaks for somebody.
func (s *state) eachKey(fn func(keyEntry)) {
	if s.below != nil {
		s.below.eachKey(func(key keyEntry) {
			if _, changed := s.keys[key.digest.id()]; !changed {
				fn(key)
			}
		})
	}
	for _, key := range s.keys {
		if !key.principal.IsZero() {
			fn(key)
		}
	}
}

// keysOf are the digests of a principal's keys, in their own order.
func (s *state) keysOf(principal journal.ID) (digests [][]byte) {
	s.eachKey(func(key keyEntry) {
		if key.principal == principal {
			digests = append(digests, key.digest[:])
		}
	})
	slices.SortFunc(digests, bytes.Compare)
	return digests
}

// bootstrapKeys are the first principals of tenants for which a key still speaks, in the order of their ids.
func (s *state) bootstrapKeys() []Who {
	found := map[journal.ID]Who{}
	s.eachKey(func(key keyEntry) {
		if p, ok := s.principal(key.principal); ok && p.Origin == OriginBootstrap {
			found[key.principal] = Who{Tenant: p.Tenant, Principal: key.principal}
		}
	})
	return slices.SortedFunc(maps.Values(found), func(a, b Who) int {
		return bytes.Compare(a.Principal[:], b.Principal[:])
	})
}

// permission says where a principal may do a. A principal that does not exist, is another tenant's, or whose every key
// was revoked may do nothing.
func (s *state) permission(who Who, a Action) Permission {
	row, ok := s.principal(who.Principal)
	if !ok || row.Tenant != who.Tenant {
		return Permission{}
	}
	return row.permission(a)
}

func (p principal) permission(a Action) (out Permission) {
	if p.Revoked {
		return out
	}
	for _, g := range p.Grants {
		switch {
		case !g.Role.permits(a):
		case g.Series == "":
			out.All = true
		default:
			out.Series = append(out.Series, g.Series)
		}
	}
	return out
}

// apply takes an event into the state. It refuses what the reducers refuse, which no log holds.
func (s *state) apply(rec journal.Record) error {
	var err error
	switch rec.Type {
	case string(PrincipalCreated):
		err = applyData(rec, s.createPrincipal)
	case string(KeyAdded):
		err = applyData(rec, s.addKey)
	case string(KeyRevoked):
		err = applyData(rec, s.revokeKey)
	default:
		err = fmt.Errorf("event type %s is not one of principals and keys", rec.Type)
	}
	if err != nil {
		return fmt.Errorf("event %d: %w: %w", rec.Index, journal.ErrDamaged, err)
	}
	s.begun, s.at, s.count, s.leaf = true, rec.Index, s.count+1, leafOf(rec)
	return nil
}

func applyData[D any](rec journal.Record, apply func(journal.Entry, D) error) error {
	var data D
	if err := json.Unmarshal(rec.Data, &data); err != nil {
		return fmt.Errorf("reading the data of %s: %w", rec.Type, err)
	}
	return apply(rec.Entry, data)
}

func (s *state) createPrincipal(e journal.Entry, d PrincipalCreatedData) error {
	if _, there := s.principal(d.Principal); there {
		return errPrincipalTwice
	}
	s.principals[d.Principal] = newPrincipal(e, d)
	return nil
}

func (s *state) addKey(_ journal.Entry, d KeyAddedData) error {
	if len(d.Digest) != digestSize {
		return errDigestSize
	}
	p, known := s.principal(d.Principal)
	if !known {
		return errNoPrincipal
	}
	added := keyEntry{digest(d.Digest), d.Principal}
	if _, there := s.key(added.digest.id()); there {
		return errKeyTwice
	}
	s.keys[added.digest.id()] = added
	s.principals[d.Principal] = p.withKey()
	return nil
}

func (s *state) revokeKey(_ journal.Entry, d KeyRevokedData) error {
	if len(d.Digest) != digestSize {
		return errDigestSize
	}
	p, known := s.principal(d.Principal)
	if id, there := s.owner(digest(d.Digest)); !known || !there || id != d.Principal {
		return errNoKey
	}
	if id := digest(d.Digest).id(); s.below == nil {
		delete(s.keys, id)
	} else {
		s.keys[id] = keyEntry{digest: digest(d.Digest)}
	}
	s.principals[d.Principal] = p.withoutKey()
	return nil
}

// row is what the row of a table must be; nil for none.
func (s *state) row(t journal.Table, key []byte) ([]byte, error) {
	switch {
	case t == principalTable && len(key) == len(journal.ID{}):
		if p, known := s.principal(journal.ID(key)); known {
			return json.Marshal(p)
		}
	case t == keyTable && len(key) == keyRow:
		if found, known := s.key(keyID(key)); known {
			return json.Marshal(apiKey{Digest: found.digest[:], Principal: found.principal})
		}
	}
	return nil, nil
}

// rows are the keys of the rows that a table must have. It is asked of a state that stands above no other.
func (s *state) rows(t journal.Table) (keys [][]byte) {
	if t == principalTable {
		for id := range s.principals {
			keys = append(keys, id[:])
		}
		return keys
	}
	for id := range s.keys {
		keys = append(keys, id[:])
	}
	return keys
}
