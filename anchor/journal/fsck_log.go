package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
)

// complete says whether every body could be replayed. If not, all rows of later bodies differ, and comparing them would
// say nothing more.
func (f *fsck) complete() bool { return f.replayed.size >= f.head.Size }

// compareLog compares the log's own tables and the projections with those of the replay.
func (f *fsck) compareLog(ctx context.Context) error {
	if !f.complete() {
		if f.replayed.size < f.head.Size && !f.foundIn(bodyTable) {
			f.found(bodyTable, indexKey(f.replayed.size), "it and all that follow are missing; the head says %d",
				f.head.Size)
		}
		return nil
	}
	tables, err := f.tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t == headTable {
			if err := f.compareHead(ctx); err != nil {
				return err
			}
			continue
		}
		stored := &cursor{backend: f.cfg.Backend, table: t}
		replayed := &cursor{backend: f.cfg.Scratch, table: t}
		err := diff(ctx, stored, replayed, func(key, stored, replayed []byte) error {
			switch {
			case t == tileTable && stored != nil && replayed != nil:
				return f.foundTile(ctx, key, stored, replayed)
			case stored == nil:
				f.found(t, key, "it is missing")
			case replayed == nil:
				f.found(t, key, "the log does not explain it")
			default:
				f.found(t, key, "it is not what the log makes of it")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compareHead compares the head with the replayed one, which has no HMAC.
func (f *fsck) compareHead(ctx context.Context) error {
	return f.cfg.Scratch.View(ctx, func(r Reader) error {
		replayed, _, err := readHead(r)
		if err != nil {
			return err
		}
		stored := f.head
		stored.V, stored.Key, replayed.V, replayed.Key = 0, 0, 0, 0
		a, err := json.Marshal(stored)
		if err != nil {
			return err
		}
		b, err := json.Marshal(replayed)
		if err == nil && !bytes.Equal(a, b) {
			f.found(headTable, headKey, "it is not what the log makes of it")
		}
		return err
	})
}

func (f *fsck) foundIn(t Table) bool {
	return slices.ContainsFunc(f.findings, func(x Finding) bool { return x.Table == t })
}

// tables lists the log tables and projections of both sides.
func (f *fsck) tables(ctx context.Context) ([]Table, error) {
	stored, err := f.cfg.Backend.Tables(ctx)
	if err != nil {
		return nil, err
	}
	replayed, err := f.cfg.Scratch.Tables(ctx)
	if err != nil {
		return nil, err
	}
	tables := slices.DeleteFunc(append(slices.Clone(stored), replayed...), func(t Table) bool {
		return t.Kind != Log && t.Kind != Projection
	})
	slices.SortFunc(tables, func(a, b Table) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(tables), nil
}

// foundTile reports a tile that differs from the replay. If the tile agrees with the tile above it, the bodies are
// wrong and it reports those; otherwise it reports the tile.
func (f *fsck) foundTile(ctx context.Context, key, stored, replayed []byte) error {
	level, n := int(key[0]), binary.BigEndian.Uint64(key[1:])
	agrees := false
	err := f.cfg.Backend.View(ctx, func(r Reader) error {
		agrees = len(stored) == len(replayed) && f.agreesAbove(r, level, n, stored)
		return nil
	})
	if err != nil {
		return err
	}
	if !agrees {
		f.found(tileTable, key, "it is not what the bodies give")
		return nil
	}
	for i := 0; level == 0 && i < len(stored); i += len(Hash{}) {
		if !bytes.Equal(stored[i:i+len(Hash{})], replayed[i:i+len(Hash{})]) {
			f.found(bodyTable, indexKey(n*TileWidth+uint64(i/len(Hash{}))), "it is not the one that the tree holds")
		}
	}
	return nil
}

// agreesAbove says whether a stored tile is the one that the tile above it, or the head, stands on.
func (f *fsck) agreesAbove(r Reader, level int, n uint64, stored []byte) bool {
	width := len(stored) / len(Hash{})
	if width == TileWidth {
		tile, err := readTile(r, level, n, width)
		if err != nil {
			return false
		}
		above, err := readTile(r, level+1, n/TileWidth, int(n%TileWidth)+1)
		return err == nil && rootOf(tile) == above[n%TileWidth]
	}
	edge, err := loadEdge(r, f.head.Size)
	return err == nil && edge.root() == f.head.Root
}
