package vault

import (
	"time"

	"muniment/anchor/journal"
)

// Rules are what the vault asks before it files a document. Package retention implements them. Its methods are called
// inside decide: they only read.
type Rules interface {
	// File says under which rules a document may be filed now. An empty series means the tenant's default one.
	// ErrNoSeries when the tenant has no such series.
	File(r journal.Reader, tenant, series string) (Filing, error)
	// MayErase returns nil if a document may be destroyed now, else why not: an error that wraps ErrRetained.
	MayErase(r journal.Reader, tenant string, id journal.ID) error
	// NewTenant returns the events that a new tenant begins with, its default series among them. They are committed by
	// an actor of that tenant.
	NewTenant() []journal.Event
}

// Filing is the rules' answer.
type Filing struct {
	Series string
	// Scheduled says that a schedule item applies. A document in an unscheduled series can never be destroyed.
	Scheduled bool
	// RetainUntil is when the document may be destroyed at the earliest; zero while that is not known.
	RetainUntil time.Time
	// Immutable demands that the store was seen to enforce its locks (WORM): else the deposit is refused with
	// ErrNotImmutable.
	Immutable bool
}
