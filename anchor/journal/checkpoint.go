package journal

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
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

// VerifierKey is the key that verifies checkpoints, as golang.org/x/mod/sumdb/note writes it. Policies name it.
func (j *Journal) VerifierKey() string { return verifierKey(j.origin, j.cfg.Signer) }

func verifierKey(origin string, s Signer) string {
	key, err := note.NewEd25519VerifierKey(origin, ed25519.PublicKey(s.PublicKey()))
	if err != nil { // the key has the wrong length: Open has refused it
		return ""
	}
	return key
}

// checkOrigin refuses an origin that cannot be the key name of a note.
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
		return nil, errors.New("signing a checkpoint: the signature does not verify with the pinned key; " +
			"has the signing key been rotated?")
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
		return r, nil // a change without events
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
		if err := j.releasable(); err != nil {
			return r, fmt.Errorf("waiting for release: %w", err)
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
		if err := j.releasable(); err != nil {
			return fmt.Errorf("waiting for shipping: %w", err)
		}
		if err := j.await(ctx, swapped); err != nil {
			return fmt.Errorf("waiting for shipping: %w", err)
		}
	}
}

// sign signs the newest released head until the journal closes. A signer that is down delays checkpoints, not shipping.
func (j *Journal) sign() {
	if !j.awaitOpened() {
		j.workers.Done()
		return
	}
	j.retryLoop("signing a checkpoint", j.swaps, func(ctx context.Context) (bool, error) {
		head := j.swapped.Load()
		if j.Checkpoint().Size >= head.Size {
			return true, nil
		}
		return false, j.publish(ctx, head)
	})
}

// publish signs a released head and makes it the newest checkpoint.
func (j *Journal) publish(ctx context.Context, head *releasedHead) error {
	signed, err := signCheckpoint(ctx, j.cfg.Signer, j.origin, head.Size, head.Root)
	if err != nil {
		return err
	}
	j.checkpoint.Store(&Checkpoint{Origin: j.origin, Size: head.Size, Root: head.Root, Note: signed,
		At: j.cfg.Clock.Now().UTC()})
	j.checkpoints.notify()
	return nil
}

// loadCheckpoint returns Config.Remembered, which is the newest checkpoint until another is signed: without it nothing
// could be proved after a start while the signer is down. It returns a checkpoint of size 0 if the remembered one is of
// another origin or not signed with its key, and ErrContradicts if it is signed and of another history.
func (j *Journal) loadCheckpoint(ctx context.Context, head Head) (*Checkpoint, error) {
	none := &Checkpoint{Origin: head.Origin}
	c, ok := parseCheckpoint(j.cfg.Remembered, head.Origin, j.cfg.Signer)
	if !ok {
		return none, nil
	}
	if c.Size > head.Size {
		return nil, fmt.Errorf("the journal is at size %d, and a checkpoint was signed at size %d: %w",
			head.Size, c.Size, ErrContradicts)
	}
	err := j.cfg.Backend.View(ctx, func(r Reader) error {
		root, err := rootAt(r, c.Size)
		if err == nil && root != c.Root {
			err = fmt.Errorf("at size %d the journal has another root than the signed checkpoint: %w",
				c.Size, ErrContradicts)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// parseCheckpoint reads a signed checkpoint of the origin; false if it is none. It leaves At zero, for a note does not
// say when it was signed.
func parseCheckpoint(signed []byte, origin string, s Signer) (*Checkpoint, bool) {
	verifier, err := note.NewVerifier(verifierKey(origin, s))
	if err != nil {
		return nil, false
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return nil, false
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != origin {
		return nil, false
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || size == 0 {
		return nil, false
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return nil, false
	}
	return &Checkpoint{Origin: origin, Size: size, Root: root, Note: signed}, true
}
