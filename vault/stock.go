package vault

import (
	"context"
	"sync"
	"time"

	"muniment/vault/seal"
)

const (
	// stockLife is how long keys that were wrapped ahead may wait for their document. It bounds how long deposits go on
	// after the key service was sealed, and how long a key is in memory that is nobody's yet.
	stockLife = time.Second
	// stockPeriod is the time over which demand is counted: a batch of keys is as many as were taken in it.
	stockPeriod = 250 * time.Millisecond
)

// stock holds keys of documents to come, wrapped in batches while deposits are frequent: one request to the key service
// then serves many, and none of them waits for it. A deposit that comes alone finds none, and has its own wrapped.
type stock struct {
	most   int // in one batch; 0: nothing is wrapped ahead
	orders chan order

	mu      sync.Mutex
	shelves map[shelfName]*shelf
}

// order is a batch to be wrapped.
type order struct {
	name shelfName
	n    int
}

// maxOrders is how many orders may wait; while so many do, deposits have their own keys wrapped.
const maxOrders = 64

func newStock(most int) stock {
	return stock{most: most, orders: make(chan order, maxOrders), shelves: map[shelfName]*shelf{}}
}

// shelfName is what keys are of: whose, and for which cipher.
type shelfName struct {
	tenant string
	suite  seal.Suite
}

// shelf is the stock of one kind, oldest first, and what has been asked of it.
type shelf struct {
	keys    []*ownKeys
	since   time.Time // the beginning of the period
	taken   int       // in it
	before  int       // in the period before
	filling bool
}

// take returns keys from the stock, nil if it has none, and orders more when it runs low.
func (s *stock) take(name shelfName, now time.Time) (own *ownKeys) {
	if s.most == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shelves[name]
	if sh == nil {
		sh = &shelf{since: now}
		s.shelves[name] = sh
	}
	sh.discard(now)
	sh.count(now)
	if len(sh.keys) > 0 {
		own, sh.keys = sh.keys[0], sh.keys[1:]
	}
	want := min(s.most, max(sh.taken, sh.before))
	if sh.filling || want < 2 || len(sh.keys) > want/4 {
		return own
	}
	select {
	case s.orders <- order{name, want}:
		sh.filling = true
	default:
	}
	return own
}

// count notes that keys were asked for.
func (sh *shelf) count(now time.Time) {
	switch passed := now.Sub(sh.since); {
	case passed >= 2*stockPeriod || passed < 0:
		sh.since, sh.before, sh.taken = now, 0, 0
	case passed >= stockPeriod:
		sh.since, sh.before, sh.taken = now, sh.taken, 0
	}
	sh.taken++
}

// discard forgets keys that have waited too long.
func (sh *shelf) discard(now time.Time) {
	for len(sh.keys) > 0 && !now.Before(sh.keys[0].until) {
		sh.keys[0].forget()
		sh.keys = sh.keys[1:]
	}
}

// put adds a batch, which may be empty, to the stock.
func (s *stock) put(name shelfName, batch []*ownKeys) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shelves[name]
	sh.keys, sh.filling = append(sh.keys, batch...), false
}

// tidy forgets keys that nobody came for.
func (s *stock) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range s.shelves {
		sh.discard(now)
	}
}

// workStock wraps what is ordered, and forgets what was not needed, until ctx ends.
func (v *Vault) workStock(ctx context.Context) {
	tick := time.NewTicker(stockLife)
	defer tick.Stop()
	for {
		select {
		case o := <-v.stock.orders:
			v.restock(ctx, o)
		case <-tick.C:
			v.stock.tidy(v.cfg.Clock.Now())
		case <-ctx.Done():
			v.stock.tidy(v.cfg.Clock.Now().Add(stockLife))
			return
		}
	}
}

// restock wraps a batch of keys ahead. When that fails the next deposits have their own wrapped, and say why that
// fails.
func (v *Vault) restock(ctx context.Context, o order) {
	ctx, cancel := context.WithTimeout(ctx, stockLife)
	defer cancel()
	batch, err := v.wrapKeys(ctx, o.name.tenant, o.name.suite, o.n)
	if err != nil && ctx.Err() == nil {
		v.cfg.Log.Debug("no keys could be wrapped ahead", "error", err)
	}
	v.stock.put(o.name, batch)
}
