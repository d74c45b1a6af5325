package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muniment/anchor/journal"
	"muniment/anchor/journal/memory"
)

// TestProjectionsAreTheReplay walks random histories over a backend that aborts and runs transactions again, with
// refusals, failing reducers, erasures, duties and restarts among them, and then holds every table against the replay.
func TestProjectionsAreTheReplay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		aborts := rapid.SliceOfN(rapid.IntRange(0, 2), 8, 8).Draw(rt, "aborts")
		k := newKit(t)
		k.tail = rapid.SampledFrom([]int{0, 1, 2000}).Draw(rt, "tail")
		n := 0
		k.backend = memory.New(memory.Config{Abort: func(run int) bool {
			n++
			return run <= aborts[n%len(aborts)]
		}})
		j := k.open(t)
		model := map[string]string{}
		steps := rapid.IntRange(1, 25).Draw(rt, "steps")
		for range steps {
			randomStep(rt, t, j, k, model)
			if rapid.IntRange(0, 9).Draw(rt, "restart") == 0 {
				k.close(t, j)
				j = k.open(t)
			}
		}
		err := j.View(t.Context(), func(r journal.Reader) error {
			seen := map[string]string{}
			err := notes.Scan(r, journal.Range{}, func(key []byte, n noteData) error {
				seen[string(key)] = n.Text
				return nil
			})
			if fmt.Sprint(seen) != fmt.Sprint(model) {
				rt.Errorf("the notes are %v, want %v", seen, model)
			}
			return err
		})
		if err != nil {
			rt.Error(err)
		}
		k.close(t, j)
		if found := k.fsckKeys(t); len(found) > 0 {
			rt.Errorf("fsck: %v", first(found))
		}
		k.close(t, k.open(t)) // ships the rest
		restoredEqual(t, k)
	})
}

func randomStep(rt *rapid.T, t *testing.T, j *journal.Journal, k *kit, model map[string]string) {
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name")
	doc := docID(rapid.IntRange(1, 3).Draw(rt, "doc"))
	switch rapid.IntRange(0, 6).Draw(rt, "act") {
	case 0, 1:
		text := rapid.StringN(0, 20, 60).Draw(rt, "text")
		commit(t, j, noted.New(doc, noteData{Name: name, Text: text}))
		model[name] = text
	case 2:
		commit(t, j, removed.New(doc, noteData{Name: name}))
		delete(model, name)
	case 3: // put away a secret, or erase it, whichever is possible
		_, err := j.Commit(t.Context(), alice, func(v journal.View) (journal.Change, error) {
			row, err := journal.SealedRow(v, []byte(name))
			if err != nil || row != nil {
				return journal.Change{Events: []journal.Event{erased.New(doc, secret{name})},
					Sealed: []journal.Row{{Key: []byte(name), Tokens: [][]byte{[]byte("token-" + name)}}}}, err
			}
			return journal.Change{
				Events: []journal.Event{kept.New(doc, secret{name})},
				Sealed: []journal.Row{{Key: []byte(name), Value: []byte("sealed " + name),
					Tokens: [][]byte{[]byte("token-" + name)}}},
			}, nil
		})
		if err != nil {
			rt.Error(err)
		}
	case 4: // a commit that fails after its reducer has written
		_, err := j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
			return journal.Change{Events: []journal.Event{noted.New(doc, noteData{Name: name, Text: "lost"}),
				broken.New(doc, noteData{Name: name})}}, nil
		})
		if err == nil {
			rt.Error("a failing reducer was not noticed")
		}
	case 5:
		commit(t, j, chore.New(doc, noteData{}))
		k.clock.Advance(time.Second)
	case 6:
		_, err := j.WorkOnce(t.Context(),
			journal.Worker{Kind: "chore", Batch: 3,
				Do: func(_ context.Context, due []journal.Duty) (done []journal.Outcome, _ error) {
					for i, d := range due {
						if i%2 == 0 {
							done = append(done, journal.Outcome{Duty: d})
						} else {
							done = append(done, journal.Outcome{Duty: d, Again: d.Due.Add(time.Hour)})
						}
					}
					return done, nil
				}})
		if err != nil {
			rt.Error(err)
		}
	}
}

// TestRetriesChangeNothing runs the same acts with and without retries and compares every table but the nonces' traces.
func TestRetriesChangeNothing(t *testing.T) {
	t.Parallel()
	run := func(abort func(int) bool) map[string][]stored {
		k := newKit(t)
		k.backend = memory.New(memory.Config{Abort: abort})
		j := k.open(t)
		for i := range 50 {
			commit(t, j, noted.New(docID(i%3+1), note1(i)))
		}
		k.close(t, j)
		tables, err := k.backend.Tables(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][]stored{}
		for _, table := range tables {
			if table.Kind == journal.Projection || table.Name == "seq" || table.Name == "story" ||
				table.Name == "tenant" {
				out[table.String()] = rowsOf(t, k.backend, table)
			}
		}
		return out
	}
	once, thrice := run(nil), run(func(run int) bool { return run < 3 })
	if fmt.Sprint(once) != fmt.Sprint(thrice) {
		t.Error("a run with retries has other rows than one without")
	}
}

// TestUnknownOutcomes: a commit whose outcome the backend does not know is answered by what the head says, or not as a
// failure.
func TestUnknownOutcomes(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]memory.Outcome{"it took effect": memory.Kept, "it did not": memory.Lost} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			var mu sync.Mutex
			armed := false
			k.backend = memory.New(memory.Config{Commit: func(int) memory.Outcome {
				mu.Lock()
				defer mu.Unlock()
				if armed {
					armed = false
					return outcome
				}
				return memory.Done
			}})
			j := k.open(t)
			mu.Lock()
			armed = true
			mu.Unlock()
			r, err := j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
				return journal.Change{Events: []journal.Event{noted.New(docID(1), note1(1))}}, nil
			})
			if outcome == memory.Kept {
				if err != nil || r.Index != 1 {
					t.Errorf("a commit that took effect says %v", err)
				}
			} else if !errors.Is(err, journal.ErrStopped) {
				t.Errorf("a commit of unknown outcome says %v, want %v", err, journal.ErrStopped)
			}
			k.close(t, j)
			if found := k.fsck(t); len(found) > 0 {
				t.Errorf("fsck: %v", first(found))
			}
		})
	}
}

// TestFullDiskLosesNothing: a full disk fails the commits of one group; the next one succeeds.
func TestFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	full := false
	k.backend = memory.New(memory.Config{Commit: func(int) memory.Outcome {
		if full {
			full = false
			return memory.Full
		}
		return memory.Done
	}})
	j := k.open(t)
	full = true
	_, err := j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{noted.New(docID(1), note1(1))}}, nil
	})
	if !errors.Is(err, journal.ErrFull) {
		t.Errorf("a full disk says %v", err)
	}
	r := released(t, j, commit(t, j, noted.New(docID(1), note1(2))))
	if !bytes.Contains(r.Body, []byte(`"seq":1,`)) {
		t.Errorf("a number was lost: %s", r.Body)
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck: %v", first(found))
	}
}
