package vault

import (
	"context"
	"sync"
	"time"

	"muniment/vault/seal"
)

const (
	// poolLife is how long keys that were wrapped ahead may wait for their document. It bounds how long deposits go on
	// after the key service was sealed, and how long a key is in memory that is nobody's yet.
	poolLife = time.Second
	// poolPeriod is the time over which demand is counted: a batch of keys is as many as were taken in it.
	poolPeriod = 250 * time.Millisecond
)

// keyPool holds keys of documents to come, wrapped in batches while deposits are frequent: one request to the key
// service then serves many, and none of them waits for it. A deposit that comes alone finds none, and has its own
// wrapped.
type keyPool struct {
	most    int // in one batch; 0: nothing is wrapped ahead
	batches chan batch

	mu    sync.Mutex
	kinds map[poolKind]*kindPool
}

// batch says how many keys are to be wrapped in one call.
type batch struct {
	name poolKind
	n    int
}

// maxBatches is how many of them may wait; while so many do, deposits have their own keys wrapped.
const maxBatches = 64

func newKeyPool(most int) keyPool {
	return keyPool{most: most, batches: make(chan batch, maxBatches), kinds: map[poolKind]*kindPool{}}
}

// poolKind says whose keys they are, and for which cipher.
type poolKind struct {
	tenant string
	suite  seal.Suite
}

// kindPool is the keys of one kind, oldest first, and what has been asked of it.
type kindPool struct {
	keys    []*ownKeys
	since   time.Time // the beginning of the period
	taken   int       // in it
	before  int       // in the period before
	filling bool
}

// take returns keys from the pool, nil if it has none, and asks for a batch when it runs low.
func (p *keyPool) take(name poolKind, now time.Time) (own *ownKeys) {
	if p.most == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.kinds[name]
	if k == nil {
		k = &kindPool{since: now}
		p.kinds[name] = k
	}
	k.discard(now)
	k.count(now)
	if len(k.keys) > 0 {
		own, k.keys = k.keys[0], k.keys[1:]
	}
	want := min(p.most, max(k.taken, k.before))
	if k.filling || want < 2 || len(k.keys) > want/4 {
		return own
	}
	select {
	case p.batches <- batch{name, want}:
		k.filling = true
	default:
	}
	return own
}

// count notes that keys were asked for.
func (k *kindPool) count(now time.Time) {
	switch passed := now.Sub(k.since); {
	case passed >= 2*poolPeriod || passed < 0:
		k.since, k.before, k.taken = now, 0, 0
	case passed >= poolPeriod:
		k.since, k.before, k.taken = now, k.taken, 0
	}
	k.taken++
}

// discard forgets keys that have waited too long.
func (k *kindPool) discard(now time.Time) {
	for len(k.keys) > 0 && !now.Before(k.keys[0].until) {
		k.keys[0].forget()
		k.keys = k.keys[1:]
	}
}

// put adds a batch, which may be empty, to the pool.
func (p *keyPool) put(name poolKind, wrapped []*ownKeys) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.kinds[name]
	k.keys, k.filling = append(k.keys, wrapped...), false
}

// tidy forgets keys that nobody came for.
func (p *keyPool) tidy(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.kinds {
		k.discard(now)
	}
}

// workPool wraps batches, and forgets what was not needed, until ctx ends.
func (v *Vault) workPool(ctx context.Context) {
	tick := time.NewTicker(poolLife)
	defer tick.Stop()
	for {
		select {
		case b := <-v.pool.batches:
			v.refill(ctx, b)
		case <-tick.C:
			v.pool.tidy(v.cfg.Clock.Now())
		case <-ctx.Done():
			v.pool.tidy(v.cfg.Clock.Now().Add(poolLife))
			return
		}
	}
}

// refill wraps a batch of keys ahead. When that fails the next deposits have their own wrapped, and say why that
// fails.
func (v *Vault) refill(ctx context.Context, b batch) {
	ctx, cancel := context.WithTimeout(ctx, poolLife)
	defer cancel()
	wrapped, err := v.wrapKeys(ctx, b.name.tenant, b.name.suite, b.n)
	if err != nil && ctx.Err() == nil {
		v.cfg.Log.Debug("no keys could be wrapped ahead", "error", err)
	}
	v.pool.put(b.name, wrapped)
}
