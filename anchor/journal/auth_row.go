package journal

import (
	"bytes"
	"fmt"
)

// The index of the newest event about principals, keys and grants stands in the head, which is authenticated, and in a
// row of its own, which is quick to read and which anybody with access to the database could set back to hide a
// revocation. The head is right: where the row says something else it is written again before the next group of
// commits.

// LastAuth is the index of the newest event about principals, keys and grants that a snapshot, or the group in
// progress, has, by the head; ok is false when there is none. A head that was verified once costs a comparison.
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

func (j *Journal) authDiffers() {
	j.cfg.Log.Error("the row that names the newest event about principals and keys is not what the head says: "+
		"somebody has written to the database; the head counts", "table", authTable.String())
}
