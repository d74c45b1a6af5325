package put

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// uploads deposits items, several at once.
type uploads struct {
	remote  *remote.Client
	retries remote.Retries
	jobs    int
	items   []item
	bar     *cli.Progress
	began   time.Time
	// done is told of each item how it ended, one at a time. Its error ends all: what cannot be written down is not
	// gone on with.
	done func(i int, out *openapi.Deposit, err error) error

	mu      sync.Mutex
	ended   bool
	outcome outcome
}

// newUploads prepares uploads with a progress bar on out.
func newUploads(out io.Writer, r *remote.Client, o options, items []item) *uploads {
	var bytes int64
	for _, one := range items {
		bytes += one.size
	}
	return &uploads{
		remote: r, retries: remote.NewRetries(o.retryFor), jobs: o.jobs, items: items,
		bar: cli.StartTransfer(out, "deposit", len(items), bytes), began: time.Now(),
	}
}

// run deposits everything, or as much as there is hope for, and returns how that went.
func (u *uploads) run(ctx context.Context) *outcome {
	u.outcome = outcome{total: len(u.items)}
	var group errgroup.Group
	group.SetLimit(u.jobs)
	for i := range u.items {
		if u.stopped(ctx) {
			break
		}
		group.Go(func() error {
			if u.stopped(ctx) {
				return nil
			}
			out, err := u.one(ctx, &u.items[i])
			u.finish(i, out, err)
			return nil
		})
	}
	_ = group.Wait() // they return none
	u.outcome.interrupted = ctx.Err() != nil
	if u.outcome.total > 1 {
		u.bar.End(fmt.Sprintf("%s, %s, in %.1f s",
			u.outcome.counts(), cli.Size(u.bar.Bytes()), time.Since(u.began).Seconds()))
	} else {
		u.bar.Clear()
	}
	return &u.outcome
}

// stopped says whether nothing more is to be begun.
func (u *uploads) stopped(ctx context.Context) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ended || ctx.Err() != nil
}

// finish notes how an item ended.
func (u *uploads) finish(i int, out *openapi.Deposit, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.outcome.add(u.items[i].name, out, err)
	u.ended = u.ended || failsForAll(err)
	if err := u.done(i, out, err); err != nil {
		u.outcome.broken = errors.Join(u.outcome.broken, err)
		u.ended = true
	}
	u.bar.Step()
}

// one deposits an item.
func (u *uploads) one(ctx context.Context, it *item) (*openapi.Deposit, error) {
	if it.path == "" {
		return u.stream(ctx, it.Deposit)
	}
	f, err := os.Open(it.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a folder")
	case !info.Mode().IsRegular():
		d := it.Deposit
		d.Content, d.Length = f, -1
		return u.stream(ctx, d)
	}
	return u.file(ctx, it, f)
}

// stream deposits what can be read once only. After no answer nobody can send it again.
func (u *uploads) stream(ctx context.Context, d remote.Deposit) (*openapi.Deposit, error) {
	d.Content = u.bar.Reader(d.Content)
	out, err := u.remote.Deposit(ctx, d)
	if errors.Is(err, context.Canceled) {
		err = cli.Hint(err, "whether it was kept is not known; muniment ls shows it; "+
			"with --idempotency-key or --external-id the same command is safe to repeat")
	}
	return out, err
}

// file deposits a regular file, again if that may help.
func (u *uploads) file(ctx context.Context, it *item, f *os.File) (*openapi.Deposit, error) {
	d, digest := it.Deposit, sha256.New()
	var err error
	if d.Length, err = io.Copy(digest, &contextReader{ctx, f}); err != nil {
		return nil, err
	}
	d.Digest = digest.Sum(nil)
	if d.ExternalID == "" && d.IdempotencyKey == "" {
		if d.IdempotencyKey, err = derivedKey(d, it.below); err != nil {
			return nil, err
		}
	}
	var out *openapi.Deposit
	err = u.retries.Do(ctx, func() error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		sent := u.bar.Reader(&exactReader{f, d.Length})
		d.Content = sent
		var err error
		if out, err = u.remote.Deposit(ctx, d); err != nil {
			u.bar.Move(-sent.N)
		}
		return err
	})
	if errors.Is(err, context.Canceled) {
		err = cli.Hint(err, "whether it was kept is not known; the same command is safe to repeat")
	}
	return out, err
}

// derivedKey is the idempotency key of a file: the same content at the same place with the same metadata is the same
// deposit.
func derivedKey(d remote.Deposit, below string) (string, error) {
	canonical, err := json.Marshal(struct {
		V                                              int
		Path                                           string
		Content                                        []byte
		Series, FileName, Title, MediaType, RecordDate string
		Attributes                                     map[string]string
		LedgerRefs                                     []string
	}{1, below, d.Digest, d.Series, d.FileName, d.Title, d.MediaType, d.RecordDate, d.Attributes, d.LedgerRefs})
	if err != nil {
		return "", fmt.Errorf("deriving an idempotency key: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return "put-" + base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// errChanged says that a file is not what it was a moment ago.
var errChanged = cli.Hint(errors.New("it became shorter while it was read"),
	"repeat the command when nobody writes to it any more")

// exactReader reads so many bytes of a file and not one less.
type exactReader struct {
	file *os.File
	left int64
}

// Read implements [io.Reader].
func (e *exactReader) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.file.Read(p[:min(int64(len(p)), e.left)])
	if e.left -= int64(n); err == io.EOF && e.left > 0 {
		err = errChanged
	}
	if err != nil && err != io.EOF {
		err = &remote.SourceError{Err: err}
	}
	return n, err
}

// contextReader reads until the context ends.
type contextReader struct {
	ctx context.Context
	io.Reader
}

// Read implements [io.Reader].
func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, fmt.Errorf("interrupted: %w", err)
	}
	return r.Reader.Read(p)
}

// failsForAll says whether an error would befall every other item too.
func failsForAll(err error) bool {
	var exhausted *remote.ExhaustedError
	var problem *remote.ProblemError
	switch {
	case errors.As(err, &exhausted):
		return true
	case errors.As(err, &problem):
		switch problem.Status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusInsufficientStorage,
			http.StatusServiceUnavailable:
			return true
		}
	}
	return false
}
