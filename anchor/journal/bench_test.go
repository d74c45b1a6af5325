package journal_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
)

// BenchmarkCommit measures commits of one event each, with the body's and one growing projection row, by so many
// writers at once, on bbolt with its syncs on.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			store, err := bolt.Open(bolt.Config{Path: filepath.Join(b.TempDir(), "journal.db"), Create: true})
			if err != nil {
				b.Fatal(err)
			}
			k := newKit(b)
			cfg := k.config(b)
			cfg.Backend, cfg.Clock = store, journal.SystemClock{}
			j, err := journal.Open(context.Background(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			benchCommits(b, j, writers)
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func benchCommits(b *testing.B, j *journal.Journal, writers int) {
	took := make([]time.Duration, b.N)
	next := make(chan int, b.N)
	for i := range b.N {
		next <- i
	}
	close(next)
	b.ResetTimer()
	var wg sync.WaitGroup
	for range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				began := time.Now()
				event := looked.New(docID(i%1000+1), noteData{Text: "fulfilling the request of the person concerned"})
				_, err := j.Commit(context.Background(), alice, func(v journal.View) (journal.Change, error) {
					return journal.Change{Events: []journal.Event{event}}, nil
				})
				if err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(began)
			}
		}()
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
