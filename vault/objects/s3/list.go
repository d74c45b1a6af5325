package s3

import (
	"context"
	"iter"
	"strings"

	"github.com/minio/minio-go/v7"

	"muniment/vault/objects"
)

// List lists in pages of the store's size and holds one of them in memory. S3's lists say nothing of locks and holds,
// so RetainUntil and Held are unset; Stat has them.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objects.Info, error] {
	return func(yield func(objects.Info, error) bool) {
		if err := s.list(ctx, prefix, after, func(info objects.Info) bool { return yield(info, nil) }); err != nil {
			yield(objects.Info{}, s.fail("listing", err))
		}
	}
}

// list lists from where it came to when a page fails: at the key it was at, passing over the versions that it has
// given.
func (s *Store) list(ctx context.Context, prefix, after string, yield func(objects.Info) bool) error {
	if !strings.HasPrefix(after, prefix) { // MinIO refuses to begin outside of the prefix
		if after > prefix {
			return ctx.Err()
		}
		after = ""
	}
	if !possiblePrefix(prefix) {
		return ctx.Err()
	}
	given := map[string]bool{} // versions of the key last given
	key, enough := "", false
	return s.do(ctx, func(a *attempt) error {
		opt := minio.ListObjectsOptions{Prefix: prefix, StartAfter: after, Recursive: true,
			WithVersions: s.cfg.Versioned}
		for object := range s.client.ListObjectsIter(a.ctx, s.cfg.Bucket, opt) {
			a.moved()
			if object.Err != nil {
				return object.Err
			}
			if object.Key <= after && after != "" { // versitygw gives the key that it is to begin after
				continue
			}
			if object.Key != key {
				after, key = max(after, key), object.Key
				clear(given)
			}
			if object.IsDeleteMarker || given[object.VersionID] {
				continue
			}
			given[object.VersionID] = true
			info := objects.Info{Key: key, Version: object.VersionID, Size: object.Size, Tag: object.ETag,
				Modified: object.LastModified.UTC()}
			if err := s.checkVersion(&info); err != nil {
				return err
			}
			a.timer.Stop() // the caller may take its time
			if enough = !yield(info); enough {
				return nil
			}
			a.moved()
		}
		return a.ctx.Err() // an iterator of minio-go ends silently with its context
	})
}

// possiblePrefix says whether a key can begin so. Some stores take "../" for a path.
func possiblePrefix(prefix string) bool {
	return prefix == "" || objects.CheckKey(prefix) == nil || objects.CheckKey(prefix+"x") == nil
}
