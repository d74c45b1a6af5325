package bench

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"muniment/cmd/muniment/bench/measure"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
)

// memory measures the server's peak anonymous memory while 8 large uploads, and then as many reads, are under way.
func (b *bench) memory(ctx context.Context, dir string) error {
	s, err := newRandom()
	if err != nil {
		return err
	}
	return withServer(ctx, filepath.Join(dir, "data"), func(c *serverProcess) error {
		ids, each := make([]string, benchClients), measure.Times(benchClients)
		what := fmt.Sprintf("%d uploads of %s", benchClients, cli.Size(int64(b.size)))
		err := b.peak(c.cmd.Process.Pid, what, func() error {
			r, err := measure.Repeat(ctx, benchClients, each, func(ctx context.Context, i int) (err error) {
				ids[i], err = c.upload(ctx, s, int64(b.size))
				return err
			})
			b.add("memory", what, float64(benchClients)*float64(b.size)/r.Elapsed.Seconds()/1e6, "MB/s")
			return err
		})
		if err != nil {
			return err
		}
		what = fmt.Sprintf("%d reads of %s", benchClients, cli.Size(int64(b.size)))
		return b.peak(c.cmd.Process.Pid, what, func() error {
			r, err := measure.Repeat(ctx, benchClients, each, func(ctx context.Context, i int) error {
				return c.remote.Read(ctx, ids[i], remote.ReadOptions{Purpose: "bench"}, io.Discard)
			})
			b.add("memory", what, float64(benchClients)*float64(b.size)/r.Elapsed.Seconds()/1e6, "MB/s")
			return err
		})
	})
}

// peak adds the peak anonymous memory that the server has while work runs.
func (b *bench) peak(pid int, what string, work func() error) error {
	most, err := measure.PeakMemory(pid, work)
	b.add("memory", what+", peak RssAnon of the server", most/(1<<20), "MiB")
	return err
}
