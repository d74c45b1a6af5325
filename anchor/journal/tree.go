package journal

import (
	"context"
	"encoding/binary"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// hashes reads stored hashes of the tree from its tiles. A tile's row only ever grows, so a tree of an earlier size
// reads the same hashes.
func hashes(r Reader) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		tiles := map[string][]Hash{} // a proof asks for neighbours in one tile
		out := make([]Hash, len(indexes))
		for i, index := range indexes {
			level, n := tlog.SplitStoredHashIndex(index)
			height := level % 8
			first := uint64(n) << height
			tile, within := first/TileWidth, int(first%TileWidth)
			key := string(tileKey(level/8, tile))
			known := tiles[key]
			if width := within + 1<<height; len(known) < width {
				var err error
				if known, err = readTile(r, level/8, tile, width); err != nil {
					return nil, err
				}
				tiles[key] = known
			}
			out[i] = rootOf(known[within : within+1<<height])
		}
		return out, nil
	})
}

// rootAt is the Merkle tree hash of the first size leaves.
func rootAt(r Reader, size uint64) (Hash, error) {
	root, err := tlog.TreeHash(int64(size), hashes(r))
	if err != nil {
		return Hash{}, fmt.Errorf("hashing the tree of size %d: %w", size, err)
	}
	return root, nil
}

// RootAt is the Merkle tree hash of the first size leaves; ErrNotFound when there are fewer.
func (j *Journal) RootAt(ctx context.Context, size uint64) (root Hash, err error) {
	if size > j.Size() {
		return root, fmt.Errorf("size %d: %w", size, ErrNotFound)
	}
	err = j.View(ctx, func(r Reader) error {
		root, err = rootAt(r, size)
		return err
	})
	return root, err
}

// ProveInclusion is the audit path of a leaf in the tree of the given size (RFC 6962, section 2.1.1).
func (j *Journal) ProveInclusion(ctx context.Context, index, size uint64) (proof []Hash, err error) {
	if index >= size || size > j.Size() {
		return nil, fmt.Errorf("leaf %d of %d: %w", index, size, ErrNotFound)
	}
	err = j.View(ctx, func(r Reader) error {
		root, err := rootAt(r, size)
		if err != nil {
			return err
		}
		leaf, err := hashes(r).ReadHashes([]int64{tlog.StoredHashIndex(0, int64(index))})
		if err != nil {
			return err
		}
		proof, err = proveLeaf(r, index, size, root, leaf[0])
		return err
	})
	return proof, err
}

// proveLeaf makes an inclusion proof and checks it, so that a damaged tile gives an error and not a proof that fails
// somewhere else.
func proveLeaf(r Reader, index, size uint64, root, leaf Hash) ([]Hash, error) {
	proof, err := tlog.ProveRecord(int64(size), int64(index), hashes(r))
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d of %d: %w", index, size, err)
	}
	if tlog.CheckRecord(proof, int64(size), root, int64(index), leaf) != nil {
		return nil, fmt.Errorf("the tree does not prove leaf %d of %d: %w", index, size, ErrDamaged)
	}
	return proof, nil
}

// ProveConsistency shows that the tree of size old is a prefix of the tree of the given size (RFC 6962, section 2.1.2).
func (j *Journal) ProveConsistency(ctx context.Context, old, size uint64) (proof []Hash, err error) {
	if old == 0 || old > size || size > j.Size() {
		return nil, fmt.Errorf("sizes %d and %d: %w", old, size, ErrNotFound)
	}
	err = j.View(ctx, func(r Reader) error {
		before, err := rootAt(r, old)
		if err != nil {
			return err
		}
		after, err := rootAt(r, size)
		if err != nil {
			return err
		}
		if proof, err = tlog.ProveTree(int64(size), int64(old), hashes(r)); err != nil {
			return fmt.Errorf("proving size %d in %d: %w", old, size, err)
		}
		if tlog.CheckTree(proof, int64(size), after, int64(old), before) != nil {
			return fmt.Errorf("the tree does not prove size %d in %d: %w", old, size, ErrDamaged)
		}
		return nil
	})
	return proof, err
}

// Tile is a tile of the released tree as C2SP tlog-tiles serves it: width hashes (1 to 256) of tile n at a level.
// ErrNotFound when the released tree does not reach that far.
func (j *Journal) Tile(ctx context.Context, level int, n uint64, width int) (tile []byte, err error) {
	if level < 0 || level > 7 || !j.reaches(level, n, width) {
		return nil, fmt.Errorf("tile %d/%d of width %d: %w", level, n, width, ErrNotFound)
	}
	err = j.View(ctx, func(r Reader) error {
		hashes, err := readTile(r, level, n, width)
		tile = packTile(hashes)
		return err
	})
	return tile, err
}

// EntryTile is an entry bundle of the released log as C2SP tlog-tiles serves it: width entries of 32 bytes, each after
// its length in 16 bits. Entries are computed from the bodies, so a body that was changed shows here.
func (j *Journal) EntryTile(ctx context.Context, n uint64, width int) (bundle []byte, err error) {
	if !j.reaches(0, n, width) {
		return nil, fmt.Errorf("entries %d of width %d: %w", n, width, ErrNotFound)
	}
	from := n * TileWidth
	err = j.View(ctx, func(r Reader) error {
		next := from
		return r.Scan(bodyTable, Range{From: indexKey(from), To: indexKey(from + uint64(width))},
			func(key, row []byte) error {
				nonce, body, err := unpackBody(row)
				if err != nil || binary.BigEndian.Uint64(key) != next {
					return fmt.Errorf("body %d: %w", next, ErrDamaged)
				}
				next++
				entry := entryHash(nonce, body)
				bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(entry)))
				bundle = append(bundle, entry[:]...)
				return nil
			})
	})
	if err == nil && len(bundle) != width*(2+len(Hash{})) {
		err = fmt.Errorf("entries %d: %w", n, ErrDamaged)
	}
	return bundle, err
}

// reaches says whether the released tree has the first width hashes of a tile.
func (j *Journal) reaches(level int, n uint64, width int) bool {
	if width < 1 || width > TileWidth || n >= 1<<48 {
		return false
	}
	size := j.Checkpoint().Size
	return n*TileWidth+uint64(width) <= size>>(8*level)
}

// TreeRoot is the Merkle tree hash of the first size leaves of a snapshot; ErrNotFound when there are fewer.
func TreeRoot(r Reader, size uint64) (Hash, error) {
	head, _, err := readHead(r)
	if err != nil {
		return Hash{}, err
	}
	if size > head.Size {
		return Hash{}, fmt.Errorf("size %d of %d: %w", size, head.Size, ErrNotFound)
	}
	return rootAt(r, size)
}
