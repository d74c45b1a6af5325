package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"muniment/anchor"
	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/vault/access"
)

// Evidence writes an evidence file about a document: the bodies of its story that matter, with inclusion proofs at one
// checkpoint: the oldest anchored one that covers them, else the newest, without anchors. access.Evidence is needed;
// to disclose content digest and salt, access.Disclose too. That it was issued goes on record first. An erased document
// has evidence, and nothing to disclose: ErrErased.
//
// Errors: ErrNotFound; ErrErased; access.ErrDenied; access.ErrUnreleased when no checkpoint covers the document yet.
func (v *Vault) Evidence(ctx context.Context, who access.Who, id journal.ID, disclose bool) ([]byte, error) {
	file, err := v.evidence(ctx, who, id, disclose)
	if err != nil {
		return nil, fmt.Errorf("issuing evidence: %w", err)
	}
	data, err := evidence.Marshal(*file)
	if err != nil {
		return nil, fmt.Errorf("issuing evidence: %w", err)
	}
	return data, nil
}

func (v *Vault) evidence(ctx context.Context, who access.Who, id journal.ID, disclose bool) (*evidence.File, error) {
	var (
		row    document
		sealed []byte
	)
	check := func(r journal.Reader, guard *access.Guard) (err error) {
		if row, sealed, err = visible(r, guard, access.Evidence, id); err != nil || !disclose {
			return err
		}
		if row.Erased {
			return ErrErased
		}
		return guard.Authorize(access.Disclose, access.Scope{Series: row.Series}, id)
	}
	_, err := v.cfg.Door.Commit(ctx, who, func(view journal.View, guard *access.Guard) (journal.Change, error) {
		issued := EvidenceIssued.New(id, EvidenceIssuedData{Disclosed: disclose})
		return journal.Change{Events: []journal.Event{issued}}, check(view, guard)
	})
	if errors.Is(err, journal.ErrFull) && !disclose {
		// Proofs hold nothing sealed. They are given even while the journal's disk is full.
		err = v.cfg.Door.View(ctx, who, check)
	}
	if err != nil {
		return nil, err
	}
	file, err := v.prove(ctx, id, row)
	if err != nil || !disclose {
		return file, err
	}
	opened, err := v.open(ctx, who, id, row.Series, sealed)
	if err != nil {
		return nil, err
	}
	file.Disclosure = &evidence.Disclosure{Digest: hex.EncodeToString(opened.text.ContentSHA256), Salt: opened.salt}
	return file, nil
}

// material are the indexes of the events that belong into every evidence file about a document: what made it, and what
// ended it. They stand in its row, so that evidence does not grow dear with the reads of a document.
func (d document) material() []uint64 {
	if d.Erased {
		return []uint64{d.Index, d.ErasedIndex}
	}
	return []uint64{d.Index}
}

// prove takes the bodies and proves them at one checkpoint.
func (v *Vault) prove(ctx context.Context, id journal.ID, row document) (*evidence.File, error) {
	material := row.material()
	head, anchors, err := v.covering(ctx, slices.Max(material))
	if err != nil {
		return nil, err
	}
	file := &evidence.File{
		V: evidence.Version, Document: id.String(), Origin: head.origin, Checkpoint: string(head.note),
		Anchors: anchors,
	}
	for _, index := range material {
		rec, err := v.cfg.Journal.Record(ctx, index)
		if err == nil && rec.Doc != id {
			err = fmt.Errorf("entry %d is not about the document whose row names it: %w", index, journal.ErrDamaged)
		}
		if err != nil {
			return nil, err
		}
		leaf, err := v.leaf(ctx, rec, head.size)
		if err != nil {
			return nil, err
		}
		file.Bodies = append(file.Bodies, leaf)
	}
	return file, nil
}

// head is the checkpoint that an evidence file stands on.
type head struct {
	origin string
	size   uint64
	note   []byte
}

// leaf is one body with its inclusion proof.
func (v *Vault) leaf(ctx context.Context, rec journal.Record, size uint64) (evidence.Leaf, error) {
	proof, err := v.cfg.Journal.ProveInclusion(ctx, rec.Index, size)
	if err != nil {
		return evidence.Leaf{}, err
	}
	leaf := evidence.Leaf{Index: rec.Index, Nonce: rec.Nonce[:], Body: string(rec.Body)}
	for _, hash := range proof {
		leaf.Proof = append(leaf.Proof, hash[:])
	}
	return leaf, nil
}

// covering finds the checkpoint to prove the entry at the index with, and the ledgers that have it.
func (v *Vault) covering(ctx context.Context, index uint64) (head, []evidence.Anchor, error) {
	var found []anchor.Anchor
	err := v.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		found, err = anchor.Covering(r, index)
		return err
	})
	if err != nil {
		return head{}, nil, err
	}
	var anchors []evidence.Anchor
	var h head
	for _, a := range found {
		if len(a.Proof) == 0 { // included, and may yet go away
			continue
		}
		c := a.Attempt.Checkpoint
		h = head{origin: c.Origin, size: c.Size, note: c.Note}
		anchors = append(anchors, evidence.Anchor{Kind: a.Kind, ID: a.ID, Proof: a.Proof})
	}
	if anchors != nil {
		return h, anchors, nil
	}
	newest := v.cfg.Journal.Checkpoint()
	if newest.Size <= index {
		return head{}, nil, access.ErrUnreleased
	}
	return head{origin: newest.Origin, size: newest.Size, note: newest.Note}, nil, nil
}
