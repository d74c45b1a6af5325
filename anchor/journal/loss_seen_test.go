package journal_test

import (
	"errors"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

// TestAcceptLossKeepsTheInstallation: the objects that say whose the bucket is and who serves it are of no single
// history, and stay where they are, and so does the new origin's shipping key.
func TestAcceptLossKeepsTheInstallation(t *testing.T) {
	t.Parallel()
	k, old, _ := prepareLoss(t)
	stays := map[string]string{"owner": "whose", "lease": "until"}
	for name, raw := range stays {
		k.bucket.Tamper(name, []byte(raw))
	}
	k.bucket.Tamper("other", []byte("of the history"))
	k.bucket.Tamper(batchAt(t, k.bucket, 5), nil)
	k.backend = old.backend
	journaltest.Must(k.accept(t))
	objects := k.bucket.Objects()
	for name, raw := range stays {
		if string(objects[name]) != raw {
			t.Errorf("%s is %q now", name, objects[name])
		}
	}
	for _, name := range []string{"other", "key/1"} {
		if _, there := objects[name]; there {
			t.Errorf("%s, which is of the old history, was not set aside", name)
		}
	}
	if _, there := objects["key/2"]; !there {
		t.Error("the key of the new origin is not in its place")
	}
}

// TestAcceptLossNamesTheNewestHead: the event names the largest head that anybody has seen, whatever the bucket says.
func TestAcceptLossNamesTheNewestHead(t *testing.T) {
	t.Parallel()
	for what, lose := range map[string]func(t *testing.T, k, old *kit){
		"a batch, and the database is old": losses["a batch, and the database is old"].lose,
		"the newer bucket":                 losses["the newer bucket"].lose,
		"a batch and the database":         losses["a batch and the database"].lose,
	} {
		k, old, _ := prepareLoss(t)
		lose(t, k, old)
		cfg := k.config(t)
		cfg.Origin = secondOrigin
		locked := journal.LostHead{Origin: "muniment/test", Size: 40, Root: journal.Hash{1}}
		got, err := journal.AcceptLoss(t.Context(), cfg, journal.LostHead{Origin: "muniment/test", Size: 3},
			locked, journal.LostHead{Origin: "muniment/other", Size: 99})
		if err != nil || got.Lost != locked {
			t.Errorf("%s: what was accepted: %+v, %v", what, got, err)
		}
	}
}

// TestAcceptLossOfALaterOrigin: a copy from before an origin began does not know it, and its own head may be whole.
func TestAcceptLossOfALaterOrigin(t *testing.T) {
	t.Parallel()
	k, _, _ := prepareLoss(t)
	later := journal.LostHead{Origin: "muniment/later", Size: 5, Root: journal.Hash{1}, Later: true}
	same := journal.LostHead{Origin: "muniment/test", Size: 99, Root: journal.Hash{2}}
	cfg := k.config(t)
	cfg.Origin = secondOrigin
	got, err := journal.AcceptLoss(t.Context(), cfg, later, same)
	if err != nil || got.Lost != later {
		t.Fatalf("what was accepted: %+v, %v", got, err)
	}
	checkAccepted(t, k, 7)
	cfg = k.config(t)
	cfg.Origin = "muniment/test-3"
	if _, err := journal.AcceptLoss(t.Context(), cfg, later); !errors.Is(err, journal.ErrNothingLost) {
		t.Errorf("when its loss is on record: %v", err)
	}
}

// TestBeginUnproven: a journal that nothing from outside vouches for goes on under a new origin, and says so; all of it
// is there, and what is lost for certain is named as that.
func TestBeginUnproven(t *testing.T) {
	t.Parallel()
	k, old, _ := prepareLoss(t)
	cfg := k.config(t)
	cfg.Origin = secondOrigin
	head := journaltest.Must(journal.ReadReleased(t.Context(), k.bucket, nil))
	got, err := journal.BeginUnproven(t.Context(), cfg)
	want := journal.LostHead{Origin: head.Origin, Size: head.Size, Root: head.Root}
	if err != nil || !got.Unproven || got.Lost != want || got.Origin != secondOrigin {
		t.Fatalf("begun: %+v, %v", got, err)
	}
	if again, err := journal.BeginUnproven(t.Context(), cfg); err != nil || again != got {
		t.Errorf("begun again: %+v, %v", again, err)
	}
	checkAccepted(t, k, 7)
	if eras := k.eras(t); len(eras) != 2 || !eras[1].Unproven {
		t.Errorf("eras: %+v", eras)
	}
	old.bucket = k.bucket // of another origin by now
	cfg = old.config(t)
	cfg.Origin = "muniment/test-3"
	if got, err := journal.BeginUnproven(t.Context(), cfg); err != nil || got.Unproven {
		t.Errorf("of what contradicts: %+v, %v", got, err)
	}
}

// eras are the origins that a kit's journal has had.
func (k *kit) eras(t *testing.T) (eras []journal.Era) {
	t.Helper()
	err := k.backend.View(t.Context(), func(r journal.Reader) (err error) {
		eras, err = journal.Eras(r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return eras
}
