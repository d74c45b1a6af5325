package dir_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muniment/vault/objects"
)

// BenchmarkPut stores bodies under random-like keys, with a lock each, as deposits do.
func BenchmarkPut(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"10KiB", 10 << 10}, {"100KiB", 100 << 10}, {"64MiB", 64 << 20}} {
		for _, writers := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/writers=%d", size.name, writers), func(b *testing.B) {
				benchmarkPut(b, size.bytes, writers)
			})
		}
	}
}

func benchmarkPut(b *testing.B, size, writers int) {
	cfg := config(b.TempDir(), true)
	s := open(b, cfg.Dir, true, cfg.Clock)
	body := make([]byte, size)
	opt := objects.PutOptions{Length: int64(size), RetainUntil: cfg.Clock.Now().Add(-time.Hour)}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	var n atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for {
				i := n.Add(1)
				if i > int64(b.N) {
					return
				}
				key := fmt.Sprintf("default/%02x%012x", i*0x9e37%256, i)
				info, err := s.Put(b.Context(), key, bytes.NewReader(body), opt)
				if err != nil {
					b.Errorf("Put: %v", err)
					return
				}
				if size < 1<<20 {
					continue
				}
				if err := s.Delete(b.Context(), key, info.Version); err != nil { // a disk is soon full of these
					b.Errorf("Delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

// BenchmarkGet reads bodies back from the page cache.
func BenchmarkGet(b *testing.B) {
	cfg := config(b.TempDir(), true)
	s := open(b, cfg.Dir, true, cfg.Clock)
	info := put(b, s, "default/0123456789abcdef", string(make([]byte, 10<<10)))
	b.SetBytes(info.Size)
	for b.Loop() {
		if _, err := get(b, s, info.Key, info.Version); err != nil {
			b.Fatal(err)
		}
	}
}
