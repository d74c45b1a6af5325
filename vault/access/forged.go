package access

import (
	"encoding/json"
	"errors"
	"fmt"

	"muniment/anchor/journal"
)

// ErrForged says that a row, by which it would be decided about an act that cannot be undone, is not what the events
// say that it names: somebody has written to the database. It wraps journal.ErrDamaged.
var ErrForged = fmt.Errorf("a row that decides about this is not what its events say: %w", journal.ErrDamaged)

// EventAt reads the event at an index that a row names, and proves it. ErrForged if none is there, or it is another
// tenant's or of another type.
func EventAt[D any](p *journal.Prover, tenant string, t journal.Type[D], at uint64) (e journal.Entry, data D,
	err error) {
	rec, err := p.Record(at)
	if errors.Is(err, journal.ErrNotFound) {
		err = ErrForged
	}
	if err != nil {
		return e, data, err
	}
	if rec.Type != string(t) || rec.Tenant != tenant {
		return e, data, ErrForged
	}
	if err := json.Unmarshal(rec.Data, &data); err != nil {
		return e, data, fmt.Errorf("reading the data of %s: %w", t, err)
	}
	return rec.Entry, data, nil
}
