package journal

import (
	"context"
	"errors"
)

var (
	// ErrConflict says that a conditional write found something else than it asked for.
	ErrConflict = errors.New("the object was changed by somebody else")
	// ErrNoObject says that the bucket has no object of that name.
	ErrNoObject = errors.New("no such object")
)

// Bucket is where release ships to: a small object store of the journal's own, unversioned and unlocked. Writes are
// durable when they return. A write that returns an error other than ErrConflict may have taken effect.
type Bucket interface {
	// Get returns an object and the tag of its present content; ErrNoObject when there is none.
	Get(ctx context.Context, name string) (data []byte, tag string, err error)
	// Put writes an object if its present content has the tag given, or if there is none yet and tag is empty;
	// otherwise it returns ErrConflict and changes nothing. It returns the new tag.
	Put(ctx context.Context, name string, data []byte, tag string) (string, error)
	// List returns the names with the prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
	// Delete removes an object; it is no error if there is none.
	Delete(ctx context.Context, name string) error
}

// Signer signs checkpoints with Ed25519.
type Signer interface {
	// Sign returns the 64-byte Ed25519 signature of the message.
	Sign(ctx context.Context, message []byte) ([]byte, error)
	// PublicKey is the pinned 32-byte Ed25519 public key. It never changes.
	PublicKey() []byte
}
