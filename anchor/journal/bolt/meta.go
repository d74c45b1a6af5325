package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"muniment/anchor/journal"
)

// The layout of a bbolt meta page, in the machine's byte order: after the page's header of 16 bytes come magic,
// version, page size and flags of 4 bytes each, then the root bucket's page and sequence, the freelist's page, the
// number of pages, the transaction id, and the FNV-64a checksum of all this, of 8 bytes each.
const (
	pageHeader  = 16
	metaSize    = 64
	metaMagic   = 0xED0CDAED
	metaVersion = 2
	noFreelist  = ^uint64(0)
	minPageSize = 1 << 10
	maxPageSize = 1 << 24
)

// meta holds the fields of a meta page that are checked here.
type meta struct {
	pageSize uint32
	root     uint64 // page of the root bucket
	freelist uint64
	pages    uint64 // so many pages the file has at least
	txid     uint64
}

func parseMeta(b []byte) (meta, error) {
	order := binary.NativeEndian
	if order.Uint32(b) != metaMagic {
		return meta{}, errors.New("not a bbolt file")
	}
	if v := order.Uint32(b[4:]); v != metaVersion {
		return meta{}, fmt.Errorf("bbolt's format %d, where this program knows %d", v, metaVersion)
	}
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	if sum.Sum64() != order.Uint64(b[metaSize-8:]) {
		return meta{}, errors.New("wrong checksum")
	}
	m := meta{
		pageSize: order.Uint32(b[8:]),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}
	sizeOK := m.pageSize >= minPageSize && m.pageSize <= maxPageSize && m.pageSize&(m.pageSize-1) == 0
	if !sizeOK || m.root >= m.pages || m.freelist >= m.pages && m.freelist != noFreelist {
		return meta{}, errors.New("impossible values")
	}
	return m, nil
}

func readMeta(f *os.File, at int64) (meta, error) {
	var b [metaSize]byte
	if _, err := f.ReadAt(b[:], at+pageHeader); errors.Is(err, io.EOF) {
		return meta{}, errors.New("past the end of the file")
	} else if err != nil {
		return meta{}, err
	}
	return parseMeta(b[:])
}

// newestMeta returns the meta page that bbolt will use, and whether the other one is damaged. A write that was cut off
// damages one, and its transaction was then never acknowledged.
func newestMeta(f *os.File) (m meta, torn bool, err error) {
	first, err := readMeta(f, 0)
	if err == nil {
		second, err := readMeta(f, int64(first.pageSize))
		switch {
		case err != nil:
			return first, true, nil
		case second.txid > first.txid:
			return second, false, nil
		default:
			return first, false, nil
		}
	}
	// The position of the second one depends on the page size, which only the metas hold.
	for at := int64(minPageSize); at <= maxPageSize; at *= 2 {
		if second, err := readMeta(f, at); err == nil && int64(second.pageSize) == at {
			return second, true, nil
		}
	}
	if info, statErr := f.Stat(); statErr == nil && info.Size() == 0 {
		return meta{}, false, fmt.Errorf("%w: the file is empty; %s", journal.ErrDamaged, remedy)
	}
	return meta{}, false, fmt.Errorf("%w: neither meta page is valid (%w); %s", journal.ErrDamaged, err, remedy)
}
