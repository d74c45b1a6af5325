package journal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"
)

// Open waits at most so long for the first checkpoint: a signer that is down must not keep anybody from reading. When
// an earlier checkpoint is remembered it waits less, for that one proves nearly everything.
const (
	firstRelease = 10 * time.Second
	nextRelease  = time.Second
)

// Open opens a journal: it compares backend and released head, catches up from what was shipped where the backend is
// behind (from nothing, that is a restore), and starts the workers.
//
// ErrMissing: there is neither a journal nor a released copy, and Create was not given. ErrContradicts: the backend
// holds another history than the one released. ErrDamaged: a row is not what it must be.
func Open(ctx context.Context, cfg Config) (*Journal, error) {
	j, err := prepare(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	if _, err := ProbeConditions(ctx, cfg.Bucket, cfg.Rand); err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	head, released, err := j.settle(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	if err := j.load(ctx, head, released); err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	if cfg.Before != nil {
		if err := cfg.Before(ctx); err != nil {
			return nil, err
		}
	}
	j.ctx, j.cancel = context.WithCancel(context.WithoutCancel(ctx))
	j.workers.Add(7)
	if j.provisional.Load() {
		j.workers.Add(1)
		go j.awaitKeys()
	}
	go j.commitGroups()
	go j.ship()
	go j.sign()
	go j.tendBatches()
	go j.keepTenure()
	go j.watchHead()
	go j.keepTime()
	if j.provisional.Load() {
		return j, nil
	}
	patience := firstRelease
	if j.Checkpoint().Size > 0 {
		patience = nextRelease
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	j.awaitRelease(wait, head.Size)
	if released == nil {
		j.tryTenure(wait) // a new journal's lease, so that a restart finds it
	}
	return j, nil
}

// awaitRelease waits for a checkpoint of the size.
func (j *Journal) awaitRelease(ctx context.Context, size uint64) {
	j.requestRelease(size - 1)
	for j.Checkpoint().Size < size {
		signed := j.checkpoints.wait()
		if j.Checkpoint().Size >= size {
			return
		}
		err := j.releasable()
		if err == nil {
			err = j.await(ctx, signed)
		}
		if err != nil {
			j.cfg.Log.Warn("no checkpoint could be released yet", "error", err)
			return
		}
	}
}

// prepare checks the configuration and makes a journal that has nothing loaded yet.
func prepare(cfg Config) (*Journal, error) {
	if cfg.Backend == nil || cfg.Bucket == nil || cfg.Signer == nil || cfg.Clock == nil || cfg.Rand == nil ||
		cfg.Log == nil {
		return nil, errors.New("the configuration lacks a backend, bucket, signer, clock, randomness or log")
	}
	if cfg.ShippingKeys == nil {
		return nil, errors.New("the configuration lacks what wraps the shipping key")
	}
	if len(cfg.Signer.PublicKey()) != ed25519.PublicKeySize {
		return nil, errors.New("the signer's public key is not an Ed25519 key")
	}
	if cfg.Tail == 0 {
		cfg.Tail = defaultTail
	}
	s, err := newSchema(cfg.Definitions, cfg.Log)
	if err != nil {
		return nil, err
	}
	holder, err := NewID(cfg.Clock.Now(), cfg.Rand)
	if err != nil {
		return nil, err
	}
	return &Journal{
		cfg: cfg, schema: s, batches: keeper{whole: map[string]int{}, broken: map[string]error{}},
		holder: holder.String(), leases: map[string]time.Time{},
		time:     timekeeper{clock: cfg.Clock},
		requests: make(chan *request, maxGroup), stopped: make(chan struct{}), opened: make(chan struct{}),
		bucket: shipped{cfg.Bucket, newKeyring(cfg.ShippingKeys, cfg.Bucket, cfg.Backend, ID{})},
		news:   newBroadcast(), commits: newBroadcast(), swaps: newBroadcast(), checkpoints: newBroadcast(),
		urgent: newBroadcast(), tenure: newTenure(cfg.Term),
	}, nil
}

// synchronize brings the backend up to the released head, or creates the journal. It returns ErrContradicts, ErrMissing
// or ErrDamaged where that cannot be.
func (j *Journal) synchronize(ctx context.Context) (Head, *releasedHead, error) {
	head, ok, shipped, err := readState(ctx, j.cfg.Backend)
	if err != nil {
		return head, nil, err
	}
	if ok {
		j.bucket.keys = newKeyring(j.cfg.ShippingKeys, j.cfg.Bucket, j.cfg.Backend, head.Journal)
	}
	released, err := readReleased(ctx, j.bucket)
	if ok && errors.Is(err, ErrKeysUnavailable) && j.cfg.LocalKey != nil {
		released, err = j.startProvisionally(ctx, head, shipped)
		return head, released, err
	}
	switch {
	case err != nil:
		return head, nil, err
	case !ok && released == nil:
		// Batches without a head are an existing history: no other may be begun beside them.
		if err := headMissing(ctx, j.bucket); !errors.Is(err, ErrMissing) || !j.cfg.Create {
			return head, nil, err
		}
		if err := j.create(ctx); err != nil {
			return head, nil, err
		}
	default:
		if ok {
			if err := j.openHead(ctx); err != nil {
				return head, nil, err
			}
		}
		if err := contradiction(ctx, j.cfg.Backend, j.bucket, head, shipped, released); err != nil {
			return head, nil, err
		}
		if err := j.catchUpTo(ctx, head, shipped, released); err != nil {
			return head, nil, err
		}
		if err := finishCatchUp(ctx, j.cfg.Backend); err != nil {
			return head, nil, err
		}
	}
	// A journal that was created, restored or caught up has another head now, and perhaps another key.
	if err = j.openHead(ctx); err == nil {
		head, _, _, err = readState(ctx, j.cfg.Backend)
	}
	if err == nil {
		err = j.checkConfigured(head)
	}
	if err == nil {
		err = j.bucket.keys.keepCopies(ctx, j.cfg.Log)
	}
	return head, released, err
}

// checkConfigured compares a head with the id and the origin that the caller expects.
func (j *Journal) checkConfigured(head Head) error {
	if !j.cfg.ID.IsZero() && j.cfg.ID != head.Journal {
		return fmt.Errorf("the journal's id is %s, and %s was expected: %w", head.Journal, j.cfg.ID, ErrContradicts)
	}
	if j.cfg.Origin != "" && j.cfg.Origin != head.Origin {
		return fmt.Errorf("the journal's origin is %s, and the configuration says %s; the origin never changes",
			head.Origin, j.cfg.Origin)
	}
	return nil
}

// catchUpTo brings the backend up to a released head that it does not contradict, if it is behind.
func (j *Journal) catchUpTo(ctx context.Context, head Head, shipped uint64, released *releasedHead) error {
	if released == nil {
		return nil
	}
	if head.Size < released.Size {
		j.cfg.Log.Info("the journal is behind the released head; catching up",
			"size", head.Size, "released", released.Size)
		if err := catchUp(ctx, j.cfg, j.bucket, j.schema, released, head.Size); err != nil {
			return fmt.Errorf("catching up from size %d, root %s, to the released head at size %d, root %s: %w",
				head.Size, head.Root, released.Size, released.Root, err)
		}
	}
	return j.recordShipped(ctx, released, shipped)
}

// recordShipped stores the released size, and its key, in the backend: a journal that was just restored does not have
// it yet, and would not notice a bucket that loses its head. If the disk is full a later commit stores it.
func (j *Journal) recordShipped(ctx context.Context, released *releasedHead, noted uint64) error {
	if released.Size <= noted {
		return nil
	}
	err := j.cfg.Backend.Update(ctx, func(tx Txn) error {
		return errors.Join(tx.Put(shippedTable, shippedKey, indexKey(released.Size)),
			tx.Put(shippedTable, shippedUnder, indexKey(uint64(released.Key))))
	})
	if errors.Is(err, ErrFull) {
		return nil
	}
	return err
}

// load reads the state that stays in memory, and checks the tree's edge and the signing key.
func (j *Journal) load(ctx context.Context, head Head, released *releasedHead) error {
	if released == nil {
		released = &releasedHead{}
	}
	err := j.cfg.Backend.View(ctx, func(r Reader) error {
		row, err := r.Get(headTable, headKey)
		if err != nil {
			return err
		}
		j.knownHead.Store(&knownHead{row: bytes.Clone(row), head: head})
		edge, err := loadEdge(r, head.Size)
		if err != nil {
			return err
		}
		if edge.root() != head.Root {
			return fmt.Errorf("the tree's right edge does not give the head's root: %w", ErrDamaged)
		}
		j.edge = edge
		return j.checkKey(r, head.Origin)
	})
	if err != nil {
		return err
	}
	checkpoint, err := j.loadCheckpoint(ctx, head)
	if err != nil {
		return err
	}
	j.id, j.origin = head.Journal, head.Origin
	j.head.Store(&head)
	j.size.Store(head.Size)
	j.lastNews.Store(head.News)
	j.swapped.Store(released)
	j.checkpoint.Store(checkpoint)
	return nil
}

// checkKey refuses another signing key than the one that the journal's present origin was begun with.
func (j *Journal) checkKey(r Reader, origin string) error {
	eras, err := Eras(r)
	if err != nil {
		return err
	}
	if eras[len(eras)-1].Key != verifierKey(origin, j.cfg.Signer) {
		return errors.New("the signing key is not the one that this journal was created with")
	}
	j.eras = eras
	return nil
}

// create writes the first event of a new journal.
func (j *Journal) create(ctx context.Context) error {
	if err := checkOrigin(j.cfg.Origin); err != nil {
		return err
	}
	if !j.cfg.ID.isV7() {
		return errors.New("a journal is created with a journal id, which is a UUID of version 7")
	}
	j.bucket.keys = newKeyring(j.cfg.ShippingKeys, j.cfg.Bucket, j.cfg.Backend, j.cfg.ID)
	key, wrapped, err := j.bucket.keys.draw(ctx, 1, j.cfg.Rand)
	if err != nil {
		return err
	}
	err = j.cfg.Backend.Update(ctx, func(tx Txn) error {
		if _, there, err := readHead(tx); err != nil || there {
			return errors.Join(err, errNothing) // another process was faster
		}
		g := &group{overlay: newOverlay(tx), schema: j.schema, edge: &edge{}, key: key,
			head: Head{Journal: j.cfg.ID, Origin: j.cfg.Origin}}
		time, _ := j.time.read(g.head)
		event := created.New(ID{}, Created{Journal: j.cfg.ID, Origin: j.cfg.Origin,
			Key: verifierKey(j.cfg.Origin, j.cfg.Signer), Shipping: shippingKeyAt(1, wrapped)})
		s := g.begin()
		if err := s.write(j, Actor{System, "journal"}, Change{Events: []Event{event}}, time); err != nil {
			return err
		}
		s.finish()
		g.set(shippingKeyTable, shippingKeyRow(1), []byte(wrapped))
		if err := g.seal(); err != nil {
			return err
		}
		return g.flush(tx)
	})
	if errors.Is(err, errNothing) && !errors.Is(err, ErrDamaged) {
		return nil
	}
	return err
}
