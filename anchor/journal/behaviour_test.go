package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
)

// TestGroupMatesSeeEachOther: of many concurrent commits that check and then act, exactly one acts.
func TestGroupMatesSeeEachOther(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	taken := errors.New("taken")
	results := make(chan error)
	for range 100 {
		go func() {
			_, err := j.Commit(t.Context(), alice, func(v journal.View) (journal.Change, error) {
				_, there, err := notes.Get(v, []byte("the one"))
				if err != nil || there {
					return journal.Change{}, errors.Join(err, taken)
				}
				return journal.Change{Events: []journal.Event{noted.New(docID(1), noteData{Name: "the one"})}}, nil
			})
			results <- err
		}()
	}
	won := 0
	for range 100 {
		if err := <-results; err == nil {
			won++
		} else if !errors.Is(err, taken) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d commits found the name free", won)
	}
	k.close(t, j)
}

// TestTimeNeverGoesBack: the clock goes back an hour and forward a day; the journal's time does not go back, and both
// steps are on record.
func TestTimeNeverGoesBack(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	var last time.Time
	for _, step := range []time.Duration{time.Second, -time.Hour, time.Second, time.Second, 2 * time.Hour} {
		k.clock.Advance(step)
		r := commit(t, j, noted.New(docID(1), note1(1)))
		rec, err := j.Record(t.Context(), r.Index)
		if err != nil {
			t.Fatal(err)
		}
		if rec.At.Before(last) {
			t.Errorf("the time went back from %v to %v", last, rec.At)
		}
		last = rec.At
	}
	steps, err := j.Records(t.Context(), journal.System, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, rec := range steps {
		if rec.Type == "clock.stepped/1" {
			n++
		}
	}
	// A test's clock has no monotonic reading, so its jump forward cannot be told from time that has passed.
	if n != 1 {
		t.Errorf("%d steps of the clock are on record, want 1", n)
	}
	k.close(t, j)
}

// storyOf reads a page of a document's story.
func storyOf(t *testing.T, j *journal.Journal, doc journal.ID, before uint64, limit int) (page []journal.Record,
	next uint64, err error) {
	t.Helper()
	err = j.View(t.Context(), func(r journal.Reader) (err error) {
		page, next, err = journal.Story(r, doc, before, limit)
		return err
	})
	return page, next, err
}

// TestStoryPages: pages of any size, put together, are the story; a page with large bodies ends early; another
// document's entry, or none, begins no page.
func TestStoryPages(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	large := noteData{Text: strings.Repeat("x", 60<<10)}
	for i := range 40 {
		commit(t, j, looked.New(docID(1), large))
		commit(t, j, looked.New(docID(2), note1(i)))
	}
	whole, next, err := storyOf(t, j, docID(2), 0, 1000)
	if err != nil || next != 0 || len(whole) != 40 {
		t.Fatalf("the story has %d entries, then %d, %v", len(whole), next, err)
	}
	for _, limit := range []int{1, 7, 39, 40} {
		var indexes, want []uint64
		for before := uint64(0); ; {
			page, next, err := storyOf(t, j, docID(2), before, limit)
			if err != nil || len(page) > limit {
				t.Fatalf("a page of %d entries, at most %d; %v", len(page), limit, err)
			}
			for _, rec := range page {
				indexes = append(indexes, rec.Index)
			}
			if before = next; next == 0 {
				break
			}
		}
		for _, rec := range whole {
			want = append(want, rec.Index)
		}
		if diff := cmp.Diff(want, indexes); diff != "" {
			t.Errorf("in pages of %d (-want +got):\n%s", limit, diff)
		}
	}
	if page, next, err := storyOf(t, j, docID(1), 0, 1000); err != nil || len(page) > 20 || next == 0 {
		t.Errorf("a page of %d large bodies, then %d, %v", len(page), next, err)
	}
	for _, before := range []uint64{whole[0].Index - 1, 1 << 40} {
		if _, _, err := storyOf(t, j, docID(2), before, 10); !errors.Is(err, journal.ErrNotInStory) {
			t.Errorf("before %d: %v", before, err)
		}
	}
	k.close(t, j)
}

func TestStoryAndNumbers(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	for i := range 9 {
		commit(t, j, looked.New(docID(i%3+1), note1(i)))
	}
	story, next, err := storyOf(t, j, docID(2), 0, 100)
	if err != nil || len(story) != 3 || next != 0 {
		t.Fatalf("the story has %d entries, then %d, %v", len(story), next, err)
	}
	for i, rec := range story {
		if last := i == len(story)-1; last != (rec.Prev == nil) || !last && *rec.Prev != story[i+1].Index {
			t.Errorf("entry %d of the story does not name the one before", i)
		}
	}
	if none, next, err := storyOf(t, j, docID(99), 0, 100); err != nil || none != nil || next != 0 {
		t.Errorf("the story of an unknown document is %v, %d, %v", none, next, err)
	}
	records, err := j.Records(t.Context(), "default", 4, 3)
	if err != nil || len(records) != 3 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for i, rec := range records {
		if rec.Seq != uint64(5+i) || rec.Tenant != "default" {
			t.Errorf("record %d has the number %d of %s", i, rec.Seq, rec.Tenant)
		}
		var body struct {
			Seq uint64 `json:"seq"`
		}
		if err := json.Unmarshal(rec.Body, &body); err != nil || body.Seq != rec.Seq {
			t.Errorf("its body says %d, %v", body.Seq, err)
		}
	}
	k.close(t, j)
}

// TestQuietEvents neither ring for a feed nor count as news.
func TestQuietEvents(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	commit(t, j, noted.New(docID(1), note1(1)))
	news := j.LastNews()
	commit(t, j, looked.New(docID(1), note1(1)))
	if j.LastNews() != news {
		t.Error("a quiet event is news")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := j.News(ctx, j.Size()-1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for news after a quiet event says %v", err)
	}
	woken := make(chan error)
	size := j.Size()
	go func() { woken <- j.News(t.Context(), size) }()
	commit(t, j, noted.New(docID(1), note1(2)))
	if err := <-woken; err != nil {
		t.Errorf("waiting for news says %v", err)
	}
	k.close(t, j)
}

// TestDuties: a duty that fails stays due; leases keep a second journal's worker away until they expire.
func TestDuties(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	for range 5 {
		commit(t, j, chore.New(docID(1), noteData{}))
	}
	failing := journal.Worker{Kind: "chore", Batch: 3,
		Do: func(_ context.Context, due []journal.Duty) ([]journal.Outcome, error) {
			return []journal.Outcome{{Duty: due[0]}}, errors.New("the second one failed")
		}}
	if n, err := j.WorkOnce(t.Context(), failing); n != 1 || err == nil {
		t.Errorf("a batch with a failure says %d, %v", n, err)
	}
	if owed, err := j.Owed(t.Context(), "chore"); owed != 4 || err != nil {
		t.Errorf("%d are owed, %v", owed, err)
	}
	all := journal.Worker{Kind: "chore", Batch: 10,
		Do: func(_ context.Context, due []journal.Duty) (done []journal.Outcome, _ error) {
			for _, d := range due {
				done = append(done, journal.Outcome{Duty: d})
			}
			return done, nil
		}}
	k.close(t, j)
	cfg := k.config(t)
	cfg.Rand = &repeat{b: []byte{7, 11, 13}} // another holder
	j, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := j.WorkOnce(t.Context(), all); n != 0 || err != nil {
		t.Errorf("a worker without the lease did %d, %v", n, err)
	}
	k.clock.Advance(2 * time.Minute)
	if n, err := j.WorkOnce(t.Context(), all); n != 4 || err != nil {
		t.Errorf("after the lease expired a worker did %d, %v", n, err)
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck: %v", first(found))
	}
}

// TestCommitGivesUp: a caller whose context ends before the commit has begun leaves nothing behind.
func TestCommitGivesUp(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := j.Commit(ctx, alice, func(journal.View) (journal.Change, error) {
		t.Error("decide ran")
		return journal.Change{}, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it says %v", err)
	}
	k.close(t, j)
	if _, err := j.Commit(t.Context(), alice,
		func(journal.View) (journal.Change, error) { return journal.Change{}, nil }); !errors.Is(err,
		journal.ErrClosed) {
		t.Errorf("a commit after Close says %v", err)
	}
}
