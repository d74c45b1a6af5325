package journal

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// recall makes the checkpoint that the caller has remembered the newest one, until another is signed: without it
// nothing could be proved after a start while the signer is down. One that is not of this origin, or not signed with
// its key, counts for nothing; one that is signed and of another history is ErrContradicts.
func (j *Journal) loadCheckpoint(ctx context.Context, head Head) (*Checkpoint, error) {
	none := &Checkpoint{Origin: head.Origin}
	c, ok := parseCheckpoint(j.cfg.Remembered, head.Origin, j.cfg.Signer)
	if !ok {
		return none, nil
	}
	if c.Size > head.Size {
		return nil, fmt.Errorf("its head is at %d, and a checkpoint was signed at %d: %w",
			head.Size, c.Size, ErrContradicts)
	}
	err := j.cfg.Backend.View(ctx, func(r Reader) error {
		root, err := rootAt(r, c.Size)
		if err == nil && root != c.Root {
			err = fmt.Errorf("at size %d its root is another than the signed one: %w", c.Size, ErrContradicts)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// parseCheckpoint reads a signed checkpoint of the origin; false if it is none. When it was signed is not known.
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
