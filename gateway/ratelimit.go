package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

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
	// uploadWait is how long a deposit waits for the principal's other uploads.
	uploadWait = 5 * time.Second
)

// quotas bounds what each principal takes of the gateway. No entry is ever removed: it is small, and there are only as
// many as principals on record.
type quotas struct {
	limits Limits
	clock  journal.Clock

	mu  sync.Mutex
	all map[access.Who]*quota
}

// quota is that of one principal.
type quota struct {
	requests  *rate.Limiter
	verifying chan struct{} // holds an element for each body of evidence in memory
	inlines   chan struct{} // holds an element for each inline deposit in memory
	uploads   chan struct{} // holds an element for each deposit whose body is being read
}

func newQuotas(limits Limits, clock journal.Clock) *quotas {
	return &quotas{limits: limits, clock: clock, all: map[access.Who]*quota{}}
}

func (c *quotas) of(who access.Who) *quota {
	c.mu.Lock()
	defer c.mu.Unlock()
	one, ok := c.all[who]
	if !ok {
		one = &quota{
			requests:  rate.NewLimiter(rate.Limit(c.limits.Requests), burst*c.limits.Requests),
			verifying: make(chan struct{}, maxVerifying),
			inlines:   make(chan struct{}, maxInlines),
			uploads:   make(chan struct{}, c.limits.Uploads),
		}
		c.all[who] = one
	}
	return one
}

// admit counts a request, or refuses it and says how long to wait.
func (c *quotas) admit(who access.Who) error {
	if c.limits.Requests == 0 {
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

// upload takes one of the principal's places for uploads, which whoever reads the body gives back at its end. A burst
// of small deposits waits for its turn; who still has all places taken then is refused.
func (c *quotas) upload(ctx context.Context, who access.Who) (done func(), err error) {
	places := c.of(who).uploads
	wait := time.NewTimer(min(uploadWait, c.limits.MinSpeed.Stall))
	defer wait.Stop()
	select {
	case places <- struct{}{}:
		return sync.OnceFunc(func() { <-places }), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the caller's other uploads: %w", ctx.Err())
	case <-wait.C:
	}
	refused := problem.New(problem.TooManyUploads, "")
	refused.RetryAfter = uploadWait
	return nil, refused
}
