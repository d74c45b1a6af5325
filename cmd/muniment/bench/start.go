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
	"slices"
	"time"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/bench/measure"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/vault"
	"muniment/vault/access"
)

// startup measures how long a server takes over many documents and principals: until it prints its URL, until the first
// read, and until the first deposit. It does so after a clean stop, after kill -9, and with a copy of the journal's
// file after kill -9. The documents' events and rows are those of real deposits, but nothing was uploaded, except for
// one.
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
	c, err := startServer(ctx, data, token)
	if err != nil {
		return err
	}
	id, err := c.upload(ctx, s, 10<<10)
	if err != nil {
		return errors.Join(err, c.stop())
	}
	for _, way := range []struct {
		after  string
		starts int
		end    func(*serverProcess, string) error // what is done to the server before, and to its data
	}{
		{"a clean stop", 5, func(c *serverProcess, _ string) error { return c.stop() }},
		{"kill -9", 5, func(c *serverProcess, _ string) error { return c.kill() }},
		{"kill -9, with a copy of journal.db", 1,
			func(c *serverProcess, data string) error { return errors.Join(c.kill(), elsewhere(data)) }},
	} {
		var took [3][]time.Duration
		for range way.starts {
			if err := way.end(c, data); err != nil {
				return err
			}
			began := time.Now()
			if c, err = startServer(ctx, data, token); err != nil {
				return err
			}
			took[0] = append(took[0], time.Since(began))
			err := c.remote.Read(ctx, id, remote.ReadOptions{Purpose: "bench"}, io.Discard)
			took[1] = append(took[1], time.Since(began))
			if err == nil {
				_, err = c.upload(ctx, s, 10<<10)
			}
			if err != nil {
				return errors.Join(err, c.stop())
			}
			took[2] = append(took[2], time.Since(began))
		}
		for i, until := range []string{"the URL is printed", "the first read is done", "the first deposit is done"} {
			slices.Sort(took[i])
			b.add("start", fmt.Sprintf("after %s, until %s, median of %d", way.after, until, way.starts),
				measure.Milliseconds(took[i][way.starts/2]), "ms")
		}
	}
	return c.stop()
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
	n, err := node.Open(ctx, cfg, slog.New(slog.DiscardHandler), node.OpenStorage)
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
	return token, nil
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
