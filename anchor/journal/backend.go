package journal

import (
	"context"
	"errors"
)

// ErrUnknown says that a transaction may or may not have been made durable. A Backend returns it, wrapped, for a sync
// that failed or a connection lost during COMMIT; the journal then reads the head again before it says anything to
// anybody.
var ErrUnknown = errors.New("the outcome of the transaction is unknown")

// Stop ends a Scan early without an error.
var Stop = errors.New("stop scanning") //nolint:revive // not an error, but the way to end a scan, like fs.SkipAll

// Range is a half-open range of keys in byte order. A nil From starts at the first key, a nil To ends after the last.
type Range struct {
	From, To []byte
	Reverse  bool
}

// Prefix is the range of all keys that start with p.
func Prefix(p []byte) Range {
	to := append([]byte(nil), p...)
	for i := len(to) - 1; i >= 0; i-- {
		if to[i]++; to[i] != 0 {
			return Range{From: p, To: to[:i+1]}
		}
	}
	return Range{From: p}
}

// Reader reads rows. Slices that it returns are valid inside the callback only and must not be changed.
type Reader interface {
	// Get returns a row's value, or nil when there is no such row. A value is never empty.
	Get(t Table, key []byte) ([]byte, error)
	// Scan calls fn for each row of r in the order of keys, until fn returns an error. Stop ends it without one.
	Scan(t Table, r Range, fn func(key, value []byte) error) error
}

// Txn reads and writes rows.
type Txn interface {
	Reader
	// Put writes a row. Both key and value are copied or written before Put returns.
	Put(t Table, key, value []byte) error
	// Delete removes a row; it is no error if there is none.
	Delete(t Table, key []byte) error
}

// Backend is an ordered key-value store with transactions. Its obligations:
//
//   - Update transactions are serialized, across processes too: a backend with several writers first locks the head
//     row, so fn sees every earlier commit. It may run fn again after an abort; fn must not keep anything from an
//     earlier run.
//   - When Update returns nil, the transaction is on stable storage. When it returns an error, it left nothing behind,
//     unless the error wraps ErrUnknown. An error of fn aborts the transaction and is returned as it is.
//   - fn may Get, Scan, Put and Delete inside a Scan's callback; the rows passed may be deleted or rewritten. An error
//     that wraps Stop ends a scan as Stop does. Both methods honour ctx.
//   - Keys are of 1 to MaxKey bytes, values of 1 to MaxValue.
//   - View gives a snapshot that does not change during fn and never blocks, or is blocked by, an Update for long.
//   - A full disk is reported as an error that wraps ErrFull, with nothing written.
type Backend interface {
	View(ctx context.Context, fn func(Reader) error) error
	Update(ctx context.Context, fn func(Txn) error) error
	// Tables names every table in which there is a row, whoever wrote it.
	Tables(ctx context.Context) ([]Table, error)
	Close() error
}

// Checker is a [Backend] that can check its own structure, which holds its rows.
type Checker interface {
	// CheckStructure calls found for each fault, with where it is. It changes nothing; nothing may be written
	// meanwhile.
	CheckStructure(ctx context.Context, found func(where, problem string)) error
}

// Kind says who writes a table's rows, and what can be rebuilt from what.
type Kind byte

// The five kinds of rows; there is no sixth.
const (
	Log        Kind = 'l' // bodies, tree tiles, head: written by Commit; shipped
	Projection Kind = 'p' // written by reducers; a replay gives the same bytes
	Sealed     Kind = 's' // ciphertext of what must be erasable; shipped; events bind its presence
	Index      Kind = 'i' // lookup tokens; never shipped, rebuilt from sealed rows
	Volatile   Kind = 'v' // leases, attempts, what is not shipped yet; neither shipped nor replayed
)

// Table names a table. Its kind is part of its identity.
type Table struct {
	Kind Kind
	Name string // lower-case letters, digits, '.', '_'
}

// String is the table's name in the backend and in messages: "p.documents".
func (t Table) String() string { return string(t.Kind) + "." + t.Name }
