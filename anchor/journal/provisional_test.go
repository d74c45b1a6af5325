package journal_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// outage is a kit whose key service can be down.
type outage struct {
	*kit
	keys  *journaltest.Keys
	local *journaltest.LocalKey
}

// newOutage has released two entries besides the first.
func newOutage(t *testing.T) *outage {
	t.Helper()
	o := &outage{newKit(t), journaltest.ShippingKeys(), journaltest.NewLocalKey()}
	j := o.open(t)
	released(t, j, keep(t, j, "a"))
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	o.close(t, j)
	return o
}

func (o *outage) tryOpen(t *testing.T) (*journal.Journal, error) {
	t.Helper()
	cfg := o.config(t)
	cfg.ShippingKeys, cfg.LocalKey, cfg.Create = o.keys, o.local, false
	return journal.Open(t.Context(), cfg)
}

func (o *outage) open(t *testing.T) *journal.Journal {
	t.Helper()
	cfg := o.config(t)
	cfg.ShippingKeys, cfg.LocalKey = o.keys, o.local
	return journaltest.Must(journal.Open(t.Context(), cfg))
}

// killed goes on with what is durable at this moment, as after kill -9.
func (o *outage) killed() { o.backend = o.backend.Clone().Reopen(memory.Config{}) }

func head(t *testing.T, k *kit) (row []byte) {
	t.Helper()
	for _, r := range rowsOf(t, k.backend, journal.Table{Kind: journal.Log, Name: "head"}) {
		if string(r.key) == "head" {
			row = r.value
		}
	}
	return row
}

// TestKilledWhileTheKeyServiceIsDown: kill -9 while the key service is down, two more starts, then the key opens:
// nothing is lost, and nothing is shipped or signed before.
func TestKilledWhileTheKeyServiceIsDown(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	before := o.bucket.Objects()
	o.keys.Down(true)
	var last journal.Receipt
	for start := range 3 {
		j := o.open(t)
		if !j.Provisional() {
			t.Fatalf("start %d is not provisional", start+1)
		}
		last = commit(t, j, noted.New(docID(1), note1(10+start)))
		if start == 1 {
			last = keep(t, j, "b")
		}
		if _, ok := j.Authenticate("a test", nil); ok {
			t.Error("a provisional journal authenticates for others")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := j.Released(ctx, last); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for release says %v", err)
		}
		cancel()
		if j.Checkpoint().Size > 3 {
			t.Errorf("size %d was signed", j.Checkpoint().Size)
		}
		o.killed()
		if err := j.Close(); err != nil { // of the process that was killed, on the rows that nobody has any more
			t.Fatal(err)
		}
	}
	if !maps.EqualFunc(before, o.bucket.Objects(), bytes.Equal) {
		t.Error("something was shipped while the key service was down")
	}
	j := o.open(t) // still down; the key opens while it runs
	last = commit(t, j, noted.New(docID(1), note1(20)))
	o.keys.Down(false)
	released(t, j, last)
	if j.Provisional() || o.local.Drawn() != 1 {
		t.Errorf("provisional: %v, local keys drawn anew: %d", j.Provisional(), o.local.Drawn())
	}
	released(t, j, commit(t, j, noted.New(docID(1), note1(21))))
	o.close(t, j)
	if found := o.fsck(t); len(found) > 0 {
		t.Errorf("fsck says %s", first(found))
	}
	restoredEqual(t, o.kit)
}

// TestTheKeyOpensAtAStart: what was written provisionally is taken over by a start with the key, too.
func TestTheKeyOpensAtAStart(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.keys.Down(true)
	j := o.open(t)
	last := commit(t, j, noted.New(docID(1), note1(2)))
	o.close(t, j)
	o.keys.Down(false)
	j = o.open(t)
	if j.Provisional() {
		t.Error("the start with the key is provisional")
	}
	released(t, j, last)
	o.close(t, j)
	restoredEqual(t, o.kit)
}

// TestForgedWhileTheKeyServiceIsDown: when the key opens, what the local key has not authenticated halts the process,
// and is never shipped or signed.
func TestForgedWhileTheKeyServiceIsDown(t *testing.T) {
	t.Parallel()
	for what, forge := range map[string]func(o *outage, provisional []byte) []byte{
		"a head that nobody authenticates": func(_ *outage, row []byte) []byte {
			return bytes.Replace(row, []byte(`"news":`), []byte(`"news":1`), 1)
		},
		"a head under an earlier local key": func(o *outage, row []byte) []byte {
			if err := o.local.Renew(); err != nil {
				panic(err)
			}
			return row
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			o := newOutage(t)
			o.keys.Down(true)
			j := o.open(t)
			commit(t, j, noted.New(docID(1), note1(2)))
			before := o.bucket.Objects()
			forged := forge(o, head(t, o.kit))
			err := o.backend.Update(t.Context(), func(tx journal.Txn) error {
				return tx.Put(journal.Table{Kind: journal.Log, Name: "head"}, []byte("head"), forged)
			})
			if err != nil {
				t.Fatal(err)
			}
			o.keys.Down(false)
			select {
			case <-j.Stopped():
			case <-time.After(10 * time.Second):
				t.Fatal("the journal goes on")
			}
			if !errors.Is(j.Err(), journal.ErrDamaged) {
				t.Errorf("it has stopped because of %v", j.Err())
			}
			if !maps.EqualFunc(before, o.bucket.Objects(), bytes.Equal) {
				t.Error("something was shipped")
			}
			o.close(t, j)
			if _, err := o.tryOpen(t); !errors.Is(err, journal.ErrDamaged) {
				t.Errorf("the next start says %v", err)
			}
		})
	}
}

// TestBehindWhileTheKeyServiceIsDown: a database that is behind the released head waits for the key, for it cannot know
// what was shipped; so does one that there is nothing to compare with.
func TestBehindWhileTheKeyServiceIsDown(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	old := o.backend.Clone()
	j := o.open(t)
	released(t, j, commit(t, j, noted.New(docID(1), note1(2))))
	o.close(t, j)
	o.backend = old
	o.keys.Down(true)
	if _, err := o.tryOpen(t); !errors.Is(err, journal.ErrKeysUnavailable) {
		t.Errorf("starting from behind: %v", err)
	}
	o.backend = memory.New(memory.Config{})
	if _, err := o.tryOpen(t); !errors.Is(err, journal.ErrKeysUnavailable) {
		t.Errorf("restoring: %v", err)
	}
	o.backend, o.local = old.Reopen(memory.Config{}), nil
	o.keys.Down(false)
	o.close(t, o.open(t))
}

// TestTheKeyServiceGoesDownLater: a seal while running changes nothing.
func TestTheKeyServiceGoesDownLater(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	j := o.open(t)
	o.keys.Down(true)
	released(t, j, commit(t, j, noted.New(docID(1), note1(2))))
	o.close(t, j)
}

// TestAForgedHeadStopsAStart: rows beyond the released head are believed only under a head that the shipping key
// authenticates, at a start and while the journal runs.
func TestAForgedHeadStopsAStart(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	j := o.open(t)
	forged := bytes.Replace(head(t, o.kit), []byte(`"news":`), []byte(`"news":1`), 1)
	put := func() {
		t.Helper()
		err := o.backend.Update(t.Context(), func(tx journal.Txn) error {
			return tx.Put(journal.Table{Kind: journal.Log, Name: "head"}, []byte("head"), forged)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put()
	_, err := j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{noted.New(docID(1), note1(2))}}, nil
	})
	if !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("committing on a forged head: %v", err)
	}
	o.close(t, j)
	put()
	if _, err := o.tryOpen(t); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("starting on a forged head: %v", err)
	}
}
