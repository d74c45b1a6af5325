package journal

import "bytes"

// rowCache holds the rows that a group's decide functions have decoded: all of them read the principal, and most the
// same few documents. A row that was written since has other bytes and is decoded again. A nil cache holds nothing.
type rowCache map[cacheKey]cachedRow

type cacheKey struct {
	table Table
	key   string
}

type cachedRow struct {
	raw   []byte
	value any
}

// maxCached bounds the rows of a cache, which lasts for one group.
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
