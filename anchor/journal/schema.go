package journal

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// schema is the event types that a journal knows.
type schema struct {
	types   map[string]Definition
	log     *slog.Logger
	allowed *allowance // asks about each event of a check; nil otherwise
}

func newSchema(definitions []Definition, log *slog.Logger) (*schema, error) {
	s := &schema{types: map[string]Definition{}, log: log}
	for _, d := range append(ownDefinitions(), definitions...) {
		if _, twice := s.types[d.Type]; twice || !plain(d.Type, 1, 64) || d.reduce == nil {
			return nil, fmt.Errorf("event type %q: defined twice, without a reducer, or badly named", d.Type)
		}
		s.types[d.Type] = d
	}
	return s, nil
}

// reduce runs the reducer of an event. A reducer that fails or panics spoils its own commit only.
func (s *schema) reduce(w *Writer, typ string, data json.RawMessage) (err error) {
	d, known := s.types[typ]
	if !known {
		return fmt.Errorf("event type %s is not known: a newer program is needed, or it was never defined", typ)
	}
	defer func() {
		if recover() != nil {
			err = s.panicked()
		}
	}()
	if err := d.reduce(w, w.entry, data); err != nil {
		return fmt.Errorf("reducing %s: %w", typ, err)
	}
	return nil
}

// touches runs the reducer of an event for the sealed rows that it names, and for nothing else: it goes as far as its
// first look into a table.
func (s *schema) touches(b *body) ([]touch, error) {
	w := &Writer{entry: b.Entry}
	if err := s.reduce(w, b.Type, b.Data); err != nil && !w.hasLooked {
		return nil, err
	}
	return w.touched, nil
}

// panicked logs the stack of a panic. It leaves the panic's value out, which may carry somebody's data.
func (s *schema) panicked() error {
	s.log.Error("a decide function or reducer panicked", "stack", string(debug.Stack()))
	return ErrPanic
}

// created is the first event of every journal.
const created Type[Created] = "journal.created/1"

// Created is the data of journal.created/1.
type Created struct {
	Journal ID     `json:"journal"` // the journal id, which stays the same under every later origin
	Origin  string `json:"origin"`
	Key     string `json:"key"` // the verifier key of the checkpoints, as golang.org/x/mod/sumdb/note writes it
	// Shipping is the key that authenticates what is shipped and the heads of the log.
	Shipping ShippingKeyAt `json:"shipping"`
}

// ownDefinitions are the journal's own event types.
func ownDefinitions() []Definition {
	nothing := func(*Writer, Entry) error { return nil }
	return []Definition{
		created.On(func(w *Writer, e Entry, _ Created) error { return nothing(w, e) }),
		clockStepped.On(reduceStepped),
		clockStopped.On(reduceStopped),
		clockSettled.On(func(w *Writer, e Entry, _ ClockSettled) error { return nothing(w, e) }).Quiet(),
		clockConfirmed.On(reduceConfirmed),
		TimeAcknowledged.On(reduceAcknowledged),
		settled.On(reduceSettled).Quiet(),
		KeyChanged.On(func(w *Writer, e Entry, _ KeyChangedData) error { return nothing(w, e) }),
		lossAccepted.On(reduceLossAccepted),
		batchesLost.On(func(w *Writer, e Entry, _ BatchesLost) error { return nothing(w, e) }),
		batchesRestored.On(func(w *Writer, e Entry, _ BatchesRestored) error { return nothing(w, e) }),
		readsUnfenced.On(func(w *Writer, e Entry, _ ReadsUnfenced) error { return nothing(w, e) }),
	}
}
