package local

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
)

// The signers of every key file.
const (
	Checkpoint = "checkpoint" // signs the journal's checkpoints
	Ledger     = "ledger"     // signs the blocks of the local ledger
)

// ErrNoSigner says that the key file has no signing key of that name.
var ErrNoSigner = errors.New("the key file has no such signing key")

// Signer signs with an Ed25519 key (RFC 8032) of the key file. It goes on working after the Service is closed, and may
// be used concurrently.
type Signer struct {
	private ed25519.PrivateKey
}

func newSigner(seed []byte) *Signer { return &Signer{ed25519.NewKeyFromSeed(seed)} }

// Signer returns a signing key by name: Checkpoint or Ledger. ErrNoSigner if there is none.
func (s *Service) Signer(name string) (*Signer, error) {
	st := s.state.Load()
	if st == nil {
		return nil, errClosed
	}
	signer, ok := st.signers[name]
	if !ok {
		return nil, fmt.Errorf("local key file: %q: %w", name, ErrNoSigner)
	}
	return signer, nil
}

// Sign returns the 64-byte signature of the message.
func (s *Signer) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(s.private, message), nil
}

// PublicKey is the 32-byte public key. It never changes.
func (s *Signer) PublicKey() []byte {
	return append([]byte(nil), s.private.Public().(ed25519.PublicKey)...)
}

// Format keeps the key out of whatever prints a Signer.
func (s *Signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[signer]") }
