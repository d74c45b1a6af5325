package local

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/bounded"
)

const (
	blockSuffix = ".block"
	tempPattern = "unfinished-*"
)

// ErrDamaged says that the chain on disk is broken: a block is missing, unreadable or does not follow from the one
// before.
var ErrDamaged = errors.New("the local ledger is damaged")

// files are the calls whose failure decides whether a block is on disk.
type files struct {
	sync func(*os.File) error
	link func(from, to string) error
}

// chain is the folder of blocks, one file each, and its state as it was last read. A block is written to a temporary
// file, synced, and linked to its own name, which fails if there is a block of this height: so a block is whole or
// absent whatever happens, none is ever overwritten, and two processes cannot write different ones.
type chain struct {
	dir      string
	verifier note.Verifier
	files    files
	height   uint64
	last     Block
	lastHash [sha256.Size]byte
	heads    map[string]Block // origin → its newest block
}

// openChain reads the whole chain and checks every hash and signature.
func openChain(dir string, v note.Verifier, f files) (*chain, error) {
	c := &chain{dir: dir, verifier: v, files: f, heads: map[string]Block{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if unfinished, err := filepath.Match(tempPattern, e.Name()); err == nil && unfinished {
			// A crash has left it. If another process is just writing it, that one fails and its caller tries again.
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	if err := c.readAll(entries); err != nil {
		return nil, err
	}
	return c, nil
}

// readAll reads all blocks. One above a gap would be written over by the next, so it is damage.
func (c *chain) readAll(entries []os.DirEntry) error {
	if err := c.catchUp(); err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, blockSuffix) && name > filepath.Base(c.path(c.height)) {
			return fmt.Errorf("%w: there is %s, but no block %d", ErrDamaged, name, c.height+1)
		}
	}
	return nil
}

// Check reads and checks the chain in a folder as Open does, and changes nothing; key is the verifier key of its
// blocks, as policies pin it. It returns the number of blocks; a folder that is not there has none.
func Check(dir, key string) (blocks uint64, err error) {
	v, err := note.NewVerifier(key)
	if err != nil {
		return 0, fmt.Errorf("checking the local ledger: reading its key: %w", err)
	}
	c := &chain{dir: dir, verifier: v, heads: map[string]Block{}}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err == nil {
		err = c.readAll(entries)
	}
	if err != nil {
		return c.height, fmt.Errorf("checking the local ledger: %w", err)
	}
	return c.height, nil
}

func (c *chain) path(height uint64) string {
	return filepath.Join(c.dir, fmt.Sprintf("%012d%s", height, blockSuffix))
}

// read returns the block of a height, or fs.ErrNotExist. All else that can be wrong with it is ErrDamaged.
func (c *chain) read(height uint64) ([]byte, Block, error) {
	data, err := bounded.ReadFile(c.path(height), bounded.Small)
	if err != nil {
		return nil, Block{}, err
	}
	b, err := ParseBlock(data, c.verifier)
	if err == nil && b.Height != height {
		err = fmt.Errorf("its height is %d", b.Height)
	}
	if err != nil {
		return nil, Block{}, fmt.Errorf("%w: block %d: %w", ErrDamaged, height, err)
	}
	return data, b, nil
}

// catchUp reads the blocks that were added since, by this handle or another.
func (c *chain) catchUp() error {
	for {
		data, b, err := c.read(c.height + 1)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.follows(b); err != nil {
			return fmt.Errorf("%w: block %d: %w", ErrDamaged, b.Height, err)
		}
		c.height, c.last, c.lastHash = b.Height, b, sha256.Sum256(data)
		c.heads[b.Origin] = b
	}
}

// follows returns an error if the block cannot be the next.
func (c *chain) follows(b Block) error {
	head, known := c.heads[b.Origin]
	switch {
	case b.Height != c.height+1:
		return fmt.Errorf("the next height is %d", c.height+1)
	case b.Previous != c.lastHash:
		return errors.New("it does not hold the hash of the block before")
	case b.Time.Before(c.last.Time):
		return errors.New("it is older than the block before")
	case known && b.Size <= head.Size:
		return fmt.Errorf("block %d already holds size %d of its origin", head.Height, head.Size)
	}
	return nil
}

// add puts the block of the next height on disk. When it returns nil the block is there for good: these bytes, and not
// another's, which is fs.ErrExist.
func (c *chain) add(height uint64, data []byte) error {
	temp, err := os.CreateTemp(c.dir, tempPattern)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // what stays behind is removed when the chain is opened
	if err := errors.Join(writeAll(temp, data, c.files.sync), temp.Close()); err != nil {
		return err
	}
	if err := c.files.link(temp.Name(), c.path(height)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, err := bounded.ReadFile(c.path(height), bounded.Small)
	if err != nil {
		return err
	}
	if !bytes.Equal(there, data) {
		return fs.ErrExist
	}
	return c.syncDir()
}

func writeAll(f *os.File, data []byte, sync func(*os.File) error) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return sync(f)
}

// syncDir makes the names in the folder durable.
func (c *chain) syncDir() error {
	d, err := os.Open(c.dir)
	if err != nil {
		return err
	}
	return errors.Join(c.files.sync(d), d.Close())
}
