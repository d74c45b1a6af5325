package journal_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// The events of these tests: a note is put under a name, or taken away; a secret is a sealed row; a chore is a duty,
// an errand one of another kind that is due at once, and a promise one of that kind that is due at a time of its own.
const (
	noted   journal.Type[noteData] = "test.noted/1"
	removed journal.Type[noteData] = "test.removed/1"
	kept    journal.Type[secret]   = "test.kept/1"
	erased  journal.Type[secret]   = "test.erased/1"
	rewrote journal.Type[secret]   = "test.rewrote/1"
	looked  journal.Type[noteData] = "test.looked/1"
	chore   journal.Type[noteData] = "test.chore/1"
	errand  journal.Type[noteData] = "test.errand/1"
	promise journal.Type[waitData] = "test.promise/1"
	broken  journal.Type[noteData] = "test.broken/1"
	panics  journal.Type[noteData] = "test.panics/1"
	waited  journal.Type[waitData] = "test.waited/1"
)

type noteData struct {
	Name string `json:"name,omitempty"`
	Text string `json:"text,omitempty"`
}

type waitData struct {
	Until  time.Time `json:"until"`
	Lapses time.Time `json:"lapses"`
}

type secret struct {
	Key string `json:"key"`
}

var notes = journal.NewRows[noteData]("test.notes", journal.RowIndex[noteData]{
	Name: "text",
	Keys: func(_ []byte, n noteData) [][]byte { return [][]byte{[]byte(n.Text + "\x00")} },
})

func definitions() []journal.Definition {
	return []journal.Definition{
		noted.On(func(w *journal.Writer, _ journal.Entry, n noteData) error { return notes.Put(w, []byte(n.Name), n) }),
		removed.On(func(w *journal.Writer, _ journal.Entry, n noteData) error {
			return notes.Delete(w, []byte(n.Name))
		}),
		kept.On(func(w *journal.Writer, _ journal.Entry, s secret) error { return w.Bind([]byte(s.Key)) }),
		erased.On(func(w *journal.Writer, _ journal.Entry, s secret) error { return w.Unbind([]byte(s.Key)) }),
		rewrote.On(func(w *journal.Writer, _ journal.Entry, s secret) error { return w.Rewrite([]byte(s.Key)) }),
		looked.On(func(*journal.Writer, journal.Entry, noteData) error { return nil }).Quiet(),
		chore.On(func(w *journal.Writer, e journal.Entry, _ noteData) error { return w.Owe("chore", e.At) }),
		errand.On(func(w *journal.Writer, _ journal.Entry, _ noteData) error { return w.Owe("errand", time.Time{}) }),
		promise.On(func(w *journal.Writer, _ journal.Entry, d waitData) error { return w.Owe("errand", d.Until) }),
		broken.On(func(w *journal.Writer, _ journal.Entry, n noteData) error {
			if err := notes.Put(w, []byte(n.Name), n); err != nil {
				return err
			}
			return fmt.Errorf("broken on purpose")
		}),
		waited.On(func(w *journal.Writer, _ journal.Entry, d waitData) error {
			return w.Wait("test", d.Until, d.Lapses)
		}),
		panics.On(func(*journal.Writer, journal.Entry, noteData) error { panic("on purpose") }),
	}
}

// keys wrap the shipping keys of all journals here.
func keys() journal.ShippingKeys { return journaltest.ShippingKeys() }

var start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// kit is what a journal stands on; it outlives the journal. Its heads have no tails, so that each release makes a
// batch.
type kit struct {
	backend *memory.Store
	bucket  *journaltest.Bucket
	clock   *journaltest.Clock
	tail    int
	place   string // instead of the backend's own; may be empty
}

func newKit(t testing.TB) *kit {
	clock := journaltest.NewClock()
	clock.Set(start)
	return &kit{backend: memory.New(memory.Config{}), bucket: journaltest.NewBucket(t), clock: clock, tail: 1}
}

func (k *kit) config(t testing.TB) journal.Config {
	return journal.Config{
		Backend: k.backend, Bucket: k.bucket, Signer: journaltest.Signer(), Clock: k.clock, Rand: journaltest.Rand(1),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Definitions: definitions(), Origin: "muniment/test",
		ID: journaltest.ID, ShippingKeys: keys(), Create: true,
		Tail: k.tail, Place: cmp.Or(k.place, k.backend.Place()), Term: journaltest.Term,
	}
}

func (k *kit) open(t testing.TB) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), k.config(t))
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	return j
}

// close closes a journal and makes its store usable again.
func (k *kit) close(t testing.TB, j *journal.Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
	k.backend = k.backend.Reopen(memory.Config{})
}

// fsck checks the journal, which must be closed.
func (k *kit) fsck(t testing.TB) []journal.Finding {
	t.Helper()
	found, err := journal.Fsck(t.Context(), journal.FsckConfig{
		Backend: k.backend, Bucket: k.bucket, Definitions: definitions(), Scratch: memory.New(memory.Config{}),
		ShippingKeys: keys(),
	})
	if err != nil {
		t.Fatalf("fsck: %v", err)
	}
	return found
}

var alice = journal.Actor{Tenant: "default", ID: "alice"}

// commit commits events that nothing can refuse.
func commit(t testing.TB, j *journal.Journal, events ...journal.Event) journal.Receipt {
	t.Helper()
	r, err := j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: events}, nil
	})
	if err != nil {
		t.Fatalf("committing: %v", err)
	}
	return r
}

func released(t testing.TB, j *journal.Journal, r journal.Receipt) journal.Receipt {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := j.Released(ctx, r)
	if err != nil {
		t.Fatalf("waiting for release: %v", err)
	}
	return r
}

func docID(n int) journal.ID {
	var seed [10]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n))
	id, _ := journal.NewID(start, io.MultiReader(readerOf(seed[:])))
	return id
}

func readerOf(b []byte) io.Reader { return &repeat{b: b} }

// repeat reads the same bytes again and again.
type repeat struct {
	b []byte
	n int
}

func (r *repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.b[r.n%len(r.b)]
		r.n++
	}
	return len(p), nil
}
