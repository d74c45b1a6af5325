package journal

import (
	"bytes"
	"fmt"
	"slices"
)

// Prover reads entries of one snapshot and proves each against the snapshot's head, which is authentic: rows of the
// backend are not believed. A tile is verified once, so a walk over entries that lie together is cheap.
type Prover struct {
	r     Reader
	head  Head
	group bool  // the reader is of a group in progress, whose own entries are not in the tree yet
	edge  *edge // of the head's tree
	tiles map[tileAt][]Hash
}

type tileAt struct {
	level int
	n     uint64
}

// Prover begins to prove entries of a snapshot, or of the group in progress. The head of a snapshot is verified unless
// it is the one that this process has written, or has verified last.
func (j *Journal) Prover(r Reader) (*Prover, error) {
	head, err := j.authenticHead(r)
	if err != nil {
		return nil, fmt.Errorf("proving entries: %w", err)
	}
	edge, err := loadEdge(r, head.Size)
	if err != nil {
		return nil, fmt.Errorf("proving entries: %w", err)
	}
	if edge.root() != head.Root {
		return nil, fmt.Errorf("proving entries: the tree's right edge does not give the head's root: %w", ErrDamaged)
	}
	_, group := r.(view)
	return &Prover{r: r, head: head, group: group, edge: edge, tiles: map[tileAt][]Hash{}}, nil
}

// authenticHead reads the head row. If this process did not write it, it is verified before anything is built on it.
func (j *Journal) authenticHead(r Reader) (Head, error) {
	row, err := r.Get(headTable, headKey)
	if err != nil {
		return Head{}, fmt.Errorf("reading the head: %w", err)
	}
	if known := j.knownHead.Load(); known != nil && bytes.Equal(known.row, row) {
		return known.head, nil
	}
	if row == nil {
		return Head{}, fmt.Errorf("the head row is missing: %w", ErrDamaged)
	}
	head, err := parseHead(row)
	if err != nil {
		return Head{}, err
	}
	key := j.key.Load()
	if head.Key == key.number {
		err = verifyHeadRow(row, key)
	} else {
		err = j.bucket.keys.verifyRow(j.ctx, head.Key, row)
	}
	if err != nil {
		return Head{}, err
	}
	j.knownHead.Store(&knownHead{row: bytes.Clone(row), head: head})
	return head, nil
}

// knownHead is a head row that was verified.
type knownHead struct {
	row  []byte
	head Head
}

// Record reads an entry and proves it: ErrNotFound, ErrDamaged.
func (p *Prover) Record(at uint64) (Record, error) {
	rec, err := readRecord(p.r, at)
	if err != nil || p.group && at >= p.head.Size {
		return rec, err
	}
	if at >= p.head.Size {
		return Record{}, fmt.Errorf("body %d lies beyond the head at size %d: %w", at, p.head.Size, ErrDamaged)
	}
	tile, err := p.tile(0, at/TileWidth)
	if err != nil {
		return Record{}, fmt.Errorf("proving body %d: %w", at, err)
	}
	if int(at%TileWidth) >= len(tile) || tile[at%TileWidth] != leafHash(entryHash(rec.Nonce, rec.Body)) {
		return Record{}, fmt.Errorf("body %d is not the one that the head's tree holds: %w", at, ErrDamaged)
	}
	return rec, nil
}

// tile is a verified tile of the head's tree: one of the edge's, or a full one whose root stands in the tile above.
func (p *Prover) tile(level int, n uint64) ([]Hash, error) {
	if n == p.head.Size>>(8*(level+1)) {
		if level >= len(p.edge.levels) {
			return nil, ErrDamaged
		}
		return p.edge.levels[level], nil
	}
	if tile := p.tiles[tileAt{level, n}]; tile != nil {
		return tile, nil
	}
	above, err := p.tile(level+1, n/TileWidth)
	if err != nil {
		return nil, err
	}
	tile, err := readTile(p.r, level, n, TileWidth)
	if err != nil {
		return nil, err
	}
	if int(n%TileWidth) >= len(above) || rootOf(tile) != above[n%TileWidth] {
		return nil, fmt.Errorf("a tile of level %d is not the one that the tree holds: %w", level, ErrDamaged)
	}
	p.tiles[tileAt{level, n}] = tile
	return tile, nil
}

// Authenticate gives the HMAC of data under the shipping key, for those who keep what must be nobody's but this
// journal's beside it. The purpose has no NUL. ok is false while the journal has no shipping key: it was started
// provisionally.
func (j *Journal) Authenticate(purpose string, data []byte) (mac []byte, ok bool) {
	key := j.key.Load()
	if key.number == 0 {
		return nil, false
	}
	return key.mac(macKept, slices.Concat([]byte(purpose), []byte{0}, data)), true
}
