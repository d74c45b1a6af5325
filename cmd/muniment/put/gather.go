package put

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime"
	"os"
	"path/filepath"
	"strings"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
)

// item is one document to be put.
type item struct {
	remote.Deposit
	name string // as people are told
	// path is the file's, "" for standard input.
	path string
	// below is its place below what was named, slashes between: part of the idempotency key.
	below string
	size  int64 // as far as it is known beforehand
}

// skips counts what is left out of folders.
type skips struct{ hidden, links, special int }

func (s skips) any() bool { return s.hidden+s.links+s.special > 0 }

func (s skips) String() string {
	var out []string
	for _, one := range []struct {
		n                 int
		OneArgument, more string
	}{
		{s.hidden, "hidden file or folder", "hidden files or folders"},
		{s.links, "symbolic link", "symbolic links"},
		{s.special, "file that is no regular one", "files that are no regular ones"},
	} {
		if one.n > 0 {
			out = append(out, cli.Count(uint64(one.n), one.OneArgument, one.more))
		}
	}
	return strings.Join(out, ", ")
}

// gather finds the files that the arguments name. A folder that cannot be read is an error: nobody should take a part
// of it for all. A file that is not there is found out when its turn comes.
func gather(d remote.Deposit, args []string, hidden bool, stdin io.Reader) ([]item, skips, error) {
	var (
		items   []item
		skipped skips
	)
	for _, arg := range args {
		if arg == "-" {
			one := item{Deposit: d, name: "standard input"}
			one.Content, one.Length = stdin, -1
			if one.MediaType == "" {
				one.MediaType = mime.TypeByExtension(filepath.Ext(one.FileName))
			}
			items = append(items, one)
			continue
		}
		info, err := os.Stat(arg) // what is named may be a link
		if err != nil || !info.IsDir() {
			items = append(items, fileItem(d, arg, filepath.Base(arg), info))
			continue
		}
		found, left, err := gatherFolder(d, arg, hidden)
		if err != nil {
			return nil, skips{}, fmt.Errorf("looking for files: %w", err)
		}
		items = append(items, found...)
		skipped = skips{skipped.hidden + left.hidden, skipped.links + left.links, skipped.special + left.special}
	}
	return items, skipped, nil
}

// fileItem is a file that is there, or is not if info is nil.
func fileItem(d remote.Deposit, path, below string, info fs.FileInfo) item {
	one := item{Deposit: d, name: path, path: path, below: below}
	if one.FileName == "" {
		one.FileName = filepath.Base(path)
	}
	if one.MediaType == "" {
		one.MediaType = mime.TypeByExtension(filepath.Ext(one.FileName))
	}
	if info != nil && info.Mode().IsRegular() {
		one.size = info.Size()
	}
	return one
}

// gatherFolder finds the files in a folder, in the order of their names.
func gatherFolder(d remote.Deposit, folder string, hidden bool) (items []item, skipped skips, err error) {
	root, err := filepath.EvalSymlinks(folder) // of what was named, but of nothing in it
	if err != nil {
		return nil, skips{}, err
	}
	whole, err := filepath.Abs(folder) // "." has a name of its own
	if err != nil {
		return nil, skips{}, err
	}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == root:
			return nil
		case !hidden && strings.HasPrefix(e.Name(), "."):
			skipped.hidden++
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case e.IsDir():
			return nil
		case e.Type()&fs.ModeSymlink != 0:
			skipped.links++
			return nil
		case !e.Type().IsRegular():
			skipped.special++
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed since the folder was read
		}
		if err != nil {
			return err
		}
		within, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		below := filepath.ToSlash(filepath.Join(filepath.Base(whole), within))
		one := fileItem(d, path, below, info)
		if _, given := d.Attributes["path"]; !given {
			one.Attributes = maps.Clone(d.Attributes)
			one.Attributes["path"] = below
		}
		one.name = filepath.Join(folder, within)
		items = append(items, one)
		return nil
	})
	return items, skipped, err
}
