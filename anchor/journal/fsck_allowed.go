package journal

import (
	"encoding/json"
	"maps"
	"slices"
)

// Allowed says why the actor of an event may not have caused it; nil if it may. r has what the events before it have
// left: Allowed is asked before the event's reducer runs, in the order of the log.
type Allowed func(r Reader, e Entry, typ string, data json.RawMessage) error

// allowance asks about each event of a replay and keeps the answers. A transaction that is run again asks again.
type allowance struct {
	ask     Allowed
	refused map[uint64]error
}

// newAllowance is nil, which asks nothing, when ask is.
func newAllowance(ask Allowed) *allowance {
	if ask == nil {
		return nil
	}
	return &allowance{ask: ask, refused: map[uint64]error{}}
}

func (a *allowance) judge(r Reader, b *body) {
	if a == nil {
		return
	}
	delete(a.refused, b.Index)
	if err := a.ask(r, b.Entry, b.Type, b.Data); err != nil {
		a.refused[b.Index] = err
	}
}

// report adds a finding for each event that its actor was not allowed to cause.
func (a *allowance) report(f *fsck) {
	if a == nil {
		return
	}
	for _, at := range slices.Sorted(maps.Keys(a.refused)) {
		f.found(bodyTable, indexKey(at), "its actor was not allowed to do it: %v", a.refused[at])
	}
}

// Types are the event types that a journal with these definitions knows, its own included, in the order of their names.
func Types(definitions []Definition) []string {
	var types []string
	for _, d := range append(ownDefinitions(), definitions...) {
		types = append(types, d.Type)
	}
	slices.Sort(types)
	return types
}
