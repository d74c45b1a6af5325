package s3

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"muniment/vault/budget"
)

// slabSize is the unit of the memory that holds what is to be sent. A part takes slabs only as its bytes come in, so a
// client that trickles holds no more than it has sent.
const slabSize = 64 << 10

// atHand is how much of a body an upload holds without asking Config.Memory: it is on the account of the caller, which
// has the body at hand too.
const atHand = 4 * slabSize

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// part is bytes in memory that one request sends, as often as it takes.
type part struct {
	store *Store
	slabs []*[]byte
	size  int64
	crc   uint32
	// memory is what the slabs are taken from; nil while they are no more than atHand.
	memory *budget.Grant
}

// room is where the next bytes go: the rest of the last slab, at most n bytes.
func (p *part) room(n int64) []byte {
	at := int(p.size % slabSize)
	if at == 0 {
		p.slabs = append(p.slabs, p.store.slabs.Get().(*[]byte))
	}
	slab := (*p.slabs[len(p.slabs)-1])[at:]
	return slab[:min(int64(len(slab)), n)]
}

// add says that bytes have been put into room.
func (p *part) add(written []byte) {
	p.size += int64(len(written))
	p.crc = crc32.Update(p.crc, castagnoli, written)
}

// free gives the memory back. Nobody may read any more.
func (p *part) free() {
	for _, slab := range p.slabs {
		p.store.slabs.Put(slab)
	}
	p.memory.Free()
	p.slabs, p.size, p.crc, p.memory = nil, 0, 0, nil
}

// checksum is the part's CRC-32C as headers have it.
func (p *part) checksum() string { return encodeCRC(p.crc) }

func encodeCRC(crc uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}

// partReader reads a part for one request. net/http may go on reading a request's body after the request has failed;
// detach keeps it from reading memory that is somebody else's by then.
type partReader struct {
	mu    sync.Mutex
	part  *part
	at    int64
	moved func()
}

var errDetached = errors.New("the request is over")

// Read reads from the part.
func (r *partReader) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.part == nil {
		return 0, errDetached
	}
	r.moved()
	n := 0
	for n < len(b) && r.at < r.part.size {
		slab := (*r.part.slabs[r.at/slabSize])[r.at%slabSize:]
		m := copy(b[n:], slab[:min(int64(len(slab)), r.part.size-r.at)])
		n, r.at = n+m, r.at+int64(m)
	}
	if r.at == r.part.size {
		return n, io.EOF
	}
	return n, nil
}

func (r *partReader) detach() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.part = nil
}
