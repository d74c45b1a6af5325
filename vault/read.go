package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/budget"
	"muniment/vault/objects"
	"muniment/vault/rekey"
	"muniment/vault/seal"
)

const (
	// wholeUpTo is the size in bytes up to which a document is verified whole before any of it is handed out.
	wholeUpTo = 1 << 20
	// maxNote is the length of the longest note, in bytes.
	maxNote = 4 << 10
)

var purposePattern = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// ReadRequest says what to read, and why.
type ReadRequest struct {
	// Purpose is a code: 1 to 64 of [a-z0-9-]. It stands in the body.
	Purpose string
	// Note is the purpose in free text, at most 4 KiB: a sealed row; may be empty.
	Note string
	// Select picks the spans to serve once the size is known; nil means all. Its error is returned before anything is
	// recorded.
	Select func(size int64) ([]objects.Span, error)
}

func (q *ReadRequest) check() error {
	if !purposePattern.MatchString(q.Purpose) || len(q.Note) > maxNote || !utf8.ValidString(q.Note) {
		return ErrPurpose
	}
	return nil
}

// reading is a read on its way.
type reading struct {
	who access.Who
	id  journal.ID
	req ReadRequest

	spans   []objects.Span
	size    int64 // of the document
	memory  *budget.Grant
	noteID  *journal.ID
	note    journal.Row // of the sealed row
	row     document
	sealed  []byte
	session *session
}

// Read opens a document's content; access.Read is needed. That it is read goes on record before its key is unwrapped;
// reads of one document by one actor for one purpose share an event while they follow each other within a minute, for
// at most five. Documents of up to 1 MiB are verified whole before Read returns. The caller closes the content.
//
// Errors: ErrPurpose; ErrPurposeUnlisted; ErrNotFound, for other tenants' documents too; ErrErased; ErrDamagedContent;
// access.ErrDenied; that of Select; journal.ErrFull and journal.ErrNoLease, upon which nothing is served;
// keys.ErrUnavailable and objects.ErrUnavailable.
func (v *Vault) Read(ctx context.Context, who access.Who, id journal.ID, req ReadRequest) (*Content, error) {
	c, err := v.read(ctx, &reading{who: who, id: id, req: req})
	if err != nil {
		return nil, fmt.Errorf("reading a document: %w", err)
	}
	return c, nil
}

func (v *Vault) read(ctx context.Context, rd *reading) (*Content, error) {
	if err := rd.req.check(); err != nil {
		return nil, err
	}
	if err := v.choose(ctx, rd); err != nil {
		return nil, err
	}
	var err error
	rd.memory, err = v.cfg.Memory.Take(ctx, rd.who.Principal.String(), budget.Reads, readMemory(rd.size))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			rd.memory.Free()
		}
	}()
	if err = v.recordRead(ctx, rd); err != nil {
		return nil, err
	}
	c, err := v.openContent(ctx, rd)
	if err == nil {
		// The last thing before the content leaves: the event that it is read may lie on a copy of the database whose
		// history nobody will ever see.
		err = v.cfg.Journal.Fence(ctx)
	}
	if err != nil {
		v.sessions.leave(rd.session, v.cfg.Clock.Now(), 0, true)
		return nil, err
	}
	return c, nil
}

// readMemory is the memory that a read of a document of the size given takes: the ciphertext and the content of a small
// one, or a segment and what is read ahead.
func readMemory(size int64) int64 {
	if size <= wholeUpTo {
		return 2*size + chunkSize
	}
	return 1<<20 + 2*chunkSize
}

// choose picks the spans from a snapshot, before the read is recorded.
func (v *Vault) choose(ctx context.Context, rd *reading) error {
	var row document
	err := v.cfg.Door.Look(ctx, rd.who, func(r journal.Reader, guard *access.Guard) (err error) {
		if row, _, err = visible(r, guard, access.Read, rd.id); err != nil {
			return err
		}
		if row.Erased {
			return ErrErased
		}
		return listedPurpose(r, rd.who.Tenant, rd.req.Purpose)
	})
	if err != nil {
		return err
	}
	rd.spans, rd.size = []objects.Span{{Offset: 0, Length: row.Size}}, row.Size
	if rd.req.Select == nil {
		return nil
	}
	if rd.spans, err = rd.req.Select(row.Size); err != nil {
		return err
	}
	for _, s := range rd.spans {
		if s.Offset < 0 || s.Length < 0 || s.Offset > row.Size || s.Length > row.Size-s.Offset {
			return seal.ErrSpan
		}
	}
	return nil
}

// recordRead puts the read on record, or joins the session of an earlier one. Either way permission is checked in a
// decide.
func (v *Vault) recordRead(ctx context.Context, rd *reading) error {
	key := sessionKey{who: rd.who, doc: rd.id, purpose: rd.req.Purpose, note: sha256.Sum256([]byte(rd.req.Note))}
	joined := v.sessions.join(key, v.cfg.Clock.Now())
	if joined == nil && rd.req.Note != "" {
		if err := v.sealNote(ctx, rd); err != nil {
			return err
		}
	}
	decide := func(view journal.View, guard *access.Guard) (change journal.Change, err error) {
		if rd.row, rd.sealed, err = visible(view, guard, access.Read, rd.id); err != nil {
			return change, err
		}
		if rd.row.Erased {
			return change, ErrErased
		}
		if err := listedPurpose(view, rd.who.Tenant, rd.req.Purpose); err != nil || joined != nil {
			return change, err
		}
		change.Events = []journal.Event{DocumentRead.New(rd.id,
			DocumentReadData{Purpose: rd.req.Purpose, Note: rd.noteID})}
		if rd.noteID != nil {
			change.Sealed = []journal.Row{rd.note}
		}
		return change, nil
	}
	receipt, err := rekey.CommitRow(ctx, v.cfg.Door, v.cfg.Keys, rd.who, &rd.note, decide)
	switch {
	case err != nil && joined != nil:
		v.sessions.withdraw(joined)
		return err
	case err != nil:
		return err
	case joined != nil:
		rd.session = joined
	default:
		rd.session = v.sessions.begin(key, receipt.Index, v.cfg.Clock.Now())
	}
	return nil
}

func (v *Vault) sealNote(ctx context.Context, rd *reading) error {
	id, err := journal.NewID(v.cfg.Clock.Now(), v.cfg.Rand)
	if err != nil {
		return err
	}
	rd.noteID = &id
	rd.note.Key = sealedKey(sealedNote, id)
	rd.note.Value, err = seal.Text(ctx, v.cfg.Keys, rd.who.Tenant, seal.RowBinding(rd.who.Tenant, noteBinding, id[:]),
		[]byte(rd.req.Note))
	return err
}

// openContent unwraps the document's key and makes its content ready to be written.
func (v *Vault) openContent(ctx context.Context, rd *reading) (*Content, error) {
	opened, err := v.open(ctx, rd.who, rd.id, rd.row.Series, rd.sealed)
	if err != nil {
		return nil, err
	}
	c := &Content{
		Document: rd.row.public(rd.id), Spans: rd.spans, Index: rd.session.index,
		v: v, rd: rd, served: make([]bool, len(rd.spans)),
	}
	opened.text.into(&c.Document, true)
	source := v.source(rd.row.Object)
	whole := rd.row.Size <= wholeUpTo
	if whole {
		if source, err = v.fetch(ctx, rd.row.Object); err != nil {
			return nil, v.damage(ctx, rd.who, rd.id, err)
		}
	} else if err := v.probe(ctx, rd.row.Object); err != nil {
		return nil, v.damage(ctx, rd.who, rd.id, err)
	}
	c.decoder, err = seal.NewDecoder(opened.keyset, seal.Binding(rd.who.Tenant, rd.id), rd.row.Object.Size, source)
	if err != nil {
		return nil, v.damage(ctx, rd.who, rd.id, err)
	}
	if c.decoder.Size() != rd.row.Size {
		return nil, v.damage(ctx, rd.who, rd.id, errSize)
	}
	if whole {
		c.plain.Grow(int(rd.row.Size))
		if err := c.decoder.WriteSpan(ctx, &c.plain, 0, rd.row.Size); err != nil {
			return nil, v.damage(ctx, rd.who, rd.id, err)
		}
		c.decoder = nil
	}
	return c, nil
}

// source reads a document's ciphertext from the store, part by part.
func (v *Vault) source(o StoredObject) seal.Source {
	return func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		body, _, err := openResuming(ctx, v.cfg.Objects, o, objects.Span{Offset: offset, Length: length})
		if err != nil {
			return nil, err
		}
		return body, nil
	}
}

// fetch reads a small document's ciphertext whole and holds it against its record.
func (v *Vault) fetch(ctx context.Context, o StoredObject) (seal.Source, error) {
	body, info, err := openResuming(ctx, v.cfg.Objects, o, objects.Span{Length: o.Size})
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // only read from
	if info.Size != o.Size {
		return nil, errSize
	}
	raw := make([]byte, o.Size)
	if _, err := io.ReadFull(body, raw); err != nil {
		return nil, fmt.Errorf("reading the stored content: %w", err)
	}
	if sum := sha256.Sum256(raw); !bytes.Equal(sum[:], o.SHA256) {
		return nil, errDigest
	}
	return func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(raw[offset : offset+length])), nil
	}, nil
}

// probe sees that a large document's object is there and has its size, before the first byte of it is promised.
func (v *Vault) probe(ctx context.Context, o StoredObject) error {
	info, err := v.cfg.Objects.Stat(ctx, o.Key, o.Version)
	if err == nil && info.Size != o.Size {
		return errSize
	}
	return err
}
