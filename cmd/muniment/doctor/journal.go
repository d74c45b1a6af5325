package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	berrors "go.etcd.io/bbolt/errors"

	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/gateway"
	"muniment/vault/access"
	"muniment/vault/objects"
)

// otherServerAdvice is what to do about a server that holds a file, and does not answer where it is looked for.
const otherServerAdvice = "give the doctor that server's configuration (--config), " +
	"so that it can ask it at admin_listen"

// journal compares the journal with what was released. A running server has it open and has told of it.
func (d *doctor) journal(ctx context.Context, r *report) {
	if d.ready.answered {
		r.ok("", "%s; the running server has it open, and says above how it is", d.ready.Origin)
		return
	}
	backend, err := d.openBackend()
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		r.warn("", otherServerAdvice, "%s: another process has it open", node.Folder(d.cfg.Data).Journal())
		return
	case errors.Is(err, journal.ErrDamaged):
		r.fail("", "move journal.db away and run muniment restore", "%v", err)
		return
	case err != nil:
		r.refused("", err, "run the doctor as the user that runs the server")
		return
	}
	if backend != nil {
		defer func() { _ = backend.Close() }() // it was only read from
		d.readTenancies(ctx, backend, r)
	}
	release, err := d.openRelease(ctx)
	if err != nil {
		r.warn("", "see the line about the release bucket", "it cannot be compared with the released head: %v", err)
		return
	}
	if release == nil {
		r.ok("", "there is none yet")
		return
	}
	defer release.Close()
	var reader journal.Backend
	if backend != nil {
		reader = backend
	}
	stands, err := journal.Compare(ctx, reader, objects.NewBucket(release), nil)
	switch {
	case errors.Is(err, journal.ErrMissing):
		r.ok("", "there is none yet")
	case errors.Is(err, journal.ErrContradicts):
		r.fail("", "journal.db and the release bucket are not of the same time: put the newer of both back from "+
			"one backup", "%v", err)
	case errors.Is(err, journal.ErrDamaged):
		r.fail("", "move journal.db away and run muniment restore", "%v", err)
	case err != nil:
		r.refused("", err, "see what is named")
	case backend == nil && stands.Missing.Count > 0:
		r.fail("", "put the batches back from a backup (batch/ in it), then run muniment restore",
			"there is no journal.db, and %d released entries of %s, from %d on, are in no batch of the release bucket",
			stands.Missing.Count, stands.Origin, stands.Missing.First)
	case backend == nil:
		r.warn("", "muniment restore makes it anew from the release bucket",
			"there is no journal.db; %s was released up to %d entries", stands.Origin, stands.Released)
	case stands.Size < stands.Released:
		r.warn("", "the next serve catches up from the release bucket by itself", "%s is at %d, and %d were released",
			stands.Origin, stands.Size, stands.Released)
	case stands.Missing.Count > 0:
		r.fail("", "start the server: it ships them again from the database; find out who deleted them",
			"%s has %d entries, and %d released ones from %d on are in no batch of the release bucket: nothing beyond "+
				"them could be restored", stands.Origin, stands.Size, stands.Missing.Count, stands.Missing.First)
	default:
		r.ok("", "%s has %d entries, of which %d are released", stands.Origin, stands.Size, stands.Released)
	}
}

// openBackend opens the journal's file; nil when there is none.
func (d *doctor) openBackend() (*bolt.Store, error) {
	path := node.Folder(d.cfg.Data).Journal()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return bolt.Open(bolt.Config{Path: path})
}

// openRelease opens the release bucket; nil when there is none.
func (d *doctor) openRelease(ctx context.Context) (node.Store, error) {
	if d.cfg.Storage.Kind == config.StorageFolder {
		if _, err := os.Stat(node.Folder(d.cfg.Data).Release()); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	return node.OpenRelease(ctx, d.cfg, slog.New(slog.DiscardHandler), false)
}

// readTenancies warns of tenants that are on trial, or that two people have not founded yet. A running server tells by
// its cautions.
func (d *doctor) readTenancies(ctx context.Context, backend journal.Backend, r *report) {
	err := backend.View(ctx, func(read journal.Reader) error {
		tenancies, err := access.Tenancies(read)
		for _, one := range tenancies {
			if name, detail, fix := gateway.TenancyCaution(one); name != "" {
				r.warn(name, fix, "%s", detail)
			}
		}
		return err
	})
	if err != nil {
		r.refused("founding", fmt.Errorf("reading the journal: %w", err),
			"move journal.db away and run muniment restore")
	}
}

// cautions repeats what a running server warns of.
func (d *doctor) cautions(_ context.Context, r *report) {
	for _, c := range d.ready.Cautions {
		r.warn(c.Name, c.Fix, "%s", c.Detail)
	}
}
