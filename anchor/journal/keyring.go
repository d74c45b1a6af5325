package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// keyPrefix begins the names of the wrapped shipping keys in the release bucket: "key/1".
const keyPrefix = "key/"

// shippingKeyTable has the wrapped shipping keys: number in four bytes → wrapped. The bucket and every backup have
// copies.
var shippingKeyTable = Table{Volatile, "shipping_key"}

// ShippingKeyAt names a wrapped shipping key in the event from which on it authenticates the journal.
type ShippingKeyAt struct {
	Number int  `json:"number"`
	Digest Hash `json:"digest"` // SHA-256 of the wrapped key
}

// keyring has the shipping keys of one journal, unwrapped when they are first asked for. Its methods may be called
// concurrently.
type keyring struct {
	service ShippingKeys
	bucket  Bucket
	backend Backend // nil where there is only a bucket

	mu      sync.Mutex
	journal ID // zero until it is known
	keys    map[int]*shippingKey
	wrapped map[int]string // the copies that the keys were unwrapped from
}

func newKeyring(service ShippingKeys, bucket Bucket, backend Backend, journal ID) *keyring {
	return &keyring{service: service, bucket: bucket, backend: backend, journal: journal, keys: map[int]*shippingKey{},
		wrapped: map[int]string{}}
}

// get returns the key of a number. A ring that does not know its journal yet learns it from the first key: the key
// service vouches for what it unwraps. ErrKeysUnavailable; errUnauthentic if there is no such key of this journal.
func (r *keyring) get(ctx context.Context, number int) (*shippingKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.keys[number]; k != nil {
		return k, nil
	}
	copies, err := r.copies(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("reading shipping key %d: %w", number, err)
	}
	why := errors.New("there is no copy of it")
	for _, wrapped := range copies {
		k, journal, err := r.unwrap(ctx, wrapped)
		if errors.Is(err, ErrKeysUnavailable) {
			return nil, fmt.Errorf("unwrapping shipping key %d: %w", number, err)
		}
		switch {
		case err != nil:
			why = err
		case k.number != number:
			why = fmt.Errorf("the copy is of key %d", k.number)
		case !r.journal.IsZero() && journal != r.journal:
			why = fmt.Errorf("the copy is the key of the journal %s, not %s", journal, r.journal)
		default:
			r.journal, r.keys[number], r.wrapped[number] = journal, k, wrapped
			return k, nil
		}
	}
	return nil, fmt.Errorf("shipping key %d: %w: %w", number, why, errUnauthentic)
}

// copies reads the wrapped copies of a key: the backend's, and the bucket's.
func (r *keyring) copies(ctx context.Context, number int) (copies []string, err error) {
	if r.backend != nil {
		err := r.backend.View(ctx, func(reader Reader) error {
			row, err := reader.Get(shippingKeyTable, shippingKeyRow(number))
			if err == nil && row != nil {
				copies = []string{string(row)}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	raw, _, err := r.bucket.Get(ctx, keyObject(number))
	switch {
	case err == nil:
		copies = append(copies, string(raw))
	case !errors.Is(err, ErrNoObject) && !errors.Is(err, ErrDamaged):
		return nil, err
	}
	return slices.Compact(copies), nil
}

func (r *keyring) unwrap(ctx context.Context, wrapped string) (*shippingKey, ID, error) {
	payload, err := r.service.Unwrap(ctx, wrapped)
	if err != nil {
		return nil, ID{}, err
	}
	journal, k, err := parseShippingKey(payload)
	clear(payload)
	return k, journal, err
}

// copyOf is the wrapped key that the key of a number was unwrapped from; empty if it was not yet.
func (r *keyring) copyOf(number int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wrapped[number]
}

// id is the journal whose keys these are; zero while none has been unwrapped.
func (r *keyring) id() ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.journal
}

// verify checks an HMAC that the key of a number must have made. A nil ring believes everything: what is read through
// it is checked, not authenticated.
func (r *keyring) verify(ctx context.Context, number int, purpose string, data, mac []byte) error {
	if r == nil {
		return nil
	}
	k, err := r.get(ctx, number)
	if err != nil {
		return err
	}
	return k.verify(purpose, data, mac)
}

// verifyRow checks that the key of a number has authenticated a head row.
func (r *keyring) verifyRow(ctx context.Context, number int, row []byte) error {
	key, err := r.get(ctx, number)
	if err != nil {
		return err
	}
	return verifyHeadRow(row, key)
}

// draw makes the key of a number: it puts the wrapped key into the bucket before anything can depend on it. If an
// earlier try that broke off has left one there, it is that one.
func (r *keyring) draw(ctx context.Context, number int, rand io.Reader) (k *shippingKey, wrapped string, err error) {
	k = &shippingKey{number: number, secret: make([]byte, shippingKeySize)}
	if _, err := io.ReadFull(rand, k.secret); err != nil {
		return nil, "", fmt.Errorf("drawing a shipping key: %w", err)
	}
	if wrapped, err = r.service.Wrap(ctx, k.payload(r.id())); err != nil {
		return nil, "", fmt.Errorf("wrapping a shipping key: %w", err)
	}
	_, err = r.bucket.Put(ctx, keyObject(number), []byte(wrapped), "")
	if errors.Is(err, ErrConflict) {
		if k, err = r.get(ctx, number); err != nil {
			return nil, "", err
		}
		return k, r.copyOf(number), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("storing a wrapped shipping key: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[number], r.wrapped[number] = k, wrapped
	return k, wrapped, nil
}

// keepCopies gives the backend and the bucket the wrapped keys that one of them lacks, or has another in the place of.
func (r *keyring) keepCopies(ctx context.Context, log *slog.Logger) error {
	r.mu.Lock()
	wrapped := maps.Clone(r.wrapped)
	r.mu.Unlock()
	for _, number := range slices.Sorted(maps.Keys(wrapped)) {
		whole := []byte(wrapped[number])
		exchanged, err := r.keepInBackend(ctx, number, whole)
		if err == nil {
			var lost bool
			lost, err = r.keepInBucket(ctx, number, whole)
			exchanged = exchanged || lost
		}
		if err != nil && !errors.Is(err, ErrFull) {
			return fmt.Errorf("keeping a wrapped shipping key: %w", err)
		}
		if exchanged {
			log.Error("a copy of the wrapped shipping key was missing from the release bucket, or exchanged "+
				"there or in the database; the whole one is put back", "key", number)
		}
	}
	return nil
}

// keepInBackend says whether the backend had another copy; one that was just restored has none.
func (r *keyring) keepInBackend(ctx context.Context, number int, whole []byte) (exchanged bool, err error) {
	err = r.backend.Update(ctx, func(tx Txn) error {
		row, err := tx.Get(shippingKeyTable, shippingKeyRow(number))
		if err != nil || bytes.Equal(row, whole) {
			return errors.Join(err, errNothing)
		}
		exchanged = row != nil
		return tx.Put(shippingKeyTable, shippingKeyRow(number), whole)
	})
	if errors.Is(err, errNothing) && !errors.Is(err, ErrDamaged) {
		return false, nil
	}
	return exchanged, err
}

// keepInBucket says whether the bucket had no copy, or another one.
func (r *keyring) keepInBucket(ctx context.Context, number int, whole []byte) (lost bool, err error) {
	raw, tag, err := r.bucket.Get(ctx, keyObject(number))
	switch {
	case err == nil && bytes.Equal(raw, whole):
		return false, nil
	case errors.Is(err, ErrDamaged): // what cannot be read has no tag
		if err := r.bucket.Delete(ctx, keyObject(number)); err != nil {
			return true, err
		}
	case err != nil && !errors.Is(err, ErrNoObject):
		return false, err
	}
	_, err = r.bucket.Put(ctx, keyObject(number), whole, tag)
	if errors.Is(err, ErrConflict) { // another process was faster
		return false, nil
	}
	return true, err
}

// at names a wrapped key in an event.
func shippingKeyAt(number int, wrapped string) ShippingKeyAt {
	return ShippingKeyAt{Number: number, Digest: sha256.Sum256([]byte(wrapped))}
}

func shippingKeyRow(number int) []byte { return indexKey(uint64(number)) }

func keyObject(number int) string { return keyPrefix + strconv.Itoa(number) }

// parseKeyObject reads the number out of the name of a wrapped key.
func parseKeyObject(name string) (number int, ok bool) {
	number, err := strconv.Atoi(strings.TrimPrefix(name, keyPrefix))
	return number, err == nil && number > 0 && keyObject(number) == name
}
