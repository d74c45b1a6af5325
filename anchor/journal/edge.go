package journal

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// edge is the right edge of the tree: at each tile level the hashes of the last tile, which is not full. Appending
// needs nothing else, so with the edge in memory a commit reads no tile.
type edge struct {
	size       uint64
	levels     [][]Hash
	cachedRoot *Hash // the root, once it has been asked for
}

// clone copies the edge, so that an abort loses nothing.
func (e *edge) clone() *edge {
	c := &edge{size: e.size, levels: make([][]Hash, len(e.levels)), cachedRoot: e.cachedRoot}
	for i, level := range e.levels {
		c.levels[i] = append(make([]Hash, 0, TileWidth), level...)
	}
	return c
}

// append adds an entry and calls full for each tile that it completes.
func (e *edge) append(entry Hash, full func(level int, n uint64, hashes []Hash)) {
	hash := leafHash(entry)
	e.size++
	e.cachedRoot = nil
	for level := 0; ; level++ {
		if level == len(e.levels) {
			e.levels = append(e.levels, make([]Hash, 0, TileWidth))
		}
		e.levels[level] = append(e.levels[level], hash)
		if len(e.levels[level]) < TileWidth {
			return
		}
		n := e.size>>(8*(level+1)) - 1
		full(level, n, e.levels[level])
		hash = rootOf(e.levels[level])
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
	if e.cachedRoot == nil {
		root := e.hash()
		e.cachedRoot = &root
	}
	return *e.cachedRoot
}

func (e *edge) hash() Hash {
	var nodes []Hash
	for _, level := range e.levels {
		nodes = append(slices.Clone(level), nodes...)
		if len(nodes) > 0 {
			nodes = []Hash{rootOf(nodes)}
		}
	}
	if len(nodes) == 0 {
		root, _ := tlog.TreeHash(0, nil)
		return root
	}
	return nodes[0]
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
	return e, nil
}
