package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/bench/measure"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/vault"
	"muniment/vault/objects"
)

// startup measures how long a server takes over many documents: until it prints its URL, until the first read, and
// until the first deposit. The documents are deposited through the vault into a store that keeps nothing, all but one.
func (b *bench) startup(ctx context.Context, dir string) error {
	s, err := newRandom()
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	token, err := b.fill(ctx, data)
	if err != nil {
		return fmt.Errorf("making documents: %w", err)
	}
	first, err := startServer(ctx, data, token)
	if err != nil {
		return err
	}
	id, err := first.upload(ctx, s, 10<<10)
	if err := errors.Join(err, first.stop()); err != nil {
		return err
	}
	began := time.Now()
	c, err := startServer(ctx, data, token)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d documents, until ", b.documents)
	b.add("start", what+"the URL is printed", measure.Milliseconds(time.Since(began)), "ms")
	err = c.remote.Read(ctx, id, remote.ReadOptions{Purpose: "bench"}, io.Discard)
	b.add("start", what+"the first read is done", measure.Milliseconds(time.Since(began)), "ms")
	if err == nil {
		_, err = c.upload(ctx, s, 10<<10)
		b.add("start", what+"the first deposit after it is done", measure.Milliseconds(time.Since(began)), "ms")
	}
	return errors.Join(err, c.stop())
}

// fill deposits the documents, and returns the folder's API key.
func (b *bench) fill(ctx context.Context, data string) (token string, err error) {
	cfg := config.Default()
	cfg.Data = data
	n, err := node.Open(ctx, cfg, slog.New(slog.DiscardHandler), openDiscarding)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	token = n.Bootstrap.Reveal()
	if err := n.Storage.Folder.EndFirstStart(); err != nil {
		return "", err
	}
	who, err := n.Authority().AuthenticateNow(ctx, token)
	if err != nil {
		return "", err
	}
	bar := cli.StartProgress(b.p.Stderr, "documents", b.documents)
	r, err := measure.Repeat(ctx, 1024, measure.Times(b.documents), func(ctx context.Context, i int) error {
		defer bar.Step()
		name := fmt.Sprintf("bench-%09d", i)
		_, err := n.Vault.Deposit(ctx, who, vault.Deposit{
			FileName: name + ".txt", Title: "A benchmark", ExternalID: name, Length: 8,
			Content: bytes.NewReader([]byte("muniment")),
		})
		return err
	})
	bar.End(fmt.Sprintf("%d deposited in %.1f s", len(r.Took), r.Elapsed.Seconds()))
	return token, errors.Join(err, awaitDuties(ctx, n.Journal))
}

// idleTime is for how long the journal must not grow before all that was due counts as done: the vault looks for what
// it owes to the objects every few seconds.
const idleTime = 12 * time.Second

// awaitDuties waits until the vault has done what it owes to the objects, while they still go nowhere.
func awaitDuties(ctx context.Context, j *journal.Journal) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, since := j.Size(), time.Now()
	for time.Since(since) < idleTime {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if now := j.Size(); now != last {
				last, since = now, time.Now()
			}
		}
	}
	return nil
}

// openDiscarding opens a data folder whose objects go nowhere.
func openDiscarding(ctx context.Context, cfg config.Config, log *slog.Logger) (*node.Storage, error) {
	s, err := node.OpenStorage(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	s.Objects = discardStore{s.Objects}
	return s, nil
}

// discardStore is a store that accepts objects and keeps none.
type discardStore struct{ node.Store }

// Put implements [objects.Store].
func (discardStore) Put(_ context.Context, key string, body io.Reader, _ objects.PutOptions) (objects.Info, error) {
	n, err := io.Copy(io.Discard, body)
	return objects.Info{Key: key, Version: "0123456789abcdef0123456789abcdef", Size: n, Tag: "nowhere"}, err
}

// Retain implements [objects.Store].
func (discardStore) Retain(context.Context, string, string, time.Time) error { return nil }
