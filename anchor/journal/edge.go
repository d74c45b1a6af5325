package journal

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// edge is the right edge of the tree: at each tile level the hashes of the last tile, which is not full, and the roots
// of the perfect subtrees that make up the tree. Appending and hashing need nothing else, so with the edge in memory a
// commit reads no tile, and hashes little.
type edge struct {
	size     uint64
	levels   [][]Hash
	subtrees []Hash // one for each bit of size that is set, the largest first
}

// clone copies the edge, so that an abort loses nothing.
func (e *edge) clone() *edge {
	c := &edge{size: e.size, levels: make([][]Hash, len(e.levels)), subtrees: slices.Clone(e.subtrees)}
	for i, level := range e.levels {
		c.levels[i] = append(make([]Hash, 0, TileWidth), level...)
	}
	return c
}

// append adds an entry and calls full for each tile that it completes.
func (e *edge) append(entry Hash, full func(level int, n uint64, hashes []Hash)) {
	hash := leafHash(entry)
	e.size++
	e.add(0, hash, full)
	for height := 1; e.size>>(height-1)&1 == 0; height++ {
		last := len(e.subtrees) - 1
		hash = tlog.NodeHash(e.subtrees[last], hash)
		e.subtrees = e.subtrees[:last]
		if height%8 == 0 {
			e.add(height/8, hash, full)
		}
	}
	e.subtrees = append(e.subtrees, hash)
}

// add adds a hash to the last tile of a level, and begins a new tile if that one is full then.
func (e *edge) add(level int, hash Hash, full func(level int, n uint64, hashes []Hash)) {
	if level == len(e.levels) {
		e.levels = append(e.levels, make([]Hash, 0, TileWidth))
	}
	e.levels[level] = append(e.levels[level], hash)
	if len(e.levels[level]) == TileWidth {
		full(level, e.size>>(8*(level+1))-1, e.levels[level])
		e.levels[level] = e.levels[level][:0]
	}
}

// partial calls fn for each tile that is begun but not full.
func (e *edge) partial(fn func(level int, n uint64, hashes []Hash)) {
	for level, hashes := range e.levels {
		if len(hashes) > 0 {
			fn(level, e.size>>(8*(level+1)), hashes)
		}
	}
}

// root is the Merkle tree hash of the whole tree (RFC 6962, section 2.1).
func (e *edge) root() Hash {
	if len(e.subtrees) == 0 {
		root, _ := tlog.TreeHash(0, nil)
		return root
	}
	last := len(e.subtrees) - 1
	root := e.subtrees[last]
	for _, left := range slices.Backward(e.subtrees[:last]) {
		root = tlog.NodeHash(left, root)
	}
	return root
}

// loadEdge reads the edge of a tree of the given size.
func loadEdge(r Reader, size uint64) (*edge, error) {
	e := &edge{size: size}
	for level := 0; size>>(8*level) > 0; level++ {
		width := int(size >> (8 * level) % TileWidth)
		hashes := make([]Hash, 0, TileWidth)
		if width > 0 {
			tile, err := readTile(r, level, size>>(8*(level+1)), width)
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, tile...)
		}
		e.levels = append(e.levels, hashes)
	}
	for _, hashes := range slices.Backward(e.levels) {
		for width := TileWidth / 2; width > 0; width /= 2 {
			if len(hashes)&width != 0 {
				e.subtrees = append(e.subtrees, rootOf(hashes[:width]))
				hashes = hashes[width:]
			}
		}
	}
	return e, nil
}
