package checkpoints_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/vault/checkpoints"
)

// TestKeysListTheNewestFirst: the key is the promise of the format.
func TestKeysListTheNewestFirst(t *testing.T) {
	t.Parallel()
	at := func(size uint64) string { return checkpoints.Key(journaltest.ID, size) }
	want := "muniment-checkpoint/01890a5d-ac96-774b-bcce-b302099a8057/18446744073709551608"
	if at(7) != want {
		t.Errorf("the key of size 7 is %s, want %s", at(7), want)
	}
	for _, size := range []uint64{1, 9, 10, 1 << 40, math.MaxInt64 - 1} {
		if at(size) <= at(size+1) {
			t.Errorf("%s sorts before %s", at(size), at(size+1))
		}
	}
	if id, ok := checkpoints.JournalOf(at(7)); !ok || id != journaltest.ID {
		t.Errorf("the key is of journal %s, %v", id, ok)
	}
	for _, key := range []string{"default/x", checkpoints.Prefix + "x", checkpoints.Prefix + "x/1"} {
		if _, ok := checkpoints.JournalOf(key); ok {
			t.Errorf("%s is said to be of a journal", key)
		}
	}
}

// TestNewestCountsOnlyWhatWeSigned: whoever can write the bucket adds anything but what a key of ours has signed.
func TestNewestCountsOnlyWhatWeSigned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.newest(); !errors.Is(err, checkpoints.ErrNone) {
		t.Fatalf("in an empty store: %v", err)
	}
	at := func(size uint64) string { return checkpoints.Key(journaltest.ID, size) }
	genuine := checkpoint(t, origin, 5)
	r.put(at(5), genuine.Note)
	r.put(at(3), checkpoint(t, origin, 3).Note)
	forged := checkpoint(t, origin, 90)
	for what, junk := range map[string]struct {
		key     string
		content []byte
	}{
		"nothing":             {at(99), nil},
		"text":                {at(98), []byte("newest\n98\n")},
		"long":                {at(97), bytes.Repeat([]byte{'x'}, 1<<16)},
		"a stranger's":        {at(90), signNote(t, origin, 90, forged.Root, newStranger())},
		"changed":             {at(96), bytes.Replace(genuine.Note, []byte("\n5\n"), []byte("\n96\n"), 1)},
		"one of another key":  {at(95), checkpoint(t, origin, 3).Note},
		"a foreign origin's":  {at(94), signNote(t, "other/log", 94, forged.Root, newStranger())},
		"over a genuine one":  {at(5), []byte("gone")},
		"no number":           {checkpoints.Prefix + journaltest.ID.String() + "/x", genuine.Note},
		"of another journal":  {strings.Replace(at(200), "01890a5d", "01890a5e", 1), checkpoint(t, origin, 200).Note},
		"beside the journals": {checkpoints.Prefix + "zz", checkpoint(t, origin, 9).Note},
	} {
		r.put(junk.key, junk.content)
		got, err := r.newest()
		if err != nil || got.Size != 5 || got.Root != genuine.Root || !bytes.Equal(got.Note, genuine.Note) {
			t.Errorf("with %s: %+v, %v", what, got, err)
		}
	}
}

// TestNewestOfAnEndedOrigin: checkpoints of an origin that has ended are passed over, however many there are; one of an
// origin that the journal does not know says that the journal is from before it.
func TestNewestOfAnEndedOrigin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := func(size uint64) string { return checkpoints.Key(journaltest.ID, size) }
	r.put(at(5), checkpoint(t, origin, 5).Note)
	for size := uint64(6); size < 12; size++ {
		r.put(at(size), checkpoint(t, "muniment/before", size).Note)
	}
	r.put(at(5), checkpoint(t, "muniment/before", 5).Note)
	if got, err := r.newest(vkey("muniment/before", journaltest.Signer())); err != nil || got.Size != 5 {
		t.Errorf("beside an origin that has ended: %+v, %v", got, err)
	}
	if got, err := r.newest(); !errors.Is(err, checkpoints.ErrLaterOrigin) || got.Origin != "muniment/before" ||
		got.Size != 11 {
		t.Errorf("beside an origin that is not known: %+v, %v", got, err)
	}
}

// TestALaterOriginLeavesAMark: a copy of the journal from before an origin began is told, even where its own newest
// checkpoint is larger than all of that origin's.
func TestALaterOriginLeavesAMark(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(checkpoints.Key(journaltest.ID, 9), checkpoint(t, "muniment/before", 9).Note)
	before := vkey("muniment/before", journaltest.Signer())
	keeper, err := checkpoints.New(checkpoints.Config{
		Journal: r.signed, ID: journaltest.ID, Keys: append(r.keys(), before), Store: r.faulty, Clock: r.clock,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.sign(t, 5)
	keeper.Turn(t.Context())
	if got, err := r.newest(before); err != nil || got.Size != 5 {
		t.Errorf("by the origin: %+v, %v", got, err)
	}
	old := func() error {
		_, err := checkpoints.Newest(t.Context(), r.store, journaltest.ID, "muniment/before", []string{before})
		return err
	}
	if err := old(); !errors.Is(err, checkpoints.ErrLaterOrigin) {
		t.Errorf("by a copy from before it: %v", err)
	}
	for range 500 { // the mark stays, locked
		r.clock.Advance(24 * time.Hour)
		keeper.Turn(t.Context())
	}
	if err := old(); !errors.Is(err, checkpoints.ErrLaterOrigin) {
		t.Errorf("after a long time: %v", err)
	}
	if got := r.stored(); got[0].RetainUntil.Before(r.clock.Now()) {
		t.Errorf("the mark's lock has run out: %+v", got[0])
	}
}

// TestNewestOfAPageOfJunk: too much of it is an error, not an answer.
func TestNewestOfAPageOfJunk(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes a thousand objects")
	}
	r := newRig(t)
	r.put(checkpoints.Key(journaltest.ID, 5), checkpoint(t, origin, 5).Note)
	ended := checkpoint(t, "muniment/before", 8)
	r.put(checkpoints.Key(journaltest.ID, 8), ended.Note)
	for i := range 999 {
		r.put(fmt.Sprintf("%s%s/0%04d", checkpoints.Prefix, journaltest.ID, i), []byte("junk"))
	}
	keys := vkey("muniment/before", journaltest.Signer())
	if got, err := r.newest(keys); err != nil || got.Size != 5 {
		t.Fatalf("with 999 of junk: %+v, %v", got, err)
	}
	r.put(checkpoints.Key(journaltest.ID, 8), ended.Note) // the same once more proves nothing new
	if _, err := r.newest(keys); !errors.Is(err, checkpoints.ErrJunk) {
		t.Errorf("with 1000 of junk: %v", err)
	}
}

// FuzzOpen: whatever lies there, only what the key has signed is believed.
func FuzzOpen(f *testing.F) {
	genuine := checkpoint(f, origin, 5).Note
	text, _, _ := strings.Cut(string(genuine), "\n\n")
	f.Add(genuine)
	f.Add(signNote(f, origin, 5, journal.Hash{}, newStranger()))
	f.Add([]byte("muniment/test\n5\nAAAA\n\n— muniment/test AAAA\n"))
	f.Add(bytes.Replace(genuine, []byte("\n5\n"), []byte("\n05\n"), 1))
	f.Fuzz(func(t *testing.T, content []byte) {
		got, ok := checkpoints.Open([]string{vkey(origin, journaltest.Signer())}, content)
		if ok && (got.Size != 5 || got.Origin != origin || !strings.HasPrefix(string(content), text+"\n\n")) {
			t.Errorf("believed %q: %+v", content, got)
		}
	})
}
