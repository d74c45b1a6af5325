package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

const secondOrigin = "muniment/test-2"

// accept accepts a kit's loss.
func (k *kit) accept(t *testing.T) (journal.LossAccepted, error) {
	t.Helper()
	cfg := k.config(t)
	cfg.Origin = secondOrigin
	return journal.AcceptLoss(t.Context(), cfg)
}

// reopen opens a kit's journal under whatever its origin is.
func (k *kit) reopen(t *testing.T) *journal.Journal {
	t.Helper()
	cfg := k.config(t)
	cfg.Origin, cfg.Create = "", false
	j, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("opening after the loss was accepted: %v", err)
	}
	return j
}

// losses are what can happen to a journal of three notes and two sealed rows, one of them erased, of which a copy was
// taken after the first note. Each says how many entries survive, and which head is lost.
var losses = map[string]struct {
	lose    func(t *testing.T, k *kit, old *kit)
	survive uint64
	lost    uint64
	known   bool // the lost head's root is
}{
	"a batch, and the database is old": {func(t *testing.T, k, old *kit) {
		k.bucket.Tamper(batchAt(t, k.bucket, 5), nil)
		k.backend = old.backend
	}, 5, 7, true},
	"a batch and the database": {func(t *testing.T, k, _ *kit) {
		name := batchAt(t, k.bucket, 5)
		k.bucket.Tamper(name, flip(k.bucket.Objects()[name]))
		k.backend = memory.New(memory.Config{})
	}, 5, 7, true},
	"the bucket": {func(t *testing.T, k, _ *kit) {
		k.bucket = journaltest.NewBucket(silent{})
	}, 7, 6, false},
	"the head": {func(t *testing.T, k, _ *kit) {
		k.bucket.Tamper("head", nil)
	}, 7, 6, false},
	"the newer bucket": {func(t *testing.T, k, old *kit) {
		k.bucket = old.bucket
	}, 7, 6, false},
	"a fork": {func(t *testing.T, k, old *kit) {
		j := old.open(t)
		for i := range 5 {
			released(t, j, commit(t, j, noted.New(docID(2), note1(i))))
		}
		old.close(t, j)
		k.bucket = old.bucket
	}, 7, 9, true},
}

// prepareLoss makes the journal, and its copy.
func prepareLoss(t *testing.T) (k, old *kit, checkpoint []byte) {
	k = newKit(t)
	k.bucket = journaltest.NewBucket(silent{})
	j := k.open(t)
	released(t, j, keep(t, j, "gone"))
	released(t, j, erase(t, j, "gone"))
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	old = newKit(t)
	old.backend, old.bucket = k.backend.Clone(), k.bucket.Clone(silent{})
	released(t, j, keep(t, j, "k"))
	released(t, j, commit(t, j, noted.New(docID(1), note1(2))))
	released(t, j, commit(t, j, noted.New(docID(1), note1(3)))) // carries the note that six were released
	checkpoint = j.Checkpoint().Note
	k.close(t, j)
	return k, old, checkpoint
}

// TestAcceptLoss: what contradicts is refused until the loss is accepted; then the survivors go on under a new origin,
// all of it is shipped anew, and what was signed under the old origin of the survivors still holds.
func TestAcceptLoss(t *testing.T) {
	t.Parallel()
	for what, c := range losses {
		t.Run(what, func(t *testing.T) {
			k, old, _ := prepareLoss(t)
			c.lose(t, k, old)
			cfg := k.config(t)
			cfg.Create = false
			if _, err := journal.Open(t.Context(), cfg); !errors.Is(err, journal.ErrContradicts) &&
				!errors.Is(err, journal.ErrDamaged) {
				t.Fatalf("opening says %v", err)
			}
			before := k.bucket.Objects()
			k.backend = k.backend.Reopen(memory.Config{})
			got, err := k.accept(t)
			if err != nil {
				t.Fatal(err)
			}
			if got.Origin != secondOrigin || got.Lost.Size != c.lost || got.Lost.Origin != "muniment/test" ||
				got.Lost.Root != (journal.Hash{}) != c.known {
				t.Errorf("what was accepted: %+v", got)
			}
			checkAccepted(t, k, c.survive)
			for name, raw := range before {
				if journal.StaysInPlace(name) {
					continue
				}
				if !slices.ContainsFunc(journaltest.Must(k.bucket.List(t.Context(), "lost/")), func(aside string) bool {
					return strings.HasSuffix(aside, "/"+name) && string(k.bucket.Objects()[aside]) == string(raw)
				}) {
					t.Errorf("%s was not set aside", name)
				}
			}
		})
	}
}

// goldenLoss is the compatibility promise for the event, whose data an auditor reads.
const goldenLoss = "testdata/golden-loss/body.json"

func TestGoldenLossAccepted(t *testing.T) {
	t.Parallel()
	k, old, _ := prepareLoss(t)
	k.bucket.Tamper(batchAt(t, k.bucket, 5), nil)
	k.backend = old.backend
	journaltest.Must(k.accept(t))
	j := k.reopen(t)
	got := journaltest.Must(j.Record(t.Context(), 5)).Body
	k.close(t, j)
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(goldenLoss), 0o755),
			os.WriteFile(goldenLoss, got, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(journaltest.Must(os.ReadFile(goldenLoss))), string(got)); diff != "" {
		t.Errorf("the event has changed (-want +got):\n%s", diff)
	}
}

// checkAccepted looks at a journal whose loss was accepted after so many entries survived.
func checkAccepted(t *testing.T, k *kit, survive uint64) {
	t.Helper()
	j := k.reopen(t)
	rec := journaltest.Must(j.Record(t.Context(), survive))
	if rec.Type != "journal.loss_accepted/1" || j.Origin() != secondOrigin {
		t.Errorf("entry %d is %s, and the origin %s", survive, rec.Type, j.Origin())
	}
	released(t, j, commit(t, j, noted.New(docID(1), note1(9))))
	verifier := journaltest.Must(note.NewVerifier(j.VerifierKey()))
	if _, err := note.Open(j.Checkpoint().Note, note.VerifierList(verifier)); err != nil ||
		j.Checkpoint().Origin != secondOrigin {
		t.Errorf("the checkpoint: %v\n%s", err, j.Checkpoint().Note)
	}
	var eras []journal.Era
	err := j.View(t.Context(), func(r journal.Reader) (err error) {
		eras, err = journal.Eras(r)
		return err
	})
	if err != nil || len(eras) != 2 || eras[0].Origin != "muniment/test" || eras[1].Origin != secondOrigin ||
		eras[1].From != survive || eras[1].Key != j.VerifierKey() {
		t.Errorf("the eras: %+v, %v", eras, err)
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck says %s", first(found))
	}
	fresh := newKit(t)
	fresh.bucket = k.bucket
	fresh.close(t, fresh.reopen(t))
	shippedRows := func(k *kit) (lines []string) {
		for line := range strings.Lines(dump(t, k.backend)) {
			if strings.HasPrefix(line, "l.") || strings.HasPrefix(line, "p.") || strings.HasPrefix(line, "s.") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	if diff := cmp.Diff(shippedRows(k), shippedRows(fresh)); diff != "" {
		t.Errorf("what is restored differs (-journal +restored):\n%s", diff)
	}
	if _, err := k.accept(t); !errors.Is(err, journal.ErrNothingLost) {
		t.Errorf("accepting again says %v", err)
	}
}

// TestOldCopiesOfALostHistory: neither an old database nor an old bucket goes on beside the new history.
func TestOldCopiesOfALostHistory(t *testing.T) {
	t.Parallel()
	k, old, checkpoint := prepareLoss(t)
	k.bucket.Tamper(batchAt(t, k.bucket, 5), nil)
	k.backend = old.backend.Clone()
	journaltest.Must(k.accept(t))
	j := k.reopen(t)
	released(t, j, commit(t, j, noted.New(docID(1), note1(4))))
	key := journaltest.Must(note.NewEd25519VerifierKey("muniment/test", journaltest.Signer().PublicKey()))
	if _, err := note.Open(checkpoint, note.VerifierList(journaltest.Must(note.NewVerifier(key)))); err != nil {
		t.Errorf("what was signed under the old origin: %v", err)
	}
	k.close(t, j)
	for what, pair := range map[string]*kit{
		"an old database on the new bucket": {backend: old.backend, bucket: k.bucket, clock: k.clock},
		"the new database on an old bucket": {backend: k.backend, bucket: old.bucket, clock: k.clock},
	} {
		cfg := pair.config(t)
		cfg.Origin = ""
		if _, err := journal.Open(t.Context(), cfg); !errors.Is(err, journal.ErrContradicts) {
			t.Errorf("%s: opening says %v", what, err)
		}
	}
}

// TestAcceptLossOfWhatWasRemembered: database and bucket were put back together, and only the checkpoint knows.
func TestAcceptLossOfWhatWasRemembered(t *testing.T) {
	t.Parallel()
	_, old, checkpoint := prepareLoss(t)
	cfg := old.config(t)
	cfg.Remembered, cfg.Origin = checkpoint, secondOrigin
	got, err := journal.AcceptLoss(t.Context(), cfg)
	if err != nil || got.Lost.Size != 7 || got.Lost.Root == (journal.Hash{}) {
		t.Fatalf("what was accepted: %+v, %v", got, err)
	}
	checkAccepted(t, old, 4)
}

// TestAcceptLossOfWhatALedgerHas: only somebody else knows that more was released.
func TestAcceptLossOfWhatALedgerHas(t *testing.T) {
	t.Parallel()
	k, old, _ := prepareLoss(t)
	head := journaltest.Must(journal.ReadReleased(t.Context(), k.bucket, keys()))
	elsewhere := []journal.LostHead{
		{Origin: "muniment/other", Size: 99, Root: head.Root}, {Origin: head.Origin, Size: head.Size, Root: head.Root},
		{},
	}
	cfg := k.config(t)
	cfg.Origin = secondOrigin
	if _, err := journal.AcceptLoss(t.Context(), cfg, elsewhere...); !errors.Is(err, journal.ErrNothingLost) {
		t.Errorf("of the whole journal it says %v", err)
	}
	cfg = old.config(t)
	cfg.Origin = secondOrigin
	loss, err := journal.FindLoss(t.Context(), cfg, elsewhere...)
	if err != nil || loss.Head != elsewhere[1] || loss.Size != 4 || !errors.Is(loss.Why, journal.ErrContradicts) {
		t.Errorf("the loss is %+v, %v", loss, err)
	}
	if got, err := journal.AcceptLoss(t.Context(), cfg, elsewhere...); err != nil || got.Lost != elsewhere[1] {
		t.Fatalf("what was accepted: %+v, %v", got, err)
	}
	checkAccepted(t, old, 4)
}

func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	k, _, _ := prepareLoss(t)
	if _, err := k.accept(t); !errors.Is(err, journal.ErrNothingLost) {
		t.Errorf("accepting says %v", err)
	}
	empty := newKit(t)
	if _, err := empty.accept(t); !errors.Is(err, journal.ErrMissing) {
		t.Errorf("accepting the loss of nothing says %v", err)
	}
	k.bucket.Tamper("head", nil)
	cfg := k.config(t)
	if _, err := journal.AcceptLoss(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "name a new one") {
		t.Errorf("under the old origin it says %v", err)
	}
}

// TestAcceptLossGoesOn: broken off at every call of the bucket, before and after it took effect, a repetition finishes
// it, and there is one event.
func TestAcceptLossGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("it breaks off at each call; left out by -short")
	}
	t.Parallel()
	for _, fault := range []journaltest.Fault{journaltest.Fails, journaltest.FailsDone} {
		for at := 1; ; at++ {
			k, old, _ := prepareLoss(t)
			k.bucket.Tamper(batchAt(t, k.bucket, 5), nil)
			k.backend = old.backend
			struck := false
			k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
				if c.N == at {
					struck = true
					return fault
				}
				return journaltest.Works
			})
			_, err := k.accept(t)
			k.bucket.Inject(nil)
			if !struck {
				break
			}
			if err == nil {
				t.Fatalf("call %d failed, and the loss was accepted", at)
			}
			if _, err := k.accept(t); err != nil {
				t.Fatalf("after call %d failed: %v", at, err)
			}
			checkAccepted(t, k, 5)
			if t.Failed() {
				t.Fatal(fmt.Sprint("call ", at))
			}
		}
	}
}
