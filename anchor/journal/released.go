package journal

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
)

// ReleasedHead is the head object of a release bucket: how far the history goes that was shipped there.
type ReleasedHead struct {
	Journal ID
	Origin  string
	Size    uint64
	Root    Hash
	// Authentic says that the journal's shipping key authenticates the head; otherwise it was only read.
	Authentic bool

	object *releasedHead
}

// ReadReleased reads a release bucket's head object. ErrMissing when the bucket has neither a head nor batches;
// ErrDamaged when the head cannot be read, is not authentic, or is missing although there are batches. Without keys it
// is not authenticated; with them, ErrKeysUnavailable.
func ReadReleased(ctx context.Context, b Bucket, keys ShippingKeys) (ReleasedHead, error) {
	return publicHead(ctx, openShipped(b, keys))
}

func publicHead(ctx context.Context, b shipped) (ReleasedHead, error) {
	h, err := readReleased(ctx, b)
	if err == nil && h == nil {
		err = headMissing(ctx, b)
	}
	if err != nil {
		return ReleasedHead{}, fmt.Errorf("reading the release bucket: %w", err)
	}
	return ReleasedHead{Journal: h.Journal, Origin: h.Origin, Size: h.Size, Root: h.Root,
		Authentic: b.keys != nil, object: h}, nil
}

// headMissing returns the error for a bucket without a head object: ErrMissing if it has no batches either, else
// ErrDamaged.
func headMissing(ctx context.Context, b shipped) error {
	names, err := b.List(ctx, batchPrefix)
	if err != nil {
		return fmt.Errorf("listing the shipped batches: %w", err)
	}
	if len(names) == 0 {
		return ErrMissing
	}
	return fmt.Errorf("the head object %q is missing from a release bucket with %d batches: %w",
		headObject, len(names), ErrDamaged)
}

// CheckConfig is what CheckReleased needs.
type CheckConfig struct {
	// ShippingKeys authenticates what is read. Nil: it is checked, and not authenticated.
	ShippingKeys ShippingKeys
	Bucket       Bucket
	Head         ReleasedHead // of this bucket, or of the one that it is a copy of
	Definitions  []Definition
	// Scratch is an empty backend that the history is replayed into. The caller may look at it afterwards.
	Scratch Backend
	// Before are earlier heads that the history must contain. Those of size 0 are passed over.
	Before []ReleasedHead
	// Tokens is as in FsckConfig. Nil: that sealed rows are there is checked, not that they can be unwrapped.
	Tokens func(ctx context.Context, rows []SealedRowAt) ([]TokensOf, error)
	// Allowed is as in FsckConfig.
	Allowed Allowed
	// Progress, if not nil, is told of how many of how many entries have been replayed.
	Progress func(done, of uint64)
}

// CheckReleased replays what was shipped into a scratch backend: every batch must be whole, follow the one before, and
// give the root that it names, the last one the head's; every body must name the place that it stands in, be known to
// the reducers, and every sealed row be there if and only if an event binds it. Findings are faults of single rows. The
// error says that the history is not whole, and from which leaf on (ErrDamaged), that it does not lead to a head
// (ErrContradicts), or that the check could not be done.
func CheckReleased(ctx context.Context, cfg CheckConfig) ([]Finding, error) {
	s, err := newSchema(cfg.Definitions, slog.New(slog.DiscardHandler))
	if err == nil {
		s.allowed = newAllowance(cfg.Allowed)
		err = replayReleased(ctx, cfg, s)
	}
	if err != nil {
		return nil, fmt.Errorf("checking what was released: %w", err)
	}
	// fsck compares a journal with the replay of its bodies. There is no journal here, so the replayed tables are
	// compared with themselves.
	f := &fsck{
		cfg:  FsckConfig{Backend: cfg.Scratch, Scratch: cfg.Scratch, Tokens: cfg.Tokens},
		head: Head{Size: cfg.Head.Size}, replayed: &edge{size: cfg.Head.Size}, unknownTokens: map[string]bool{},
	}
	s.allowed.report(f)
	if err := f.compareSealed(ctx); err != nil {
		return f.findings, fmt.Errorf("checking what was released: %w", err)
	}
	if cfg.Tokens == nil {
		return f.findings, nil
	}
	if err := f.computeTokens(ctx); err != nil {
		return f.findings, fmt.Errorf("checking what was released: %w", err)
	}
	return f.findings, nil
}

// replayReleased replays the chain of batches and compares the heads with it.
func replayReleased(ctx context.Context, cfg CheckConfig, s *schema) error {
	bucket := openShipped(cfg.Bucket, cfg.ShippingKeys)
	var key *shippingKey // a journal that goes on from the replay has its head rows authenticated
	var err error
	if bucket.keys != nil {
		if key, err = bucket.keys.get(ctx, cfg.Head.object.Key); err != nil {
			return err
		}
	}
	err = eachBatch(ctx, bucket, cfg.Head.object, 0, func(name string, h batchHeader, items []batchItem) error {
		if err := applyBatch(ctx, cfg.Scratch, s, key, cfg.Head.Origin, h, items); err != nil {
			return fmt.Errorf("replaying the shipped batch %s, from leaf %d on: %w", name, h.First, err)
		}
		if cfg.Progress != nil {
			cfg.Progress(h.First+h.Count, cfg.Head.Size)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return cfg.Scratch.View(ctx, func(r Reader) error {
		for _, head := range append(slices.Clone(cfg.Before), cfg.Head) {
			if err := contains(r, head); err != nil {
				return err
			}
		}
		return nil
	})
}

// contains checks that the log leads to a head.
func contains(r Reader, head ReleasedHead) error {
	if head.Size == 0 {
		return nil
	}
	root, err := TreeRoot(r, head.Size)
	if err == nil && root != head.Root {
		err = fmt.Errorf("at size %d the log has the root %s, and the head %s: %w",
			head.Size, root, head.Root, ErrContradicts)
	}
	return err
}
