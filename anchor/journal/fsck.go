package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Finding is a state that the log does not explain.
type Finding struct {
	Table   Table
	Key     []byte
	Problem string
}

// String names table and key, the key in hexadecimal unless it is plain text.
func (f Finding) String() string {
	key := fmt.Sprintf("%x", f.Key)
	if plain(string(f.Key), 1, 512) {
		key = string(f.Key)
	}
	return fmt.Sprintf("%s %s: %s", f.Table, key, f.Problem)
}

// FsckConfig is what Fsck needs. The journal must not be open.
type FsckConfig struct {
	Backend Backend
	Bucket  Bucket // nil: the released head is not compared
	// ShippingKeys authenticates the heads and what was shipped. Nil: they are checked, and not authenticated.
	ShippingKeys ShippingKeys
	Definitions  []Definition
	// Scratch is an empty backend that the replay writes its tables to.
	Scratch Backend
	// Tokens unwraps sealed rows in batches, checks their bindings, and returns for each the tokens that must lead to
	// it, or why it cannot. Nil: the index is compared only as far as that goes without keys.
	Tokens func(ctx context.Context, rows []SealedRowAt) ([]TokensOf, error)
	// Allowed, if not nil, is asked of each event whether its actor was allowed to do it then.
	Allowed Allowed
	// Progress, if not nil, is told of how many of how many entries have been replayed.
	Progress func(done, of uint64)
}

// fsck is one run of Fsck.
type fsck struct {
	cfg      FsckConfig
	schema   *schema
	head     Head
	replayed *edge
	findings []Finding
	bucket   shipped
	released *releasedHead
	// unknownTokens are the sealed rows whose tokens are not known: a restore has not computed them again yet, or the
	// row cannot be unwrapped.
	unknownTokens map[string]bool
}

// Fsck replays the bodies into scratch tables and compares them with the journal's, row by row; it holds sealed rows
// against the events that bind them, the index against the sealed rows, and the head against the released one. Findings
// are the differences; an error says that the check itself could not be done.
func Fsck(ctx context.Context, cfg FsckConfig) ([]Finding, error) {
	s, err := newSchema(cfg.Definitions, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	s.allowed = newAllowance(cfg.Allowed)
	f := &fsck{cfg: cfg, schema: s, unknownTokens: map[string]bool{}, bucket: shipped{Bucket: cfg.Bucket}}
	for _, check := range []func(context.Context) error{
		f.readHead, f.replay, f.compareLog, f.compareSealed, f.compareVolatile, f.compareIndex,
		f.compareUnknownTables, f.compareShippingKeys, f.compareReleased} {
		if err := check(ctx); err != nil {
			return f.findings, fmt.Errorf("checking the journal: %w", err)
		}
	}
	return f.findings, nil
}

func (f *fsck) found(t Table, key []byte, problem string, args ...any) {
	f.findings = append(f.findings, Finding{Table: t, Key: bytes.Clone(key), Problem: fmt.Sprintf(problem, args...)})
}

// readHead reads both heads. A journal without a readable head is replayed from its bodies alone.
func (f *fsck) readHead(ctx context.Context) error {
	err := f.cfg.Backend.View(ctx, func(r Reader) error {
		head, ok, err := readHead(r)
		switch {
		case errors.Is(err, ErrDamaged):
			f.found(headTable, headKey, "it cannot be read")
		case err != nil:
			return err
		case !ok:
			f.found(headTable, headKey, "it is missing")
		}
		f.head = head
		return nil
	})
	if err != nil || f.cfg.Bucket == nil {
		return err
	}
	if err := f.authenticate(ctx); err != nil {
		return err
	}
	f.released, err = readReleased(ctx, f.bucket)
	if errors.Is(err, errUnauthentic) {
		f.found(headTable, headKey, "%v", err)
		f.bucket.keys = nil
		f.released, err = readReleased(ctx, f.bucket)
	}
	if err == nil && f.head.Origin == "" && f.released != nil {
		f.head.Origin = f.released.Origin
	}
	return err
}

// authenticate checks the head row with the shipping key, if there is one.
func (f *fsck) authenticate(ctx context.Context) error {
	if f.cfg.ShippingKeys == nil {
		return nil
	}
	f.bucket.keys = newKeyring(f.cfg.ShippingKeys, f.cfg.Bucket, f.cfg.Backend, f.head.Journal)
	var row []byte
	err := f.cfg.Backend.View(ctx, func(r Reader) error {
		stored, err := r.Get(headTable, headKey)
		if f.head.Key == 0 { // written while the key service was down: the last one under the shipping key is checked
			stored, err = r.Get(headTable, shippingHeadKey)
		}
		row = bytes.Clone(stored)
		return err
	})
	if err != nil || row == nil {
		return err
	}
	head, err := parseHead(row)
	if err != nil {
		return nil // it is found already
	}
	key, err := f.bucket.keys.get(ctx, head.Key)
	if err == nil {
		err = verifyHeadRow(row, key)
	}
	if errors.Is(err, errUnauthentic) {
		f.found(headTable, headKey, "%v", err)
		return nil
	}
	return err
}

// replay runs the bodies through the reducers into the scratch backend, up to the first body that cannot be.
func (f *fsck) replay(ctx context.Context) error {
	head := Head{Origin: f.head.Origin}
	f.replayed = &edge{}
	for {
		var items []batchItem
		if err := f.cfg.Backend.View(ctx, func(r Reader) (err error) {
			items, err = f.readBodies(r, f.replayed.size)
			return err
		}); err != nil {
			return err
		}
		if len(items) == 0 {
			break
		}
		var (
			g      *group
			broken error
		)
		err := f.cfg.Scratch.Update(ctx, func(tx Txn) error {
			g = &group{overlay: newOverlay(tx), schema: f.schema, head: head, edge: f.replayed.clone()}
			broken = g.replay(items)
			if err := g.seal(); err != nil {
				return err
			}
			return g.flush(tx)
		})
		if err != nil {
			return err
		}
		head, f.replayed = g.head, g.edge
		if broken != nil {
			f.found(bodyTable, indexKey(f.replayed.size), "it cannot be replayed: %v", broken)
			break
		}
		if f.cfg.Progress != nil {
			f.cfg.Progress(f.replayed.size, f.head.Size)
		}
	}
	f.schema.allowed.report(f)
	return nil
}

// readBodies reads a chunk of bodies; a gap is found and ends the replay.
func (f *fsck) readBodies(r Reader, from uint64) (items []batchItem, err error) {
	next := from
	err = r.Scan(bodyTable, Range{From: indexKey(from)}, func(key, row []byte) error {
		if len(items) == chunkRows {
			return Stop
		}
		if !bytes.Equal(key, indexKey(next)) {
			f.found(bodyTable, indexKey(next), "it is missing")
			return Stop
		}
		item, err := entryItem(key, row, next)
		if err != nil {
			f.found(bodyTable, key, "its row is damaged")
			return Stop
		}
		next++
		items = append(items, item)
		return nil
	})
	return items, err
}
