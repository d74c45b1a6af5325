package access

import (
	"maps"
	"slices"
	"time"

	"muniment/anchor/journal"
)

// rowTables are the tables in the database, as a reducer writes them.
type rowTables struct{ w *journal.Writer }

func (t rowTables) principal(id journal.ID) (principal, bool, error) {
	return principals.Get(t.w, id[:])
}

func (t rowTables) putPrincipal(id journal.ID, p principal) error {
	return principals.Put(t.w, id[:], p)
}

func (t rowTables) key(id keyID) (apiKey, bool, error) { return apiKeys.Get(t.w, id[:]) }

func (t rowTables) putKey(id keyID, key apiKey) error { return apiKeys.Put(t.w, id[:], key) }

func (t rowTables) deleteKey(id keyID) error { return apiKeys.Delete(t.w, id[:]) }

func (t rowTables) keys() (map[keyID]apiKey, error) { return allKeys(t.w) }

func (t rowTables) tenancy(tenant string) (tenancy, bool, error) {
	return tenancies.Get(t.w, []byte(tenant))
}

func (t rowTables) putTenancy(tenant string, row tenancy) error {
	return tenancies.Put(t.w, []byte(tenant), row)
}

func (t rowTables) bind(sealed []byte) error { return t.w.Bind(sealed) }

func (t rowTables) unbind(sealed []byte) error { return t.w.Unbind(sealed) }

func (t rowTables) wait(what string, until, lapses time.Time) error {
	return t.w.Wait(what, until, lapses)
}

func (t rowTables) waited(index uint64, until time.Time) error { return t.w.Waited(index, until) }

// allKeys reads the table of keys.
func allKeys(r journal.Reader) (map[keyID]apiKey, error) {
	found := map[keyID]apiKey{}
	err := apiKeys.Scan(r, journal.Range{}, func(at []byte, key apiKey) error {
		found[keyID(at)] = key
		return nil
	})
	return found, err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
