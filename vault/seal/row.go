package seal

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"muniment/vault/keys"
)

var (
	// ErrRow says that a sealed row is damaged, or stands in another row's place.
	ErrRow = errors.New("the sealed row is damaged, or another row's")
	// ErrNewer says that a newer program wrote the row.
	ErrNewer = errors.New("the sealed row is of a newer format")
)

// A sealed row is
//
//	"MSR" ‖ format, one byte ‖ length of the wrapped payload, four bytes, big endian ‖ wrapped payload ‖ ciphertext
//
// The payload, in the clear, is four fields, each behind its length as four bytes: binding, content keyset, salt, row
// key. The ciphertext is AES-256-GCM under the row key, nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes), as in Tink's
// raw keys; its associated data are the first four bytes of the row and the binding. The binding stands in the payload
// too because Vault's rewrap refuses ciphertext that was made with associated data.
const (
	rowMagic   = "MSR"
	rowVersion = 1
	rowHeader  = rowMagic + string(rune(rowVersion))
	rowKeySize = 32
)

// Item is what one sealed row keeps.
type Item struct {
	Binding      []byte      // from Binding or RowBinding; never empty
	Keyset, Salt keys.Secret // a document's; nil for other rows
	Text         []byte      // whatever must be erasable
}

// Text seals free text that stands by itself, in a row of its own.
func Text(ctx context.Context, svc keys.Service, tenant string, binding, text []byte) ([]byte, error) {
	values, err := Seal(ctx, svc, tenant, []Item{{Binding: binding, Text: text}})
	if err != nil {
		return nil, fmt.Errorf("sealing a row: %w", err)
	}
	return values[0], nil
}

// Seal seals each item for the tenant, in order, under a fresh row key each. It makes one call to the key service,
// whose errors it wraps; all or none.
func Seal(ctx context.Context, svc keys.Service, tenant string, items []Item) ([][]byte, error) {
	envelopes, err := Address(ctx, svc, tenant, items)
	if err != nil {
		return nil, err
	}
	var rows [][]byte
	for i, item := range items {
		row, err := envelopes[i].Seal(item.Text)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Sealed is a sealed row with the binding that it must have.
type Sealed struct {
	Binding []byte
	Value   []byte
}

// Opened is what one sealed row kept, or why it cannot be told: ErrRow, ErrNewer, or the key service's reason.
type Opened struct {
	Keyset, Salt keys.Secret // nil when the item had none
	Text         []byte
	Err          error
}

// Open opens rows of the tenant, in order, with one call to the key service. A row that cannot be opened has its own
// Err and spoils no other; the returned error is the key service's, for all.
func Open(ctx context.Context, svc keys.Service, tenant string, rows []Sealed) ([]Opened, error) {
	out := make([]Opened, len(rows))
	var wrapped []string
	var texts [][]byte
	var at []int
	for i, row := range rows {
		w, text, err := parseRow(row.Value)
		if err != nil {
			out[i].Err = err
			continue
		}
		wrapped, texts, at = append(wrapped, string(w)), append(texts, text), append(at, i)
	}
	if len(wrapped) == 0 {
		return out, nil
	}
	unwrapped, err := svc.Unwrap(ctx, tenant, wrapped)
	if err != nil {
		return nil, fmt.Errorf("opening %d sealed rows: %w", len(rows), err)
	}
	if len(unwrapped) != len(wrapped) {
		return nil, fmt.Errorf("opening sealed rows: the key service unwrapped %d of %d", len(unwrapped), len(wrapped))
	}
	for k, u := range unwrapped {
		if u.Err != nil {
			out[at[k]].Err = fmt.Errorf("opening a sealed row: %w", u.Err)
			continue
		}
		out[at[k]] = openRow(rows[at[k]].Binding, u.Secret, texts[k])
	}
	return out, nil
}

func openRow(binding []byte, payload keys.Secret, text []byte) Opened {
	var bound, content, salt, rowKey []byte
	if !split(payload, &bound, &content, &salt, &rowKey) || len(rowKey) != rowKeySize {
		return Opened{Err: ErrRow}
	}
	defer clear(rowKey)
	if subtle.ConstantTimeCompare(bound, binding) != 1 {
		return Opened{Err: ErrRow}
	}
	aead, err := rowCipher(rowKey)
	if err != nil {
		return Opened{Err: fmt.Errorf("opening a sealed row: %w", err)}
	}
	plain, err := aead.Open(nil, nil, text, rowData(binding))
	if err != nil {
		return Opened{Err: ErrRow}
	}
	return Opened{Keyset: secret(content), Salt: secret(salt), Text: plain}
}

// secret gives nil for a field that was nil.
func secret(field []byte) keys.Secret {
	if len(field) == 0 {
		return nil
	}
	return field
}

// rowCipher draws its nonces inside the cryptographic module, so it also runs under GODEBUG=fips140=only.
func rowCipher(rowKey []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(rowKey)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func rowData(binding []byte) []byte { return append([]byte(rowHeader), binding...) }

func formatRow(wrapped, text []byte) []byte {
	row := make([]byte, 0, len(rowHeader)+4+len(wrapped)+len(text))
	row = append(row, rowHeader...)
	row = binary.BigEndian.AppendUint32(row, uint32(len(wrapped)))
	row = append(row, wrapped...)
	return append(row, text...)
}

func parseRow(row []byte) (wrapped, text []byte, err error) {
	rest, ok := bytes.CutPrefix(row, []byte(rowMagic))
	if !ok || len(rest) < 1+4 || rest[0] == 0 {
		return nil, nil, ErrRow
	}
	if v := rest[0]; v > rowVersion {
		return nil, nil, fmt.Errorf("%w: a program that reads format %d is needed, this one reads up to %d",
			ErrNewer, v, rowVersion)
	}
	n := uint64(binary.BigEndian.Uint32(rest[1:]))
	rest = rest[5:]
	if n == 0 || n > uint64(len(rest)) {
		return nil, nil, ErrRow
	}
	return rest[:n], rest[n:], nil
}
