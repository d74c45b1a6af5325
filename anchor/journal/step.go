package journal

import (
	"encoding/json"
	"fmt"
	"io"
)

// step is the work of one commit in a group. It is merged into the group when the commit succeeds.
type step struct {
	Writer
	group   *group
	entries []Hash
	news    uint64
	last    body // of the last event
	lastRaw []byte
	nonce   [NonceSize]byte
	// newestAuth is the index of the newest event of the step about principals, keys and grants; nil for none.
	newestAuth *uint64
	changed    json.RawMessage // the data of an event of the step that changes the shipping key
}

// append appends an event to the log: it fills in index, tenant's number and previous event, writes the log's rows and
// runs the reducer. b has type, at, wall, tenant, actor, doc and data.
func (s *step) append(b body, nonce [NonceSize]byte) error {
	b.Index = s.group.edge.size + uint64(len(s.entries))
	if err := s.number(&b); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	raw := b.appendTo(make([]byte, 0, 256+len(b.Data)))
	if len(raw) > MaxBody {
		return ErrTooLarge
	}
	s.set(bodyTable, indexKey(b.Index), packBody(nonce, raw))
	s.entries = append(s.entries, entryHash(nonce, raw))
	s.last, s.lastRaw, s.nonce = b, raw, nonce
	s.entry = b.Entry
	if err := s.pass(b.Settled); err != nil {
		return err
	}
	s.group.schema.allowed.judge(&s.Writer, &b)
	s.hasLooked = false
	if err := s.group.schema.reduce(&s.Writer, b.Type, b.Data); err != nil {
		return err
	}
	if !s.group.schema.types[b.Type].quiet {
		s.news = b.Index + 1
	}
	return nil
}

// number gives an event the next number in its tenant, and the index of the previous event about its document.
func (s *step) number(b *body) error {
	row, err := s.Get(tenantTable, []byte(b.Tenant))
	if err != nil {
		return err
	}
	b.Seq = 1
	if row != nil {
		last, err := parseIndex(row)
		if err != nil {
			return err
		}
		b.Seq = last + 1
	}
	s.set(tenantTable, []byte(b.Tenant), indexKey(b.Seq))
	s.set(seqTable, seqKey(b.Tenant, b.Seq), indexKey(b.Index))
	if err := s.link(b); err != nil {
		return err
	}
	b.Prev = nil
	if b.Doc.IsZero() {
		return nil
	}
	if row, err = s.Get(storyTable, b.Doc[:]); err != nil {
		return err
	}
	if row != nil {
		prev, err := parseIndex(row)
		if err != nil {
			return err
		}
		b.Prev = &prev
	}
	s.set(storyTable, b.Doc[:], indexKey(b.Index))
	return nil
}

// link gives an event about principals, keys and grants the index of the previous one.
func (s *step) link(b *body) error {
	b.Auth = nil
	if !s.group.schema.types[b.Type].auth {
		return nil
	}
	last, ok, err := LastAuth(s)
	if err != nil {
		return err
	}
	if ok {
		b.Auth = &last
	}
	at := b.Index
	s.newestAuth = &at
	s.set(authTable, authKey, indexKey(at))
	return nil
}

// finish merges the step into the group.
func (s *step) finish() {
	g := s.group
	for _, entry := range s.entries {
		g.edge.append(entry, func(level int, n uint64, hashes []Hash) {
			g.full = append(g.full, tile{level, n, packTile(hashes)})
		})
	}
	if len(s.entries) > 0 {
		g.head.At, g.head.Wall, g.head.Time = s.last.At, s.last.Wall, s.time
		g.head.News = max(g.head.News, s.news)
		if s.newestAuth != nil {
			g.head.Auth = s.newestAuth
		}
	}
	s.mergeInto(g.overlay)
}

// write appends the events of a change in order, then writes its sealed rows.
func (s *step) write(j *Journal, a Actor, change Change, time reading) (err error) {
	for _, e := range change.Events {
		b := body{Type: e.Type, Data: json.RawMessage("{}")}
		b.At, b.Wall, b.Tenant, b.Actor, b.Doc = time.now, time.wall, a.Tenant, a.ID, e.Doc
		b.Settled = later(time.settled, s.time.At) // an event before this one may have moved it
		if e.Data != nil {
			if b.Data, err = json.Marshal(e.Data); err != nil {
				return fmt.Errorf("writing the data of %s: %w", e.Type, err)
			}
		}
		var nonce [NonceSize]byte
		if _, err := io.ReadFull(j.cfg.Rand, nonce[:]); err != nil {
			return fmt.Errorf("drawing a nonce: %w", err)
		}
		if err := s.append(b, nonce); err != nil {
			return err
		}
		if e.Type == string(KeyChanged) {
			s.changed = b.Data
		}
	}
	if err := s.seal(change.Sealed); err != nil || s.changed == nil {
		return err
	}
	return s.group.changeKey(j.ctx, j, s.changed)
}
