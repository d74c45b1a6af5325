package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
)

// authorityTable holds what the events about principals and keys come to, as their owner has stored it: a cache, in
// pieces that fit into rows. Its owner authenticates it (Journal.Authenticate), for anybody with access to the database
// may write there.
var authorityTable = Table{Volatile, "authority"}

// StoreAuthority stores what the events of the chain come to, in the place of what was stored before. It is neither
// shipped nor replayed.
func (j *Journal) StoreAuthority(ctx context.Context, state []byte) error {
	err := j.update(ctx, func(tx Txn) error {
		var old [][]byte
		err := tx.Scan(authorityTable, Range{}, func(key, _ []byte) error {
			old = append(old, bytes.Clone(key))
			return nil
		})
		for _, key := range old {
			if err == nil {
				err = tx.Delete(authorityTable, key)
			}
		}
		n := uint32(0)
		for piece := range slices.Chunk(state, MaxValue) {
			if err == nil {
				err = tx.Put(authorityTable, binary.BigEndian.AppendUint32(nil, n), piece)
			}
			n++
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("storing the state of the chain about authority: %w", err)
	}
	return nil
}

// StoredAuthority is what StoreAuthority has stored, or what somebody else has put there; nil for nothing.
func StoredAuthority(r Reader) (state []byte, err error) {
	err = r.Scan(authorityTable, Range{}, func(_, piece []byte) error {
		state = append(state, piece...)
		return nil
	})
	return state, err
}
