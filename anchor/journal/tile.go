package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// TileWidth is how many hashes, or entries, a full tile holds.
const TileWidth = 256

// maxTileLevel is the highest level that a tree of 64-bit sizes has: 256^8 = 2^64.
const maxTileLevel = 7

// TilePath names one tile of the log as C2SP tlog-tiles does: a tile of tree hashes, or a bundle of entries.
type TilePath struct {
	Entries bool   // a bundle of entries; Level is 0 then
	Level   int    // 0 to 7; level 0 holds the leaves' hashes
	N       uint64 // the tile's number within its level, from 0
	Width   int    // 1 to 256; 256 is a full tile
}

var errTilePath = errors.New("not a tile path: want tile/<level>/<number>[.p/<width>] or " +
	"tile/entries/<number>[.p/<width>]")

// ParseTilePath reads a path relative to the log's prefix, such as "tile/1/x001/234", "tile/0/000.p/7" or
// "tile/entries/x001/234". It accepts the canonical form only (C2SP tlog-tiles, "Merkle Tree"): no leading zeros in
// level and width, no leading group x000, so that each tile has one address.
func ParseTilePath(path string) (TilePath, error) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok {
		return TilePath{}, errTilePath
	}
	level, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return TilePath{}, errTilePath
	}
	tile := TilePath{Width: TileWidth}
	switch {
	case level == "entries":
		tile.Entries = true
	case len(level) == 1 && level[0] >= '0' && level[0] <= '0'+maxTileLevel:
		tile.Level = int(level[0] - '0')
	default:
		return TilePath{}, errTilePath
	}
	if number, width, partial := strings.Cut(rest, ".p/"); partial {
		rest = number
		w, err := strconv.ParseUint(width, 10, 8)
		if err != nil || w == 0 || strconv.FormatUint(w, 10) != width {
			return TilePath{}, errTilePath
		}
		tile.Width = int(w)
	}
	n, err := parseTileNumber(rest)
	if err != nil {
		return TilePath{}, err
	}
	tile.N = n
	return tile, nil
}

// parseTileNumber reads groups of three digits, of which all but the last start with an x: x001/x234/067 is 1234067.
func parseTileNumber(s string) (uint64, error) {
	var n uint64
	for first := true; ; first = false {
		group, rest, more := strings.Cut(s, "/")
		digits := group
		if more {
			if digits, more = strings.CutPrefix(group, "x"); !more {
				return 0, errTilePath
			}
		}
		d, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || len(digits) != 3 || more && first && d == 0 || n > (math.MaxUint64-d)/1000 {
			return 0, errTilePath
		}
		n = n*1000 + d
		if !more {
			return n, nil
		}
		s = rest
	}
}

// String is the canonical path, which ParseTilePath reads.
func (p TilePath) String() string {
	level := "entries"
	if !p.Entries {
		level = strconv.Itoa(p.Level)
	}
	number := fmt.Sprintf("%03d", p.N%1000)
	for n := p.N / 1000; n > 0; n /= 1000 {
		number = fmt.Sprintf("x%03d/%s", n%1000, number)
	}
	if p.Width != TileWidth {
		number += ".p/" + strconv.Itoa(p.Width)
	}
	return "tile/" + level + "/" + number
}

var tileTable = Table{Log, "tile"}

// tileKey orders tiles by level, then by place.
func tileKey(level int, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(level)}, n)
}

// readTile reads the first width hashes of a tile.
func readTile(r Reader, level int, n uint64, width int) ([]Hash, error) {
	row, err := r.Get(tileTable, tileKey(level, n))
	if err != nil {
		return nil, fmt.Errorf("reading tile %d/%d: %w", level, n, err)
	}
	if len(row)%len(Hash{}) != 0 || len(row)/len(Hash{}) < width {
		return nil, fmt.Errorf("tile %d/%d holds %d bytes, not %d hashes: %w", level, n, len(row), width, ErrDamaged)
	}
	hashes := make([]Hash, width)
	for i := range hashes {
		copy(hashes[i][:], row[i*len(Hash{}):])
	}
	return hashes, nil
}

// packTile is a tile's row.
func packTile(hashes []Hash) []byte {
	row := make([]byte, 0, len(hashes)*len(Hash{}))
	for _, h := range hashes {
		row = append(row, h[:]...)
	}
	return row
}
