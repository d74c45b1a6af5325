package journaltest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"muniment/anchor/journal"
)

// ErrFault is what an injected fault returns.
var ErrFault = errors.New("a fault that the test has injected")

// Fault says how a call goes wrong.
type Fault int

// The ways in which a call goes wrong.
const (
	Works     Fault = iota // it does not
	Fails                  // ErrFault, and nothing was done
	FailsDone              // ErrFault, although it was done: the answer was lost
	Hangs                  // nothing is done, and the call returns when its context ends
)

// Call is a call of a Bucket's.
type Call struct {
	Op   string // "get", "put", "list" or "delete"
	Name string // of the object; for "list" the prefix
	N    int    // so many calls there have been since the faults were last set, counted from 1
}

// Reporter is the part of [testing.TB] that a Bucket needs.
type Reporter interface {
	Errorf(format string, args ...any)
}

// Bucket is a [journal.Bucket] in memory. It fails at will, and fails the test when a journal does what none may ever
// do, whatever fails: change a batch, point the head at a batch that is not there, move the head back, delete the head,
// or delete a batch whose entries no other batch holds. It may be used concurrently.
type Bucket struct {
	t       Reporter
	mu      sync.Mutex
	objects map[string][]byte
	gone    map[string]string // tags of the batches that were deleted
	fault   func(Call) Fault
	calls   int
}

var (
	_ journal.Bucket = (*Bucket)(nil)
	_ journal.Sizer  = (*Bucket)(nil)
)

// NewBucket is an empty bucket.
func NewBucket(t Reporter) *Bucket {
	return &Bucket{t: t, objects: make(map[string][]byte), gone: make(map[string]string)}
}

// Inject sets what goes wrong from now on; nil ends it. fn is called while the bucket is locked, so it must not use it.
func (b *Bucket) Inject(fn func(Call) Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault, b.calls = fn, 0
}

// Clone is another bucket with the same objects and without faults, as a backup would have it.
func (b *Bucket) Clone(t Reporter) *Bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := NewBucket(t)
	maps.Copy(c.objects, b.objects)
	maps.Copy(c.gone, b.gone)
	return c
}

// Tamper puts an object behind the journal's back; nil removes it. Nothing is watched.
func (b *Bucket) Tamper(name string, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if data == nil {
		delete(b.objects, name)
	} else {
		b.objects[name] = bytes.Clone(data)
	}
}

// Objects is a copy of all that is there, by name.
func (b *Bucket) Objects() map[string][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make(map[string][]byte, len(b.objects))
	for name, data := range b.objects {
		out[name] = bytes.Clone(data)
	}
	return out
}

// call does a call with the fault that it is to have.
func (b *Bucket) call(ctx context.Context, op, name string, do func() error) error {
	fault, err := b.locked(ctx, op, name, do)
	switch fault {
	case Works:
	case Hangs:
		<-ctx.Done()
		err = ctx.Err()
	default:
		err = ErrFault
	}
	if err != nil {
		return fmt.Errorf("the test's bucket: %s %s: %w", op, name, err)
	}
	return nil
}

func (b *Bucket) locked(ctx context.Context, op, name string, do func() error) (fault Fault, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls++; b.fault != nil {
		fault = b.fault(Call{op, name, b.calls})
	}
	if err := ctx.Err(); err != nil {
		return fault, err
	}
	if fault == Works || fault == FailsDone {
		err = do()
	}
	return fault, err
}

// Get returns an object and its tag.
func (b *Bucket) Get(ctx context.Context, name string) (data []byte, tag string, err error) {
	err = b.call(ctx, "get", name, func() error {
		found, ok := b.objects[name]
		if !ok {
			return journal.ErrNoObject
		}
		data, tag = bytes.Clone(found), tagOf(found)
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return data, tag, nil
}

// Put writes an object if its content has the tag given.
func (b *Bucket) Put(ctx context.Context, name string, data []byte, tag string) (string, error) {
	err := b.call(ctx, "put", name, func() error {
		found, ok := b.objects[name]
		if ok && tag != tagOf(found) || !ok && tag != "" {
			return journal.ErrConflict
		}
		b.watchPut(name, found, data)
		b.objects[name] = bytes.Clone(data)
		return nil
	})
	if err != nil {
		return "", err
	}
	return tagOf(data), nil
}

// List returns the names with the prefix, sorted.
func (b *Bucket) List(ctx context.Context, prefix string) (names []string, err error) {
	err = b.call(ctx, "list", prefix, func() error {
		for name := range b.objects {
			if strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

// Sizes returns the sizes of the objects with the prefix, by name. To a fault it is a list.
func (b *Bucket) Sizes(ctx context.Context, prefix string) (sizes map[string]int64, err error) {
	err = b.call(ctx, "list", prefix, func() error {
		sizes = map[string]int64{}
		for name, data := range b.objects {
			if strings.HasPrefix(name, prefix) {
				sizes[name] = int64(len(data))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sizes, nil
}

// Delete removes an object.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	return b.call(ctx, "delete", name, func() error {
		if data, ok := b.objects[name]; ok {
			delete(b.objects, name)
			b.watchDelete(name, data)
		}
		return nil
	})
}

// tagOf depends on the content alone, as an S3 store's does: that an object was written again cannot be seen from it.
func tagOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
