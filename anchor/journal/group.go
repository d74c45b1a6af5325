package journal

import (
	"bytes"
	"time"
)

// group is one transaction in progress: the rows that its commits have written so far, above the backend's.
type group struct {
	*overlay
	schema *schema
	head   Head
	edge   *edge
	full   []tile // completed by this group
	key    *shippingKey
	row    []byte // of the head, once the group is sealed
	// batchKey is the number of the key of the batch that is replayed; 0 for bodies of a backend.
	batchKey int
	// touched are the sealed rows that replayed events bind, write anew or unbind, and that no item has written since.
	touched map[string]bool
}

type tile struct {
	level int
	n     uint64
	row   []byte
}

func (g *group) begin() *step {
	return &step{Writer: Writer{overlay: newOverlay(g.overlay), time: g.head.Time}, group: g}
}

// newGroup begins a group above a transaction. The cached edge is used only if the head row matches it: another gateway
// may have committed since.
func (j *Journal) newGroup(tx Txn, head Head) (*group, error) {
	edge := j.edge
	if edge == nil || edge.size != head.Size || edge.root() != head.Root {
		var err error
		if edge, err = loadEdge(tx, head.Size); err != nil {
			return nil, err
		}
	}
	g := &group{overlay: newOverlay(tx), schema: j.schema, head: head, edge: edge.clone(), key: j.key.Load()}
	if g.key.number == 0 && head.Key > 0 {
		row, err := tx.Get(headTable, headKey)
		if err != nil {
			return nil, err
		}
		g.set(headTable, shippingHeadKey, bytes.Clone(row))
	}
	if err := g.mendAuth(j); err != nil {
		return nil, err
	}
	return g, nil
}

// run calls each decide function of a batch and writes the changes that they return.
func (g *group) run(j *Journal, batch []*request, time reading, tx Txn) error {
	before := g.edge.size
	if err := g.recordClock(j, time); err != nil {
		return err
	}
	cache := rowCache{}
	for _, r := range batch {
		r.receipt, r.err = Receipt{}, nil
		change, err := decide(j, r, g.view(time, cache))
		r.err = err
		if len(change.Events) == 0 && len(change.Sealed) == 0 {
			continue
		}
		s := g.begin()
		if err := s.write(j, r.actor, change, time); err != nil {
			r.err = err
			continue
		}
		s.finish()
		r.receipt = Receipt{Index: s.last.Index, Leaf: s.entries[len(s.entries)-1], Nonce: s.nonce, Body: s.lastRaw}
	}
	if g.edge.size == before {
		return errNothing
	}
	if err := g.noteShipped(j); err != nil {
		return err
	}
	if err := g.seal(); err != nil {
		return err
	}
	return g.flush(tx)
}

// recordClock appends the events of what became of the clock, before anything is decided whose time it may have
// changed.
func (g *group) recordClock(j *Journal, time reading) error {
	var events []Event
	if time.stopped != 0 {
		events = append(events, clockStopped.New(ID{}, ClockStopped{For: time.stopped.String()}))
	}
	if time.step != 0 {
		events = append(events, clockStepped.New(ID{}, ClockStepped{By: time.step.String()}))
	}
	if events == nil {
		return nil
	}
	s := g.begin()
	if err := s.write(j, clockActor, Change{Events: events}, time); err != nil {
		return err
	}
	s.finish()
	return nil
}

// view is what decide sees.
type view struct {
	Reader
	now   time.Time
	wall  time.Time
	time  SettledTime
	cache rowCache
}

// view is what the next decide of the group sees.
func (g *group) view(at reading, cache rowCache) view {
	v := view{g.overlay, at.now, at.wall, g.head.Time, cache}
	v.time.pass(later(at.settled, v.time.At))
	return v
}

// Now is the time of the group.
func (v view) Now() time.Time { return v.now }

// Settled is the settled time of the group.
func (v view) Settled() time.Time { return v.time.At }

func (v view) settledTime() SettledTime { return v.time }

// decide runs a decide function. A panic fails this commit and no other of the group.
func decide(j *Journal, r *request, v View) (change Change, err error) {
	defer func() {
		if recover() != nil {
			change, err = Change{}, j.schema.panicked()
		}
	}()
	return r.decide(v)
}

// seal writes the tree's rows and the head, so that the group can be flushed.
func (g *group) seal() error {
	for _, t := range g.full {
		g.set(tileTable, tileKey(t.level, t.n), t.row)
	}
	g.edge.partial(func(level int, n uint64, hashes []Hash) {
		g.set(tileTable, tileKey(level, n), packTile(hashes))
	})
	g.head.Size, g.head.Root = g.edge.size, g.edge.root()
	row, err := g.head.encode(g.key)
	if err != nil {
		return err
	}
	g.row = row
	g.set(headTable, headKey, row)
	return nil
}
