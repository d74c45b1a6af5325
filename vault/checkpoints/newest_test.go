package checkpoints_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
)

// TestKeysListTheNewestFirst: the key is the promise of the format.
func TestKeysListTheNewestFirst(t *testing.T) {
	t.Parallel()
	at := func(size uint64) string { return keyOf(t, checkpoint(t, origin, size)) }
	want := "muniment-checkpoint/01890a5d-ac96-774b-bcce-b302099a8057/18446744073709551608." +
		"iF7wtkiKuaDcsKqp7TMY_DW4rPoMRIflnSwo19gKc92vvYD7Ya6_elE6jdlOplZaTQnfT-Mhc-Kx" +
		"CmlTEaUK0KXC2CSSQJI3T6jrFOva7n2U2CaDu_qYQ0o5XpFiiZQD.muniment_stest"
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
	longest := checkpoint(t, strings.Repeat("o", 128), math.MaxInt64)
	if err := objects.CheckKey(keyOf(t, longest)); err != nil {
		t.Errorf("the key of the longest origin: %v", err)
	}
	for _, origin := range []string{strings.Repeat("o", 128), strings.Repeat("_/:.", 32), "a",
		"log.example.org:8080/a_b"} {
		key := keyOf(t, checkpoint(t, origin, 5))
		got, ok := checkpoints.Open([]string{vkey(origin, journaltest.Signer())}, journaltest.ID, key)
		if !ok || got.Origin != origin || got.Size != 5 || objects.CheckKey(key) != nil {
			t.Errorf("%s gives %+v, %v", key, got, ok)
		}
	}
	changed := checkpoint(t, origin, 7)
	changed.Size = 8
	if key, err := checkpoints.Key(journaltest.ID, changed); err == nil {
		t.Errorf("a checkpoint of another size than its note's has the key %s", key)
	}
}

// forged is a checkpoint that a stranger has signed.
func forged(t testing.TB, origin string, size uint64) journal.Checkpoint {
	t.Helper()
	c := checkpoint(t, origin, size)
	c.Note = signNote(t, origin, size, c.Root, newStranger())
	return c
}

// TestNewestCountsOnlyWhatWeSigned: whoever can write the bucket adds anything but what a key of ours has signed.
func TestNewestCountsOnlyWhatWeSigned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.newest(); !errors.Is(err, checkpoints.ErrNone) {
		t.Fatalf("in an empty store: %v", err)
	}
	genuine := checkpoint(t, origin, 5)
	r.keep(genuine)
	r.keep(checkpoint(t, origin, 3))
	renamed := func(from, to string) string { return strings.Replace(keyOf(t, genuine), from, to, 1) }
	prefix := checkpoints.Prefix + journaltest.ID.String() + "/"
	for what, key := range map[string]string{
		"a number":            prefix + "18446744073709551516",
		"no number":           prefix + "x",
		"a mark that is none": prefix + "-x",
		"a stranger's":        keyOf(t, forged(t, origin, 90)),
		"a changed size":      renamed("18446744073709551610.", "18446744073709551519."),
		"a changed origin":    renamed("_stest", "_stesu"),
		"another size's":      prefix + "18446744073709551520" + strings.TrimPrefix(keyOf(t, genuine), prefix)[20:],
		"a foreign origin's":  keyOf(t, forged(t, "other/log", 94)),
		"something behind it": keyOf(t, genuine) + "/x",
		"a mark of another": prefix + "-00000000000000000000000000000000/" + strings.TrimPrefix(keyOf(t, genuine),
			prefix),
		"of another journal":     strings.Replace(keyOf(t, checkpoint(t, origin, 200)), "01890a5d", "01890a5e", 1),
		"beside the journals":    checkpoints.Prefix + "zz",
		"over the genuine one":   keyOf(t, genuine),
		"over the genuine one 2": keyOf(t, genuine),
	} {
		r.put(key, []byte("junk"))
		got, err := r.newest()
		if err != nil || got.Size != 5 || got.Root != genuine.Root || !bytes.Equal(got.Note, genuine.Note) {
			t.Errorf("with %s: %+v, %v", what, got, err)
		}
	}
	if got, err := r.newest(); err != nil || got.Strangers != 7 {
		t.Errorf("%d strangers were counted, %v", got.Strangers, err)
	}
}

// TestNewestOfAnEndedOrigin: checkpoints of an origin that has ended are passed over, however many there are; one of an
// origin that the journal does not know says that the journal is from before it.
func TestNewestOfAnEndedOrigin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.keep(checkpoint(t, origin, 5))
	for size := uint64(5); size < 12; size++ {
		r.keep(checkpoint(t, "muniment/before", size))
	}
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
	r.keep(checkpoint(t, "muniment/before", 9))
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
		_, err := checkpoints.Newest(t.Context(), checkpoints.Search{Store: r.store, Journal: journaltest.ID,
			Origin: "muniment/before", Keys: []string{before}})
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

// TestNewestBehindJunk: no junk is so much that a genuine checkpoint behind it is not found, and none of it is read.
func TestNewestBehindJunk(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.keep(checkpoint(t, origin, 5))
	const many = 25_000
	junk := listed{Store: r.store}
	signed := keyOf(t, forged(t, origin, 1<<40))
	for i := range many {
		key := signed[:len(signed)-5] + fmt.Sprintf("%05d", i) // of another origin each, by no key of ours
		if i%10 > 0 {
			key = fmt.Sprintf("%s%s/%020d", checkpoints.Prefix, journaltest.ID, i)
		}
		junk.before = append(junk.before, objects.Info{Key: key, Version: "v", Size: 300})
	}
	var told []int
	got, err := checkpoints.Newest(t.Context(), checkpoints.Search{Store: junk, Journal: journaltest.ID, Origin: origin,
		Keys: r.keys(), Passed: func(n int) { told = append(told, n) }})
	if err != nil || got.Size != 5 || !slices.Equal(told, []int{10_000, 20_000}) {
		t.Errorf("behind %d of junk: %+v, %v; told of %v", many, got, err, told)
	}
}

// listed is a store that lists objects before its own, and has none of them to be read.
type listed struct {
	objects.Store
	before []objects.Info
}

func (l listed) List(ctx context.Context, prefix, after string) iter.Seq2[objects.Info, error] {
	return func(yield func(objects.Info, error) bool) {
		for _, info := range l.before {
			if !yield(info, nil) {
				return
			}
		}
		for info, err := range l.Store.List(ctx, prefix, after) {
			if !yield(info, err) {
				return
			}
		}
	}
}

// FuzzOpen: whatever lies there, only what the key has signed is believed, and under no other key than its own.
func FuzzOpen(f *testing.F) {
	genuine := keyOf(f, checkpoint(f, origin, 5))
	f.Add(genuine)
	f.Add(keyOf(f, forged(f, origin, 5)))
	f.Add(strings.Replace(genuine, "/18446744073709551610.", "/-00000000000000000000000000000000/18446744073709551610.",
		1))
	f.Fuzz(func(t *testing.T, key string) {
		got, ok := checkpoints.Open([]string{vkey(origin, journaltest.Signer())}, journaltest.ID, key)
		if ok && key != genuine {
			t.Errorf("believed %q: %+v", key, got)
		}
	})
}
