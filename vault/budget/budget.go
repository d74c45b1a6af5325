// Package budget bounds the memory that requests hold together while their bytes come in or go out. One number of bytes
// is divided between uses, and in each use fairly between those who ask.
//
// Memory is asked for before it is filled. Who asks for more than is free waits, those whose owner holds the least
// first. Nobody waits for ever: not the one who asks, who is refused after a while, and not the others, since a holder
// that fills what it was given too slowly is told to give it up once somebody whose owner holds less has waited.
package budget

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Use is what memory is held for. A request that holds memory for one use may wait for memory of a later use, and of no
// other: then there is no circle of requests that wait for one another.
type Use int

// The uses, in the order in which one request may ask for them.
const (
	Bodies Use = iota // bodies that are read whole before anything is done with them
	Work              // what an upload is encrypted in
	Parts             // what an upload keeps so as to send it again
	Reads             // what content is decrypted in
	uses
)

// eighths are the parts of all memory that the uses have.
var eighths = [uses]int64{Bodies: 1, Work: 3, Parts: 3, Reads: 1}

// DefaultPatience is how long a request waits for memory.
const DefaultPatience = 30 * time.Second

var (
	// ErrShort says that no memory became free in time.
	ErrShort = errors.New("other requests hold the memory")
	// ErrSlow says that the request has filled its memory too slowly while others waited for it.
	ErrSlow = errors.New("other requests wait for the memory that this one fills too slowly")
	// ErrTooMuch says that one request asks for more memory than one may have.
	ErrTooMuch = errors.New("this is more memory than one request may hold")
)

// Clock tells the time that waits are measured by.
type Clock interface {
	Now() time.Time
}

// Memory is what all requests share. A nil Memory grants whatever is asked for.
type Memory struct {
	patience time.Duration
	clock    Clock

	mu    sync.Mutex
	pools [uses]pool
}

// pool is the memory of one use.
type pool struct {
	most  int64 // bytes in all
	share int64 // bytes of one owner
	held  int64
	by    map[string]int64 // held, by owner
	queue []*waiter        // in the order of their coming
}

// waiter is somebody who has asked.
type waiter struct {
	grant    *Grant
	asked    time.Time
	relieved bool // somebody was told to give memory up for it
	granted  chan struct{}
}

// New makes a budget of so many bytes. With a patience of 0 a request waits for DefaultPatience.
func New(bytes int64, patience time.Duration, clock Clock) *Memory {
	if patience == 0 {
		patience = DefaultPatience
	}
	m := &Memory{patience: patience, clock: clock}
	for use := range uses {
		most := bytes * eighths[use] / 8
		m.pools[use] = pool{most: most, share: most * 2 / 3, by: map[string]int64{}}
	}
	return m
}

// Share is the largest amount that one owner may hold for the use, in bytes; 0 when there is no bound.
func (m *Memory) Share(use Use) int64 {
	if m == nil {
		return 0
	}
	return m.pools[use].share
}

// Held is how much is held for the use, in bytes.
func (m *Memory) Held(use Use) int64 {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pools[use].held
}

// Take waits until the owner may hold so many bytes more. The caller frees the grant.
func (m *Memory) Take(ctx context.Context, owner string, use Use, size int64) (*Grant, error) {
	if m == nil {
		return nil, nil
	}
	w, err := m.ask(owner, use, size)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, m.patience, ErrShort)
	defer cancel()
	select {
	case <-w.granted:
		return w.grant, nil
	case <-ctx.Done():
	}
	if m.withdraw(w) {
		return nil, fmt.Errorf("waiting for %d bytes of memory: %w", size, context.Cause(ctx))
	}
	return w.grant, nil // it came at the last moment
}

// Try takes memory if there is some now that nobody waits for.
func (m *Memory) Try(owner string, use Use, size int64) (*Grant, bool) {
	if m == nil {
		return nil, true
	}
	w, err := m.ask(owner, use, size)
	if err != nil || m.withdraw(w) {
		return nil, false
	}
	return w.grant, true
}

// ask puts a request into the queue, and serves it if it can be served.
func (m *Memory) ask(owner string, use Use, size int64) (*waiter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, now := &m.pools[use], m.clock.Now()
	if size > p.share {
		return nil, fmt.Errorf("%w: %d bytes of at most %d", ErrTooMuch, size, p.share)
	}
	w := &waiter{grant: &Grant{memory: m, use: use, owner: owner, size: size, since: now}, asked: now,
		granted: make(chan struct{})}
	p.queue = append(p.queue, w)
	m.serve(p)
	return w, nil
}

// withdraw takes a request out of the queue. It says false if it has been granted.
func (m *Memory) withdraw(w *waiter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-w.granted:
		return false
	default:
	}
	p := &m.pools[w.grant.use]
	p.remove(w)
	m.serve(p) // those behind it may fit where it did not
	return true
}

func (p *pool) remove(w *waiter) {
	for i, other := range p.queue {
		if other == w {
			p.queue = append(p.queue[:i], p.queue[i+1:]...)
			return
		}
	}
}

// serve grants what fits. The next one is always the one whose owner holds the least; while it does not fit, nobody
// overtakes it, or a large request would wait for as long as small ones come.
func (m *Memory) serve(p *pool) {
	for {
		next := p.next()
		if next == nil || p.held+next.grant.size > p.most {
			return
		}
		p.remove(next)
		p.held += next.grant.size
		p.by[next.grant.owner] += next.grant.size
		next.grant.since = m.clock.Now()
		close(next.granted)
	}
}

// next is whose turn it is: nil if everybody who waits has as much as one owner may.
func (p *pool) next() *waiter {
	var next *waiter
	for _, w := range p.queue {
		if p.by[w.grant.owner]+w.grant.size <= p.share &&
			(next == nil || p.by[w.grant.owner] < p.by[next.grant.owner]) {
			next = w
		}
	}
	return next
}

// Grant is memory that a request may hold. A nil Grant is one of a nil Memory.
type Grant struct {
	memory *Memory
	use    Use
	owner  string
	size   int64

	// Under memory.mu.
	since         time.Time // from when on the pace counts
	moved         int64     // bytes since then
	filled, freed bool
}

// Filled says that the memory has been filled: from now on it is not the client's pace that keeps it.
func (g *Grant) Filled() {
	if g == nil {
		return
	}
	g.memory.mu.Lock()
	defer g.memory.mu.Unlock()
	g.filled = true
}

// Moved notes that so many bytes have gone through the memory. Who turns it over once within the time that a request
// waits for memory does not fill it slowly, however long the whole takes.
func (g *Grant) Moved(bytes int) {
	if g == nil {
		return
	}
	g.memory.mu.Lock()
	defer g.memory.mu.Unlock()
	if g.moved += int64(bytes); g.moved >= g.size {
		g.since, g.moved = g.memory.clock.Now(), 0
	}
}

// Due is asked while the memory is being filled. It is ErrSlow when that has taken as long as a request waits for
// memory, somebody waits for a quarter of that time, and the owner of this grant holds more than the other will. Each
// one who waits has one holder give up.
func (g *Grant) Due() error {
	if g == nil {
		return nil
	}
	m := g.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	p, now := &m.pools[g.use], m.clock.Now()
	if g.filled || g.freed || len(p.queue) == 0 || now.Sub(g.since) < m.patience {
		return nil
	}
	for _, w := range p.queue {
		will := p.by[w.grant.owner] + w.grant.size
		if !w.relieved && w.grant.owner != g.owner && will <= min(p.share, p.by[g.owner]) &&
			now.Sub(w.asked) >= m.patience/4 {
			w.relieved = true
			return ErrSlow
		}
	}
	return nil
}

// Free gives the memory back. It may be called more than once.
func (g *Grant) Free() {
	if g == nil {
		return
	}
	m := g.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if g.freed {
		return
	}
	g.freed = true
	p := &m.pools[g.use]
	p.held -= g.size
	if p.by[g.owner] -= g.size; p.by[g.owner] == 0 {
		delete(p.by, g.owner)
	}
	m.serve(p)
}
