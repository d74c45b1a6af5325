package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// databaseTable has the id of this database, drawn when it was created: a restored one is another. A copy of its file
// has the same id, and lies elsewhere.
var (
	databaseTable = Table{Volatile, "database"}
	databaseKey   = []byte("id")
)

// databaseID returns the id of the backend, which it draws for one that has none.
func (j *Journal) databaseID(ctx context.Context) (id []byte, err error) {
	drawn, err := NewID(j.cfg.Clock.Now(), j.cfg.Rand)
	if err != nil {
		return nil, err
	}
	err = j.cfg.Backend.View(ctx, func(r Reader) error {
		row, err := r.Get(databaseTable, databaseKey)
		id = bytes.Clone(row)
		return err
	})
	if err != nil || id != nil {
		return id, err
	}
	err = j.cfg.Backend.Update(ctx, func(tx Txn) error {
		row, err := tx.Get(databaseTable, databaseKey)
		if id = bytes.Clone(row); err != nil || row != nil {
			return err
		}
		id = drawn[:]
		return tx.Put(databaseTable, databaseKey, id)
	})
	if err != nil {
		return nil, fmt.Errorf("giving the database an id: %w", err)
	}
	return id, nil
}

// leaseHolder names the database and its place for the lease; empty when the place is not known. It is a digest, so
// that the bucket's owner does not learn where the database lies.
func (j *Journal) leaseHolder(ctx context.Context) (string, error) {
	if j.cfg.Place == "" {
		return "", nil
	}
	id, err := j.databaseID(ctx)
	if err != nil {
		return "", err
	}
	digest := sha256.New()
	fmt.Fprintf(digest, "muniment lease v1\n%x\n%s", id, j.cfg.Place)
	return hex.EncodeToString(digest.Sum(nil)[:16]), nil
}
