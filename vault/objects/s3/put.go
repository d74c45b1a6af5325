package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"muniment/vault/budget"
	"muniment/vault/objects"
)

// markName is the metadata that says which Put an object is of.
const markName = "Muniment-Put"

// crcHeader carries a CRC-32C (S3 API, "Checking object integrity").
const crcHeader = "X-Amz-Checksum-Crc32c"

// put is one Put under way.
type put struct {
	store *Store
	key   string
	opt   objects.PutOptions
	mark  string
	until time.Time // opt.RetainUntil in whole seconds, rounded up, UTC
	body  *source
}

// Put stores a new version. A body of up to one part is one request.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, opt objects.PutOptions) (objects.Info, error) {
	info, err := s.put(ctx, key, body, opt)
	if err != nil {
		return objects.Info{}, s.fail("storing", err)
	}
	return info, nil
}

func (s *Store) put(ctx context.Context, key string, body io.Reader, opt objects.PutOptions) (objects.Info, error) {
	if err := objects.CheckKey(key); err != nil {
		return objects.Info{}, err
	}
	if !s.cfg.Versioned && !opt.RetainUntil.IsZero() {
		return objects.Info{}, fmt.Errorf("a retention lock in a bucket without versions: %w", errors.ErrUnsupported)
	}
	if opt.Length > s.maxSize {
		return objects.Info{}, fmt.Errorf("%w: %d bytes, of at most %d", objects.ErrTooLarge, opt.Length, s.maxSize)
	}
	var mark [12]byte
	if _, err := io.ReadFull(s.cfg.Rand, mark[:]); err != nil {
		return objects.Info{}, fmt.Errorf("drawing a mark: %w", err)
	}
	p := &put{
		store: s, key: key, opt: opt, mark: hex.EncodeToString(mark[:]), until: wholeSecond(opt.RetainUntil),
		body: &source{ctx: ctx, body: body, length: opt.Length, most: s.maxSize},
	}
	streams := opt.Length > 0 && opt.Length <= s.cfg.StreamSize
	first := &part{store: s}
	last, err := p.fill(first, 1, streams)
	switch {
	case err != nil:
		first.free()
		return objects.Info{}, err
	case last:
		defer first.free()
		return p.whole(ctx, first)
	case streams:
		return p.stream(ctx, first)
	default:
		return p.parts(ctx, first)
	}
}

// fill reads part number n and says whether the body ends with it. It reads atHand, and waits for memory before it
// reads more: a client that announces and does not send holds nothing. Where a body can be sent as it comes, nothing
// waits: without memory the part is what came to hand.
func (p *put) fill(into *part, n int, streams bool) (last bool, err error) {
	size := p.store.partSize(n)
	if last, err = p.body.fill(into, min(atHand, size)); err != nil || last || size <= atHand {
		return last, err
	}
	if left := p.body.left(); left >= 0 {
		size = min(size, into.size+left)
	}
	memory, owner := p.store.cfg.Memory, p.opt.Owner
	if streams {
		var there bool
		if into.memory, there = memory.Try(owner, budget.Parts, size); !there {
			return false, nil
		}
	} else if into.memory, err = memory.Take(p.body.ctx, owner, budget.Parts, size); err != nil {
		return false, err
	}
	p.body.memory = into.memory
	last, err = p.body.fill(into, size)
	p.body.memory = nil
	into.memory.Filled()
	return last, err
}

// wholeSecond rounds up: what S3 keeps of a lock's end are seconds.
func wholeSecond(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	whole := t.UTC().Truncate(time.Second)
	if whole.Before(t) {
		whole = whole.Add(time.Second)
	}
	return whole
}

// options are the headers that describe the object.
func (p *put) options() minio.PutObjectOptions {
	opt := minio.PutObjectOptions{
		UserMetadata: map[string]string{markName: p.mark}, ServerSideEncryption: p.store.sse,
		DisableContentSha256: true, // the CRC-32C is in a signed header
	}
	if !p.until.IsZero() {
		opt.Mode, opt.RetainUntilDate = minio.RetentionMode(p.store.cfg.Mode), p.until
	}
	return opt
}

// condition adds the headers of the condition, to the request that makes the object visible.
func (p *put) condition(opt *minio.PutObjectOptions) {
	switch {
	case p.opt.Condition.Absent:
		opt.SetMatchETagExcept("*")
	case p.opt.Condition.Tag != "":
		opt.SetMatchETag(p.opt.Condition.Tag)
	}
}

// whole stores a body that is one part, in one request.
func (p *put) whole(ctx context.Context, body *part) (objects.Info, error) {
	opt := p.options()
	opt.UserMetadata[crcHeader] = body.checksum()
	p.condition(&opt)
	return p.resolve(ctx, func(a *attempt) (minio.UploadInfo, error) {
		reader := &partReader{part: body, moved: a.moved}
		defer reader.detach()
		return p.store.client.PutObject(a.ctx, p.store.cfg.Bucket, p.key, reader, body.size, "", "", opt)
	})
}

// resolve makes the request that stores the object, and finds out what became of it when its answer is lost. An attempt
// that may have taken effect is looked for before the next one, so that a retry neither stores the body twice nor takes
// itself for somebody else's object.
func (p *put) resolve(ctx context.Context, request func(a *attempt) (minio.UploadInfo, error)) (objects.Info, error) {
	var info objects.Info
	lost := false
	err := p.store.do(ctx, func(a *attempt) (err error) {
		if lost {
			if info, err = p.find(a); !errors.Is(err, objects.ErrNotFound) {
				return err
			}
		}
		up, err := request(a)
		if err == nil {
			info, err = p.stored(ctx, up)
			return err
		}
		answer, known := answered(err)
		switch {
		case known && p.refuses(answer) && !lost:
			return fmt.Errorf("%w: %w", objects.ErrExists, answer)
		case known && p.refuses(answer):
			if info, err = p.find(a); errors.Is(err, objects.ErrNotFound) {
				return errLost
			}
		default: // also when it was answered: a proxy can answer 429 to a request that the store has done
			lost = true
		}
		return err
	})
	if err != nil {
		return objects.Info{}, err
	}
	return info, nil
}

// errLost says that a conditional Put was refused after one of its own attempts may have taken effect.
var errLost = fmt.Errorf("%w: the answer to an attempt was lost, and the next one was refused", objects.ErrUnavailable)

// refuses says whether an answer means that the condition does not hold.
func (p *put) refuses(answer reply) bool {
	if answer.Status == http.StatusPreconditionFailed {
		return true
	}
	return p.opt.Condition.Tag != "" && errors.Is(answer.sentinel(), objects.ErrNotFound)
}

// find looks for the object of this Put: ErrNotFound if the newest one is another's.
func (p *put) find(a *attempt) (objects.Info, error) {
	stat, err := p.store.client.StatObject(a.ctx, p.store.cfg.Bucket, p.key, minio.StatObjectOptions{Checksum: true})
	if err != nil {
		if answer, ok := answered(err); ok && errors.Is(answer.sentinel(), objects.ErrNotFound) {
			return objects.Info{}, objects.ErrNotFound
		}
		return objects.Info{}, err
	}
	if stat.UserMetadata[markName] != p.mark {
		return objects.Info{}, objects.ErrNotFound
	}
	if stat.Size != p.body.n || !p.matches(stat.ChecksumCRC32C) {
		return objects.Info{}, fmt.Errorf("%w: the store has %d bytes, or others, of %d",
			objects.ErrDamaged, stat.Size, p.body.n)
	}
	return p.store.info(p.key, stat)
}

// matches holds the checksum that the store reports, if it does, against what was sent. A checksum with a dash in it is
// of the checksums of parts.
func (p *put) matches(checksum string) bool {
	return checksum == "" || strings.Contains(checksum, "-") || checksum == encodeCRC(p.body.crc)
}

// stored checks what the store says that it has stored. If the response lacks a field, the object is asked
// for (Stat).
func (p *put) stored(ctx context.Context, up minio.UploadInfo) (objects.Info, error) {
	if !p.matches(up.ChecksumCRC32C) {
		return objects.Info{}, fmt.Errorf("%w: the store reports another CRC-32C than the body has", objects.ErrDamaged)
	}
	if up.ChecksumCRC32C == "" || up.ETag == "" || (p.store.cfg.Versioned && up.VersionID == "") {
		var info objects.Info
		err := p.store.do(ctx, func(a *attempt) (err error) {
			info, err = p.find(a)
			return err
		})
		return info, err
	}
	info := objects.Info{
		Key: p.key, Version: up.VersionID, Size: p.body.n, Tag: up.ETag, Modified: p.store.cfg.Clock.Now().UTC(),
		RetainUntil: p.until,
	}
	return info, p.store.checkVersion(&info)
}
