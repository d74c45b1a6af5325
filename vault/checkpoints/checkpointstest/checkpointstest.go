// Package checkpointstest keeps the checkpoints of a test's journal.
package checkpointstest

import (
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"testing"

	"muniment/anchor/journal"
	"muniment/vault/checkpoints"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/objectstest"
)

// Keeper keeps a journal's checkpoints in a store of their own, which fails as it is told.
func Keeper(t testing.TB, j *journal.Journal, clock journal.Clock) (*checkpoints.Keeper, *objectstest.Faulty) {
	t.Helper()
	store, err := dir.Open(t.Context(), dir.Config{
		Dir: filepath.Join(t.TempDir(), "locked"), Versioned: true, Create: true, Clock: clock, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	faulty := objectstest.NewFaulty(t, store)
	keeper, err := checkpoints.New(checkpoints.Config{
		Journal: j, ID: j.ID(), Keys: []string{j.VerifierKey()}, Store: faulty, Clock: clock,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return keeper, faulty
}
