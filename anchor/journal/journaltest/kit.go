package journaltest

import (
	"log/slog"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/memory"
)

// Origin is the origin of a Kit's journal.
const Origin = "muniment/test"

// Term is that of leases in tests that are not about leases.
const Term = 30 * time.Millisecond

// Kit is what a journal stands on in a test. It outlives the journal, which can be closed and opened again on it.
type Kit struct {
	Backend *memory.Store
	Bucket  *Bucket
	Clock   *Clock
	Keys    *Keys
	Seed    uint64 // of the randomness; each Open adds one
}

// NewKit is a kit without rows and objects. Its backend runs every transaction twice and discards the first run, so
// that a decide function that keeps something from one run to the next fails its tests.
func NewKit(t testing.TB) *Kit {
	return &Kit{Backend: memory.New(Twice()), Bucket: NewBucket(t), Clock: NewClock(),
		Keys: ShippingKeys()}
}

// Twice makes a memory backend run every transaction's function twice.
func Twice() memory.Config {
	return memory.Config{Abort: func(run int) bool { return run == 1 }}
}

// Open opens a journal with these event types. It is closed when the test ends, if it is not before; a closed one can
// be opened again.
func (k *Kit) Open(t testing.TB, definitions ...journal.Definition) *journal.Journal {
	t.Helper()
	k.Seed++
	k.Backend = k.Backend.Reopen(Twice())
	j, err := journal.Open(t.Context(), journal.Config{
		Backend:     k.Backend,
		Bucket:      k.Bucket,
		Signer:      Signer(),
		Clock:       k.Clock,
		Rand:        Rand(k.Seed),
		Log:         slog.New(slog.NewTextHandler(t.Output(), nil)),
		Definitions: definitions,
		Origin:      Origin,
		ID:          ID,
		Create:      true,
		Place:       k.Backend.Place(),
		Term:        Term,

		ShippingKeys: k.Keys,
	})
	if err != nil {
		t.Fatalf("opening the test's journal: %v", err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// Open opens a journal with these event types on a new kit.
func Open(t testing.TB, definitions ...journal.Definition) *journal.Journal {
	t.Helper()
	return NewKit(t).Open(t, definitions...)
}
