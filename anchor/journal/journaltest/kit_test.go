package journaltest_test

import (
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

type note struct {
	Name string `json:"name"`
}

const noted journal.Type[note] = "test.noted/1"

var notes = journal.Table{Kind: journal.Projection, Name: "notes"}

func definition() journal.Definition {
	return noted.On(func(w *journal.Writer, e journal.Entry, data note) error {
		return w.Put(notes, []byte(data.Name), []byte(e.Actor))
	})
}

func TestOpen(t *testing.T) {
	t.Parallel()
	kit := journaltest.NewKit(t)
	for _, name := range []string{"one", "two"} {
		j := kit.Open(t, definition())
		runs := 0
		actor := journal.Actor{Tenant: "tenant", ID: "actor"}
		r, err := j.Commit(t.Context(), actor, func(journal.View) (journal.Change, error) {
			runs++
			return journal.Change{Events: []journal.Event{noted.New(journal.ID{}, note{name})}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if runs < 2 {
			t.Errorf("decide ran %d times, want at least 2", runs)
		}
		if r, err = j.Released(t.Context(), r); err != nil || len(r.Checkpoint) == 0 {
			t.Errorf("Released: %v, and a checkpoint of %d bytes", err, len(r.Checkpoint))
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	j := kit.Open(t, definition())
	err := j.View(t.Context(), func(r journal.Reader) error {
		rows := 0
		err := r.Scan(notes, journal.Range{}, func(_, _ []byte) error { rows++; return nil })
		if rows != 2 {
			t.Errorf("%d rows after opening it again, want 2", rows)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
