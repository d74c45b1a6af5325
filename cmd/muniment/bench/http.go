package bench

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"muniment/cmd/muniment/bench/measure"
	"muniment/cmd/muniment/remote"
)

// large is the number of documents of 64 MiB that are sent, and read, in all.
const large = 16

// http measures deposits and reads of several sizes with 8 clients.
func (b *bench) http(ctx context.Context, dir string) error {
	s, err := newRandom()
	if err != nil {
		return err
	}
	for _, size := range []struct {
		name  string
		bytes int64
		limit measure.Limit
	}{{"10 KiB", 10 << 10, measure.For(b.each)}, {"100 KiB", 100 << 10, measure.For(b.each)},
		{"64 MiB", 64 << 20, measure.Times(large)}} {
		err := withServer(ctx, filepath.Join(dir, fmt.Sprint(size.bytes)), func(c *serverProcess) error {
			return b.exchange(ctx, c, s, size.name, size.bytes, size.limit)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) exchange(ctx context.Context, c *serverProcess, s random, name string, n int64,
	until measure.Limit) error {
	var mu sync.Mutex
	var ids []string
	before, err := measure.ProcessorTime(c.cmd.Process.Pid)
	if err != nil {
		return err
	}
	put, err := measure.Repeat(ctx, benchClients, until, func(ctx context.Context, _ int) error {
		id, err := c.upload(ctx, s, n)
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return err
	}
	after, err := measure.ProcessorTime(c.cmd.Process.Pid)
	if err != nil {
		return err
	}
	get, err := measure.Repeat(ctx, benchClients, until, func(ctx context.Context, i int) error {
		return c.remote.Read(ctx, ids[i%len(ids)], remote.ReadOptions{Purpose: fmt.Sprintf("bench-%d", i/len(ids))},
			io.Discard)
	})
	if err != nil {
		return err
	}
	b.add("http", fmt.Sprintf("a deposit of %s, processor time of the server", name),
		measure.Milliseconds(after-before)/float64(len(put.Took)), "ms")
	for _, way := range []struct {
		what, unit string
		rate       measure.Rate
	}{{"deposits", "deposits", put}, {"reads", "reads", get}} {
		what := fmt.Sprintf("%s of %s, %d clients", way.what, name, benchClients)
		b.addRate("http", what, way.unit, way.rate)
		b.add("http", what, float64(len(way.rate.Took))*float64(n)/way.rate.Elapsed.Seconds()/1e6, "MB/s")
	}
	return nil
}
