package journal

import (
	"context"
	"encoding/json"
	"fmt"
)

// KeyChanged is the event from which on another shipping key authenticates the journal. All of the history is shipped
// again under it, so that whoever has learned the earlier one can forge nothing that is believed.
const KeyChanged Type[KeyChangedData] = "journal.key_changed/1"

// KeyChangedData is the data of journal.key_changed/1.
type KeyChangedData struct {
	Shipping ShippingKeyAt `json:"shipping"`
}

// NextShippingKey draws the next shipping key, wraps it and stores the wrapped key, and returns the event that makes it
// the journal's, for the caller to commit. A key that was drawn and whose event was never committed is drawn no second
// time. ErrKeysUnavailable.
func (j *Journal) NextShippingKey(ctx context.Context) (Event, error) {
	if j.provisional.Load() {
		return Event{}, fmt.Errorf("drawing a shipping key: %w", ErrKeysUnavailable)
	}
	number := j.key.Load().number + 1
	_, wrapped, err := j.bucket.keys.draw(ctx, number, j.cfg.Rand)
	if err != nil {
		return Event{}, err
	}
	return KeyChanged.New(ID{}, KeyChangedData{Shipping: shippingKeyAt(number, wrapped)}), nil
}

// Reshipping tells how many of how many entries are shipped again under another shipping key; both are 0 when none are.
// Nothing newer is released until all are.
func (j *Journal) Reshipping() (done, of uint64) {
	if at := j.reshipping.Load(); at != nil {
		return at.next, at.of
	}
	return 0, 0
}

// ShippingKey is the number of the key that authenticates the heads of the log, and of the one that the release bucket
// is under: a smaller one while the history is being shipped again.
func (j *Journal) ShippingKey() (current, shipped int) {
	return j.key.Load().number, j.swapped.Load().Key
}

// changeKey takes the shipping key that an event names for the heads from then on: it must be the next one.
func (g *group) changeKey(ctx context.Context, j *Journal, raw json.RawMessage) error {
	var data KeyChangedData
	if err := json.Unmarshal(raw, &data); err != nil {
		return fmt.Errorf("reading the data of %s: %w", KeyChanged, err)
	}
	if data.Shipping.Number != g.key.number+1 {
		return fmt.Errorf("shipping key %d cannot follow key %d", data.Shipping.Number, g.key.number)
	}
	key, err := j.bucket.keys.get(ctx, data.Shipping.Number)
	if err != nil {
		return err
	}
	wrapped := j.bucket.keys.copyOf(key.number)
	if shippingKeyAt(key.number, wrapped) != data.Shipping {
		return fmt.Errorf("shipping key %d is not the one that its event names: %w", key.number, errUnauthentic)
	}
	g.key = key
	g.set(shippingKeyTable, shippingKeyRow(key.number), []byte(wrapped))
	return nil
}

// checkKeyOf refuses a replayed event about a shipping key that is newer than the one which authenticates its batch:
// from that event on nothing is shipped under an earlier one.
func checkKeyOf(b *body, batchKey int) error {
	if b.Type != string(KeyChanged) {
		return nil
	}
	var data KeyChangedData
	if err := json.Unmarshal(b.Data, &data); err != nil {
		return fmt.Errorf("reading the data of %s: %w", KeyChanged, err)
	}
	if data.Shipping.Number > batchKey {
		return fmt.Errorf("a change to shipping key %d stands in a batch under key %d: %w",
			data.Shipping.Number, batchKey, errUnauthentic)
	}
	return nil
}
