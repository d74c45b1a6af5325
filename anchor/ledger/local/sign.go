package local

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// Signer signs blocks with Ed25519. It has the shape of the journal's signer, but must not have its key: the holder of
// one must not be able to write the other's history.
type Signer interface {
	// Sign returns the 64-byte Ed25519 signature of the message.
	Sign(ctx context.Context, message []byte) ([]byte, error)
	// PublicKey is the pinned 32-byte Ed25519 public key. It never changes.
	PublicKey() []byte
}

// noteSigner lends a Signer to one call of note.Sign, whose signers know no context.
type noteSigner struct {
	note.Verifier
	ctx    context.Context
	signer Signer
}

// Sign is part of note.Signer.
func (s noteSigner) Sign(message []byte) ([]byte, error) {
	signature, err := s.signer.Sign(s.ctx, message)
	if err != nil {
		return nil, err
	}
	// A key service may have moved on to a new version of its key: nobody who pinned this one would believe the block.
	if !s.Verify(message, signature) {
		return nil, fmt.Errorf("the signature does not verify under the pinned public key")
	}
	return signature, nil
}

// sign writes a block.
func sign(ctx context.Context, b Block, v note.Verifier, s Signer) ([]byte, error) {
	data, err := note.Sign(&note.Note{Text: b.text()}, noteSigner{Verifier: v, ctx: ctx, signer: s})
	if err != nil {
		return nil, fmt.Errorf("signing block %d: %w", b.Height, err)
	}
	return data, nil
}
