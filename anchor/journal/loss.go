package journal

import (
	"context"
	"errors"
	"fmt"
)

// ErrNothingLost says that there is no loss to accept: the journal and what was released agree.
var ErrNothingLost = errors.New("nothing is lost: the journal and the released head agree")

// Loss is a released head that the journal does not contain any more.
type Loss struct {
	Head LostHead
	Size uint64 // of the journal as it stands
	Why  error  // ErrContradicts or ErrDamaged
	// Whole says that the bucket still has everything that was released: a restore into an empty backend would lose
	// none of it.
	Whole bool
}

// FindLoss finds the loss that AcceptLoss would accept. seen are heads that others have, such as ledgers, and that the
// journal must contain. If nothing is lost it may bring the backend up to the released head, as Open does, and returns
// ErrNothingLost.
func FindLoss(ctx context.Context, cfg Config, seen ...LostHead) (Loss, error) {
	cfg.Origin, cfg.Create = "", false
	j, err := prepare(cfg)
	if err != nil {
		return Loss{}, fmt.Errorf("looking for a loss: %w", err)
	}
	loss, err := j.findLoss(ctx, seen)
	if err != nil {
		return loss, fmt.Errorf("looking for a loss: %w", err)
	}
	return loss, nil
}

// BeginUnproven begins a new origin over a journal that was restored without a head from outside: nothing says that its
// bucket was not put back to an earlier time, so it may sign nothing more under the old origin. The event names the
// head that it was restored from, and says so. Where something is lost for certain it does what AcceptLoss does.
func BeginUnproven(ctx context.Context, cfg Config, seen ...LostHead) (LossAccepted, error) {
	accepted, err := acceptLoss(ctx, cfg, seen, true)
	if err != nil {
		return accepted, fmt.Errorf("beginning a new origin: %w", err)
	}
	return accepted, nil
}

// AcceptLoss puts on record that released entries are lost, because the backend contradicts the released head or cannot
// be brought up to it, and makes the surviving entries the beginning of a new history: it first applies the batches of
// the bucket that follow the backend, then appends journal.loss_accepted under cfg.Origin, which must be a new name,
// and moves the objects of the bucket's history to lost/. The next Open ships the whole history to the bucket anew.
// cfg.Backend may be empty: then only the bucket's entries survive. Call it again if it was interrupted. seen is as in
// FindLoss.
//
// ErrNothingLost when Open would succeed and the journal contains all heads of seen; ErrMissing when no entry survives.
func AcceptLoss(ctx context.Context, cfg Config, seen ...LostHead) (LossAccepted, error) {
	accepted, err := acceptLoss(ctx, cfg, seen, false)
	if err != nil {
		return accepted, fmt.Errorf("accepting the loss: %w", err)
	}
	return accepted, nil
}

func acceptLoss(ctx context.Context, cfg Config, seen []LostHead, unproven bool) (LossAccepted, error) {
	if err := checkOrigin(cfg.Origin); err != nil {
		return LossAccepted{}, err
	}
	next := cfg.Origin
	cfg.Origin, cfg.Create = "", false
	j, err := prepare(cfg)
	if err != nil {
		return LossAccepted{}, err
	}
	begun, err := j.unfinishedLoss(ctx)
	if err != nil {
		return LossAccepted{}, err
	}
	if begun != nil {
		return *begun, setAside(ctx, cfg.Bucket, *begun)
	}
	loss, err := j.findLoss(ctx, seen)
	if unproven = unproven && errors.Is(err, ErrNothingLost); unproven {
		loss.Head, err = j.present(ctx)
	}
	if err != nil {
		return LossAccepted{}, err
	}
	if err := j.recoverShipped(ctx); err != nil {
		return LossAccepted{}, err
	}
	data := LossAccepted{Lost: loss.Head, Unproven: unproven, Origin: next, Key: verifierKey(next, cfg.Signer)}
	if data, err = j.beginEra(ctx, data); err != nil {
		return LossAccepted{}, err
	}
	return data, setAside(ctx, cfg.Bucket, data)
}

// unfinishedLoss returns the loss that an interrupted AcceptLoss has put on record already: the bucket then still has
// the lost head, or none. It returns nil if there is none.
func (j *Journal) unfinishedLoss(ctx context.Context) (begun *LossAccepted, err error) {
	released, err := readReleased(ctx, j.bucket)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	err = j.cfg.Backend.View(ctx, func(r Reader) error {
		begun = nil
		head, ok, err := readHead(r)
		if err != nil || !ok || head.Size == 0 {
			return err
		}
		eras, err := Eras(r)
		if err != nil {
			return err
		}
		last := eras[len(eras)-1]
		if last.Origin != head.Origin { // no head that is authentic goes by that row
			return nil
		}
		if last.Lost == nil || released != nil && released.Origin == last.Origin {
			return nil
		}
		if row, err := r.Get(shippedTable, shippedKey); err != nil || row != nil {
			return err // something was released since: this is another loss
		}
		begun = &LossAccepted{Lost: *last.Lost, Unproven: last.Unproven, Origin: last.Origin, Key: last.Key,
			Shipping: last.Shipping}
		return nil
	})
	return begun, err
}

// findLoss finds the lost head; ErrNothingLost when there is none.
func (j *Journal) findLoss(ctx context.Context, seen []LostHead) (loss Loss, err error) {
	released, err := readReleased(ctx, j.bucket)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return loss, err
	}
	head, ok, shipped, err := readState(ctx, j.cfg.Backend)
	if err != nil {
		return loss, err
	}
	if ok {
		if err := j.openHead(ctx); err != nil { // what is not authentic does not survive
			return loss, err
		}
		loss = Loss{Head: LostHead{Origin: head.Origin, Size: shipped}, Size: head.Size}
	}
	if released != nil && released.Size >= shipped { // otherwise the bucket went back from a head that is not known
		loss.Head = LostHead{Origin: released.Origin, Size: released.Size, Root: released.Root}
	}
	if _, _, loss.Why = j.synchronize(ctx); loss.Why != nil && released != nil && released.Size >= shipped {
		_, err := chainTo(ctx, j.bucket, released, 0)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return loss, err
		}
		loss.Whole = err == nil
	} else if loss.Why == nil {
		if head, _, _, err = readState(ctx, j.cfg.Backend); err != nil {
			return loss, err
		}
		loss, err = j.missingHead(ctx, head, append(j.remembered(head.Origin), seen...))
		if err != nil {
			return loss, err
		}
	}
	loss.Head = newestOf(loss.Head, append(j.remembered(loss.Head.Origin), seen...))
	switch {
	case loss.Why == nil:
		return loss, ErrNothingLost
	case !errors.Is(loss.Why, ErrContradicts) && !errors.Is(loss.Why, ErrDamaged):
		return loss, loss.Why
	}
	return loss, nil
}

// present is the head of the journal as it stands.
func (j *Journal) present(ctx context.Context) (LostHead, error) {
	head, ok, _, err := readState(ctx, j.cfg.Backend)
	if err == nil && !ok {
		err = ErrMissing
	}
	return LostHead{Origin: head.Origin, Size: head.Size, Root: head.Root}, err
}

// remembered is the checkpoint that the caller has kept, as a head that was seen.
func (j *Journal) remembered(origin string) []LostHead {
	c, ok := parseCheckpoint(j.cfg.Remembered, origin, j.cfg.Signer)
	if !ok {
		return nil
	}
	return []LostHead{{Origin: c.Origin, Size: c.Size, Root: c.Root}}
}

// newestOf is the newest head of the same origin that was seen: the one that an event about the loss is to name.
func newestOf(head LostHead, seen []LostHead) LostHead {
	for _, s := range seen {
		if s.Origin == head.Origin && s.Size > 0 &&
			(s.Size > head.Size || s.Size == head.Size && head.Root == (Hash{})) {
			head = s
		}
	}
	return head
}

// missingHead finds the largest head of seen that the journal does not contain; the zero Loss when it contains all. A
// head of a later origin comes before all others. Heads of origins that are somebody else's are passed over.
func (j *Journal) missingHead(ctx context.Context, head Head, seen []LostHead) (loss Loss, err error) {
	err = j.cfg.Backend.View(ctx, func(r Reader) error {
		loss = Loss{}
		known, err := knownOrigins(r)
		if err != nil {
			return err
		}
		for _, s := range seen {
			later := s.Later && !known[s.Origin]
			if s.Size == 0 || !later && (s.Origin != head.Origin || s.Size < loss.Head.Size) {
				continue
			}
			var root Hash
			if !later && s.Size <= head.Size {
				if root, err = rootAt(r, s.Size); err != nil {
					return err
				}
			}
			if root != s.Root {
				why := fmt.Errorf("its head is at size %d, and a head was seen at %d elsewhere, root %s, of %s: %w",
					head.Size, s.Size, s.Root, s.Origin, ErrContradicts)
				loss = Loss{Head: s, Size: head.Size, Why: why}
			}
			if later {
				return nil
			}
		}
		return nil
	})
	return loss, err
}

// knownOrigins are the origins that a log has had, and those that it has lost.
func knownOrigins(r Reader) (map[string]bool, error) {
	eras, err := Eras(r)
	known := map[string]bool{}
	for _, era := range eras {
		known[era.Origin] = true
		if era.Lost != nil {
			known[era.Lost.Origin] = true
		}
	}
	return known, err
}
