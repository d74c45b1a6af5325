package journal

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNothingLost says that there is no loss to accept: the journal and what was released agree.
var ErrNothingLost = errors.New("nothing is lost: the journal and the released head agree")

// lossAccepted is the first event after a loss that an operator has accepted: the history goes on under a new origin,
// so that nothing is ever signed under the old one that contradicts what was signed under it before.
const lossAccepted Type[LossAccepted] = "journal.loss_accepted/1"

// LossAccepted is the data of journal.loss_accepted/1.
type LossAccepted struct {
	Lost   LostHead `json:"lost"`
	Origin string   `json:"origin"` // the log's name from this entry on
	Key    string   `json:"key"`    // the verifier key of the checkpoints from this entry on
}

// LostHead is the head that the journal does not lead to any more.
type LostHead struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"` // it was at this size, or at a larger one that is not known
	// Root is the lost head's; zero when it is not known.
	Root Hash `json:"root"`
}

// Era is a part of the log's history under one origin.
type Era struct {
	From   uint64 // index of the first entry that was written under it
	Origin string
	Key    string    // verifier key of its checkpoints
	Lost   *LostHead // what was lost before; nil for the first
}

// eraTable holds the eras but for the first: index of the event → its data.
var eraTable = Table{Projection, "journal.eras"}

func reduceLossAccepted(w *Writer, e Entry, data LossAccepted) error {
	row, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return w.Put(eraTable, indexKey(e.Index), row)
}

// Eras lists the origins that the log has had, oldest first. There is more than one where a loss was accepted; a
// checkpoint of an earlier one holds for the entries that survived.
func Eras(r Reader) ([]Era, error) {
	first, err := readRecord(r, 0)
	if err != nil {
		return nil, err
	}
	var data Created
	if err := json.Unmarshal(first.Data, &data); err != nil || first.Type != string(created) {
		return nil, fmt.Errorf("the first entry is not %s: %w", created, ErrDamaged)
	}
	eras := []Era{{Origin: data.Origin, Key: data.Key}}
	err = r.Scan(eraTable, Range{}, func(key, row []byte) error {
		at, err := parseIndex(key)
		if err != nil {
			return err
		}
		var data LossAccepted
		if err := json.Unmarshal(row, &data); err != nil {
			return fmt.Errorf("a row of %s cannot be read: %w", eraTable, ErrDamaged)
		}
		eras = append(eras, Era{From: at, Origin: data.Origin, Key: data.Key, Lost: &data.Lost})
		return nil
	})
	return eras, err
}

// Eras are the origins that the log has had when the journal was opened, oldest first.
func (j *Journal) Eras() []Era { return slices.Clone(j.eras) }

// Loss is a head that was released and that the journal does not lead to any more.
type Loss struct {
	Head LostHead
	Size uint64 // of the journal as it stands
	Why  error  // ErrContradicts or ErrDamaged
	// Whole says that all that was released is in the bucket: only the backend stands in the way, and without it a
	// restore would lose nothing of that.
	Whole bool
}

// FindLoss says what AcceptLoss would accept. seen are heads that others have, such as ledgers, and that the journal
// must lead to. Where nothing is lost it may bring the backend up to the released head, as Open does, and returns
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

// AcceptLoss puts on record that released entries are lost, because the backend contradicts the released head or cannot
// be brought up to it, and makes the surviving ones the beginning of a new history: it first takes over what can be
// from the bucket, then appends journal.loss_accepted under cfg.Origin, which must be a new name, and moves all that
// the bucket has to lost/. The next Open ships the whole history to the bucket anew. cfg.Backend may be empty: then
// only what the bucket has survives. It can be repeated when it was broken off. seen is as in FindLoss.
//
// ErrNothingLost when an Open would succeed, and what was seen is there; ErrMissing when nothing survives.
func AcceptLoss(ctx context.Context, cfg Config, seen ...LostHead) (LossAccepted, error) {
	accepted, err := acceptLoss(ctx, cfg, seen)
	if err != nil {
		return accepted, fmt.Errorf("accepting the loss: %w", err)
	}
	return accepted, nil
}

func acceptLoss(ctx context.Context, cfg Config, seen []LostHead) (LossAccepted, error) {
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
		return *begun, setAside(ctx, cfg.Bucket, begun.Lost)
	}
	loss, err := j.findLoss(ctx, seen)
	if err != nil {
		return LossAccepted{}, err
	}
	if err := recoverShipped(ctx, cfg, j.schema); err != nil {
		return LossAccepted{}, err
	}
	if err := refillOutbox(ctx, cfg.Backend); err != nil {
		return LossAccepted{}, err
	}
	data := LossAccepted{Lost: loss.Head, Origin: next, Key: verifierKey(next, cfg.Signer)}
	if err := j.beginEra(ctx, data); err != nil {
		return LossAccepted{}, err
	}
	return data, setAside(ctx, cfg.Bucket, data.Lost)
}

// unfinishedLoss is the loss that was accepted before, if the bucket still has the head that was lost, or none.
func (j *Journal) unfinishedLoss(ctx context.Context) (begun *LossAccepted, err error) {
	released, err := readReleased(ctx, j.cfg.Bucket)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	err = j.cfg.Backend.View(ctx, func(r Reader) error {
		begun = nil
		if head, ok, err := readHead(r); err != nil || !ok || head.Size == 0 {
			return err
		}
		eras, err := Eras(r)
		if err != nil {
			return err
		}
		last := eras[len(eras)-1]
		if last.Lost == nil || released != nil && released.Origin == last.Origin {
			return nil
		}
		if row, err := r.Get(shippedTable, shippedKey); err != nil || row != nil {
			return err // something was released since: this is another loss
		}
		begun = &LossAccepted{Lost: *last.Lost, Origin: last.Origin, Key: last.Key}
		return nil
	})
	return begun, err
}

// findLoss says which head is lost; ErrNothingLost when none is.
func (j *Journal) findLoss(ctx context.Context, seen []LostHead) (loss Loss, err error) {
	released, err := readReleased(ctx, j.cfg.Bucket)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return loss, err
	}
	head, ok, shipped, err := readState(ctx, j.cfg.Backend)
	if err != nil {
		return loss, err
	}
	if ok {
		loss = Loss{Head: LostHead{Origin: head.Origin, Size: shipped}, Size: head.Size}
	}
	if released != nil && released.Size >= shipped { // else the bucket has gone back from a head that is not known
		loss.Head = LostHead{Origin: released.Origin, Size: released.Size, Root: released.Root}
	}
	if _, _, loss.Why = j.synchronize(ctx); loss.Why != nil && released != nil && released.Size >= shipped {
		_, err := chainTo(ctx, j.cfg.Bucket, released, 0)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return loss, err
		}
		loss.Whole = err == nil
	} else if loss.Why == nil {
		if head, _, _, err = readState(ctx, j.cfg.Backend); err != nil {
			return loss, err
		}
		if c, ok := parseCheckpoint(j.cfg.Remembered, head.Origin, j.cfg.Signer); ok {
			seen = append([]LostHead{{Origin: c.Origin, Size: c.Size, Root: c.Root}}, seen...)
		}
		loss, err = j.missingHead(ctx, head, seen)
		if err != nil {
			return loss, err
		}
	}
	switch {
	case loss.Why == nil:
		return loss, ErrNothingLost
	case !errors.Is(loss.Why, ErrContradicts) && !errors.Is(loss.Why, ErrDamaged):
		return loss, loss.Why
	}
	return loss, nil
}

// missing is the largest head that was seen elsewhere and that the journal does not lead to; the zero Loss when it
// leads to all.
func (j *Journal) missingHead(ctx context.Context, head Head, seen []LostHead) (loss Loss, err error) {
	err = j.cfg.Backend.View(ctx, func(r Reader) error {
		loss = Loss{}
		for _, s := range seen {
			if s.Origin != head.Origin || s.Size == 0 || s.Size < loss.Head.Size {
				continue
			}
			var root Hash
			if s.Size <= head.Size {
				if root, err = rootAt(r, s.Size); err != nil {
					return err
				}
			}
			if root != s.Root {
				why := fmt.Errorf("its head is at size %d, and a head was seen at %d, root %s: %w",
					head.Size, s.Size, s.Root, ErrContradicts)
				loss = Loss{Head: s, Size: head.Size, Why: why}
			}
		}
		return nil
	})
	return loss, err
}

// asidePrefix begins the names of what was set aside.
const asidePrefix = "lost/"

// setAside moves a bucket's history to names of its own, the head last: until then a repetition can see what was lost.
func setAside(ctx context.Context, b Bucket, lost LostHead) error {
	names, err := b.List(ctx, "")
	if err != nil {
		return fmt.Errorf("setting the lost history aside: %w", err)
	}
	names = append(slices.DeleteFunc(names, func(name string) bool {
		return name == headObject || strings.HasPrefix(name, asidePrefix)
	}), headObject)
	for _, name := range names {
		if err := moveAside(ctx, b, name, lost); err != nil {
			return fmt.Errorf("setting the lost history aside: %w", err)
		}
	}
	return nil
}

func moveAside(ctx context.Context, b Bucket, name string, lost LostHead) error {
	raw, _, err := b.Get(ctx, name)
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrNoObject) {
		raw, err = nil, nil // nothing to keep
	}
	if err != nil {
		return err
	}
	if raw != nil {
		aside := fmt.Sprintf("%s%016d-%s/%s", asidePrefix, lost.Size, hex.EncodeToString(lost.Root[:8]), name)
		if _, err := b.Put(ctx, aside, raw, ""); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
		kept, _, err := b.Get(ctx, aside)
		if err == nil && !bytes.Equal(kept, raw) {
			err = fmt.Errorf("%s is there with another content: %w", aside, ErrConflict)
		}
		if err != nil {
			return err
		}
	}
	return b.Delete(ctx, name)
}

// refillOutbox puts every sealed row into the outbox, beside the event that binds it, so that all of them are shipped from
// the first entry on. It may be repeated.
func refillOutbox(ctx context.Context, b Backend) error {
	bound := &cursor{backend: b, table: boundTable}
	for {
		var rows []*row
		for len(rows) < chunkRows {
			next, err := bound.next(ctx)
			if err != nil {
				return fmt.Errorf("listing the sealed rows: %w", err)
			}
			if next == nil {
				break
			}
			rows = append(rows, next)
		}
		if len(rows) == 0 {
			return nil
		}
		err := b.Update(ctx, func(tx Txn) error {
			for _, bound := range rows {
				if err := refillOutboxRow(tx, bound.key, bound.value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("putting the sealed rows into the outbox: %w", err)
		}
	}
}

func refillOutboxRow(tx Txn, key, at []byte) error {
	first, err := parseIndex(at)
	if err != nil {
		return err
	}
	out := outboxRow{First: first}
	row, err := tx.Get(outboxTable, at)
	if err != nil {
		return err
	}
	if row != nil {
		if out, err = parseOutboxRow(row); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(out.Rows, func(k []byte) bool { return bytes.Equal(k, key) }) {
		return nil
	}
	out.Rows = append(out.Rows, key)
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return tx.Put(outboxTable, at, raw)
}

// beginEra appends the event, under the new origin, and forgets what was released under the old one.
func (j *Journal) beginEra(ctx context.Context, data LossAccepted) error {
	return j.cfg.Backend.Update(ctx, func(tx Txn) error {
		head, ok, err := readHead(tx)
		if err != nil {
			return err
		}
		if !ok {
			return ErrMissing
		}
		if head.Origin == data.Origin {
			return fmt.Errorf("%s is the origin already; name a new one", head.Origin)
		}
		edge, err := loadEdge(tx, head.Size)
		if err != nil {
			return err
		}
		head.Origin = data.Origin
		g := &group{overlay: newOverlay(tx), schema: j.schema, head: head, edge: edge}
		time, _ := j.time.read(head.At)
		s := g.begin()
		if err := s.write(j, Actor{System, "operator"}, Change{Events: []Event{lossAccepted.New(ID{}, data)}},
			time); err != nil {
			return err
		}
		s.finish()
		g.set(shippedTable, shippedKey, nil)
		if err := g.seal(); err != nil {
			return err
		}
		return g.flush(tx)
	})
}
