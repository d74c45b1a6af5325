package s3_test

import (
	"flag"
	"fmt"
	"io"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/budget"
	"muniment/vault/objects"
	"muniment/vault/objects/s3"
	"muniment/vault/servertest"
)

var uploadSize = flag.Int64("upload", 40, "the size of each of the eight uploads of TestMemory, in MiB")

// heap is the memory that Go's heap holds and has not given back to the system, in bytes. The resident memory of the
// process would have the race detector's own in it.
func heap() int64 {
	classes := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(classes)
	var sum uint64
	for _, class := range classes {
		sum += class.Value.Uint64()
	}
	return int64(sum)
}

// patterned is an endless body.
type patterned struct{ n byte }

func (p *patterned) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = p.n
	}
	p.n++
	return len(b), nil
}

// Eight uploads at once hold no more memory than their parts, whatever their size: much less than the bodies.
func TestMemory(t *testing.T) { // alone, for its memory is the process's
	const uploads, most = 8, 128 << 20
	server := shared.Versitygw(t)
	for name, c := range map[string]struct {
		known bool
		size  int64 // StreamSize
	}{
		"in parts": {true, 1}, "of unknown length": {false, 0}, "in one request": {true, 8 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, server, server.BucketName(), true)
			cfg.PartSize, cfg.StreamSize, cfg.RetryTime = 0, c.size, 0
			cfg.Memory = budget.New(128<<20, 0, journal.SystemClock{})
			store := open(t, cfg)
			debug.FreeOSMemory()
			before, peak := heap(), atomic.Int64{}
			done := make(chan struct{})
			var watch, wait sync.WaitGroup
			watch.Go(func() {
				tick := time.NewTicker(5 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-done:
						return
					case <-tick.C:
						peak.Store(max(peak.Load(), heap()))
					}
				}
			})
			start, size := time.Now(), *uploadSize<<20+1
			for i := range uploads {
				wait.Go(func() {
					length := int64(-1)
					if c.known {
						length = size
					}
					body := io.LimitReader(&patterned{byte(i)}, size)
					info, err := store.Put(t.Context(),
						strings.ReplaceAll(fmt.Sprint("memory/", name, "/", i), " ", "-"), body,
						objects.PutOptions{Length: length, Owner: fmt.Sprint(i % 2)})
					if err != nil || info.Size != size {
						t.Errorf("Put: %d bytes, %v", info.Size, err)
					}
				})
			}
			wait.Wait()
			close(done)
			watch.Wait()
			grown := peak.Load() - before
			t.Logf("%d uploads of %d MiB: %d MiB of memory, %.0f MB/s", uploads, *uploadSize, grown>>20,
				float64(uploads*size)/1e6/time.Since(start).Seconds())
			if grown > most {
				t.Errorf("%d MiB of memory, want at most %d", grown>>20, most>>20)
			}
		})
	}
}

// A body that cannot fit is refused before anything is read or sent.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	server := &servertest.S3{Endpoint: "127.0.0.1:1", AccessKey: "a", SecretKey: "s"}
	store, err := s3.New(config(t, server, "bucket", true))
	if err != nil {
		t.Fatal(err)
	}
	body := callback(func() { t.Error("the body was read") })
	if _, err := store.Put(t.Context(), "a", body, objects.PutOptions{Length: store.MaxSize() + 1}); err == nil {
		t.Error("a body that cannot fit was taken")
	}
}
