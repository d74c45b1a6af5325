package journal_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"muniment/anchor/journal"
)

// TestRememberedCheckpoint: a journal that is opened while the signer is down proves what an earlier checkpoint covers.
func TestRememberedCheckpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		j := k.open(t)
		r := released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
		remembered := j.Checkpoint()
		later := released(t, j, commit(t, j, noted.New(docID(1), note1(2))))
		newest := j.Checkpoint()
		k.close(t, j)
		cfg := k.config(t)
		signer := &switchable{Signer: cfg.Signer}
		signer.off.Store(true)
		cfg.Signer, cfg.Remembered = signer, remembered.Note
		began := time.Now()
		j, err := journal.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("opening took %s while the signer is down", took)
		}
		if c := j.Checkpoint(); c.Size != remembered.Size || c.Root != remembered.Root ||
			!bytes.Equal(c.Note, remembered.Note) {
			t.Errorf("the newest checkpoint is %+v, want the remembered one", c)
		}
		if _, err := j.ProveInclusion(t.Context(), r.Index, j.Checkpoint().Size); err != nil {
			t.Errorf("proving: %v", err)
		}
		signer.off.Store(false)
		released(t, j, later)
		if c := j.Checkpoint(); c.Size != newest.Size {
			t.Errorf("with the signer again the newest checkpoint is of size %d, want %d", c.Size, newest.Size)
		}
		k.close(t, j)
	})
}

// TestRememberedForeignCheckpoint: a checkpoint of another origin or key is ignored; one that this journal's key has
// signed and that it does not contain is a second history.
func TestRememberedForeignCheckpoint(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	k.close(t, j)
	other := newKit(t)
	fork := other.open(t)
	for i := range 3 {
		released(t, fork, commit(t, fork, noted.New(docID(2), note1(i))))
	}
	ahead := fork.Checkpoint().Note
	other.close(t, fork)
	other = newKit(t)
	fork = other.open(t)
	released(t, fork, commit(t, fork, noted.New(docID(2), note1(1))))
	aside := fork.Checkpoint().Note
	other.close(t, fork)
	for name, test := range map[string]struct {
		note []byte
		want error
	}{
		"none":            {nil, nil},
		"damaged":         {append([]byte("x"), aside...), nil},
		"another history": {aside, journal.ErrContradicts},
		"a longer one":    {ahead, journal.ErrContradicts},
	} {
		cfg := k.config(t)
		cfg.Remembered = test.note
		j, err := journal.Open(t.Context(), cfg)
		if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if err == nil {
			k.close(t, j)
		}
	}
}
