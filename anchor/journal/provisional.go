package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// LocalKey is a secret that lies beside the backend and not in it: it authenticates the heads that are written while
// the key service is down.
type LocalKey interface {
	// Secret returns its 32 bytes, and draws them if there are none yet.
	Secret() ([]byte, error)
	// Renew draws others, which Secret returns from then on.
	Renew() error
}

// Provisional says whether the journal goes on without its shipping key, because the key service could not be reached
// since the start. It commits, reads and proves; nothing is applied, shipped or signed.
func (j *Journal) Provisional() bool { return j.provisional.Load() }

// startProvisionally prepares a journal whose shipping key cannot be unwrapped now. The backend must agree with the
// released head at its size; one that is behind waits for the key, since nothing that was shipped can be believed yet.
func (j *Journal) startProvisionally(ctx context.Context, head Head, noted uint64) (*releasedHead, error) {
	unchecked := shipped{Bucket: j.cfg.Bucket}
	released, err := readReleased(ctx, unchecked)
	if err != nil {
		return nil, err
	}
	if released == nil {
		return nil, fmt.Errorf("nothing was released yet: %w", ErrKeysUnavailable)
	}
	if err := contradiction(ctx, j.cfg.Backend, unchecked, head, noted, released); err != nil {
		return nil, err
	}
	if head.Size < released.Size {
		return nil, fmt.Errorf("the journal at size %d is behind the released head at size %d, and cannot catch up: %w",
			head.Size, released.Size, ErrKeysUnavailable)
	}
	if err := j.checkConfigured(head); err != nil {
		return nil, err
	}
	local, err := j.localKey()
	if err != nil {
		return nil, err
	}
	if head.Key == 0 { // an earlier provisional start has written it
		if err := j.cfg.Backend.View(ctx, func(r Reader) error { return verifyLocalHead(r, local) }); err != nil {
			return nil, err
		}
	}
	j.key.Store(local)
	j.provisional.Store(true)
	j.cfg.Log.Warn("the shipping key cannot be unwrapped; going on provisionally, so nothing is shipped or signed",
		"size", head.Size, "released", released.Size)
	return released, nil
}

// localKey reads the local key.
func (j *Journal) localKey() (*shippingKey, error) {
	if j.cfg.LocalKey == nil {
		return nil, fmt.Errorf("there is no local key: %w", ErrKeysUnavailable)
	}
	secret, err := j.cfg.LocalKey.Secret()
	if err == nil && len(secret) != shippingKeySize {
		err = fmt.Errorf("it has %d bytes, and must have %d", len(secret), shippingKeySize)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the local key: %w", err)
	}
	return &shippingKey{secret: secret}, nil
}

// verifyLocalHead checks that the local key has authenticated the head.
func verifyLocalHead(r Reader, local *shippingKey) error {
	row, err := r.Get(headTable, headKey)
	if err != nil {
		return err
	}
	return verifyHeadRow(row, local)
}

// openHead verifies the head row with the shipping key, and makes that the key of the heads to come. A head that was
// written provisionally is taken over.
func (j *Journal) openHead(ctx context.Context) error {
	var head, last Head
	var row []byte
	err := j.cfg.Backend.View(ctx, func(r Reader) (err error) {
		if head, _, err = readHead(r); err != nil {
			return err
		}
		if row, err = r.Get(headTable, headKey); err != nil {
			return err
		}
		if head.Key == 0 {
			last, row, err = shippingHead(r)
		} else {
			last, row = head, bytes.Clone(row)
		}
		return err
	})
	if err != nil {
		return err
	}
	key, err := j.bucket.keys.get(ctx, last.Key)
	if err != nil {
		return err
	}
	if err := verifyHeadRow(row, key); err != nil {
		return err
	}
	if head.Key == 0 {
		if err := j.takeOver(ctx, last, key); err != nil {
			return fmt.Errorf("taking over what was written while the key service was down: %w", err)
		}
	}
	j.key.Store(key)
	return nil
}

// shippingHead reads the last head that the shipping key has authenticated, of a journal that has gone on
// provisionally.
func shippingHead(r Reader) (head Head, row []byte, err error) {
	if row, err = r.Get(headTable, shippingHeadKey); err != nil {
		return head, nil, err
	}
	if row == nil {
		return head, nil, fmt.Errorf("the last head under the shipping key is missing: %w", ErrDamaged)
	}
	head, err = parseHead(row)
	return head, bytes.Clone(row), err
}

// takeOver authenticates a head with the shipping key that the local key has authenticated, and that goes on from the
// last one under the shipping key. Then another local key is drawn.
func (j *Journal) takeOver(ctx context.Context, last Head, key *shippingKey) error {
	local, err := j.localKey()
	if err != nil {
		return err
	}
	err = j.cfg.Backend.Update(ctx, func(tx Txn) error {
		head, _, err := readHead(tx)
		if err != nil {
			return err
		}
		if err := verifyLocalHead(tx, local); err != nil {
			return err
		}
		if head.Journal != last.Journal || head.Origin != last.Origin {
			return fmt.Errorf("it is of another journal or origin: %w", ErrContradicts)
		}
		if err := provePrefix(tx, last.Size, last.Root, head); err != nil {
			return err
		}
		row, err := head.encode(key)
		if err != nil {
			return err
		}
		if err := tx.Put(headTable, headKey, row); err != nil {
			return err
		}
		return tx.Delete(headTable, shippingHeadKey)
	})
	if err != nil {
		return err
	}
	return j.cfg.LocalKey.Renew()
}

// provePrefix checks with the tiles, which are not trusted, that a tree of a size with a root is a prefix of a head's.
func provePrefix(r Reader, size uint64, root Hash, head Head) error {
	if size == head.Size && root == head.Root {
		return nil
	}
	if size == 0 || size >= head.Size {
		return fmt.Errorf("size %d does not lead to size %d: %w", size, head.Size, ErrDamaged)
	}
	proof, err := tlog.ProveTree(int64(head.Size), int64(size), hashes(r))
	if err != nil {
		return fmt.Errorf("proving size %d in %d: %w", size, head.Size, err)
	}
	if tlog.CheckTree(proof, int64(head.Size), head.Root, int64(size), root) != nil {
		return fmt.Errorf("the tree of size %d is no prefix of the head's at %d: %w", size, head.Size, ErrDamaged)
	}
	return nil
}

// keysRetry is how often the key service is asked while a journal is provisional.
const keysRetry = 5 * time.Second

// awaitKeys ends the provisional start when the key service unwraps the shipping key.
func (j *Journal) awaitKeys() {
	defer j.workers.Done()
	for pause := firstRetry; ; pause = min(2*pause, keysRetry) {
		err := j.endProvisional(j.ctx)
		if err == nil || j.ctx.Err() != nil {
			return
		}
		if errors.Is(err, ErrDamaged) || errors.Is(err, ErrContradicts) {
			j.cfg.Log.Error("what the journal rests on is not authentic; stopping", "error", err)
			j.halt(err)
			return
		}
		if !errors.Is(err, ErrKeysUnavailable) {
			j.cfg.Log.Warn("the provisional start could not be ended yet; trying again", "error", err)
		}
		if !j.sleep(pause) {
			return
		}
	}
}

// endProvisional verifies what the journal went on from and what it has written since, takes the lease, and lets it be
// shipped.
func (j *Journal) endProvisional(ctx context.Context) error {
	released, err := readReleased(ctx, j.bucket)
	if err != nil {
		return err
	}
	if released == nil {
		return fmt.Errorf("the head object has vanished from the release bucket: %w", ErrContradicts)
	}
	if err := j.verifyProvisional(ctx, released); err != nil {
		return err
	}
	// Commits go on while this waits: they are authenticated by the shipping key already.
	if released, err = j.enter(ctx, &vigil{term: j.tenure.term}, released); err != nil {
		return err
	}
	j.swapped.Store(released)
	j.provisional.Store(false)
	close(j.opened)
	j.cfg.Log.Info("the shipping key was unwrapped: what was written meanwhile is shipped", "size", j.Size())
	return nil
}

// verifyProvisional verifies with the shipping key what the journal went on from, and what it has written since.
func (j *Journal) verifyProvisional(ctx context.Context, released *releasedHead) error {
	j.commitMu.Lock()
	defer j.commitMu.Unlock()
	if err := j.openHead(ctx); err != nil {
		return err
	}
	head, _, noted, err := readState(ctx, j.cfg.Backend)
	if err != nil {
		return err
	}
	if err := contradiction(ctx, j.cfg.Backend, j.bucket, head, noted, released); err != nil {
		return err
	}
	if head.Size < released.Size {
		return fmt.Errorf("the released head is at size %d, beyond this journal at %d: %w",
			released.Size, head.Size, ErrContradicts)
	}
	err = j.cfg.Backend.View(ctx, func(r Reader) error {
		row, err := r.Get(headTable, headKey)
		j.knownHead.Store(&knownHead{row: bytes.Clone(row), head: head})
		return err
	})
	if err == nil {
		err = j.bucket.keys.keepCopies(ctx, j.cfg.Log)
	}
	if err == nil {
		j.head.Store(&head)
	}
	return err
}

// awaitOpened waits until the shipping key has been unwrapped; false when the journal ends before.
func (j *Journal) awaitOpened() bool { return !j.provisional.Load() || j.await(j.ctx, j.opened) == nil }
