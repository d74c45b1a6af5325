package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// lossAccepted is the first event after a loss that an operator has accepted. The history goes on under a new origin,
// so that no checkpoint is ever signed under the old one that contradicts an earlier one.
const lossAccepted Type[LossAccepted] = "journal.loss_accepted/1"

// LossAccepted is the data of journal.loss_accepted/1.
type LossAccepted struct {
	Lost LostHead `json:"lost"`
	// Unproven says that the lost head is the one that the journal was restored from without a head from outside: it is
	// all there, and what may have followed is not known.
	Unproven bool   `json:"unproven,omitempty"`
	Origin   string `json:"origin"` // the log's name from this entry on
	Key      string `json:"key"`    // the verifier key of the checkpoints from this entry on
	// Shipping is the key that authenticates what is shipped, all of the history, from now on.
	Shipping ShippingKeyAt `json:"shipping"`
}

// LostHead is a head that the journal does not contain any more.
type LostHead struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"` // at least: the lost head may have been larger, at a size that is not known
	// Root is the root of the lost head; zero when it is not known.
	Root Hash `json:"root"`
	// Later says of a head that was seen elsewhere that this journal's key has signed it under an origin which began
	// after this copy was made. It stands in no event.
	Later bool `json:"-"`
}

// Era is a part of the log's history under one origin.
type Era struct {
	From   uint64 // index of the first entry that was written under it
	Origin string
	Key    string // verifier key of its checkpoints
	// Shipping is the shipping key that it began with.
	Shipping ShippingKeyAt
	Lost     *LostHead // the loss after which it began; nil for the first
	// Unproven says that nothing is known to be lost: see LossAccepted.
	Unproven bool
}

// eraTable holds the eras but for the first: index of the event → its data.
var eraTable = Table{Projection, "journal.eras"}

func reduceLossAccepted(w *Writer, e Entry, data LossAccepted) error {
	row, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return w.Put(eraTable, indexKey(e.Index), row)
}

// Eras lists the origins that the log has had, oldest first. There is more than one where a loss was accepted; a
// checkpoint of an earlier one holds for the entries that survived.
func Eras(r Reader) ([]Era, error) {
	first, err := readRecord(r, 0)
	if err != nil {
		return nil, err
	}
	var data Created
	if err := json.Unmarshal(first.Data, &data); err != nil || first.Type != string(created) {
		return nil, fmt.Errorf("the first entry is not %s: %w", created, ErrDamaged)
	}
	eras := []Era{{Origin: data.Origin, Key: data.Key, Shipping: data.Shipping}}
	err = r.Scan(eraTable, Range{}, func(key, row []byte) error {
		at, err := parseIndex(key)
		if err != nil {
			return err
		}
		var data LossAccepted
		if err := json.Unmarshal(row, &data); err != nil {
			return fmt.Errorf("a row of %s cannot be read: %w", eraTable, ErrDamaged)
		}
		eras = append(eras, Era{
			From: at, Origin: data.Origin, Key: data.Key, Shipping: data.Shipping,
			Lost: &data.Lost, Unproven: data.Unproven,
		})
		return nil
	})
	return eras, err
}

// Eras are the origins that the log has had when the journal was opened, oldest first.
func (j *Journal) Eras() []Era { return slices.Clone(j.eras) }

// beginEra appends the event under the new origin and a new shipping key, and deletes the size up to which the old one
// was released.
func (j *Journal) beginEra(ctx context.Context, data LossAccepted) (LossAccepted, error) {
	if err := j.openHead(ctx); err != nil {
		return data, err
	}
	newest, err := newestKey(ctx, j.bucket)
	if err != nil {
		return data, err
	}
	number := max(newest, j.key.Load().number) + 1 // none that the lost history, or anybody, has used
	key, wrapped, err := j.bucket.keys.draw(ctx, number, j.cfg.Rand)
	if err != nil {
		return data, err
	}
	data.Shipping = shippingKeyAt(number, wrapped)
	return data, j.cfg.Backend.Update(ctx, func(tx Txn) error {
		head, ok, err := readHead(tx)
		if err != nil {
			return err
		}
		if !ok {
			return ErrMissing
		}
		if head.Origin == data.Origin {
			return fmt.Errorf("%s is the origin already; name a new one", head.Origin)
		}
		edge, err := loadEdge(tx, head.Size)
		if err != nil {
			return err
		}
		head.Origin = data.Origin
		g := &group{overlay: newOverlay(tx), schema: j.schema, head: head, edge: edge, key: key}
		time, _ := j.time.read(head)
		s := g.begin()
		if err := s.write(j, Actor{System, "operator"}, Change{Events: []Event{lossAccepted.New(ID{}, data)}},
			time); err != nil {
			return err
		}
		s.finish()
		if err := g.recordClock(j, time); err != nil {
			return err
		}
		g.set(shippedTable, shippedKey, nil)
		g.set(shippedTable, shippedUnder, nil)
		g.set(shippingKeyTable, shippingKeyRow(number), []byte(wrapped))
		if err := g.seal(); err != nil {
			return err
		}
		return g.flush(tx)
	})
}
