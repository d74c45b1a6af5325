package s3

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"

	"muniment/vault/objects"
)

// stream stores a body of known length in one request while it is read, of which only the first part is in memory, and
// then atHand: so much is held back until it is known what follows, for the end of a body is sent only once the body
// has ended as it should. Its
// CRC-32C follows the body, in a trailer. The request can be repeated only while nothing beyond the first part has been
// sent; after that a failure is the caller's to mend.
func (p *put) stream(ctx context.Context, first *part) (objects.Info, error) {
	defer first.free()
	opt := p.options()
	opt.Checksum = minio.ChecksumFullObjectCRC32C
	p.condition(&opt)
	window := &part{store: p.store}
	defer window.free()
	spent := false
	return p.resolve(ctx, func(a *attempt) (minio.UploadInfo, error) {
		if spent {
			return minio.UploadInfo{}, errSpent
		}
		reader := &streamReader{partReader: partReader{part: first, moved: a.moved}, attempt: a, body: p.body,
			window: window}
		up, err := p.store.client.PutObject(a.ctx, p.store.cfg.Bucket, p.key, reader, p.opt.Length, "", "", opt)
		spent = reader.detach()
		if reader.err != nil {
			return minio.UploadInfo{}, reader.err
		}
		return up, err
	})
}

// errSpent says that a body was read by an attempt that failed.
var errSpent = fmt.Errorf("%w: the store failed in the middle of a body that cannot be sent again",
	objects.ErrUnavailable)

// streamReader reads the first part, and then the rest of the body as it comes.
type streamReader struct {
	partReader
	attempt *attempt
	body    *source
	window  *part
	last    bool // the window ends the body
	spent   bool // the body was read on
	err     error
}

// Read reads what may be sent.
func (r *streamReader) Read(b []byte) (int, error) {
	for {
		n, err := r.partReader.Read(b)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if r.last {
			return n, io.EOF
		}
		if n > 0 {
			return n, nil
		}
		if err := r.advance(); err != nil {
			return 0, err
		}
	}
}

// advance fills the window anew. It is the caller's time that passes meanwhile, not the store's.
func (r *streamReader) advance() (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.part == nil {
		return errDetached
	}
	r.attempt.timer.Stop()
	defer r.attempt.moved()
	r.spent = true
	r.part.free() // the first part too: it will not be sent again
	if r.last, r.err = r.body.fill(r.window, atHand); r.err != nil {
		return r.err
	}
	r.part, r.at = r.window, 0
	return nil
}

// detach ends the reading and says whether the body was read on.
func (r *streamReader) detach() bool {
	r.partReader.detach()
	return r.spent
}
