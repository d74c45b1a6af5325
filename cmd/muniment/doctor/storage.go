package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"os"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/vault/objects"
	"muniment/vault/objects/s3"
)

// open opens one of the two stores for a check; nil when there is nothing to be looked at, which is then on the report.
func (d *doctor) open(ctx context.Context, r *report, path, bucket string, versioned bool) node.Store {
	if d.cfg.Storage.Kind == config.StorageS3 {
		s, err := node.OpenS3(ctx, d.cfg.Storage.S3, bucket, versioned, slog.New(slog.DiscardHandler))
		if err != nil {
			storeRefused(r, err)
			return nil
		}
		return s
	}
	if d.ready.answered {
		r.ok("", "%s; the running server has it open, and says above how it is", path)
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		r.ok("", "there is none yet; the first serve makes %s", path)
		return nil
	}
	s, err := node.OpenDir(ctx, path, versioned, false)
	if err != nil {
		r.refused("", err, "see what is named")
		return nil
	}
	return s
}

// storeRefused puts an error of a store on the report, with the store's own advice.
func storeRefused(r *report, err error) {
	var setup *s3.SetupError
	if !errors.As(err, &setup) {
		r.refused("", err, "see that the store runs and can be reached")
		return
	}
	found := setup.What
	if setup.Err != nil {
		found += ": " + setup.Err.Error()
	}
	r.fail("", setup.Fix, "%s", found)
}

// createBuckets makes the two buckets where there are none.
func (d *doctor) createBuckets(ctx context.Context, r *report) {
	c := d.cfg.Storage.S3
	if d.cfg.Storage.Kind != config.StorageS3 {
		r.warn("", "leave --create-buckets out, or configure storage.kind: s3", "the documents lie in a folder")
		return
	}
	for _, one := range []struct {
		name      string
		versioned bool
		kind      string
	}{{c.ReleaseBucket, false, "without versions"}, {c.Bucket, true, "with versions and Object Lock"}} {
		conf := node.S3Config(c, one.name, one.versioned, slog.New(slog.DiscardHandler))
		conf.Create = true
		s, err := s3.Open(ctx, conf)
		if err != nil {
			storeRefused(r, err)
			continue
		}
		_ = s.Close() // idle connections alone
		r.ok("", "%s is there, %s", one.name, one.kind)
	}
}

// releaseBucket tries what the journal's history hangs on: that of two writers one loses.
func (d *doctor) releaseBucket(ctx context.Context, r *report) {
	bucket := d.cfg.Storage.S3.ReleaseBucket
	s := d.open(ctx, r, node.Folder(d.cfg.Data).Release(), bucket, false)
	if s == nil {
		return
	}
	defer s.Close()
	if d.cfg.Storage.Kind == config.StorageS3 {
		r.ok("", "%s is there, keeps no versions and locks nothing", bucket)
	}
	key, err := journal.ProbeConditions(ctx, objects.NewBucket(s), rand.Reader)
	switch {
	case errors.Is(err, journal.ErrUnconditional):
		r.fail("conditional writes", "use a store that honours If-None-Match and If-Match: without, two servers "+
			"could sign two histories", "%v", err)
	case err != nil:
		r.refused("conditional writes", err, "permit what the guide lists for the release bucket")
	default:
		r.ok("conditional writes", "of two writers one loses (probe: %s, removed)", key)
	}
}

// documentStore looks at where the documents lie, and puts, reads and deletes an object there.
func (d *doctor) documentStore(ctx context.Context, r *report) {
	c := d.cfg.Storage.S3
	s := d.open(ctx, r, node.Folder(d.cfg.Data).Objects(), c.Bucket, true)
	if s == nil {
		return
	}
	defer s.Close()
	if d.cfg.Storage.Kind == config.StorageS3 {
		r.ok("", "%s is there in %s, with versions and Object Lock", c.Bucket, c.Region)
	}
	if err := s.Check(ctx); err != nil {
		r.refused("put, get, delete", err, "permit what the guide lists for the documents' bucket")
		return
	}
	r.ok("put, get, delete", "all three work (probe: an object under %s, removed)", objects.ProbePrefix)
}
