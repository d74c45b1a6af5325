package journal_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// restoredLeaves is how many leaves BenchmarkRestore restores in each round.
const restoredLeaves = 100_000

// BenchmarkRestore measures a restore from a bucket in memory into a bbolt file with its syncs on: every second leaf
// binds a sealed row of a kilobyte, and each has one lookup token, which is computed again without any key service.
func BenchmarkRestore(b *testing.B) {
	k := newKit(b)
	k.tail = 0
	fillForRestore(b, k)
	for b.Loop() {
		store, err := bolt.Open(bolt.Config{Path: filepath.Join(b.TempDir(), "journal.db"), Create: true})
		if err != nil {
			b.Fatal(err)
		}
		cfg := k.config(b)
		cfg.Backend = store
		j, err := journal.Open(context.Background(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		if j.Size() < restoredLeaves {
			b.Fatalf("restored %d leaves", j.Size())
		}
		if _, err := j.Reindex(context.Background(), benchTokens); err != nil {
			b.Fatal(err)
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(restoredLeaves*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
}

// BenchmarkCheckReleased measures the check of a backup of as many leaves, sealed rows included.
func BenchmarkCheckReleased(b *testing.B) {
	k := newKit(b)
	k.tail = 0
	fillForRestore(b, k)
	head := journaltest.Must(journal.ReadReleased(context.Background(), k.bucket, keys()))
	for b.Loop() {
		store, err := bolt.Open(bolt.Config{Path: filepath.Join(b.TempDir(), "scratch.db"), Create: true})
		if err != nil {
			b.Fatal(err)
		}
		found, err := journal.CheckReleased(context.Background(), journal.CheckConfig{
			ShippingKeys: keys(),
			Bucket:       k.bucket, Head: head, Definitions: definitions(), Scratch: store, Tokens: benchTokens,
		})
		if err != nil || len(found) > 0 {
			b.Fatalf("%d findings, %v", len(found), err)
		}
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(restoredLeaves*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
}

// fillForRestore commits the leaves by many writers at once, as a busy server would.
func fillForRestore(b *testing.B, k *kit) {
	b.Helper()
	k.backend = memory.New(memory.Config{})
	j := k.open(b)
	sealed := make([]byte, 1<<10)
	const writers = 256
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < restoredLeaves/2; i += writers {
				key := fmt.Sprintf("k%08d", i)
				_, err := j.Commit(context.Background(), alice, func(journal.View) (journal.Change, error) {
					return journal.Change{
						Events: []journal.Event{kept.New(docID(i+1), secret{key}),
							looked.New(docID(i+1), noteData{Text: "audit"})},
						Sealed: []journal.Row{{Key: []byte(key), Value: sealed,
							Tokens: [][]byte{[]byte("token-" + key)}}},
					}, nil
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	released(b, j, commit(b, j, noted.New(docID(1), note1(1))))
	k.close(b, j)
}

// benchTokens costs nothing: a key service would.
func benchTokens(_ context.Context, rows []journal.SealedRowAt) ([]journal.TokensOf, error) {
	out := make([]journal.TokensOf, len(rows))
	for i, row := range rows {
		out[i].Tokens = [][]byte{append([]byte("token-"), row.Key...)}
	}
	return out, nil
}

// BenchmarkReship measures how fast a history of as many leaves is shipped again under another shipping key, into a
// bucket in memory.
func BenchmarkReship(b *testing.B) {
	k := newKit(b)
	k.tail = 0
	fillForRestore(b, k)
	store, err := bolt.Open(bolt.Config{Path: filepath.Join(b.TempDir(), "journal.db"), Create: true})
	if err != nil {
		b.Fatal(err)
	}
	cfg := k.config(b)
	cfg.Backend = store
	j, err := journal.Open(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		event := journaltest.Must(j.NextShippingKey(context.Background()))
		released(b, j, commit(b, j, event))
	}
	b.ReportMetric(restoredLeaves*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
