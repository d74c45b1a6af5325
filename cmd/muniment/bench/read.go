package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"muniment/anchor/evidence"
	"muniment/cmd/muniment/bench/measure"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
)

// ranges compares a range at the end of a large document with reading all of it.
func (b *bench) ranges(ctx context.Context, dir string) error {
	s, err := newRandom()
	if err != nil {
		return err
	}
	return withServer(ctx, filepath.Join(dir, "data"), func(c *serverProcess) error {
		n := int64(b.size)
		id, err := c.upload(ctx, s, n)
		if err != nil {
			return err
		}
		for _, way := range []struct {
			what, span string
			count      int
		}{
			{"the last 1 MiB of " + cli.Size(n), fmt.Sprintf("bytes=%d-", max(0, n-1<<20)), 21},
			{"all of " + cli.Size(n), "", 3},
		} {
			r, err := measure.Repeat(ctx, 1, measure.Times(way.count), func(ctx context.Context, _ int) error {
				return c.remote.Read(ctx, id, remote.ReadOptions{Purpose: "bench", Range: way.span}, io.Discard)
			})
			if err != nil {
				return err
			}
			b.add("range", way.what+", median", measure.Milliseconds(r.Percentile(50)), "ms")
		}
		return nil
	})
}

// logSize is how many documents the log has whose evidence is measured.
const logSize = 2000

// proof measures making evidence, over HTTP, and verifying it.
func (b *bench) proof(ctx context.Context, dir string) error {
	s, err := newRandom()
	if err != nil {
		return err
	}
	data := node.Folder(filepath.Join(dir, "data"))
	err = withServer(ctx, string(data), func(c *serverProcess) error {
		ids := make([]string, logSize)
		if _, err := measure.Repeat(ctx, 64, measure.Times(logSize), func(ctx context.Context, i int) (err error) {
			ids[i], err = c.upload(ctx, s, 1<<10)
			return err
		}); err != nil {
			return err
		}
		if _, err := c.remote.AnchorNow(ctx); err != nil {
			return err
		}
		policy, err := node.ReadPolicy(data)
		if err != nil {
			return err
		}
		files := make([][]byte, logSize)
		made, err := measure.Repeat(ctx, 1, measure.Times(logSize/10), func(ctx context.Context, i int) (err error) {
			files[i], err = c.remote.Evidence(ctx, ids[i*10], true)
			return err
		})
		if err != nil {
			return err
		}
		b.add("proof", "evidence over HTTP, with its event on record, median",
			measure.Milliseconds(made.Percentile(50)), "ms")
		checked, err := measure.Repeat(ctx, 1, measure.Times(logSize/10), func(_ context.Context, i int) error {
			if r := evidence.Verify(evidence.Input{Evidence: files[i],
				Policy: policy}); r.Verdict != evidence.Verified {
				return fmt.Errorf("the verifier says: %s: %s", r.Verdict, r.Summary)
			}
			return nil
		})
		if err != nil {
			return err
		}
		b.add("proof", "verifying an evidence file, median", measure.Milliseconds(checked.Percentile(50)), "ms")
		return nil
	})
	if err != nil {
		return err
	}
	return b.inclusion(ctx, data)
}

// inclusion measures an inclusion proof by itself, out of the journal.
func (b *bench) inclusion(ctx context.Context, f node.Folder) (err error) {
	s, err := node.OpenStorage(ctx, node.Embedded(f), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	j, err := s.OpenJournal(ctx, "", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	size := j.Checkpoint().Size
	r, err := measure.Repeat(ctx, 1, measure.Times(1000), func(ctx context.Context, i int) error {
		_, err := j.ProveInclusion(ctx, uint64(i)*7919%size, size)
		return err
	})
	if err != nil {
		return err
	}
	b.add("proof", fmt.Sprintf("an inclusion proof of %d entries, median", size),
		measure.Milliseconds(r.Percentile(50)), "ms")
	return nil
}
