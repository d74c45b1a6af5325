package journal

import (
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// TestTheEdge gives the tree's root at each size, grown or read from its tiles: across tiles of two levels.
func TestTheEdge(t *testing.T) {
	t.Parallel()
	var (
		e      = &edge{}
		tiles  = tilesInMemory{}
		stored []Hash
	)
	kept := tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		out := make([]Hash, len(indexes))
		for i, at := range indexes {
			out[i] = stored[at]
		}
		return out, nil
	})
	put := func(level int, n uint64, hashes []Hash) { tiles[string(tileKey(level, n))] = packTile(hashes) }
	const most = TileWidth*TileWidth + TileWidth + 3
	for size := uint64(0); ; size++ {
		if around := size % TileWidth; size < 600 || size > most-300 || around < 2 || around == TileWidth-1 {
			e.partial(put)
			loaded, err := loadEdge(tiles, size)
			want, treeErr := tlog.TreeHash(int64(size), kept)
			if err := errors.Join(err, treeErr); err != nil {
				t.Fatal(err)
			}
			if e.root() != want || loaded.root() != want {
				t.Fatalf("at size %d the roots are %s and %s, want %s", size, e.root(), loaded.root(), want)
			}
			if size%3 == 0 {
				e = loaded
			}
		}
		if size == most {
			return
		}
		entry := entryHash([NonceSize]byte{}, binary.BigEndian.AppendUint64(nil, size))
		added, err := tlog.StoredHashesForRecordHash(int64(size), leafHash(entry), kept)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, added...)
		e.append(entry, put)
	}
}

// tilesInMemory are the rows of tiles.
type tilesInMemory map[string][]byte

func (m tilesInMemory) Get(_ Table, key []byte) ([]byte, error) { return m[string(key)], nil }

func (m tilesInMemory) Scan(Table, Range, func(key, value []byte) error) error {
	return errors.ErrUnsupported
}
