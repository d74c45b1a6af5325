package dir

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"muniment/vault/objects"
)

// List walks the folders in the order of keys and holds the names of one folder in memory at a time, for each level.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objects.Info, error] {
	return func(yield func(objects.Info, error) bool) {
		l := &lister{store: s, ctx: ctx, prefix: prefix, after: after, yield: yield}
		if err := l.walk(""); err != nil && !errors.Is(err, errEnough) {
			yield(objects.Info{}, fail("listing", err))
		}
	}
}

// errEnough says that whoever asked for the list has stopped listening.
var errEnough = errors.New("enough")

type lister struct {
	store         *Store
	ctx           context.Context
	prefix, after string
	yield         func(objects.Info, error) bool
}

// group is what one level holds of the keys that start with the same two characters. Leaves and folders of one group
// interleave ("ab-c" < "ab/d" < "abe"); groups do not.
type group struct {
	start   string   // at most fanWidth characters
	fan     bool     // there is a folder start+"+" of leaves
	folders []string // elements of longer keys, each with its slash
}

// walk lists the keys that start with base, which is empty or ends in a slash.
func (l *lister) walk(base string) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	entries, err := readNames(l.path(base))
	if err != nil {
		return err
	}
	groups := map[string]*group{}
	in := func(start string) *group {
		start = start[:min(fanWidth, len(start))]
		if groups[start] == nil {
			groups[start] = &group{start: start}
		}
		return groups[start]
	}
	for _, name := range entries {
		if start, ok := strings.CutSuffix(name, fanMark); ok {
			in(start).fan = true
		} else {
			g := in(name + "/")
			g.folders = append(g.folders, name+"/")
		}
	}
	ordered := make([]*group, 0, len(groups))
	for _, g := range groups {
		ordered = append(ordered, g)
	}
	slices.SortFunc(ordered, func(a, b *group) int { return cmp.Compare(a.start, b.start) })
	for _, g := range ordered {
		if err := l.group(base, g); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) group(base string, g *group) error {
	if !l.reaches(base + g.start) {
		return nil
	}
	names := g.folders
	if g.fan {
		files, err := readNames(filepath.Join(l.path(base), g.start+fanMark))
		if err != nil {
			return err
		}
		for _, file := range files {
			if leaf, ok := strings.CutSuffix(file, recordSuffix); ok {
				names = append(names, leaf)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		next := l.leaf
		if strings.HasSuffix(name, "/") {
			next = l.walk
		}
		if key := base + name; l.reaches(key) {
			if err := next(key); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaf yields the versions of one key, newest first.
func (l *lister) leaf(key string) error {
	if !strings.HasPrefix(key, l.prefix) || key <= l.after {
		return nil
	}
	if err := l.ctx.Err(); err != nil {
		return err
	}
	rec, _, err := readRecord(l.store.locationOf(key))
	if err != nil {
		return err
	}
	for _, v := range slices.Backward(rec.Versions) {
		if !l.yield(l.store.info(key, v), nil) {
			return errEnough
		}
	}
	return nil
}

// reaches says whether some key that starts with start can be one that is asked for.
func (l *lister) reaches(start string) bool {
	if !strings.HasPrefix(start, l.prefix) && !strings.HasPrefix(l.prefix, start) {
		return false
	}
	return start >= l.after || strings.HasPrefix(l.after, start)
}

func (l *lister) path(base string) string { return filepath.Join(l.store.root, dataFolder, base) }

// readNames reads the names in a folder; one that is not there has none.
func readNames(path string) ([]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}
