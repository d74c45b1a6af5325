// Package local is the ledger of the embedded default: signed, hash-chained blocks in a folder, one file each.
//
// It needs no network, and proves less than other ledgers: the holder of the folder and the key can write another
// chain, so tampering shows only against a copy held elsewhere. An auditor who kept one block, in an evidence file, a
// backup or a mailbox, can show that a later chain does not contain it; one who kept nothing has only the key holder's
// word. A policy that wants more names a ledger that others run.
//
// A block is durable when Submit returns, and final at once. Blocks are plain text ([Block]); copying the folder while
// it is written to gives a valid chain.
package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/ledger"
)

// Kind is this ledger's kind in policies and evidence.
const Kind = "local"

// Clock tells the time.
type Clock interface {
	Now() time.Time
}

// Config is what a local ledger needs. Every field is required.
type Config struct {
	Dir    string // of the blocks; made if it is not there
	ID     string // the key name of every block, such as "local/0190b5a0-7c1e-7000-8000-000000000000"; never changes
	Signer Signer
	Clock  Clock
}

// Ledger is an open chain. Several handles, in several processes, may have one folder open. Its methods may be called
// concurrently.
type Ledger struct {
	id       string
	key      string
	verifier note.Verifier
	signer   Signer
	clock    Clock

	mu    sync.Mutex // over chain
	chain *chain
}

var _ ledger.Rebuilder = (*Ledger)(nil)

// Open reads and checks the chain in the folder. A broken chain, or one of another id or key, is ErrDamaged.
func Open(cfg Config) (*Ledger, error) {
	return open(cfg, files{sync: (*os.File).Sync, link: os.Link})
}

func open(cfg Config, f files) (*Ledger, error) {
	key, err := note.NewEd25519VerifierKey(cfg.ID, cfg.Signer.PublicKey())
	if err != nil {
		return nil, fmt.Errorf("opening the local ledger: reading its public key: %w", err)
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, fmt.Errorf("opening the local ledger: its id cannot be the name of a key: %w", err)
	}
	c, err := openChain(cfg.Dir, v, f)
	if err != nil {
		return nil, fmt.Errorf("opening the local ledger: %w", err)
	}
	return &Ledger{id: cfg.ID, key: key, verifier: v, signer: cfg.Signer, clock: cfg.Clock, chain: c}, nil
}

// Kind is "local".
func (l *Ledger) Kind() string { return Kind }

// ID is the key name of the blocks.
func (l *Ledger) ID() string { return l.id }

// VerifierKey is what a policy pins: the key in the encoding of note.NewVerifier, "<id>+<hash>+<key>".
func (l *Ledger) VerifierKey() string { return l.key }

// state is the content of Attempt.State, and of the proof.
type state struct {
	Block string `json:"block"` // the whole note
}

// Prepare signs the block that would follow now. Where the newest block of the origin holds the very same checkpoint,
// that block is the attempt.
func (l *Ledger) Prepare(ctx context.Context, c ledger.Checkpoint, open []ledger.Attempt) (ledger.Attempt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := Block{Origin: c.Origin, Size: c.Size}
	if len(c.Root) != len(b.Root) || c.Size == 0 || !validOrigin(c.Origin) {
		return ledger.Attempt{}, fmt.Errorf("preparing a block: %w: it is not a checkpoint", ledger.ErrRefused)
	}
	copy(b.Root[:], c.Root)
	if err := l.chain.catchUp(); err != nil {
		return ledger.Attempt{}, unavailable("preparing a block", err)
	}
	if head, ok := l.chain.heads[c.Origin]; ok && head.Size >= c.Size {
		if head.Size > c.Size || head.Root != b.Root {
			return ledger.Attempt{}, fmt.Errorf("preparing a block: %w: block %d has size %d of its origin",
				ledger.ErrRefused, head.Height, head.Size)
		}
		data, _, err := l.chain.read(head.Height)
		if err != nil {
			return ledger.Attempt{}, unavailable("preparing a block", err)
		}
		return attempt(c, data)
	}
	for _, a := range open {
		// The same checkpoint twice is the same block, also while it waits.
		if data, o, err := l.block(a); err == nil && l.chain.follows(o) == nil && o.Origin == b.Origin &&
			o.Size == b.Size && o.Root == b.Root {
			return attempt(c, data)
		}
	}
	b.Height, b.Previous, b.Time = l.chain.height+1, l.chain.lastHash, l.clock.Now().UTC().Truncate(time.Second)
	if b.Time.Before(l.chain.last.Time) {
		b.Time = l.chain.last.Time
	}
	data, err := sign(ctx, b, l.verifier, l.signer)
	if err != nil {
		return ledger.Attempt{}, unavailable("preparing a block", err)
	}
	return attempt(c, data)
}

func attempt(c ledger.Checkpoint, data []byte) (ledger.Attempt, error) {
	hash := sha256.Sum256(data)
	s, err := json.Marshal(state{Block: string(data)})
	if err != nil {
		return ledger.Attempt{}, fmt.Errorf("writing the state of an attempt: %w", err)
	}
	return ledger.Attempt{ID: hex.EncodeToString(hash[:]), Checkpoint: c, State: s}, nil
}

// block reads the block of an attempt and checks that it is one of ours.
func (l *Ledger) block(a ledger.Attempt) ([]byte, Block, error) {
	var s state
	if err := json.Unmarshal(a.State, &s); err != nil {
		return nil, Block{}, fmt.Errorf("%w: reading the state of an attempt: %w", ledger.ErrRefused, err)
	}
	b, err := ParseBlock([]byte(s.Block), l.verifier)
	if err != nil {
		return nil, Block{}, fmt.Errorf("%w: %w", ledger.ErrRefused, err)
	}
	return []byte(s.Block), b, nil
}

// Submit appends the attempt's block. ErrRefused says that another block has its place.
func (l *Ledger) Submit(_ context.Context, a ledger.Attempt) error {
	data, b, err := l.block(a)
	if err != nil {
		return fmt.Errorf("submitting a block: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.chain.catchUp(); err != nil {
		return unavailable("submitting a block", err)
	}
	if b.Height > l.chain.height {
		if err := l.chain.follows(b); err != nil {
			return fmt.Errorf("submitting block %d: %w: %w", b.Height, ledger.ErrRefused, err)
		}
	}
	if err := l.chain.add(b.Height, data); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("submitting block %d: %w: another block has its place", b.Height, ledger.ErrRefused)
	} else if err != nil {
		return unavailable("submitting a block", err)
	}
	if err := l.chain.catchUp(); err != nil {
		return unavailable("submitting a block", err)
	}
	return nil
}

// Rebuild appends the block of an attempt that was final: the attempts hold the blocks, so that a folder that was lost
// comes back as it was, to the byte.
func (l *Ledger) Rebuild(ctx context.Context, a ledger.Attempt) error { return l.Submit(ctx, a) }

// Status is Final once the block is in the chain; there is no Included.
func (l *Ledger) Status(_ context.Context, a ledger.Attempt) (ledger.Status, error) {
	data, b, err := l.block(a)
	if err != nil {
		return "", fmt.Errorf("looking for a block: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.chain.catchUp(); err != nil {
		return "", unavailable("looking for a block", err)
	}
	if b.Height > l.chain.height {
		if l.chain.follows(b) == nil {
			return ledger.Pending, nil
		}
		return ledger.Lost, nil
	}
	there, other, err := l.chain.read(b.Height)
	switch {
	case err != nil:
		return "", unavailable("looking for a block", err)
	case bytes.Equal(there, data):
		return ledger.Final, nil
	case other.Origin == b.Origin && other.Size >= b.Size:
		return ledger.Superseded, nil
	}
	return ledger.Lost, nil
}

// Prove returns {"block": "<the whole note>"}.
func (l *Ledger) Prove(ctx context.Context, a ledger.Attempt) (json.RawMessage, error) {
	s, err := l.Status(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("proving a block: %w", err)
	}
	if s != ledger.Final {
		return nil, fmt.Errorf("proving a block: %w", ledger.ErrUnknown)
	}
	data, _, err := l.block(a)
	if err != nil {
		return nil, fmt.Errorf("proving a block: %w", err)
	}
	return json.Marshal(state{Block: string(data)})
}

// Head is the newest block's checkpoint of the origin, without its note.
func (l *Ledger) Head(_ context.Context, origin string) (ledger.Checkpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.chain.catchUp(); err != nil {
		return ledger.Checkpoint{}, unavailable("reading the local ledger's head", err)
	}
	b, ok := l.chain.heads[origin]
	if !ok {
		return ledger.Checkpoint{}, fmt.Errorf("reading the local ledger's head: %w", ledger.ErrUnknown)
	}
	return ledger.Checkpoint{Origin: b.Origin, Size: b.Size, Root: b.Root[:]}, nil
}

// unavailable wraps what the disk or the signer said.
func unavailable(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, ledger.ErrUnavailable, err)
}
