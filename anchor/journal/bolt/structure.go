package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"

	"muniment/anchor/journal"
)

// The kinds of pages, by the flag that one has, and the flag of a leaf's element that holds a bucket.
const (
	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketLeaf   = 0x01

	elementSize = 16   // of a branch or a leaf
	manyIDs     = 0xff // a freelist's count, twice this byte, which says that its first id is the count
	maxDepth    = 64   // of the tree: a deeper one runs in circles
)

var _ journal.Checker = (*Store)(nil)

// structure is a walk over the pages of a file. It reads the file, and not the memory that it is mapped into, so that
// no number in a damaged page can lead out of it.
type structure struct {
	ctx   context.Context
	file  *os.File
	meta  meta
	used  []byte // by page: 0 unknown, 1 in the tree, 2 free
	found func(where, problem string)
}

// CheckStructure walks every page of the file and compares the tree with the list of free pages: a page that is in both
// would be written over while it is in use, which no reading of rows shows. found is called for each fault, with the
// page. The journal must not be open for writing.
func (s *Store) CheckStructure(ctx context.Context, found func(where, problem string)) error {
	m, _, err := newestMeta(s.file)
	if err != nil {
		return fmt.Errorf("checking the structure of %s: %w", s.path, err)
	}
	c := &structure{ctx: ctx, file: s.file, meta: m, used: make([]byte, m.pages), found: found}
	c.used[0], c.used[1] = 1, 1
	err = c.freelist()
	if err == nil {
		err = c.tree(m.root, nil, nil, 0)
	}
	if err != nil {
		return fmt.Errorf("checking the structure of %s: %w", s.path, err)
	}
	for id, use := range c.used {
		if use == 0 {
			c.problem(uint64(id), "it is neither in use nor free")
		}
	}
	return nil
}

func (c *structure) problem(page uint64, what string, args ...any) {
	c.found(fmt.Sprintf("page %d", page), fmt.Sprintf(what, args...))
}

// page reads a page with all that it overflows into; nil when it is none, which is then found.
func (c *structure) page(id uint64) (flags uint16, raw []byte, err error) {
	if err := c.ctx.Err(); err != nil {
		return 0, nil, err
	}
	size := uint64(c.meta.pageSize)
	if id < 2 || id >= c.meta.pages {
		c.problem(id, "it is named and lies outside of the file, which has %d pages", c.meta.pages)
		return 0, nil, nil
	}
	var head [pageHeader]byte
	if _, err := c.file.ReadAt(head[:], int64(id*size)); err != nil {
		return 0, nil, err
	}
	order := binary.NativeEndian
	overflow := uint64(order.Uint32(head[12:]))
	if order.Uint64(head[:]) != id || id+overflow >= c.meta.pages {
		c.problem(id, "its header is not its own")
		return 0, nil, nil
	}
	raw = make([]byte, (1+overflow)*size)
	if _, err := c.file.ReadAt(raw, int64(id*size)); err != nil {
		return 0, nil, err
	}
	for at := id; at <= id+overflow; at++ {
		switch c.used[at] {
		case 1:
			c.problem(at, "it is in use twice")
			return 0, nil, nil
		case 2:
			c.problem(at, "it is in use, and in the list of free pages")
		}
		c.used[at] = 1
	}
	return order.Uint16(head[8:]), raw, nil
}

// freelist reads the list of free pages.
func (c *structure) freelist() error {
	if c.meta.freelist == noFreelist {
		return nil
	}
	flags, raw, err := c.page(c.meta.freelist)
	if err != nil || raw == nil {
		return err
	}
	if flags != freelistPage {
		c.problem(c.meta.freelist, "it should be the list of free pages, and is not")
		return nil
	}
	order := binary.NativeEndian
	count, ids := uint64(order.Uint16(raw[10:])), raw[pageHeader:]
	if raw[10] == manyIDs && raw[11] == manyIDs {
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		c.problem(c.meta.freelist, "the list of free pages is longer than its page")
		return nil
	}
	for i := range count {
		id := order.Uint64(ids[8*i:])
		switch {
		case id < 2 || id >= c.meta.pages:
			c.problem(c.meta.freelist, "the list of free pages names page %d, which there is not", id)
		case c.used[id] != 0:
			c.problem(id, "it is in the list of free pages twice, or in use")
		default:
			c.used[id] = 2
		}
	}
	return nil
}

// tree walks the tree below a page, whose keys must be from from (nil: any) up to before to (nil: any).
func (c *structure) tree(id uint64, from, to []byte, depth int) error {
	if depth > maxDepth {
		c.problem(id, "the tree runs in circles")
		return nil
	}
	flags, raw, err := c.page(id)
	if err != nil || raw == nil {
		return err
	}
	if flags != branchPage && flags != leafPage {
		c.problem(id, "it should be part of the tree, and is not")
		return nil
	}
	elements, ok := parseElements(flags, raw)
	if !ok {
		c.problem(id, "its elements do not fit into it")
		return nil
	}
	for i, e := range elements {
		if i > 0 && bytes.Compare(elements[i-1].key, e.key) >= 0 || from != nil && bytes.Compare(e.key, from) < 0 ||
			to != nil && bytes.Compare(e.key, to) >= 0 {
			c.problem(id, "its keys are not in order")
			return nil
		}
	}
	for i, e := range elements {
		switch {
		case flags == branchPage:
			end := to
			if i+1 < len(elements) {
				end = elements[i+1].key
			}
			err = c.tree(e.child, e.key, end, depth+1)
		case e.bucket:
			err = c.bucket(id, e.value, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket walks the bucket that an element of a page holds: the page of its root and its sequence, of 8 bytes each; a
// small one has its only page behind them.
func (c *structure) bucket(id uint64, value []byte, depth int) error {
	if len(value) < pageHeader {
		c.problem(id, "it holds a table without a root")
		return nil
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return c.tree(root, nil, nil, depth+1)
	}
	inline := value[pageHeader:]
	if len(inline) < pageHeader || binary.NativeEndian.Uint16(inline[8:]) != leafPage {
		c.problem(id, "it holds a small table that is none")
		return nil
	}
	if _, ok := parseElements(leafPage, inline); !ok {
		c.problem(id, "it holds a small table whose rows do not fit into it")
	}
	return nil
}

// element is one of a page of the tree.
type element struct {
	key, value []byte // the value of a leaf's
	bucket     bool   // value is a bucket
	child      uint64 // the page of a branch's
}

// parseElements reads the elements of a page; false when they do not fit into it.
func parseElements(flags uint16, raw []byte) ([]element, bool) {
	order := binary.NativeEndian
	count := int(order.Uint16(raw[10:]))
	if len(raw) < pageHeader+count*elementSize || count == 0 && flags == branchPage {
		return nil, false
	}
	out := make([]element, count)
	for i := range out {
		at := pageHeader + i*elementSize
		head := raw[at:]
		var pos, keySize, valueSize uint64
		if flags == branchPage {
			pos, keySize = uint64(order.Uint32(head)), uint64(order.Uint32(head[4:]))
			out[i].child = order.Uint64(head[8:])
		} else {
			out[i].bucket = order.Uint32(head)&bucketLeaf != 0
			pos, keySize = uint64(order.Uint32(head[4:])), uint64(order.Uint32(head[8:]))
			valueSize = uint64(order.Uint32(head[12:]))
		}
		if pos+keySize+valueSize > uint64(len(raw)-at) {
			return nil, false
		}
		out[i].key = head[pos : pos+keySize]
		out[i].value = head[pos+keySize : pos+keySize+valueSize]
	}
	return out, true
}
