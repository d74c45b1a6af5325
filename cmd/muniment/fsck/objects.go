package fsck

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/objects"
)

// BodyTable is the journal's table of bodies: index → format byte, nonce, body.
func BodyTable() journal.Table { return journal.Table{Kind: journal.Log, Name: "body"} }

// bodyOffset is where the body begins in its row.
const bodyOffset = 1 + journal.NonceSize

// bodiesAtOnce is how many bodies are read in one transaction: a long one would make the file grow.
const bodiesAtOnce = 1024

// ObjectsTable is where findings about stored objects are.
const ObjectsTable = "objects"

// Object is a stored object, and what the log says that it must be.
type Object struct {
	Document journal.ID
	vault.StoredObject
}

// CheckObjects reads every object that a deposit has recorded, and adds those that are not as recorded to the result.
func CheckObjects(ctx context.Context, b journal.Backend, store objects.Store, result *Result) error {
	next := make([]byte, 8)
	for next != nil {
		var some []Object
		var err error
		if some, next, err = StoredObjects(ctx, b, next); err != nil {
			return fmt.Errorf("reading the deposits: %w", err)
		}
		for _, one := range some {
			result.Objects++
			problem, err := objectProblem(ctx, store, one.StoredObject)
			if err != nil {
				return fmt.Errorf("reading the objects: %w", err)
			}
			if problem != "" {
				result.Findings = append(result.Findings,
					Finding{ObjectsTable, one.Key, "of document " + one.Document.String() + " " + problem})
			}
		}
	}
	return nil
}

// StoredObjects reads a chunk of bodies from a key on, and returns the deposits among them that were not erased, and
// the key to go on from, nil at the end. A body that cannot be read is the journal check's to report.
func StoredObjects(ctx context.Context, b journal.Backend, from []byte) (found []Object, next []byte, err error) {
	err = b.View(ctx, func(r journal.Reader) error {
		found, next = nil, nil
		n := 0
		return r.Scan(BodyTable(), journal.Range{From: from}, func(key, row []byte) error {
			if n++; n > bodiesAtOnce {
				next = bytes.Clone(key)
				return journal.Stop
			}
			d, ok := depositIn(row)
			if !ok {
				return nil
			}
			// The objects of erased documents may be gone. A row that cannot tell is the journal check's to report.
			gone, err := vault.ObjectGone(r, d.Document)
			if err != nil && !errors.Is(err, journal.ErrDamaged) {
				return err
			}
			if !gone {
				found = append(found, d)
			}
			return nil
		})
	})
	return found, next, err
}

func depositIn(row []byte) (Object, bool) {
	var body struct {
		Type string                      `json:"type"`
		Doc  journal.ID                  `json:"doc"`
		Data vault.DocumentDepositedData `json:"data"`
	}
	if len(row) <= bodyOffset || !bytes.Contains(row, []byte(vault.DocumentDeposited)) {
		return Object{}, false
	}
	if err := json.Unmarshal(row[bodyOffset:], &body); err != nil || body.Type != string(vault.DocumentDeposited) {
		return Object{}, false
	}
	return Object{body.Doc, body.Data.Object}, true
}

// objectProblem says what is wrong with a stored object, or nothing.
func objectProblem(ctx context.Context, store objects.Store, o vault.StoredObject) (string, error) {
	body, _, err := store.Get(ctx, o.Key, o.Version, nil)
	if errors.Is(err, objects.ErrNotFound) {
		return "is missing", nil
	}
	if err != nil {
		return "cannot be read: " + err.Error(), nil
	}
	defer body.Close()
	digest := sha256.New()
	n, err := io.Copy(digest, contextReader{ctx, body})
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "cannot be read: " + err.Error(), nil
	case n != o.Size:
		return fmt.Sprintf("has %d bytes, recorded are %d", n, o.Size), nil
	case !bytes.Equal(digest.Sum(nil), o.SHA256):
		return "does not have the SHA-256 that is recorded", nil
	}
	return "", nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	io.Reader
}

// Read implements [io.Reader].
func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
