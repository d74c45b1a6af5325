package gateway

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
)

const (
	// together is how many times what one address may send all may send together without a credential.
	together = 16
	// bundleCost is how many requests an entry bundle counts as: it is hashed out of up to 256 bodies.
	bundleCost = 4
	// claimCost is how many requests an attempt at a one-time code counts as.
	claimCost = 10
	// maxBundles is how many entry bundles are made at a time.
	maxBundles = 2
	// maxAddresses is how many addresses are remembered, twice: those of late, and those of the time before.
	maxAddresses = 4096
)

// public paces requests without a credential: by address, and all together.
type public struct {
	rate  int // requests a second of one address; 0: any number
	clock journal.Clock
	all   *rate.Limiter

	mu        sync.Mutex
	late, old map[netip.Prefix]*rate.Limiter
}

func newPublic(perSecond int, clock journal.Clock) *public {
	return &public{
		rate: perSecond, clock: clock, all: rate.NewLimiter(rate.Limit(together*perSecond), together*burst*perSecond),
		late: map[netip.Prefix]*rate.Limiter{},
	}
}

// admit counts a request from an address as so many, or refuses it and says how long to wait. Those together with
// whom it would be too many are asked last, so that one address that is refused takes nothing of theirs.
func (p *public) admit(address string, cost int) error {
	if p.rate == 0 || cost == 0 {
		return nil
	}
	cost = min(cost, burst*p.rate) // more than a limiter ever has would never be let in
	now := p.clock.Now()
	own, wait := reserve(p.of(address), now, cost)
	if wait == 0 {
		if _, wait = reserve(p.all, now, cost); wait == 0 {
			return nil
		}
		own.CancelAt(now)
	}
	refused := problem.New(problem.TooManyRequests, "")
	refused.RetryAfter = wait
	return refused
}

// reserve takes so many of what a limiter has now, or nothing, and says how long it will be until it has them.
func reserve(of *rate.Limiter, now time.Time, cost int) (*rate.Reservation, time.Duration) {
	taken := of.ReserveN(now, cost)
	wait := taken.DelayFrom(now)
	if wait > 0 {
		taken.CancelAt(now)
	}
	return taken, wait
}

// of is the limiter of an address. Addresses are forgotten when many have come since: whoever has so many is held by
// what all may send together.
func (p *public) of(address string) *rate.Limiter {
	from := networkOf(address)
	p.mu.Lock()
	defer p.mu.Unlock()
	one, ok := p.late[from]
	if ok {
		return one
	}
	if one, ok = p.old[from]; !ok {
		one = rate.NewLimiter(rate.Limit(p.rate), burst*p.rate)
	}
	if len(p.late) >= maxAddresses {
		p.old, p.late = p.late, map[netip.Prefix]*rate.Limiter{}
	}
	p.late[from] = one
	return one
}

// networkOf is what one customer has: an IPv4 address, or an IPv6 /64. All that is no address is one customer's.
func networkOf(address string) netip.Prefix {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	ip = ip.Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

// bundle makes an entry bundle, a few at a time.
func (s *Server) bundle(ctx context.Context, path journal.TilePath) ([]byte, error) {
	select {
	case s.bundles <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for other entry bundles: %w", ctx.Err())
	}
	defer func() { <-s.bundles }()
	return s.cfg.Journal.EntryTile(ctx, path.N, path.Width)
}
