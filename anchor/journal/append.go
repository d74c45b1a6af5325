package journal

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// The log's own rows besides bodies and tiles.
var (
	headTable   = Table{Log, "head"}   // "head" → Head
	tenantTable = Table{Log, "tenant"} // tenant → its last number
	seqTable    = Table{Log, "seq"}    // tenant, 0, number → index
	storyTable  = Table{Log, "story"}  // document → index of the last event about it
	headKey     = []byte("head")
)

// Head is the state of the log after a commit.
type Head struct {
	V      int       `json:"v"`
	Origin string    `json:"origin"`
	Size   uint64    `json:"size"`
	Root   Hash      `json:"root"`
	At     time.Time `json:"at"`
	News   uint64    `json:"news"` // the size just after the last event that is not quiet
}

// readHead reads the head row; ok is false in an empty backend.
func readHead(r Reader) (h Head, ok bool, err error) {
	row, err := r.Get(headTable, headKey)
	if err != nil || row == nil {
		return h, false, err
	}
	if err := json.Unmarshal(row, &h); err != nil {
		return h, false, fmt.Errorf("the head row is not one: %w", ErrDamaged)
	}
	if h.V > 1 {
		return h, false, fmt.Errorf("the journal is of format %d, this program knows 1: a newer program is needed", h.V)
	}
	return h, true, nil
}

func seqKey(tenant string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(tenant), 0), seq)
}

// group is the work of one transaction: what its commits have written so far, above the backend's rows.
type group struct {
	*overlay
	schema *schema
	head   Head
	edge   *edge
	full   []tile // completed by this group
}

type tile struct {
	level int
	n     uint64
	row   []byte
}

// step is the work of one commit in a group. It is merged into the group when the commit succeeds.
type step struct {
	Writer
	group   *group
	entries []Hash
	news    uint64
	last    body // of the last event
	lastRaw []byte
	nonce   [NonceSize]byte
}

func (g *group) begin() *step {
	return &step{Writer: Writer{overlay: newOverlay(g.overlay)}, group: g}
}

// append gives an event its place: it fills in the tenant's number and the story's previous event, writes the log's
// rows and runs the reducer. b has type, at, wall, tenant, actor, doc and data.
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
	if err := s.group.schema.reduce(&s.Writer, b.Type, b.Data); err != nil {
		return err
	}
	if !s.group.schema.types[b.Type].quiet {
		s.news = b.Index + 1
	}
	return nil
}

// place finds an event's number in its tenant and its predecessor in its document's story, and moves both on.
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

// finish takes the step into the group.
func (s *step) finish() {
	g := s.group
	for _, entry := range s.entries {
		g.edge.append(entry, func(level int, n uint64, hashes []Hash) {
			g.full = append(g.full, tile{level, n, packTile(hashes)})
		})
	}
	if len(s.entries) > 0 {
		g.head.At = s.last.At
		g.head.News = max(g.head.News, s.news)
	}
	s.mergeInto(g.overlay)
}

// seal writes the tree's rows and the head, so that the group can be flushed.
func (g *group) seal() error {
	for _, t := range g.full {
		g.set(tileTable, tileKey(t.level, t.n), t.row)
	}
	g.edge.partial(func(level int, n uint64, hashes []Hash) {
		g.set(tileTable, tileKey(level, n), packTile(hashes))
	})
	g.head.V, g.head.Size, g.head.Root = 1, g.edge.size, g.edge.root()
	row, err := json.Marshal(g.head)
	if err != nil {
		return fmt.Errorf("writing the head: %w", err)
	}
	g.set(headTable, headKey, row)
	return nil
}
