package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// memory measures the server's peak anonymous memory while 8 large uploads, and then as many reads, are under way.
func (b *bench) memory(ctx context.Context, dir string) error {
	s, err := newStuff()
	if err != nil {
		return err
	}
	return withServer(ctx, filepath.Join(dir, "data"), func(c *child) error {
		ids := make([]string, clients)
		what := fmt.Sprintf("%d uploads of %s", clients, size(int64(b.size)))
		err := b.peak(c.cmd.Process.Pid, what, func() error {
			r, err := measure(ctx, clients, limit{count: clients}, func(ctx context.Context, i int) (err error) {
				ids[i], err = c.upload(ctx, s, int64(b.size))
				return err
			})
			b.add("memory", what, float64(clients)*float64(b.size)/r.elapsed.Seconds()/1e6, "MB/s")
			return err
		})
		if err != nil {
			return err
		}
		what = fmt.Sprintf("%d reads of %s", clients, size(int64(b.size)))
		return b.peak(c.cmd.Process.Pid, what, func() error {
			r, err := measure(ctx, clients, limit{count: clients}, func(ctx context.Context, i int) error {
				return c.remote.read(ctx, ids[i], reading{purpose: "bench"}, io.Discard)
			})
			b.add("memory", what, float64(clients)*float64(b.size)/r.elapsed.Seconds()/1e6, "MB/s")
			return err
		})
	})
}

// peak samples a process's RssAnon every 20 ms while work runs.
func (b *bench) peak(pid int, what string, work func() error) error {
	if _, err := rssAnon(pid); err != nil {
		return err
	}
	done := make(chan struct{})
	highest := make(chan float64)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		most := 0.0
		for {
			select {
			case <-done:
				highest <- most
				return
			case <-tick.C:
				if now, err := rssAnon(pid); err == nil {
					most = max(most, now)
				}
			}
		}
	}()
	err := work()
	close(done)
	b.add("memory", what+", peak RssAnon of the server", <-highest/(1<<10), "MiB")
	return err
}

// rssAnon is a process's anonymous resident memory in KiB (proc(5)).
func rssAnon(pid int) (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the server's memory, which needs Linux: %w", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			var kib float64
			_, err := fmt.Sscan(rest, &kib)
			return kib, err
		}
	}
	return 0, errors.New("reading the server's memory: /proc has no RssAnon")
}
