package ledgertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"muniment/anchor/ledger"
)

// Fake is a handle on a ledger in memory that is driven by hand: nothing is included, final or lost until a test says
// so. It fails its test when somebody breaks the contract: prepares or submits twice at once through one handle,
// submits what was not persisted, or changes an attempt.
type Fake struct {
	kind, id string
	chain    *fakeChain
	busy     atomic.Bool
}

// fakeChain is the ledger behind the handles.
type fakeChain struct {
	t Reporter

	mu        sync.Mutex
	down      bool
	breaks    []bool // how the next submissions fail; true: after taking effect
	persisted func(ledger.Attempt) bool
	attempts  []*fakeAttempt // by number
	included  []*fakeAttempt // in the order of the blocks, the final ones first
	finals    int            // of included
}

// fakeAttempt is what the ledger knows of an attempt. One with the status "" was prepared and never sent.
type fakeAttempt struct {
	ledger.Attempt
	status ledger.Status
}

// Reporter is told of what breaks the contract: a testing.T or a rapid.T.
type Reporter interface {
	Errorf(format string, args ...any)
}

// NewFake makes an empty ledger.
func NewFake(t Reporter, kind, id string) *Fake {
	return &Fake{kind: kind, id: id, chain: &fakeChain{t: t}}
}

// Handle is another handle on the same ledger, as another process, or the next life of this one, has it.
func (f *Fake) Handle() *Fake { return &Fake{kind: f.kind, id: f.id, chain: f.chain} }

// Env is this fake as the suite drives it.
func (f *Fake) Env() Env {
	return Env{
		Ledger: f,
		Reopen: func(*testing.T) ledger.Ledger { return f.Handle() },
		Verify: f.verify,
		Advance: func(*testing.T) {
			f.Finalize()
			f.Include()
		},
		Break: func(_ *testing.T, late bool) { f.Break(late) },
	}
}

// Persisted sets the question whether an attempt is on record; Submit of one that is not fails the test.
func (f *Fake) Persisted(on func(ledger.Attempt) bool) {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	f.chain.persisted = on
}

// Down makes every call fail with ErrUnavailable, or ends that.
func (f *Fake) Down(down bool) {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	f.chain.down = down
}

// Break makes the next Submit fail with ErrUnavailable, before or (late) after it took effect.
func (f *Fake) Break(late bool) {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	f.chain.breaks = append(f.chain.breaks, late)
}

// Include puts every pending attempt into a block, or loses it if the chain holds a larger size by then.
func (f *Fake) Include() {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	for _, a := range f.chain.attempts {
		if a.status != ledger.Pending {
			continue
		}
		if f.chain.contradicts(f.chain.included, a.Checkpoint) {
			a.status = ledger.Superseded
			continue
		}
		a.status = ledger.Included
		f.chain.included = append(f.chain.included, a)
	}
}

// Finalize makes every included attempt final.
func (f *Fake) Finalize() {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	for _, a := range f.chain.included[f.chain.finals:] {
		a.status = ledger.Final
	}
	f.chain.finals = len(f.chain.included)
}

// Reorg takes every included attempt that is not final out of the chain. They are lost, or (requeue) pending again.
func (f *Fake) Reorg(requeue bool) {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	for _, a := range f.chain.included[f.chain.finals:] {
		if a.status = ledger.Lost; requeue {
			a.status = ledger.Pending
		}
	}
	f.chain.included = f.chain.included[:f.chain.finals]
}

// Drop loses every pending attempt.
func (f *Fake) Drop() {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	for _, a := range f.chain.attempts {
		if a.status == ledger.Pending {
			a.status = ledger.Lost
		}
	}
}

// Forget makes the ledger forget every pending attempt, as a restarted node loses its pool: they must be sent again.
func (f *Fake) Forget() {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	for _, a := range f.chain.attempts {
		if a.status == ledger.Pending {
			a.status = ""
		}
	}
}

// Finals are the checkpoints that are final, oldest first.
func (f *Fake) Finals() []ledger.Checkpoint {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	var all []ledger.Checkpoint
	for _, a := range f.chain.included[:f.chain.finals] {
		all = append(all, a.Checkpoint)
	}
	return all
}

// Prepared is how many attempts were ever prepared.
func (f *Fake) Prepared() int {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	return len(f.chain.attempts)
}

// Kind is the kind that the fake was made with.
func (f *Fake) Kind() string { return f.kind }

// ID is the id that the fake was made with.
func (f *Fake) ID() string { return f.id }

// enter locks the chain and says whether it answers.
func (f *Fake) enter(ctx context.Context) (leave func(), err error) {
	f.chain.mu.Lock()
	if err := ctx.Err(); err != nil {
		f.chain.mu.Unlock()
		return nil, fmt.Errorf("asking the fake ledger: %w: %w", ledger.ErrUnavailable, err)
	}
	if f.chain.down {
		f.chain.mu.Unlock()
		return nil, fmt.Errorf("asking the fake ledger: %w: it is down", ledger.ErrUnavailable)
	}
	return f.chain.mu.Unlock, nil
}

// alone fails the test when this handle prepares or submits already.
func (f *Fake) alone() (done func()) {
	if !f.busy.CompareAndSwap(false, true) {
		f.chain.t.Errorf("%s: somebody prepares or submits while somebody else does", f.id)
		return func() {}
	}
	return func() { f.busy.Store(false) }
}

// Prepare makes an attempt with the next number.
func (f *Fake) Prepare(ctx context.Context, c ledger.Checkpoint, open []ledger.Attempt) (ledger.Attempt, error) {
	defer f.alone()()
	leave, err := f.enter(ctx)
	if err != nil {
		return ledger.Attempt{}, err
	}
	defer leave()
	for _, a := range open {
		if _, err := f.chain.find(a); err != nil {
			f.chain.t.Errorf("%s: an open attempt that is none of ours: %v", f.id, err)
		}
	}
	if f.chain.contradicts(f.chain.included[:f.chain.finals], c) {
		return ledger.Attempt{}, fmt.Errorf("preparing: %w", ledger.ErrRefused)
	}
	number := strconv.Itoa(len(f.chain.attempts))
	a := ledger.Attempt{ID: "tx-" + number, Checkpoint: c, State: json.RawMessage(`{"number":` + number + `}`)}
	f.chain.attempts = append(f.chain.attempts, &fakeAttempt{Attempt: a})
	return a, nil
}

// Submit makes the attempt pending.
func (f *Fake) Submit(ctx context.Context, a ledger.Attempt) error {
	defer f.alone()()
	leave, err := f.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	known, err := f.chain.find(a)
	if err != nil {
		f.chain.t.Errorf("%s: submitting: %v", f.id, err)
		return err
	}
	if f.chain.persisted != nil && !f.chain.persisted(a) {
		f.chain.t.Errorf("%s: %s was submitted before it was persisted", f.id, a.ID)
	}
	failed, late := false, false
	if len(f.chain.breaks) > 0 {
		failed, late, f.chain.breaks = true, f.chain.breaks[0], f.chain.breaks[1:]
	}
	if failed && !late {
		return fmt.Errorf("submitting: %w: the connection was refused", ledger.ErrUnavailable)
	}
	if known.status == "" && !f.chain.contradicts(f.chain.included[:f.chain.finals], a.Checkpoint) {
		known.status = ledger.Pending
	}
	switch {
	case failed:
		return fmt.Errorf("submitting: %w: the answer was lost", ledger.ErrUnavailable)
	case known.status == "" || known.status == ledger.Lost || known.status == ledger.Superseded:
		return fmt.Errorf("submitting: %w", ledger.ErrRefused)
	}
	return nil
}

// Status says what the test has made of the attempt.
func (f *Fake) Status(ctx context.Context, a ledger.Attempt) (ledger.Status, error) {
	leave, err := f.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	known, err := f.chain.find(a)
	switch {
	case err != nil:
		return "", err
	case known.status != "":
		return known.status, nil
	case f.chain.contradicts(f.chain.included[:f.chain.finals], a.Checkpoint):
		return ledger.Lost, nil
	}
	return ledger.Pending, nil
}

// Prove returns {"number": n}, which only the chain itself can check.
func (f *Fake) Prove(ctx context.Context, a ledger.Attempt) (json.RawMessage, error) {
	leave, err := f.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	known, err := f.chain.find(a)
	if err != nil {
		return nil, err
	}
	if known.status != ledger.Included && known.status != ledger.Final {
		return nil, fmt.Errorf("proving: %w", ledger.ErrUnknown)
	}
	return known.State, nil
}

// Head is the newest included checkpoint.
func (f *Fake) Head(ctx context.Context, origin string) (ledger.Checkpoint, error) {
	leave, err := f.enter(ctx)
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	defer leave()
	for i := len(f.chain.included) - 1; i >= 0; i-- {
		if c := f.chain.included[i].Checkpoint; c.Origin == origin {
			return c, nil
		}
	}
	return ledger.Checkpoint{}, fmt.Errorf("reading the head: %w", ledger.ErrUnknown)
}

// find returns the attempt as it was prepared, or an error if this is not it.
func (c *fakeChain) find(a ledger.Attempt) (*fakeAttempt, error) {
	var state struct{ Number int }
	if err := json.Unmarshal(a.State, &state); err != nil {
		return nil, fmt.Errorf("reading the state of %s: %w", a.ID, err)
	}
	if state.Number < 0 || state.Number >= len(c.attempts) {
		return nil, fmt.Errorf("%s: %w", a.ID, ledger.ErrUnknown)
	}
	known := c.attempts[state.Number]
	want, got := known.Checkpoint, a.Checkpoint
	if a.ID != known.ID || got.Origin != want.Origin || got.Size != want.Size || !bytes.Equal(got.Root, want.Root) ||
		!bytes.Equal(got.Note, want.Note) {
		return nil, fmt.Errorf("%s was changed since it was prepared", a.ID)
	}
	return known, nil
}

// contradicts says whether the blocks hold a larger size of c's origin, or the same with another root.
func (c *fakeChain) contradicts(blocks []*fakeAttempt, want ledger.Checkpoint) bool {
	for _, b := range blocks {
		if b.Checkpoint.Origin != want.Origin {
			continue
		}
		if b.Checkpoint.Size > want.Size ||
			b.Checkpoint.Size == want.Size && !bytes.Equal(b.Checkpoint.Root, want.Root) {
			return true
		}
	}
	return false
}

// verify believes a proof that names a final attempt at this checkpoint.
func (f *Fake) verify(want ledger.Checkpoint, proof json.RawMessage) error {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	var state struct{ Number int }
	if err := json.Unmarshal(proof, &state); err != nil {
		return err
	}
	if state.Number < 0 || state.Number >= len(f.chain.attempts) {
		return errors.New("no such attempt")
	}
	got := f.chain.attempts[state.Number]
	if got.status != ledger.Final || got.Checkpoint.Origin != want.Origin || got.Checkpoint.Size != want.Size ||
		!bytes.Equal(got.Checkpoint.Root, want.Root) {
		return errors.New("the attempt is not final, or about something else")
	}
	return nil
}
