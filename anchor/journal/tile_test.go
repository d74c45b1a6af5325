package journal_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
)

func TestParseTilePath(t *testing.T) {
	t.Parallel()
	full := journal.TileWidth
	for path, want := range map[string]journal.TilePath{
		"tile/0/000":                               {Width: full},
		"tile/7/000":                               {Level: 7, Width: full},
		"tile/0/x001/x234/067":                     {N: 1234067, Width: full},
		"tile/3/x001/000":                          {Level: 3, N: 1000, Width: full},
		"tile/2/x123/456.p/8":                      {Level: 2, N: 123456, Width: 8},
		"tile/0/000.p/255":                         {Width: 255},
		"tile/entries/999":                         {Entries: true, N: 999, Width: full},
		"tile/entries/x001/002.p/17":               {Entries: true, N: 1002, Width: 17},
		"tile/0/x018/x446/x744/x073/x709/x551/615": {N: math.MaxUint64, Width: full},
	} {
		got, err := journal.ParseTilePath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", path, diff)
		}
		if got.String() != path {
			t.Errorf("%s was written again as %s", path, got)
		}
	}
}

func TestParseTilePathRefuses(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "/tile/0/000", "tiles/0/000",
		"tile/8/000", "tile/00/000", "tile/-1/000", "tile/+1/000", "tile/x/000", "tile/entry/000",
		"tile/0/0", "tile/0/0000", "tile/0/+01", "tile/0/00a", "tile/0/x001", "tile/0/001/002", "tile/0/x000/001",
		"tile/0/x001/", "tile/0/x001//002", "tile/0/x001/x002", "tile/0/000/", "tile/0/../000",
		"tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/+1",
		"tile/0/000.p/1/", "tile/0/000.p/1.p/1", "tile/0/.p/1",
		"tile/0/x018/x446/x744/x073/x709/x551/616", // 2^64
		"tile/0/x999/x999/x999/x999/x999/x999/x999/999",
	} {
		if got, err := journal.ParseTilePath(path); err == nil {
			t.Errorf("%q was read as %+v", path, got)
		}
	}
}

func FuzzParseTilePath(f *testing.F) {
	for _, path := range []string{"tile/0/000", "tile/entries/x001/234.p/5", "tile/7/x001/x002/003",
		"tile/0/x000/001"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		tile, err := journal.ParseTilePath(path)
		if err != nil {
			return
		}
		if tile.String() != path {
			t.Errorf("%q has a second form, %q", path, tile)
		}
		if tile.Width < 1 || tile.Width > journal.TileWidth || tile.Level < 0 || tile.Level > 7 {
			t.Errorf("%q names an impossible tile: %+v", path, tile)
		}
	})
}
