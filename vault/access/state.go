package access

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

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
	begun bool         // there was an event
	at    uint64       // the index of the newest one
	count uint64       // how many there were
	leaf  journal.Hash // its entry, which holds 16 random bytes: no other history has the same one in its place

	principals *layer[journal.ID, principal]
	apiKeys    *layer[keyID, apiKey]
	tenancies  *layer[string, tenancy]
}

func newState() *state {
	return &state{
		principals: newLayer[journal.ID, principal](nil), apiKeys: newLayer[keyID, apiKey](nil),
		tenancies: newLayer[string, tenancy](nil),
	}
}

// above is a state that begins as s, and leaves it as it is.
func (s *state) above() *state {
	return &state{
		begun: s.begun, at: s.at, count: s.count, leaf: s.leaf,
		principals: newLayer(s.principals), apiKeys: newLayer(s.apiKeys), tenancies: newLayer(s.tenancies),
	}
}

// apply takes an event into the state. It refuses what the reducers refuse, which no log holds.
func (s *state) apply(rec journal.Record) error {
	change, known := allChanges[rec.Type]
	if !known {
		return fmt.Errorf("event %d: %w: event type %s is not one of principals and keys", rec.Index,
			journal.ErrDamaged, rec.Type)
	}
	if err := change.apply(memoryTables{s}, rec.Entry, rec.Data); err != nil {
		return fmt.Errorf("event %d: %w: %w", rec.Index, journal.ErrDamaged, err)
	}
	s.begun, s.at, s.count, s.leaf = true, rec.Index, s.count+1, leafOf(rec)
	return nil
}

// memoryTables are the tables in memory.
type memoryTables struct{ *state }

func (t memoryTables) principal(id journal.ID) (principal, bool, error) {
	p, ok := t.principals.get(id)
	return p, ok, nil
}

func (t memoryTables) putPrincipal(id journal.ID, p principal) error {
	t.principals.put(id, p)
	return nil
}

func (t memoryTables) key(id keyID) (apiKey, bool, error) {
	key, ok := t.apiKeys.get(id)
	return key, ok, nil
}

func (t memoryTables) putKey(id keyID, key apiKey) error {
	t.apiKeys.put(id, key)
	return nil
}

func (t memoryTables) deleteKey(id keyID) error {
	t.apiKeys.delete(id)
	return nil
}

func (t memoryTables) keys() (map[keyID]apiKey, error) { return maps.Collect(t.apiKeys.all()), nil }

func (t memoryTables) tenancy(tenant string) (tenancy, bool, error) {
	row, ok := t.tenancies.get(tenant)
	return row, ok, nil
}

func (t memoryTables) putTenancy(tenant string, row tenancy) error {
	t.tenancies.put(tenant, row)
	return nil
}

func (memoryTables) bind([]byte) error { return nil }

func (memoryTables) unbind([]byte) error { return nil }

func (memoryTables) wait(string, time.Time, time.Time) error { return nil }

func (memoryTables) waited(uint64, time.Time) error { return nil }

// key is the API key with this digest. It takes the same time for a wrong second half of the digest as for a right one;
// nobody can choose digests byte by byte anyway, as they are those of SHA-256.
func (s *state) key(d digest) (apiKey, bool) {
	key, ok := s.apiKeys.get(d.id())
	if !ok || subtle.ConstantTimeCompare(key.Digest, d[:]) != 1 {
		return apiKey{}, false
	}
	return key, true
}

// keysOf are a principal's keys, in the order of their digests.
func (s *state) keysOf(id journal.ID) (found []apiKey) {
	for _, key := range s.apiKeys.all() {
		if key.Principal == id {
			found = append(found, key)
		}
	}
	slices.SortFunc(found, func(a, b apiKey) int { return bytes.Compare(a.Digest, b.Digest) })
	return found
}

// of is a principal of a tenant.
func (s *state) of(who Who) (principal, bool) {
	p, ok := s.principals.get(who.Principal)
	return p, ok && p.Tenant == who.Tenant
}

// permission says where a principal may do a. A principal that does not exist, is another tenant's, or whose every key
// was revoked may do nothing.
func (s *state) permission(who Who, a Action) Permission {
	p, ok := s.of(who)
	if !ok {
		return Permission{}
	}
	return p.permission(a)
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

// row is what the row of a table must be; nil for none.
func (s *state) row(t journal.Table, key []byte) ([]byte, error) {
	switch {
	case t == principalTable && len(key) == len(journal.ID{}):
		return marshalFound(s.principals, journal.ID(key))
	case t == keyTable && len(key) == keyRow:
		return marshalFound(s.apiKeys, keyID(key))
	case t == tenancyTable:
		return marshalFound(s.tenancies, string(key))
	}
	return nil, nil
}

func marshalFound[K comparable, V any](l *layer[K, V], key K) ([]byte, error) {
	v, ok := l.get(key)
	if !ok {
		return nil, nil
	}
	return json.Marshal(v)
}

// rows are the keys of the rows that a table must have.
func (s *state) rows(t journal.Table) (keys [][]byte) {
	switch t {
	case principalTable:
		for id := range s.principals.all() {
			keys = append(keys, id[:])
		}
	case keyTable:
		for id := range s.apiKeys.all() {
			keys = append(keys, id[:])
		}
	case tenancyTable:
		for tenant := range s.tenancies.all() {
			keys = append(keys, []byte(tenant))
		}
	}
	return keys
}
