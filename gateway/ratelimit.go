package gateway

import (
	"sync"

	"golang.org/x/time/rate"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
	"muniment/vault/access"
)

const (
	// burst is for how many seconds' worth of requests a quiet principal may send at once.
	burst = 5
	// maxVerifying is how many bodies of evidence one principal may have in memory.
	maxVerifying = 2
	// maxJudging is how many files of evidence are judged at a time, of all principals.
	maxJudging = 2
)

// quotas bounds what each principal takes of the gateway. No entry is ever removed: it is small, and there are only as
// many as principals on record.
type quotas struct {
	rate  int // requests a second; 0: any number
	clock journal.Clock

	mu  sync.Mutex
	all map[access.Who]*quota
}

// quota is that of one principal.
type quota struct {
	requests  *rate.Limiter
	verifying chan struct{} // holds an element for each body of evidence in memory
	inlines   chan struct{} // holds an element for each inline deposit in memory
}

func newQuotas(perSecond int, clock journal.Clock) *quotas {
	return &quotas{rate: perSecond, clock: clock, all: map[access.Who]*quota{}}
}

func (c *quotas) of(who access.Who) *quota {
	c.mu.Lock()
	defer c.mu.Unlock()
	one, ok := c.all[who]
	if !ok {
		one = &quota{
			requests:  rate.NewLimiter(rate.Limit(c.rate), burst*c.rate),
			verifying: make(chan struct{}, maxVerifying),
			inlines:   make(chan struct{}, maxInlines),
		}
		c.all[who] = one
	}
	return one
}

// admit counts a request, or refuses it and says how long to wait.
func (c *quotas) admit(who access.Who) error {
	if c.rate == 0 {
		return nil
	}
	now := c.clock.Now()
	turn := c.of(who).requests.ReserveN(now, 1)
	wait := turn.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	turn.CancelAt(now)
	refused := problem.New(problem.TooManyRequests, "")
	refused.RetryAfter = wait
	return refused
}
