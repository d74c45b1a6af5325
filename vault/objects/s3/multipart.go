package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"

	"muniment/vault/objects"
)

// parallelParts is how many parts of one upload are under way at most, memory permitting.
const parallelParts = 4

// joinRate is how many bytes a second a store is expected to join at the least: some copy all parts into one file
// before they answer to the end of an upload.
const joinRate = 16 << 20

// multipart is a multipart upload under way.
type multipart struct {
	*put
	id       string
	done     []minio.CompletePart
	running  int
	finished chan sentPart
}

// sentPart is how the sending of a part ended.
type sentPart struct {
	part minio.CompletePart
	err  error
}

// parts stores a body of more than one part. On every error the upload is aborted: its parts would cost room for ever.
func (p *put) parts(ctx context.Context, first *part) (objects.Info, error) {
	m := &multipart{put: p, finished: make(chan sentPart, parallelParts)}
	if err := m.start(ctx); err != nil {
		first.free()
		return objects.Info{}, err
	}
	sending, stop := context.WithCancel(ctx)
	defer stop()
	err := m.send(sending, first)
	for m.running > 0 {
		if err != nil {
			stop() // the other parts are of no use any more
		}
		err = cmp.Or(err, m.collect())
	}
	var info objects.Info
	if err == nil {
		info, err = m.complete(ctx)
	}
	if err != nil {
		m.abort(ctx)
		return objects.Info{}, err
	}
	return info, nil
}

// start opens the upload. Retention lock and metadata go with it; the condition goes with its completion.
func (m *multipart) start(ctx context.Context) error {
	opt := m.options()
	opt.UserMetadata["X-Amz-Checksum-Algorithm"] = "CRC32C"
	opt.UserMetadata["X-Amz-Checksum-Type"] = "FULL_OBJECT"
	return m.store.do(ctx, func(a *attempt) (err error) {
		m.id, err = m.store.client.NewMultipartUpload(a.ctx, m.store.cfg.Bucket, m.key, opt)
		return err
	})
}

// send sends the first part and those that follow it. While parts are on their way the next one is read. Where it waits
// for memory, those that are on their way need none, so they end and free theirs.
func (m *multipart) send(ctx context.Context, next *part) error {
	for number, last := 1, false; ; number++ {
		m.launch(ctx, number, next)
		if last {
			return nil
		}
		if m.running == parallelParts {
			if err := m.collect(); err != nil {
				return err
			}
		}
		next = &part{store: m.store}
		var err error
		if last, err = m.fill(next, number+1, false); err != nil {
			next.free()
			return err
		}
	}
}

// collect waits for a part that was sent.
func (m *multipart) collect() error {
	sent := <-m.finished
	m.running--
	if sent.err != nil {
		return sent.err
	}
	m.done = append(m.done, sent.part)
	return nil
}

// launch sends a part, and frees it then.
func (m *multipart) launch(ctx context.Context, number int, body *part) {
	m.running++
	go func() {
		defer body.free()
		header := http.Header{crcHeader: {body.checksum()}}
		var out minio.ObjectPart
		err := m.store.do(ctx, func(a *attempt) (err error) {
			reader := &partReader{part: body, moved: a.moved}
			defer reader.detach()
			out, err = m.store.client.PutObjectPart(a.ctx, m.store.cfg.Bucket, m.key, m.id, number, reader, body.size,
				minio.PutObjectPartOptions{CustomHeader: header, DisableContentSha256: true})
			return err
		})
		if err == nil && out.ChecksumCRC32C != "" && out.ChecksumCRC32C != body.checksum() {
			err = fmt.Errorf("%w: the store reports another CRC-32C of a part", objects.ErrDamaged)
		}
		done := minio.CompletePart{PartNumber: number, ETag: out.ETag, ChecksumCRC32C: out.ChecksumCRC32C}
		m.finished <- sentPart{done, err}
	}()
}

// complete makes the object of its parts. The store can answer 200 with an error inside, and a repeated
// completion of an upload that is complete fails too: resolve looks for the object before it believes either.
func (m *multipart) complete(ctx context.Context) (objects.Info, error) {
	slices.SortFunc(m.done, func(a, b minio.CompletePart) int { return cmp.Compare(a.PartNumber, b.PartNumber) })
	opt := minio.PutObjectOptions{UserMetadata: map[string]string{
		crcHeader: encodeCRC(m.body.crc), "X-Amz-Checksum-Type": "FULL_OBJECT",
	}}
	m.condition(&opt)
	return m.resolve(ctx, func(a *attempt) (minio.UploadInfo, error) {
		a.limit += time.Duration(m.body.n/joinRate) * time.Second
		a.moved()
		return m.store.client.CompleteMultipartUpload(a.ctx, m.store.cfg.Bucket, m.key, m.id, m.done, opt)
	})
}

// abort gives up the upload, under a context of its own: the caller's may have ended, and that is often why.
func (m *multipart) abort(ctx context.Context) {
	err := m.store.doWithin(context.WithoutCancel(ctx), m.store.cfg.Timeout, func(a *attempt) error {
		return m.store.client.AbortMultipartUpload(a.ctx, m.store.cfg.Bucket, m.key, m.id)
	})
	if err != nil && !errors.Is(err, objects.ErrNotFound) {
		m.store.cfg.Log.Warn("an upload could not be aborted; its parts take room until it is",
			"store", m.store.name, "error", err)
	}
}
