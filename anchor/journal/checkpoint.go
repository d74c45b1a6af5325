package journal

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoint is a released head of the log.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   Hash
	Note   []byte    // the signed note (C2SP tlog-checkpoint)
	At     time.Time // when it was signed
}

// Checkpoint is the newest released head.
func (j *Journal) Checkpoint() Checkpoint { return *j.checkpoint.Load() }

// VerifierKey is the key that checkpoints are verified with, as golang.org/x/mod/sumdb/note writes it: what a policy
// names.
func (j *Journal) VerifierKey() string { return verifierKey(j.origin, j.cfg.Signer) }

func verifierKey(origin string, s Signer) string {
	key, err := note.NewEd25519VerifierKey(origin, ed25519.PublicKey(s.PublicKey()))
	if err != nil { // the key has the wrong length: Open has refused it
		return ""
	}
	return key
}

// checkOrigin refuses what cannot be the key name of a note.
func checkOrigin(origin string) error {
	if !plain(origin, 1, 128) {
		return errors.New("the origin is not 1 to 128 of [A-Za-z0-9._:/-]")
	}
	return nil
}

// signCheckpoint signs a head (C2SP tlog-checkpoint, without extension lines) and checks the signature against the
// pinned key: a key service may have moved to a new version of the key.
func signCheckpoint(ctx context.Context, s Signer, origin string, size uint64, root Hash) ([]byte, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)
	verifier, err := note.NewVerifier(verifierKey(origin, s))
	if err != nil {
		return nil, fmt.Errorf("signing a checkpoint: %w", err)
	}
	signed, err := note.Sign(&note.Note{Text: text}, noteSigner{ctx, s, verifier})
	if err != nil {
		return nil, fmt.Errorf("signing a checkpoint: %w", err)
	}
	if _, err := note.Open(signed, note.VerifierList(verifier)); err != nil {
		return nil, errors.New("signing a checkpoint: the signature does not verify with the pinned key; has the signing key been rotated?")
	}
	return signed, nil
}

// noteSigner is a Signer for one call: note.Signer has no context.
type noteSigner struct {
	ctx      context.Context
	signer   Signer
	verifier note.Verifier
}

// Name is the key's name: the origin.
func (s noteSigner) Name() string { return s.verifier.Name() }

// KeyHash is the hash by which a note names the key.
func (s noteSigner) KeyHash() uint32 { return s.verifier.KeyHash() }

// Sign signs with the call's context.
func (s noteSigner) Sign(msg []byte) ([]byte, error) {
	return s.signer.Sign(s.ctx, msg)
}

// Released waits until the receipt's entry is released (shipped, swapped and signed) and returns the receipt with its
// inclusion proof and the checkpoint. When ctx ends first it returns the receipt as it is, with ctx's error: the entry
// is committed all the same.
func (j *Journal) Released(ctx context.Context, r Receipt) (Receipt, error) {
	if r.Body == nil {
		return r, nil // of a change without events
	}
	j.requestRelease(r.Index)
	for {
		signed := j.checkpoints.wait()
		if c := j.Checkpoint(); c.Size > r.Index {
			err := j.View(ctx, func(reader Reader) (err error) {
				r.Proof, err = proveLeaf(reader, r.Index, c.Size, c.Root, leafHash(r.Leaf))
				return err
			})
			if err != nil {
				return r, err
			}
			r.Checkpoint = c.Note
			return r, nil
		}
		if err := j.await(ctx, signed); err != nil {
			return r, fmt.Errorf("waiting for release: %w", err)
		}
	}
}

// Shipped waits until the receipt's entry is shipped and in the head object: it will survive the loss of this machine.
// This needs no signature.
func (j *Journal) Shipped(ctx context.Context, r Receipt) error {
	j.requestRelease(r.Index)
	for {
		swapped := j.swaps.wait()
		if j.swapped.Load().Size > r.Index {
			return nil
		}
		if err := j.await(ctx, swapped); err != nil {
			return fmt.Errorf("waiting for shipping: %w", err)
		}
	}
}

// await waits for a broadcast, or for a reason not to.
func (j *Journal) await(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-j.stopped:
		return ErrStopped
	case <-j.ctx.Done():
		return ErrClosed
	}
}
