package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/bench/measure"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/objects"
)

// startup measures how long a server takes over many documents and principals: until it prints its URL, until the first
// read, and until the first deposit. It does so after a clean stop, after kill -9, and with a copy of the journal's file
// after kill -9. The documents' events and rows are those of real deposits, but nothing was uploaded, except for one.
func (b *bench) startup(ctx context.Context, dir string) error {
	s, err := newRandom()
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	token, err := b.fill(ctx, data)
	if err != nil {
		return fmt.Errorf("making documents and principals: %w", err)
	}
	first, err := startServer(ctx, data, token)
	if err != nil {
		return err
	}
	id, err := first.upload(ctx, s, 10<<10)
	if err := errors.Join(err, first.stop()); err != nil {
		return err
	}
	for _, way := range []struct {
		what   string
		before func(data string) error
		end    func(*serverProcess) error
	}{
		{"after a clean stop", nil, (*serverProcess).kill},
		{"after kill -9", nil, (*serverProcess).kill},
		{"with a copy of journal.db after kill -9", elsewhere, (*serverProcess).stop},
	} {
		if way.before != nil {
			if err := way.before(data); err != nil {
				return err
			}
		}
		began := time.Now()
		c, err := startServer(ctx, data, token)
		if err != nil {
			return err
		}
		add := func(what string) {
			what = fmt.Sprintf("%s: until %s", way.what, what)
			b.add("start", what, measure.Milliseconds(time.Since(began)), "ms")
		}
		add("the URL is printed")
		err = c.remote.Read(ctx, id, remote.ReadOptions{Purpose: "bench"}, io.Discard)
		add("the first read is done")
		if err == nil {
			_, err = c.upload(ctx, s, 10<<10)
			add("the first deposit after it is done")
		}
		if err := errors.Join(err, way.end(c)); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere puts a copy of the journal's file in its place. To the lease it is the file of another server, as a
// snapshot that is started on another machine would be.
func elsewhere(data string) (err error) {
	path := node.Folder(data).Journal()
	from, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("copying the journal: %w", err)
	}
	defer from.Close()
	to, err := os.OpenFile(path+".copy", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copying the journal: %w", err)
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close()); err != nil {
		return fmt.Errorf("copying the journal: %w", err)
	}
	return os.Rename(path+".copy", path)
}

// fill makes the principals and documents, and returns the folder's API key.
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
	if err := b.addMany(ctx, n.Journal, "principals", b.principals, principalChange); err != nil {
		return "", err
	}
	if err := b.addMany(ctx, n.Journal, "documents", b.documents, depositChange); err != nil {
		return "", err
	}
	return token, awaitDuties(ctx, n.Journal)
}

// addMany commits so many changes, a thousand at a time.
func (b *bench) addMany(ctx context.Context, j *journal.Journal, what string, count int,
	change func(journal.ID) (journal.Change, error)) error {
	const atOnce = 1000
	bar := cli.StartProgress(b.p.Stderr, what, count)
	actor := journal.Actor{Tenant: vault.DefaultTenant, ID: access.BootstrapActor}
	commits := measure.Times((count + atOnce - 1) / atOnce)
	r, err := measure.Repeat(ctx, 2, commits, func(ctx context.Context, i int) error {
		var all journal.Change
		for range min(atOnce, count-i*atOnce) {
			id, err := journal.NewID(time.Now(), rand.Reader)
			if err != nil {
				return err
			}
			c, err := change(id)
			if err != nil {
				return err
			}
			all.Events, all.Sealed = append(all.Events, c.Events...), append(all.Sealed, c.Sealed...)
			bar.Step()
		}
		_, err := j.Commit(ctx, actor, func(journal.View) (journal.Change, error) { return all, nil })
		return err
	})
	bar.End(fmt.Sprintf("%d %s made in %.1f s", count, what, r.Elapsed.Seconds()))
	if err != nil {
		return fmt.Errorf("making %s: %w", what, err)
	}
	return nil
}

// principalChange is what creating a principal commits: its event, and that of its API key.
func principalChange(id journal.ID) (journal.Change, error) {
	key, err := access.NewAPIKey(rand.Reader)
	if err != nil {
		return journal.Change{}, err
	}
	digest := key.Digest()
	return journal.Change{Events: []journal.Event{
		access.PrincipalCreated.New(journal.ID{}, access.PrincipalCreatedData{Principal: id,
			Origin: access.OriginCreated, Grants: []access.Grant{{Role: access.Depositor}}}),
		access.KeyAdded.New(journal.ID{}, access.KeyAddedData{Principal: id, Digest: digest[:]}),
	}}, nil
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
