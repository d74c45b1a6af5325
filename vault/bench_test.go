package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	"muniment/vault"
	"muniment/vault/objects"
)

// onDisk puts the journal into a bbolt file and the clock on the wall, as in production.
func onDisk(b testing.TB) option {
	return func(r *rig, c *vault.Config) {
		backend, err := bolt.Open(bolt.Config{Path: filepath.Join(b.TempDir(), "journal.db"), Create: true})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = backend.Close() })
		r.backend = backend
		c.Clock = journal.SystemClock{}
	}
}

// BenchmarkDeposit is whole deposits, one after the other: upload, commit, release, with every sync.
func BenchmarkDeposit(b *testing.B) {
	for _, size := range []int{10 << 10, 100 << 10, 64 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			r := newRig(b, onDisk(b))
			content := make([]byte, size)
			_, _ = rand.Read(content)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				r.deposit(vault.Deposit{FileName: "bench.bin", Title: "A benchmark"}, content)
			}
		})
	}
}

// nowhere takes objects and keeps nothing of them: what is left is the journal's part of a deposit.
type nowhere struct{ objects.Store }

func (nowhere) Put(_ context.Context, key string, body io.Reader, _ objects.PutOptions) (objects.Info, error) {
	var n int64
	buf := make([]byte, 4<<10)
	for {
		m, err := body.Read(buf)
		n += int64(m)
		if err != nil {
			return objects.Info{Key: key, Version: "1", Size: n, Tag: "t"}, nil
		}
	}
}

func (nowhere) Retain(context.Context, string, string, time.Time) error { return nil }

// BenchmarkDepositEvent is deposits without their uploads: document.deposited with its sealed row and three tokens,
// waiting for the commit and the release.
func BenchmarkDepositEvent(b *testing.B) {
	r := newRig(b, onDisk(b), func(_ *rig, c *vault.Config) { c.Objects = nowhere{c.Objects} })
	var n int
	var mu sync.Mutex
	writers(b, func() error {
		mu.Lock()
		n++
		name := fmt.Sprintf("bench-%09d", n)
		mu.Unlock()
		_, err := r.vault.Deposit(context.Background(), r.who, vault.Deposit{
			FileName: "bench.txt", Title: "A benchmark", ExternalID: name, IdempotencyKey: name,
			Length: 8, Content: bytes.NewReader([]byte("muniment")),
		})
		return err
	})
}

// BenchmarkReadEvent is document.read as Read commits it: a thousand documents, each read for a new purpose, so that no
// session covers it.
func BenchmarkReadEvent(b *testing.B) {
	r := newRig(b, onDisk(b), func(_ *rig, c *vault.Config) { c.Objects = nowhere{c.Objects} })
	ids := make([]journal.ID, 1000)
	for i := range ids {
		ids[i] = r.deposit(vault.Deposit{Title: "A benchmark"}, []byte("muniment")).ID
	}
	var n atomic.Int64
	writers(b, func() error {
		i := n.Add(1)
		return vault.RecordRead(context.Background(), r.vault, r.who, ids[int(i)%len(ids)], fmt.Sprintf("bench-%d", i))
	})
}

// writers runs do with 1, 64 and 1,024 writers at once, and reports events/s and the latencies that one writer sees.
func writers(b *testing.B, do func() error) {
	for _, n := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("writers=%d", n), func(b *testing.B) {
			var all sync.WaitGroup
			work := make(chan struct{})
			latencies := make([][]time.Duration, n)
			for i := range n {
				all.Go(func() {
					for range work {
						start := time.Now()
						if err := do(); err != nil {
							b.Error(err)
						}
						latencies[i] = append(latencies[i], time.Since(start))
					}
				})
			}
			b.ResetTimer()
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			all.Wait()
			b.StopTimer()
			sorted := slices.Concat(latencies...)
			slices.Sort(sorted)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(sorted[len(sorted)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(sorted[len(sorted)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// readOften makes a document that was read n times, each time for a new purpose.
func readOften(b *testing.B, r *rig, n int) journal.ID {
	b.Helper()
	id := r.deposit(vault.Deposit{Title: "A benchmark"}, []byte("muniment")).ID
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for i := worker; i < n; i += 16 {
				purpose := fmt.Sprintf("bench-%d", i)
				if err := vault.RecordRead(context.Background(), r.vault, r.who, id, purpose); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return id
}

// BenchmarkHistory is the first page of the history of a document that was read 10,000 times for as many purposes, and
// its evidence.
func BenchmarkHistory(b *testing.B) {
	r := newRig(b, onDisk(b))
	ctx := context.Background()
	id := readOften(b, r, 10_000)
	for _, limit := range []int{vault.DefaultHistory, vault.MaxHistory} {
		b.Run(fmt.Sprintf("page=%d", limit), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if page, err := r.vault.History(ctx, r.who, id, 0, limit); err != nil || len(page.Records) != limit {
					b.Fatalf("%d events, %v", len(page.Records), err)
				}
			}
		})
	}
	b.Run("evidence", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.vault.Evidence(ctx, r.who, id, false); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDepositBesideHistories is deposits by four at once, for half a second alone and for half a second beside
// eight who read the first page of such a history again and again, by turns, so that both see the same disk and the
// same load.
func BenchmarkDepositBesideHistories(b *testing.B) {
	r := newRig(b, onDisk(b))
	id := readOften(b, r, 10_000)
	content := make([]byte, 10<<10)
	half := func(readers int) (deposits, pages float64) {
		ctx, stop := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer stop()
		var all sync.WaitGroup
		var deposited, read atomic.Int64
		for range 4 {
			all.Go(func() {
				for ctx.Err() == nil {
					r.deposit(vault.Deposit{FileName: "bench.bin"}, content)
					deposited.Add(1)
				}
			})
		}
		for range readers {
			all.Go(func() {
				for ctx.Err() == nil {
					if _, err := r.vault.History(ctx, r.who, id, 0, vault.DefaultHistory); err == nil {
						read.Add(1)
					}
				}
			})
		}
		begun := time.Now()
		all.Wait()
		took := time.Since(begun).Seconds()
		return float64(deposited.Load()) / took, float64(read.Load()) / took
	}
	var alone, beside, pages float64
	for b.Loop() {
		d, _ := half(0)
		alone += d
		if err := vault.SpendHistories(context.Background(), r.vault); err != nil {
			b.Fatal(err)
		}
		d, n := half(8)
		beside, pages = beside+d, pages+n
	}
	b.ReportMetric(alone/float64(b.N), "alone/s")
	b.ReportMetric(beside/float64(b.N), "beside/s")
	b.ReportMetric(beside/alone, "ratio")
	b.ReportMetric(pages/float64(b.N), "pages/s")
}
