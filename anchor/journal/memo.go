package journal

import "bytes"

// memo remembers the rows that a group's decides have decoded: all of them ask for the principal, and most for the same
// few documents. A row that was written meanwhile has other bytes and is decoded again. A nil memo remembers nothing.
type memo map[memoKey]memoRow

type memoKey struct {
	table Table
	key   string
}

type memoRow struct {
	raw   []byte
	value any
}

// memoSize bounds how much is remembered; a group is over soon.
const memoSize = 1024

func recall[V any](m memo, t Table, key, raw []byte) (v V, ok bool) {
	if m == nil {
		return v, false
	}
	row, ok := m[memoKey{t, string(key)}]
	if !ok || !bytes.Equal(row.raw, raw) {
		return v, false
	}
	v, ok = row.value.(V)
	return v, ok
}

func (m memo) keep(t Table, key, raw []byte, v any) {
	if m != nil && len(m) < memoSize {
		m[memoKey{t, string(key)}] = memoRow{bytes.Clone(raw), v}
	}
}
