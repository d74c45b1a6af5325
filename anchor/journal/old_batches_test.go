package journal_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// TestOldBatchesPutBack: whoever can write to the bucket puts any of the authentic batches back that were ever in it,
// beside the present ones or in their place: from before they were merged, from before a row was written anew or
// erased, from releases that broke off, and of a database that went on by itself and lost. A restore, and the catching
// up of every older copy of the database, give the very same rows.
func TestOldBatchesPutBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := &pastBatches{rt: rt, t: t, k: newKit(t), seen: map[string][]byte{}}
		p.k.tail = rapid.SampledFrom([]int{1, 2000}).Draw(rt, "tail")
		p.k.bucket = journaltest.NewBucket(silent{})
		p.j = openRewriting(t, p.k)
		for range rapid.IntRange(4, 30).Draw(rt, "steps") {
			p.step()
		}
		if rapid.Bool().Draw(rt, "a fork at the end") { // its batches end where the journal's do
			p.fork()
			p.notes("notes")
		}
		if rapid.Bool().Draw(rt, "one batch at the end") {
			p.shipAgain()
		}
		released(t, p.j, commit(t, p.j, looked.New(docID(1), noteData{})))
		p.gather()
		p.k.close(t, p.j)
		for _, name := range slices.Sorted(maps.Keys(p.seen)) {
			if rapid.Bool().Draw(rt, "put back") {
				p.k.bucket.Tamper(name, p.seen[name])
			}
		}
		p.k.sameRows(t, p.olds...)
		if t.Failed() {
			rt.Fatal("see above")
		}
	})
}

// pastBatches is a journal all of whose batches are remembered.
type pastBatches struct {
	rt   *rapid.T
	t    *testing.T
	k    *kit
	j    *journal.Journal
	seen map[string][]byte // every batch that was ever in the bucket, or in that of a fork
	olds []*memory.Store   // earlier copies of the database
}

// gather remembers the batches that are in the bucket.
func (p *pastBatches) gather() { p.remember(p.k.bucket) }

func (p *pastBatches) remember(b *journaltest.Bucket) {
	for name, raw := range b.Objects() {
		if strings.HasPrefix(name, "batch/") {
			p.seen[name] = raw
		}
	}
}

// step does something to the journal, or to its bucket.
func (p *pastBatches) step() {
	randomStep(p.rt, p.t, p.j, p.k, map[string]string{})
	if rapid.Bool().Draw(p.rt, "wait") {
		released(p.t, p.j, commit(p.t, p.j, looked.New(docID(1), noteData{})))
	}
	p.gather()
	switch rapid.IntRange(0, 5).Draw(p.rt, "beside") {
	case 0:
		p.rewrite()
	case 1:
		p.shipAgain()
	case 2:
		p.olds = append(p.olds, p.k.backend.Clone())
	case 3:
		p.breakOff()
	case 4:
		p.fork()
	}
}

// notes commits and releases a few events, each by itself.
func (p *pastBatches) notes(label string) {
	p.t.Helper()
	for range rapid.IntRange(0, 3).Draw(p.rt, label) {
		released(p.t, p.j, commit(p.t, p.j, noted.New(docID(2), note1(9))))
		p.gather()
	}
}

// shipAgain has all batches vanish and come back as one.
func (p *pastBatches) shipAgain() {
	p.t.Helper()
	released(p.t, p.j, commit(p.t, p.j, looked.New(docID(1), noteData{})))
	p.gather()
	for _, name := range batches(p.k) {
		p.k.bucket.Tamper(name, nil)
	}
	if err := p.j.LookAfterBatches(p.t.Context()); err != nil {
		p.rt.Error(err)
	}
	p.gather()
}

// rewrite writes a sealed row anew, if it is there.
func (p *pastBatches) rewrite() {
	p.t.Helper()
	_, err := p.j.Commit(p.t.Context(), alice, func(v journal.View) (journal.Change, error) {
		row, err := journal.SealedRow(v, []byte("a"))
		if err != nil || row == nil {
			return journal.Change{}, err
		}
		again := journal.Row{Key: []byte("a"), Value: append([]byte("anew "), row...)}
		return journal.Change{Events: []journal.Event{rewritten.New(docID(1), secret{"a"})},
			Sealed: []journal.Row{again}}, nil
	})
	if err != nil {
		p.rt.Error(err)
	}
}

// breakOff lets releases break off between the batch and the head, and the process end there.
func (p *pastBatches) breakOff() {
	p.t.Helper()
	p.k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
		if c.Op == "put" && c.Name == "head" {
			return journaltest.Fails
		}
		return journaltest.Works
	})
	commit(p.t, p.j, noted.New(docID(1), note1(1)))
	p.k.close(p.t, p.j)
	p.k.bucket.Inject(nil)
	p.gather()
	p.j = openRewriting(p.t, p.k)
}

// fork lets a copy of the database go on by itself over a copy of the bucket, and lose.
func (p *pastBatches) fork() {
	p.t.Helper()
	p.k.close(p.t, p.j)
	other := newKit(p.t)
	other.tail, other.backend, other.bucket = 1, p.k.backend.Clone(), p.k.bucket.Clone(silent{})
	j := openRewriting(p.t, other)
	_, err := j.Commit(p.t.Context(), alice, func(v journal.View) (journal.Change, error) {
		row, err := journal.SealedRow(v, []byte("a"))
		if err != nil || row == nil {
			return journal.Change{Events: []journal.Event{noted.New(docID(2), note1(7))}}, err
		}
		return journal.Change{Events: []journal.Event{rewritten.New(docID(1), secret{"a"})},
			Sealed: []journal.Row{{Key: []byte("a"), Value: []byte("of the fork")}}}, nil
	})
	if err != nil {
		p.rt.Error(err)
	}
	for range rapid.IntRange(1, 4).Draw(p.rt, "events of the fork") {
		released(p.t, j, commit(p.t, j, noted.New(docID(2), note1(8))))
	}
	p.remember(other.bucket)
	other.close(p.t, j)
	p.j = openRewriting(p.t, p.k)
}
