package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/budget"
	"muniment/vault/keys"
	"muniment/vault/objects"
	"muniment/vault/seal"
)

// Content is an open document. It is for one goroutine at a time; Close may be called more than once.
type Content struct {
	Document Document
	Spans    []objects.Span
	Index    uint64 // of the document.read that this read is covered by

	v       *Vault
	rd      *reading
	plain   bytes.Buffer  // all of a small document
	decoder *seal.Decoder // nil for a small document

	bytes  int64
	served []bool // by span: written whole
	once   sync.Once
}

// WriteSpan writes span i to w. Nothing that was not verified is written; after an error w may have a part of the span.
// It returns ErrDamagedContent when the ciphertext is not what was recorded, which goes on record as an alarm,
// ErrErased when the document was erased meanwhile, or the error of w, of ctx, or of the store.
func (c *Content) WriteSpan(ctx context.Context, w io.Writer, i int) error {
	span := c.Spans[i]
	counted := &counter{w: w, expelled: &c.rd.session.expelled, memory: c.rd.memory}
	var err error
	if c.decoder == nil {
		_, err = counted.Write(c.plain.Bytes()[span.Offset : span.Offset+span.Length])
	} else {
		err = c.decoder.WriteSpan(ctx, counted, span.Offset, span.Length)
	}
	c.bytes += counted.n
	if err != nil && counted.err == nil {
		err = c.v.damage(ctx, c.rd.who, c.rd.id, err)
	}
	if err != nil {
		return fmt.Errorf("serving a document: %w", err)
	}
	c.served[i] = true
	return nil
}

// Close ends the read. How many bytes it took and whether it got all that it asked for goes on record when its session
// ends.
func (c *Content) Close() error {
	c.once.Do(func() {
		broken := false
		for _, whole := range c.served {
			broken = broken || !whole
		}
		c.v.sessions.leave(c.rd.session, c.v.cfg.Clock.Now(), c.bytes, broken)
		c.rd.memory.Free()
	})
	return nil
}

// counter counts what is written, and keeps the writer's own error apart from the source's. It writes nothing of a
// document that has been erased, and ends for a reader who takes it slowly while others wait for memory.
type counter struct {
	w        io.Writer
	memory   *budget.Grant
	expelled *atomic.Bool
	n        int64
	err      error
}

func (c *counter) Write(p []byte) (int, error) {
	if c.expelled.Load() {
		c.err = ErrErased
		return 0, c.err
	}
	if c.err = c.memory.Due(); c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.memory.Moved(n)
	if err != nil {
		c.err = err
	}
	return n, err
}

var (
	errSize   = errors.New("it has another size than was recorded")
	errDigest = errors.New("its SHA-256 is not the one recorded")
	errRow    = errors.New("its sealed row is missing, or is not what was recorded")
)

// foundRow is the finding that a document's sealed row, without which its content cannot be opened, is not what was
// recorded.
const foundRow = "row"

// finding names what is wrong with stored content; "" when the error says nothing about the content.
func finding(err error) string {
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return "missing"
	case errors.Is(err, errSize), errors.Is(err, objects.ErrShort):
		return "size"
	case errors.Is(err, errDigest):
		return "digest"
	case errors.Is(err, objects.ErrDamaged):
		return "damaged"
	case errors.Is(err, seal.ErrCiphertext):
		return "segment"
	case errors.Is(err, errRow), errors.Is(err, seal.ErrRow), errors.Is(err, seal.ErrKeyset),
		errors.Is(err, keys.ErrWrapped):
		return foundRow
	}
	return ""
}

// damage raises the alarm when err says that the stored content or its sealed row is not what was recorded, once for
// each document, and turns err into ErrDamagedContent.
func (v *Vault) damage(ctx context.Context, who access.Who, id journal.ID, err error) error {
	found := finding(err)
	if found == "" {
		return err
	}
	v.cfg.Log.Error("stored content is not what was recorded", "document", id.String(), "found", found)
	// The alarm must not be lost because the client has gone.
	_, recorded := v.cfg.Journal.Commit(context.WithoutCancel(ctx), who.Actor(),
		func(view journal.View) (journal.Change, error) {
			row, ok, err := documents.Get(view, id[:])
			if err != nil || !ok || row.Tenant != who.Tenant {
				return journal.Change{}, err
			}
			return row.alarm(id, found), nil
		})
	if recorded != nil {
		v.cfg.Log.Error("an alarm could not be put on record", "document", id.String(), "error", recorded)
	}
	return fmt.Errorf("%w: %w", ErrDamagedContent, err)
}

// keysDown logs why sealed fields are left out; the answer says only that they are.
func (v *Vault) keysDown(err error) {
	v.cfg.Log.Warn("descriptions go without their sealed fields: the key service does not serve us", "error", err)
}

// alarm is the change that puts a finding on record, unless one is there already.
func (d document) alarm(id journal.ID, found string) journal.Change {
	if d.Damaged {
		return journal.Change{}
	}
	data := ObjectDamagedData{Key: d.Object.Key, Version: d.Object.Version, Found: found}
	return journal.Change{Events: []journal.Event{ObjectDamaged.New(id, data)}}
}
