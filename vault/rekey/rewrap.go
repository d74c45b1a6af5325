package rekey

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/seal"
)

// rewrapWorkers is how many batches are wrapped and committed at a time, while the next is being read.
const rewrapWorkers = 4

// States of a rewrap.
const (
	RewrapRunning = "running"
	RewrapDone    = "done"
	RewrapFailed  = "failed"
)

// Rewrap is how far a rewrap has come. It is known to the process that runs it; what it came to is on record.
type Rewrap struct {
	State      string
	Version    int   // every row gets this version of the tenant's key, or a newer one
	Seen       int64 // sealed rows that have been looked at; other tenants' are among them
	Total      int64 // sealed rows that there were at the beginning
	Rewrapped  int64 // rows that this run has rewrapped
	Unreadable int64 // rows that cannot be rewrapped: damaged, or their key is gone
	Began      time.Time
	Ended      time.Time // zero while it runs
	Err        error     // of one that failed
}

// errUnreadable says why a rewrap that has come to the end is not complete.
var errUnreadable = errors.New("some sealed rows cannot be rewrapped; the log names them")

// errMixed says why a rewrap ends at once. Nothing of the batch is kept.
var errMixed = errors.New("a key that the key service has rewrapped does not open in place of the one that it " +
	"was given (is a proxy in between?)")

// rewraps are the rewraps that run, and the last one of each tenant.
type rewraps struct {
	mu sync.Mutex
	of map[string]*rewrapping
}

// rewrapping is a rewrap on its way.
type rewrapping struct {
	k   *Keys
	who access.Who

	mu  sync.Mutex
	now Rewrap
}

// progress is how far it has come.
func (w *rewrapping) progress() Rewrap {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *rewrapping) count(change func(*Rewrap)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.now)
}

// StartRewrap begins to wrap the keys in all sealed rows of who's tenant with the newest version of the tenant's key,
// or joins the rewrap that runs here already; access.RewrapKeys is needed, while it runs too. It goes on in the
// background: Status says how far it has come. The next call begins a rewrap again that was broken off, which passes
// over the rows that are done.
//
// Errors: access.ErrDenied; journal.ErrClosed.
func (k *Keys) StartRewrap(ctx context.Context, who access.Who) (Rewrap, error) {
	target := 0
	_, err := k.cfg.Door.Act(ctx, who, access.RewrapKeys, func(view journal.View) (journal.Change, error) {
		key, err := keyOf(view, who.Tenant)
		if target = key.Newest; err != nil || key.Floor >= target {
			return journal.Change{}, err
		}
		return journal.Change{Events: []journal.Event{KeyRewrapBegun.New(journal.ID{},
			KeyRewrapBegunData{Version: target})}}, nil
	})
	if err == nil {
		err = k.working.Err()
	}
	if err != nil {
		return Rewrap{}, fmt.Errorf("starting to rewrap: %w", err)
	}
	k.rewraps.mu.Lock()
	defer k.rewraps.mu.Unlock()
	if w := k.rewraps.of[who.Tenant]; w != nil && w.progress().State == RewrapRunning {
		return w.progress(), nil
	}
	w := &rewrapping{k: k, who: who, now: Rewrap{State: RewrapRunning, Version: target, Began: k.cfg.Clock.Now()}}
	k.rewraps.of[who.Tenant] = w
	k.workers.Go(func() { w.run(k.working) })
	return w.progress(), nil
}

// lastRewrap is the rewrap of a tenant that runs here, or the last one that did; nil when there was none.
func (k *Keys) lastRewrap(tenant string) *Rewrap {
	k.rewraps.mu.Lock()
	defer k.rewraps.mu.Unlock()
	w := k.rewraps.of[tenant]
	if w == nil {
		return nil
	}
	now := w.progress()
	return &now
}

// run rewraps all that there is and says how it ended.
func (w *rewrapping) run(ctx context.Context) {
	err := w.all(ctx)
	if err == nil && w.progress().Unreadable > 0 {
		err = errUnreadable
	}
	if err == nil {
		err = w.complete(ctx)
	}
	ended := w.k.cfg.Clock.Now()
	w.count(func(p *Rewrap) {
		p.State, p.Ended = RewrapDone, ended
		if err != nil {
			p.State, p.Err = RewrapFailed, fmt.Errorf("rewrapping: %w", err)
		}
	})
	if err != nil && ctx.Err() == nil {
		w.k.cfg.Log.Error("a rewrap has ended early; what it has done stays done", "tenant", w.who.Tenant, "error", err)
	}
}

// all reads, wraps and commits in parallel.
func (w *rewrapping) all(ctx context.Context) error {
	total, err := w.k.countSealed(ctx)
	if err != nil {
		return err
	}
	w.count(func(p *Rewrap) { p.Total = total })
	group, ctx := errgroup.WithContext(ctx)
	batches := make(chan []sealedRow)
	group.Go(func() error {
		defer close(batches)
		return w.read(ctx, batches)
	})
	for range rewrapWorkers {
		group.Go(func() error {
			for batch := range batches {
				if err := w.rewrap(ctx, batch); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// read sends the rows that are to be rewrapped, batch by batch.
func (w *rewrapping) read(ctx context.Context, batches chan<- []sealedRow) error {
	rows := walk{view: w.k.cfg.Journal.View, rows: w.k.cfg.Rows, tenant: w.who.Tenant, below: w.progress().Version}
	for !rows.ended {
		found, seen, err := rows.next(ctx)
		if err != nil {
			return fmt.Errorf("reading the sealed rows: %w", err)
		}
		if len(found) > 0 {
			select {
			case batches <- found:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		w.count(func(p *Rewrap) { p.Seen += seen })
	}
	return nil
}

// rewrap rewraps a batch. When the key was rotated once more meanwhile, it wraps anew.
func (w *rewrapping) rewrap(ctx context.Context, batch []sealedRow) error {
	for try := 0; ; try++ {
		ready, broken, err := w.wrap(ctx, batch)
		if err == nil {
			err = w.probe(ctx, ready)
		}
		if err == nil {
			err = w.commit(ctx, ready)
		}
		if try == 0 && errors.Is(err, errStale) {
			continue
		}
		for _, row := range broken {
			w.unreadable(ctx, row)
		}
		return err
	}
}

// rewrapped is a row, and the value that is to take its place.
type rewrapped struct {
	sealedRow
	fresh []byte
}

// wrap asks the key service for a batch. Rows that cannot be rewrapped are broken, each with its reason.
func (w *rewrapping) wrap(ctx context.Context, batch []sealedRow) (ready []rewrapped, broken []sealedRow, err error) {
	var asked []sealedRow
	var wrapped []string
	for _, row := range batch {
		payload, err := seal.Wrapped(row.value)
		if row.err = errors.Join(row.err, err); row.err != nil {
			broken = append(broken, row)
			continue
		}
		asked, wrapped = append(asked, row), append(wrapped, payload)
	}
	if len(asked) == 0 {
		return nil, broken, nil
	}
	results, err := w.k.cfg.Keys.Rewrap(ctx, w.who.Tenant, wrapped)
	if err == nil && len(results) != len(asked) {
		err = fmt.Errorf("the key service rewrapped %d of %d", len(results), len(asked))
	}
	if err != nil {
		return nil, nil, err
	}
	for i, row := range asked {
		var fresh []byte
		if row.err = results[i].Err; row.err == nil {
			fresh, row.err = seal.Rewrap(row.value, results[i].Wrapped)
		}
		if row.err != nil {
			broken = append(broken, row)
			continue
		}
		ready = append(ready, rewrapped{row, fresh})
	}
	return ready, broken, nil
}

// probe opens the first and the last row of a batch, as they were and as they are to be. A rewrap is taken without a
// look into it; one that belongs to other rows, as when the answer was another request's, would leave the documents to
// the versions that are to be destroyed. Such an answer is wrong throughout, so two rows tell.
func (w *rewrapping) probe(ctx context.Context, ready []rewrapped) error {
	if len(ready) > 2 {
		ready = []rewrapped{ready[0], ready[len(ready)-1]}
	}
	var rows []seal.Sealed
	err := w.k.cfg.Journal.View(ctx, func(r journal.Reader) error {
		rows = nil
		for _, row := range ready {
			binding, err := w.k.cfg.Rows.Binding(r, row.key)
			if errors.Is(err, journal.ErrNotFound) { // it was erased meanwhile
				continue
			}
			if err != nil {
				return err
			}
			rows = append(rows, seal.Sealed{Binding: binding, Value: row.value},
				seal.Sealed{Binding: binding, Value: row.fresh})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading what rows are bound to: %w", err)
	}
	opened, err := seal.Open(ctx, w.k.cfg.Keys, w.who.Tenant, rows)
	if err != nil {
		return fmt.Errorf("looking into what was rewrapped: %w", err)
	}
	for i := range opened {
		clear(opened[i].Keyset)
		clear(opened[i].Salt)
		clear(opened[i].Text)
		if i%2 == 1 && opened[i].Err != nil && opened[i-1].Err == nil {
			return fmt.Errorf("%w: %w", errMixed, opened[i].Err)
		}
	}
	return nil
}

// unreadable counts and reports a row that cannot be rewrapped. A document's raises the alarm.
func (w *rewrapping) unreadable(ctx context.Context, row sealedRow) {
	w.count(func(p *Rewrap) { p.Unreadable++ })
	w.k.cfg.Log.Error("a sealed row cannot be rewrapped", "row", hex.EncodeToString(row.key), "error", row.err)
	w.k.cfg.Rows.Unreadable(ctx, w.who, row.key, row.err)
}

// commit puts the new values into their places. A row that is not as it was read any more is passed over: it was
// erased, or rewrapped by somebody else.
func (w *rewrapping) commit(ctx context.Context, ready []rewrapped) error {
	var puts []journal.Row
	_, err := w.k.cfg.Door.Act(ctx, w.who, access.RewrapKeys, func(view journal.View) (journal.Change, error) {
		puts = nil
		for _, row := range ready {
			value, err := journal.SealedRow(view, row.key)
			if err != nil {
				return journal.Change{}, err
			}
			if bytes.Equal(value, row.value) {
				puts = append(puts, journal.Row{Key: row.key, Value: row.fresh})
			}
		}
		if err := Current(view, w.who.Tenant, puts...); err != nil || len(puts) == 0 {
			return journal.Change{}, err
		}
		data := KeysRewrappedData{Version: w.progress().Version}
		for _, row := range puts {
			data.Rows = append(data.Rows, row.Key)
		}
		return journal.Change{Events: []journal.Event{KeysRewrapped.New(journal.ID{}, data)}, Sealed: puts}, nil
	})
	if err == nil {
		w.count(func(p *Rewrap) { p.Rewrapped += int64(len(puts)) })
	}
	return err
}

// complete puts on record that no row is older any more: none was found that is, and since the floor was raised, before
// the first was looked at, none can have been written.
func (w *rewrapping) complete(ctx context.Context) error {
	done := w.progress()
	_, err := w.k.cfg.Door.Act(ctx, w.who, access.RewrapKeys, func(view journal.View) (journal.Change, error) {
		key, err := keyOf(view, w.who.Tenant)
		if err != nil || key.Rewrapped >= done.Version && done.Rewrapped == 0 {
			return journal.Change{}, err
		}
		data := KeyRewrapCompletedData{Version: max(done.Version, key.Rewrapped), Count: done.Rewrapped}
		return journal.Change{Events: []journal.Event{KeyRewrapCompleted.New(journal.ID{}, data)}}, nil
	})
	return err
}
