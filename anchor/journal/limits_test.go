package journal_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"muniment/anchor/journal"
)

// TestUnreadableEventsAreRefused: what could not be read back, or would be read differently by another reader, is not
// written.
func TestUnreadableEventsAreRefused(t *testing.T) {
	t.Parallel()
	raw := journal.Type[json.RawMessage]("test.raw/1")
	table := journal.Type[map[string]string]("test.table/1")
	k := newKit(t)
	cfg := k.config(t)
	cfg.Definitions = append(cfg.Definitions,
		raw.On(func(*journal.Writer, journal.Entry, json.RawMessage) error { return nil }),
		table.On(func(*journal.Writer, journal.Entry, map[string]string) error { return nil }))
	j, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]journal.Event{
		"a key twice":             raw.New(journal.ID{}, json.RawMessage(`{"a":1,"a":2}`)),
		"keys that become equal":  table.New(journal.ID{}, map[string]string{"\xff": "1", "\xfe": "2"}),
		"bytes that are no UTF-8": raw.New(journal.ID{}, json.RawMessage("{\"a\":\"\xff\"}")),
		"an id that is none":      noted.New(journal.ID{1}, noteData{Name: "x"}),
		"data that is no object":  raw.New(journal.ID{}, json.RawMessage(`[1]`)),
	} {
		_, err := j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
			return journal.Change{Events: []journal.Event{e}}, nil
		})
		if err == nil {
			t.Errorf("an event with %s was taken", name)
		}
	}
	if j.Size() != 1 {
		t.Errorf("%d entries were written", j.Size())
	}
	k.close(t, j)
}

// TestBadRowsSpoilNobody: rows that a backend could not hold fail their own commit, not the group's.
func TestBadRowsSpoilNobody(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", journal.MaxKey+1)
	bad := map[string]journal.Change{
		"an empty token":   sealing("k", []byte("v"), []byte{}),
		"a long token":     sealing("k", []byte("v"), []byte(long)),
		"a long key":       sealing(long, []byte("v")),
		"a large value":    sealing("k", make([]byte, journal.MaxValue+1)),
		"a projection key": {Events: []journal.Event{noted.New(docID(1), noteData{Name: long})}},
	}
	k := newKit(t)
	j := k.open(t)
	var wg sync.WaitGroup
	for name, change := range bad {
		for i := range 20 {
			wg.Add(2)
			go func() {
				defer wg.Done()
				_, err := j.Commit(t.Context(), alice,
					func(journal.View) (journal.Change, error) { return change, nil })
				if err == nil {
					t.Errorf("%s was taken", name)
				}
			}()
			go func() {
				defer wg.Done()
				commit(t, j, noted.New(docID(2), noteData{Name: fmt.Sprint(name, i)}))
			}()
		}
	}
	wg.Wait()
	k.close(t, j)
}

func sealing(key string, value []byte, tokens ...[]byte) journal.Change {
	return journal.Change{
		Events: []journal.Event{kept.New(docID(1), secret{key})},
		Sealed: []journal.Row{{Key: []byte(key), Value: value, Tokens: tokens}},
	}
}

// TestAmbiguousIndex: two rows whose index keys and keys run together are refused, not lost.
func TestAmbiguousIndex(t *testing.T) {
	t.Parallel()
	rows := journal.NewRows("test.ambiguous", journal.RowIndex[noteData]{
		Name: "text", Keys: func(_ []byte, n noteData) [][]byte { return [][]byte{[]byte(n.Text)} },
	})
	event := journal.Type[noteData]("test.ambiguous/1")
	k := newKit(t)
	cfg := k.config(t)
	cfg.Definitions = append(cfg.Definitions, event.On(func(w *journal.Writer, _ journal.Entry, n noteData) error {
		return rows.Put(w, []byte(n.Name), n)
	}))
	j, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, j, event.New(journal.ID{}, noteData{Name: "bc", Text: "a"}))
	_, err = j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{event.New(journal.ID{}, noteData{Name: "c", Text: "ab"})}}, nil
	})
	if err == nil {
		t.Error("the second row took the first one's place in the index")
	}
	k.close(t, j)
}
