package bolt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
)

var table = journal.Table{Kind: journal.Log, Name: "rows"}

const pageSize = 4096

// fill makes a file of some hundred pages: n rows, in transactions of 100.
func fill(t testing.TB, path string, n int) {
	t.Helper()
	s := open(t, path)
	for from := 0; from < n; from += 100 {
		put(t, s, from, min(from+100, n))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func rowKey(i int) []byte   { return binary.BigEndian.AppendUint64(nil, uint64(i)) }
func rowValue(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 250) }

func put(t testing.TB, s *bolt.Store, from, to int) {
	t.Helper()
	if err := tryPut(s, from, to); err != nil {
		t.Fatal(err)
	}
}

func tryPut(s *bolt.Store, from, to int) error {
	return s.Update(context.Background(), func(x journal.Txn) error {
		for i := from; i < to; i++ {
			if err := x.Put(table, rowKey(i), rowValue(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// count counts the rows, which must be those that fill writes, without a gap.
func count(s *bolt.Store) (n int, err error) {
	err = s.View(context.Background(), func(r journal.Reader) error {
		return r.Scan(table, journal.Range{}, func(key, value []byte) error {
			if !bytes.Equal(key, rowKey(n)) || !bytes.Equal(value, rowValue(n)) {
				return fmt.Errorf("row %d is another: %w", n, journal.ErrDamaged)
			}
			n++
			return nil
		})
	})
	return n, err
}

// tryOpen opens an existing file.
func tryOpen(path string) (*bolt.Store, error) {
	return bolt.Open(bolt.Config{Path: path, Timeout: 100 * time.Millisecond})
}

// refused checks that a file is refused as damaged, in words that help, and left as it is.
func refused(t *testing.T, path string, words ...string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := bolt.Open(bolt.Config{Path: path, Create: true})
	if err == nil {
		s.Close()
		t.Fatal("the file was opened")
	}
	if !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("the error is %v, want ErrDamaged", err)
	}
	for _, word := range append(words, path, "restore") {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestMissingFileIsNotMade(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	if _, err := tryOpen(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("opening it: %v, want an error that names the file", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there now: %v", err)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	fill(t, path, 100)
	if n, err := count(open(t, path)); n != 100 || err != nil { // with Create, but it exists
		t.Errorf("%d rows, %v; want 100", n, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files in the folder, %v; want the journal's alone", len(entries), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v; want it for its owner alone", info.Mode(), err)
	}
}

func TestFileInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	open(t, path)
	start := time.Now()
	_, err := tryOpen(path)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("opening a file in use: %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestEmptyFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, path, "empty")
}

func TestForeignFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("SQLite format 3\x00"), 1<<12), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, path, "not a bbolt file")
}

// TestTruncatedFileIsRefused has the newest meta page in the first place, and in the second.
func TestTruncatedFileIsRefused(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{500, 600} {
		path := filepath.Join(t.TempDir(), "journal.db")
		fill(t, path, rows)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		used := usedBytes(whole)
		for _, size := range []int{1, 63, 80, 4000, pageSize, pageSize + 80, 2 * pageSize, 3*pageSize + 1, used / 2,
			used - pageSize, used - 1} {
			t.Run(fmt.Sprintf("%d rows in %d bytes", rows, size), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "journal.db")
				if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
					t.Fatal(err)
				}
				refused(t, path)
			})
		}
		// bbolt grows the file ahead of what it uses: without that it is whole.
		if err := os.Truncate(path, int64(used)); err != nil {
			t.Fatal(err)
		}
		if n, err := count(open(t, path)); n != rows || err != nil {
			t.Errorf("cut to what is used: %d rows, %v; want %d", n, err, rows)
		}
	}
}

// usedBytes is how much of the file its newest meta page speaks of.
func usedBytes(file []byte) int {
	pages := uint64(0)
	for at := range 2 {
		pages = max(pages, binary.NativeEndian.Uint64(file[at*pageSize+16+40:]))
	}
	return int(pages) * pageSize
}

// newestMeta is the offset of the page that the last transaction wrote.
func newestMeta(file []byte) int {
	const txid = 16 + 48
	if binary.NativeEndian.Uint64(file[txid:]) > binary.NativeEndian.Uint64(file[pageSize+txid:]) {
		return 0
	}
	return pageSize
}

func TestTornMeta(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, 200)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newest := newestMeta(whole)
	for _, c := range []struct {
		name string
		at   int
		rows int
	}{{"the newest", newest, 100}, {"the other", pageSize - newest, 200}} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			torn := bytes.Clone(whole)
			clear(torn[c.at+16+40 : c.at+512])
			if err := os.WriteFile(path, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s, err := bolt.Open(bolt.Config{Path: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if n, err := count(s); n != c.rows || err != nil {
				t.Errorf("%d rows, %v; want %d", n, err, c.rows)
			}
			if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), path) {
				t.Errorf("the log says %q", log.String())
			}
			put(t, s, c.rows, 300)
			if n, err := count(s); n != 300 || err != nil {
				t.Errorf("%d rows after going on, %v; want 300", n, err)
			}
		})
	}
	t.Run("both", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "journal.db")
		torn := bytes.Clone(whole)
		torn[16+40] ^= 1
		torn[pageSize+16+40] ^= 1
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "neither meta page")
	})
}

func TestWholeMetaHasNoWarning(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	var log bytes.Buffer
	for range 3 {
		s, err := bolt.Open(bolt.Config{Path: path, Create: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, 0, 10)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if log.Len() > 0 {
		t.Errorf("the log says %q", log.String())
	}
}
