package journal

import (
	"bytes"
	"context"
	"fmt"
)

// The index of the newest event about principals, keys and grants stands in the head, which is authenticated, and in a
// row of its own, which is quick to read and which anybody with access to the database could set back to hide a
// revocation. The head is right: where the row says something else it is written again, when the journal is opened and
// before each group of commits.

// LastAuth is the index of the newest event about principals, keys and grants that a snapshot, or the group in
// progress, has, by the head; ok is false when there is none. It reads a head row once: the next question about the
// same one costs a comparison.
func (j *Journal) LastAuth(r Reader) (at uint64, ok bool, err error) {
	if _, deciding := r.(view); deciding {
		return LastAuth(r) // newGroup has held the row against the head
	}
	head, err := j.authenticHead(r)
	if err != nil || head.Auth == nil {
		return 0, false, err
	}
	return *head.Auth, true, nil
}

// authRow is what the row must be, by the head; nil for none.
func authRow(head Head) []byte {
	if head.Auth == nil {
		return nil
	}
	return indexKey(*head.Auth)
}

// mendAuth lets the group see the index that stands in the head.
func (g *group) mendAuth(j *Journal) error {
	row, err := g.Get(authTable, authKey)
	if err != nil {
		return fmt.Errorf("reading the newest event about principals and keys: %w", err)
	}
	if want := authRow(g.head); !bytes.Equal(row, want) {
		j.authDiffers()
		g.set(authTable, authKey, want)
	}
	return nil
}

// mendAuth is for a journal that is being opened.
func (j *Journal) mendAuth(ctx context.Context, head Head) error {
	differs, want := false, authRow(head)
	err := j.cfg.Backend.View(ctx, func(r Reader) error {
		row, err := r.Get(authTable, authKey)
		differs = !bytes.Equal(row, want)
		return err
	})
	if err != nil || !differs {
		return err
	}
	j.authDiffers()
	return j.update(ctx, func(tx Txn) error {
		if want == nil {
			return tx.Delete(authTable, authKey)
		}
		return tx.Put(authTable, authKey, want)
	})
}

func (j *Journal) authDiffers() {
	j.cfg.Log.Error("the row that names the newest event about principals and keys is not what the head says: "+
		"somebody has written to the database; the head counts", "table", authTable.String())
}
