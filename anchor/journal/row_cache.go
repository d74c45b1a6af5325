package journal

import "bytes"

// memo remembers the rows that a group's decides have decoded: all of them ask for the principal, and most for the same
// few documents. A row that was written meanwhile has other bytes and is decoded again. A nil memo remembers nothing.
type rowCache map[cacheKey]cachedRow

type cacheKey struct {
	table Table
	key   string
}

type cachedRow struct {
	raw   []byte
	value any
}

// maxCached bounds how much is remembered; a group is over soon.
const maxCached = 1024

func cached[V any](m rowCache, t Table, key, raw []byte) (v V, ok bool) {
	if m == nil {
		return v, false
	}
	row, ok := m[cacheKey{t, string(key)}]
	if !ok || !bytes.Equal(row.raw, raw) {
		return v, false
	}
	v, ok = row.value.(V)
	return v, ok
}

func (m rowCache) store(t Table, key, raw []byte, v any) {
	if m != nil && len(m) < maxCached {
		m[cacheKey{t, string(key)}] = cachedRow{bytes.Clone(raw), v}
	}
}
