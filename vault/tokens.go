package vault

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/keys"
	"muniment/vault/seal"
)

// indexKeySize is the length of a tenant's index key, in bytes.
const indexKeySize = 32

// indexKey returns the tenant's index key, and keeps it for as long as the process lives. A document's key lives for
// one request; the index key is needed by every deposit, and who reads it from memory can confirm a guessed external id
// or digest, but open nothing. Fetching it anew would double the requests to the key service.
func (u *unsealer) indexKey(ctx context.Context, tenant string) (keys.Secret, error) {
	u.mu.Lock()
	key := u.indexes[tenant]
	u.mu.Unlock()
	if key != nil {
		return key, nil
	}
	key, err := u.openIndexKey(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("opening the index key of tenant %s: %w", tenant, err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.indexes[tenant] = key
	return key, nil
}

func (u *unsealer) openIndexKey(ctx context.Context, tenant string) (keys.Secret, error) {
	var (
		row            tenantRow
		binding, value []byte
	)
	err := u.view(ctx, func(r journal.Reader) error {
		var ok bool
		var err error
		if row, ok, err = tenants.Get(r, []byte(tenant)); err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		of, err := journal.ReadID(r)
		if err != nil {
			return err
		}
		binding = bindIndexKey(tenant, of, row.IndexKey)
		sealed, err := journal.SealedRow(r, sealedKey(sealedIndexKey, row.IndexKey))
		value = append([]byte(nil), sealed...)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(value) == 0 {
		return nil, fmt.Errorf("its sealed row is missing: %w", journal.ErrDamaged)
	}
	opened, err := u.openSealed(ctx, tenant, []seal.Sealed{{Binding: binding, Value: value}})
	if err != nil {
		return nil, err
	}
	if opened[0].Err != nil {
		return nil, opened[0].Err
	}
	if len(opened[0].Text) != indexKeySize {
		return nil, errors.New("it does not have the length of one")
	}
	return keys.Secret(opened[0].Text), nil
}

// Labels keep the uses of a tenant's index key apart.
const (
	labelExternalID  = "muniment token external-id v1"
	labelIdempotency = "muniment token idempotency v1"
	labelContent     = "muniment token content v1"
	labelCursor      = "muniment cursor v1"
	labelListing     = "muniment listing salt v1"
)

// keyed is HMAC-SHA-256(key, label ‖ parts), each of them with its length before it as four bytes, big endian.
func keyed(key keys.Secret, label string, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	var length [4]byte
	write := func(part []byte) {
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		mac.Write(length[:])
		mac.Write(part)
	}
	write([]byte(label))
	for _, part := range parts {
		write(part)
	}
	return mac.Sum(nil)
}

// externalIDToken leads to the one document of a series with the external id. Each series has external ids of its own,
// so that a deposit into one is never answered by what another one holds; any promise that went further would tell a
// depositor whether an id is taken elsewhere. The series' code at the end lets a principal of several find all
// documents with an external id. An act that moves a document to another series has to move this token, to be refused
// where the id is taken, and to leave a tombstone, lest a deposit that is repeated into the old series become a second
// document.
func externalIDToken(key keys.Secret, series, externalID string) []byte {
	return append(externalIDPrefix(key, externalID), series...)
}

// externalIDPrefix is what the tokens of an external id in all series begin with.
func externalIDPrefix(key keys.Secret, externalID string) []byte {
	return keyed(key, labelExternalID, []byte(externalID))
}

// idempotencyToken leads to the document that a principal's request with the idempotency key has made.
func idempotencyToken(key keys.Secret, principal, idempotencyKey string) []byte {
	return keyed(key, labelIdempotency, []byte(principal), []byte(idempotencyKey))
}

// contentToken leads to a document with the content; the document's id at its end keeps equal contents apart.
func contentToken(key keys.Secret, digest []byte, id journal.ID) []byte {
	return append(keyed(key, labelContent, digest), id[:]...)
}

// tokens are all that lead to a document of a series with the text.
func (t *sealedText) tokens(key keys.Secret, series string, id journal.ID) [][]byte {
	out := [][]byte{contentToken(key, t.ContentSHA256, id)}
	if t.ExternalID != "" {
		out = append(out, externalIDToken(key, series, t.ExternalID))
	}
	if t.Idempotency != nil {
		out = append(out, idempotencyToken(key, t.Idempotency.Principal, t.Idempotency.Key))
	}
	return out
}
