package node

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/config"
	"muniment/vault/budget"
	"muniment/vault/objects"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/s3"
)

// Store is an object store that is let go of at the end.
type Store interface {
	objects.Store
	io.Closer
}

// OpenDir opens a store in a folder, or makes it.
func OpenDir(ctx context.Context, path string, versioned, create bool) (*dir.Store, error) {
	return dir.Open(ctx, dir.Config{
		Dir: path, Versioned: versioned, Create: create, Clock: journal.SystemClock{}, Rand: rand.Reader,
	})
}

// OpenRelease opens the release bucket. create makes one that is to be in the data folder.
func OpenRelease(ctx context.Context, cfg config.Config, log *slog.Logger, create bool) (Store, error) {
	if c := cfg.Storage.S3; cfg.Storage.Kind == config.StorageS3 {
		s, err := OpenS3(ctx, c, c.ReleaseBucket, false, log)
		if err != nil {
			return nil, err // not s, which is a nil pointer and no nil Store
		}
		return s, nil
	}
	return openDir(ctx, Folder(cfg.Data).Release(), false, create, false)
}

// openDir opens a store in a folder, makes it, or opens it to be read only.
func openDir(ctx context.Context, path string, versioned, create, readOnly bool) (Store, error) {
	s, err := dir.Open(ctx, dir.Config{
		Dir: path, Versioned: versioned, Create: create, ReadOnly: readOnly, Clock: journal.SystemClock{},
		Rand: rand.Reader,
	})
	if err != nil {
		return nil, err // not s, which is a nil pointer and no nil Store
	}
	return s, nil
}

// openDocuments opens the documents' store, whose uploads share the memory. create makes one that is to be in the data
// folder.
func (s *Storage) openDocuments(ctx context.Context, cfg config.Config, log *slog.Logger, create bool) (Store, error) {
	if c := cfg.Storage.S3; cfg.Storage.Kind == config.StorageS3 {
		bucket := S3Config(c, c.Bucket, true, log)
		bucket.Memory = s.Memory
		store, err := s3.Open(ctx, bucket)
		if err != nil {
			return nil, err
		}
		return store, nil
	}
	return openDir(ctx, Folder(cfg.Data).Objects(), true, create, s.readOnly)
}

// OpenStores opens the release bucket, unless that is open, and the documents' store. create makes those of a folder.
func (s *Storage) OpenStores(ctx context.Context, cfg config.Config, log *slog.Logger, create bool) (err error) {
	if s.Release == nil && s.readOnly && cfg.Storage.Kind == config.StorageFolder {
		if s.Release, err = openDir(ctx, Folder(cfg.Data).Release(), false, false, true); err != nil {
			return err
		}
	}
	if s.Release == nil {
		if s.Release, err = OpenRelease(ctx, cfg, log, create); err != nil {
			return err
		}
	}
	s.Memory = budget.New(int64(cfg.Limits.Memory), time.Duration(cfg.Limits.BodyWait), journal.SystemClock{})
	s.Objects, err = s.openDocuments(ctx, cfg, log, create)
	return err
}
