package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"muniment/vault/keys"
)

// Envelope is a row whose keys have been wrapped and whose text is still to come: a deposit knows its keys before the
// content is read, and its text only afterwards. It seals once.
type Envelope struct {
	binding []byte
	wrapped string
	rowKey  keys.Secret
}

// ErrSealed says that an envelope was used twice: under one row key there is one text.
var ErrSealed = errors.New("the envelope has been sealed already")

// Address wraps the keys of each item for the tenant, in order, together with a fresh row key each; the items' texts
// are not looked at. It makes one call to the key service, whose errors it wraps; all or none.
func Address(ctx context.Context, svc keys.Service, tenant string, items []Item) ([]*Envelope, error) {
	if len(items) == 0 {
		return nil, nil
	}
	payloads := make([]keys.Secret, len(items))
	defer func() {
		for _, p := range payloads {
			clear(p)
		}
	}()
	out := make([]*Envelope, len(items))
	for i, item := range items {
		if len(item.Binding) == 0 {
			return nil, fmt.Errorf("sealing row %d of %d: it has no binding", i+1, len(items))
		}
		rowKey := make([]byte, rowKeySize)
		rand.Read(rowKey) // never fails: it ends the process instead
		payloads[i] = fields(item.Binding, item.Keyset, item.Salt, rowKey)
		out[i] = &Envelope{binding: item.Binding, rowKey: rowKey}
	}
	wrapped, err := svc.Wrap(ctx, tenant, payloads)
	if err != nil {
		return nil, fmt.Errorf("sealing %d rows: %w", len(items), err)
	}
	if len(wrapped) != len(items) {
		return nil, fmt.Errorf("sealing rows: the key service wrapped %d of %d", len(wrapped), len(items))
	}
	for i := range out {
		out[i].wrapped = wrapped[i]
	}
	return out, nil
}

// Seal puts the text into the envelope and returns the row. The row key is forgotten: ErrSealed the second time.
func (e *Envelope) Seal(text []byte) ([]byte, error) {
	if e.rowKey == nil {
		return nil, fmt.Errorf("sealing a row: %w", ErrSealed)
	}
	aead, err := rowCipher(e.rowKey)
	if err != nil {
		return nil, fmt.Errorf("sealing a row: %w", err)
	}
	clear(e.rowKey)
	e.rowKey = nil
	return formatRow([]byte(e.wrapped), aead.Seal(nil, nil, text, rowData(e.binding))), nil
}

// Discard forgets the row key of an envelope that nothing will be sealed in.
func (e *Envelope) Discard() {
	clear(e.rowKey)
	e.rowKey = nil
}

// Format keeps the row key out of whatever prints an Envelope.
func (e *Envelope) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "[envelope]") }
