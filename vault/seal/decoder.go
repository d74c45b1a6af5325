package seal

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"muniment/vault/keys"
)

// Source opens length bytes of a document's ciphertext from offset on. A body that ends early must give an error other
// than io.EOF if the reason is the transport's; a clean early end is taken for a cut object.
type Source func(ctx context.Context, offset, length int64) (io.ReadCloser, error)

// Decoder reads spans of one document's content. It is for one goroutine at a time and keeps one segment's buffer.
//
// It guarantees that each byte that WriteSpan writes is the byte that was encrypted at that offset, under this keyset
// and binding, and that nothing of a segment is written before the segment is verified. Segments carry their number and
// whether they are the last in the nonce, so none can be moved, swapped or left out. The size given to NewDecoder is
// proved by every span that touches the last segment, so by each full read: a ciphertext cut at a segment's border
// fails there. A span that ends before the last segment proves its own bytes and not the size; take the size from the
// record of the deposit, never from the store, or call CheckSize.
type Decoder struct {
	key     contentKey
	layout  layout
	binding []byte
	size    int64 // of the ciphertext
	plain   int64
	src     Source
	opener  opener // nil until the header has been read
	buf     []byte
}

// readAhead is how much of small segments is asked of a source's body at a time.
const readAhead = 64 << 10

// NewDecoder prepares to read the document of size bytes of ciphertext. It reads nothing yet. ErrKeyset, or
// ErrCiphertext if no ciphertext of the keyset's suite has that size.
func NewDecoder(keyset keys.Secret, binding []byte, size int64, src Source) (*Decoder, error) {
	k, err := readKeyset(keyset)
	if err != nil {
		return nil, fmt.Errorf("decrypting content: %w", err)
	}
	l, err := k.suite.layout()
	if err != nil {
		return nil, fmt.Errorf("decrypting content: %w", err)
	}
	plain, err := l.plaintextSize(size)
	if err != nil {
		return nil, fmt.Errorf("decrypting content: %w", err)
	}
	return &Decoder{key: k, layout: l, binding: binding, size: size, plain: plain, src: src}, nil
}

// Size is the document's length in bytes, as the ciphertext's size implies it.
func (d *Decoder) Size() int64 { return d.plain }

// Format keeps the keyset out of whatever prints a Decoder.
func (d *Decoder) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[decoder]") }

// WriteSpan writes the length bytes from offset on to w. It reads the segments that hold them, with one call to the
// source, and one more for the header unless the first segment is among them or an earlier span has read it. An empty
// span verifies the segment that it stands in, so that an empty document is verified too.
//
// It returns ErrSpan before reading anything; ErrCiphertext when a segment does not verify or the source ends early;
// the wrapped error of the source, of w, or of ctx. After an error w may have got a part of the span, all of it
// verified.
func (d *Decoder) WriteSpan(ctx context.Context, w io.Writer, offset, length int64) error {
	if offset < 0 || length < 0 || offset > d.plain || length > d.plain-offset {
		return fmt.Errorf("decrypting content: %w", ErrSpan)
	}
	end := offset + length
	first := d.segmentAt(offset)
	last := first
	if length > 0 {
		last = d.segmentAt(end - 1)
	}
	return d.readSegments(ctx, first, last, func(segment int64, plain []byte) error {
		start := d.plainStart(segment)
		from, to := max(offset-start, 0), min(end-start, int64(len(plain)))
		if from >= to {
			return nil
		}
		if _, err := w.Write(plain[from:to]); err != nil {
			return fmt.Errorf("writing decrypted content: %w", err)
		}
		return nil
	})
}

// CheckSize proves the size given to NewDecoder by reading and verifying the last segment.
func (d *Decoder) CheckSize(ctx context.Context) error {
	return d.WriteSpan(ctx, io.Discard, d.plain, 0)
}

// readSegments verifies the segments first to last, in order, and hands on the plaintext of each.
func (d *Decoder) readSegments(ctx context.Context, first, last int64,
	use func(segment int64, plain []byte) error) error {
	if first > 0 && d.opener == nil {
		if err := d.fetchHeader(ctx); err != nil {
			return err
		}
	}
	start := first * d.layout.segment
	if first == 0 && d.opener != nil {
		start = headerSize
	}
	total := min((last+1)*d.layout.segment, d.size) - start
	body, err := d.src(ctx, start, total)
	if err != nil {
		return fmt.Errorf("opening the ciphertext: %w", err)
	}
	defer func() { _ = body.Close() }() // all that was needed has been read and verified, or the reading failed already
	r := io.Reader(body)
	if d.layout.segment < min(readAhead, total) {
		r = bufio.NewReaderSize(body, int(min(total, readAhead)))
	}
	if d.opener == nil {
		if err := d.readHeader(r); err != nil {
			return err
		}
	}
	for i := first; i <= last; i++ {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("decrypting content: %w", err)
		}
		plain, err := d.readSegment(r, i)
		if err != nil {
			return err
		}
		if err := use(i, plain); err != nil {
			return err
		}
	}
	return nil
}

func (d *Decoder) readSegment(r io.Reader, i int64) ([]byte, error) {
	n := min((i+1)*d.layout.segment, d.size) - i*d.layout.segment
	if i == 0 {
		n -= headerSize
	}
	if int64(cap(d.buf)) < n {
		d.buf = make([]byte, min(d.layout.segment, d.size))
	}
	segment := d.buf[:n]
	if err := readFull(r, segment); err != nil {
		return nil, err
	}
	plain, ok := d.opener.open(segment, uint32(i), (i+1)*d.layout.segment >= d.size)
	if !ok {
		return nil, fmt.Errorf("decrypting content: segment %d does not verify: %w", i, ErrCiphertext)
	}
	return plain, nil
}

func (d *Decoder) fetchHeader(ctx context.Context) error {
	body, err := d.src(ctx, 0, headerSize)
	if err != nil {
		return fmt.Errorf("opening the ciphertext: %w", err)
	}
	defer func() { _ = body.Close() }()
	return d.readHeader(body)
}

func (d *Decoder) readHeader(r io.Reader) error {
	var header [headerSize]byte
	if err := readFull(r, header[:]); err != nil {
		return err
	}
	if header[0] != headerSize {
		return fmt.Errorf("decrypting content: its header is none: %w", ErrCiphertext)
	}
	o, err := newOpener(d.key, header[1:1+keySize], header[1+keySize:], d.binding)
	if err != nil {
		return fmt.Errorf("decrypting content: %w", err)
	}
	d.opener = o
	return nil
}

// segmentAt is the number of the segment that holds the byte at the offset; the last one for the offset after all
// bytes.
func (d *Decoder) segmentAt(offset int64) int64 {
	if offset < d.layout.first() {
		return 0
	}
	return min(1+(offset-d.layout.first())/d.layout.rest(), (d.size-1)/d.layout.segment)
}

// plainStart is the offset of the first byte of a segment.
func (d *Decoder) plainStart(segment int64) int64 {
	if segment == 0 {
		return 0
	}
	return d.layout.first() + (segment-1)*d.layout.rest()
}

// readFull fills buf. Other than io.ReadFull it tells an object that ends early from a transport that fails, whatever
// error the transport gives.
func readFull(r io.Reader, buf []byte) error {
	for len(buf) > 0 {
		n, err := r.Read(buf)
		buf = buf[n:]
		switch {
		case len(buf) == 0:
			return nil
		case err == io.EOF: // an error that wraps it is the transport's
			return fmt.Errorf("reading the ciphertext: it ends early: %w", ErrCiphertext)
		case err != nil:
			return fmt.Errorf("reading the ciphertext: %w", err)
		}
	}
	return nil
}
