package s3

import (
	"context"
	"errors"
	"time"

	"github.com/minio/minio-go/v7"

	"muniment/vault/objects"
)

var _ objects.Tidier = (*Store)(nil)

// uploadPage is how many unfinished uploads are listed at a time.
const uploadPage = 1000

// TidyUploads aborts multipart uploads that began before the time given: those that a crash left, for every other Put
// aborts its own. Their parts cost room and are in no list of objects.
func (s *Store) TidyUploads(ctx context.Context, prefix string, before time.Time) error {
	keyMarker, idMarker := "", ""
	for {
		var page minio.ListMultipartUploadsResult
		err := s.do(ctx, func(a *attempt) (err error) {
			page, err = s.client.ListMultipartUploads(a.ctx, s.cfg.Bucket, prefix, keyMarker, idMarker, "", uploadPage)
			return err
		})
		if err != nil {
			return s.fail("listing unfinished uploads", err)
		}
		for _, upload := range page.Uploads {
			if !upload.Initiated.Before(before) {
				continue
			}
			err := s.do(ctx, func(a *attempt) error {
				return s.client.AbortMultipartUpload(a.ctx, s.cfg.Bucket, upload.Key, upload.UploadID)
			})
			if err != nil && !errors.Is(err, objects.ErrNotFound) {
				return s.fail("aborting an unfinished upload", err)
			}
		}
		if !page.IsTruncated || (page.NextKeyMarker == keyMarker && page.NextUploadIDMarker == idMarker) {
			return nil
		}
		keyMarker, idMarker = page.NextKeyMarker, page.NextUploadIDMarker
	}
}
