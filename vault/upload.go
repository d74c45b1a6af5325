package vault

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"

	"muniment/vault/access"
	"muniment/vault/budget"
	"muniment/vault/objects"
	"muniment/vault/seal"
)

const (
	// chunkSize is how much of the content is read at a time.
	chunkSize = 64 << 10
	// uploadLock is how long a new object is locked. The lock duty extends it once the deposit is on record; an object
	// whose deposit never was can be swept after that time.
	uploadLock = 24 * time.Hour
)

// content reads a deposit's content once: it counts, hashes and holds it against what was announced.
type content struct {
	ctx    context.Context
	src    io.Reader
	length int64  // announced, or -1
	want   []byte // announced digest, or nil
	most   int64
	n      int64
	hash   hash.Hash
	memory *budget.Grant // that it is read into; may be nil
}

func (v *Vault) newContent(ctx context.Context, d *Deposit) *content {
	return &content{ctx: ctx, src: d.Content, length: d.Length, want: d.Digest, most: v.cfg.MaxSize, hash: sha256.New()}
}

// next reads a chunk, full but for the last one, and says whether it was the last. Content that does not end as it was
// announced is an error. Errors of the source never leave as they are: a store could take a bare io.ErrUnexpectedEOF
// for the end.
func (c *content) next(chunk []byte) (n int, last bool, err error) {
	for n < len(chunk) && err == nil {
		if err = cmp.Or(c.ctx.Err(), c.memory.Due()); err == nil {
			var more int
			more, err = c.src.Read(chunk[n:])
			n += more
			c.memory.Moved(more)
		}
	}
	c.n += int64(n)
	c.hash.Write(chunk[:n])
	switch {
	case c.length >= 0 && c.n > c.length:
		return n, false, fmt.Errorf("it goes on after its announced length: %w", ErrMismatch)
	case c.n > c.most:
		return n, false, ErrTooLarge
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, false, ErrInterrupted
	case errors.Is(err, io.EOF):
		return n, true, c.compare()
	case err != nil:
		return n, false, fmt.Errorf("reading the content: %w", err)
	}
	return n, false, nil
}

// compare holds content that has ended against what was announced.
func (c *content) compare() error {
	if c.length >= 0 && c.n != c.length {
		return fmt.Errorf("it ends before its announced length: %w", ErrMismatch)
	}
	if c.want != nil && !bytes.Equal(c.want, c.hash.Sum(nil)) {
		return fmt.Errorf("its SHA-256 is another: %w", ErrMismatch)
	}
	return nil
}

func (c *content) digest() (out [sha256.Size]byte) {
	c.hash.Sum(out[:0])
	return out
}

// digestOnly reads the content for its digest and keeps nothing of it.
func (v *Vault) digestOnly(ctx context.Context, who access.Who, d *Deposit) ([sha256.Size]byte, error) {
	memory, err := v.cfg.Memory.Take(ctx, who.Principal.String(), budget.Work, chunkSize)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	defer memory.Free()
	c := v.newContent(ctx, d)
	c.memory = memory
	work := v.buffers.Get().(*workspace)
	defer v.buffers.Put(work)
	for {
		_, last, err := c.next(work.chunk[:])
		if err != nil {
			return [sha256.Size]byte{}, err
		}
		if last {
			return c.digest(), nil
		}
	}
}

// workspace is the memory that an upload needs. Uploads hand it on to one another.
type workspace struct {
	chunk [chunkSize]byte // of content
	out   bytes.Buffer    // of ciphertext
}

const (
	// smallWork is the memory that an upload of a small document takes: a chunk of content and of ciphertext, a segment
	// of 16 KiB with its ciphertext, and what the store has at hand of it.
	smallWork = 3 * chunkSize
	// largeWork is that of an upload with segments of 1 MiB: a chunk, a segment, its ciphertext, and 256 KiB that the
	// store has at hand.
	largeWork = 2<<20 + 8*chunkSize
)

// workFor is the memory that an upload takes which announces so many bytes, -1 for none.
func workFor(length int64) int64 {
	switch {
	case length < 0 || length > 1<<20:
		return largeWork
	case length <= chunkSize:
		return smallWork
	}
	return smallWork + 3*chunkSize // the store has 256 KiB at hand
}

// tidy empties the workspace. Large documents have large segments, whose room is not kept.
func (w *workspace) tidy() {
	w.out.Reset()
	if w.out.Cap() > 4*chunkSize {
		w.out = bytes.Buffer{}
	}
}

// encryption is a reader of the ciphertext of content. It holds one chunk and what the cipher has made of it, so memory
// does not grow with the content. The cipher is closed, which makes the ciphertext whole, only after content that is as
// announced; every other end is an error, upon which a store keeps nothing.
type encryption struct {
	plain *content
	*workspace
	cipher io.WriteCloser
	whole  bool // all of the ciphertext is in out, or has been read from it
	err    error

	n      int64
	sha256 hash.Hash
	crc32c hash.Hash32
}

// Read reads ciphertext.
func (e *encryption) Read(p []byte) (int, error) {
	for e.out.Len() == 0 && !e.whole && e.err == nil {
		e.err = e.fill()
	}
	if e.err != nil {
		return 0, e.err
	}
	n, err := e.out.Read(p) // io.EOF at the end
	e.n += int64(n)
	e.sha256.Write(p[:n])
	e.crc32c.Write(p[:n])
	return n, err
}

// fill encrypts the next chunk.
func (e *encryption) fill() error {
	n, last, err := e.plain.next(e.chunk[:])
	if err != nil {
		return err
	}
	_, err = e.cipher.Write(e.chunk[:n])
	if err == nil && last {
		err = e.cipher.Close()
	}
	if err != nil {
		return fmt.Errorf("encrypting: %w", err)
	}
	e.whole = last
	return nil
}

// notStores says that a store failed to put an object for a reason that is not its own.
func notStores(err error) bool {
	return errors.Is(err, objects.ErrTooLarge) || errors.Is(err, budget.ErrShort) || errors.Is(err, budget.ErrSlow)
}

// uploaded is content that has been stored and is not on record yet.
type uploaded struct {
	object StoredObject
	locked time.Time // until when
	size   int64
	digest [sha256.Size]byte
}

// upload encrypts the content under its own key into a new object.
func (v *Vault) upload(ctx context.Context, who access.Who, d *Deposit, own *ownKeys) (uploaded, error) {
	tenant, owner := who.Tenant, who.Principal.String()
	memory, err := v.cfg.Memory.Take(ctx, owner, budget.Work, workFor(d.Length))
	if err != nil {
		return uploaded{}, fmt.Errorf("storing the content: %w", err)
	}
	defer memory.Free()
	now := v.cfg.Clock.Now()
	locked := now.Add(uploadLock)
	objectKey, err := v.newObjectKey(tenant, now)
	if err != nil {
		return uploaded{}, err
	}
	work := v.buffers.Get().(*workspace)
	defer func() {
		work.tidy()
		v.buffers.Put(work)
	}()
	e := &encryption{
		plain: v.newContent(ctx, d), workspace: work,
		sha256: sha256.New(), crc32c: crc32.New(crc32.MakeTable(crc32.Castagnoli)),
	}
	e.plain.memory = memory
	if e.cipher, err = seal.Encrypt(&e.out, own.keyset, seal.Binding(tenant, own.id)); err != nil {
		return uploaded{}, fmt.Errorf("encrypting: %w", err)
	}
	length := int64(-1)
	if d.Length >= 0 {
		length = own.suite.CiphertextSize(d.Length)
	}
	info, err := v.cfg.Objects.Put(ctx, objectKey, e, objects.PutOptions{
		Length: length, Condition: objects.Condition{Absent: true}, RetainUntil: locked,
		Owner: owner,
	})
	if e.err == nil && ctx.Err() == nil && !notStores(err) { // otherwise it was not the store that ended it
		v.puts.note(err)
	}
	switch {
	case e.err != nil:
		return uploaded{}, fmt.Errorf("storing the content: %w", e.err)
	case err != nil:
		return uploaded{}, fmt.Errorf("storing the content: %w", err)
	case !e.whole || info.Size != e.n:
		return uploaded{}, fmt.Errorf("storing the content: the store kept another length than it was given: %w",
			objects.ErrShort)
	}
	return uploaded{
		locked: locked, size: e.plain.n, digest: e.plain.digest(),
		object: StoredObject{
			Key: objectKey, Version: info.Version, Size: e.n, SHA256: e.sha256.Sum(nil), CRC32C: e.crc32c.Sum32(),
		},
	}, nil
}

// newObjectKey draws an object's key, 80 random bits and the time. It says nothing about the document.
func (v *Vault) newObjectKey(tenant string, now time.Time) (string, error) {
	var raw [10 + 8]byte
	if _, err := io.ReadFull(v.cfg.Rand, raw[:10]); err != nil {
		return "", fmt.Errorf("drawing an object key: %w", err)
	}
	binary.BigEndian.PutUint64(raw[10:], uint64(now.UnixMilli()))
	return tenant + "/" + hex.EncodeToString(raw[:10]) + hex.EncodeToString(raw[12:]), nil
}

// objectPlace is an object's key as the index has it. The key begins at random, so that stores spread their load; its
// last twelve digits are the time, and rows that begin with it stay close together.
func objectPlace(key string) []byte {
	cut := max(len(key)-12, 0)
	return join(key[cut:], key)
}
