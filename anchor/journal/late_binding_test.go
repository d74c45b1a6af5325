package journal_test

import (
	"testing"

	"muniment/anchor/journal"
)

// TestBindingsComeFirst: a reducer that names a sealed row after it has read a table fails its commit, as what is
// shipped beside the event would depend on the table.
func TestBindingsComeFirst(t *testing.T) {
	t.Parallel()
	late := journal.Type[secret]("test.late/1")
	k := newKit(t)
	cfg := k.config(t)
	cfg.Definitions = append(cfg.Definitions, late.On(func(w *journal.Writer, _ journal.Entry, s secret) error {
		if _, _, err := notes.Get(w, []byte("n")); err != nil {
			return err
		}
		return w.Bind([]byte(s.Key))
	}))
	j, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{late.New(docID(1), secret{"k"})},
			Sealed: []journal.Row{{Key: []byte("k"), Value: []byte("v")}}}, nil
	})
	if err == nil {
		t.Error("a row was bound after a table was read")
	}
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	k.close(t, j)
}
