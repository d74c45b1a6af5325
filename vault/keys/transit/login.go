package transit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"muniment/vault/keys"
)

// lease is a token and how long it lasts.
type lease struct {
	token     string
	renewable bool
	got       time.Time     // when it was got or last renewed
	ttl       time.Duration // from got on; 0 means that it does not expire
	full      time.Duration // what the ttl was at first
}

func (l lease) expired(now time.Time) bool { return l.ttl > 0 && !now.Before(l.got.Add(l.ttl)) }

const (
	firstPause = time.Second      // after a login that failed
	lastPause  = 10 * time.Second // after many
	calm       = 5 * time.Second  // if a second token is refused before that, another login is not tried at once
)

// login keeps us logged in. One goroutine, keep, does all logins and renewals; the others ask it for a token.
type login struct {
	cfg   Config
	enter func(context.Context) (lease, error)
	renew func(context.Context, lease) (lease, error)
	leave func(context.Context, lease)
	// jitter gives between half of a duration and all of it.
	jitter func(time.Duration) time.Duration

	wake    chan struct{}
	stop    chan struct{}
	stopped chan struct{}
	ending  sync.Once

	mu       sync.Mutex
	lease    lease         // without a token when there is none
	err      error         // why there is none
	failures int           // in a row
	next     time.Time     // no login before that
	replaced time.Time     // when a token was last refused
	ended    chan struct{} // closed when the try that is under way, or the next one, ends
}

func newLogin(c *client) *login {
	return &login{
		cfg: c.cfg, enter: c.enter, renew: c.renew, leave: c.leave, jitter: c.jitter,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
		ended: make(chan struct{}),
	}
}

// begin starts to keep us logged in, and waits for the first try.
func (l *login) begin(ctx context.Context) error {
	go l.keep()
	_, err := l.token(ctx)
	return err
}

// end stops it and gives the login back.
func (l *login) end() {
	l.ending.Do(func() { close(l.stop) })
	<-l.stopped
}

var errClosed = fmt.Errorf("the Vault key service is closed: %w", keys.ErrUnavailable)

// token gives the token. If there is none, a login is tried, unless the last one failed a moment ago.
func (l *login) token(ctx context.Context) (string, error) {
	for tries := 0; ; tries++ {
		l.mu.Lock()
		have, err, ended := l.lease.token, l.err, l.ended
		resting := err != nil && (tries > 0 || l.cfg.Clock.Now().Before(l.next))
		l.mu.Unlock()
		switch {
		case l.isStopped():
			return "", errClosed
		case have != "":
			return have, nil
		case resting:
			return "", err
		}
		l.nudge()
		select {
		case <-ended:
		case <-l.stop:
			return "", errClosed
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for the login to Vault: %w: %w", keys.ErrUnavailable, ctx.Err())
		}
	}
}

func (l *login) isStopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

func (l *login) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
}

// refused says whether an answer of status 403 is about our token rather than about what its policies allow. A denial
// of the latter kind must not cost us a token that works: the credential for another may be used up.
func refused(ans *answer) bool { return strings.Contains(ans.errors(), "invalid token") }

// replace gives another token than the one that was refused.
func (l *login) replace(ctx context.Context, refused string) (string, error) {
	l.mu.Lock()
	now := l.cfg.Clock.Now()
	if l.lease.token == refused {
		l.next = now
		if now.Sub(l.replaced) < calm {
			l.failed(now, fmt.Errorf("the Vault at %s refuses the token that it has just given or confirmed: %w",
				l.cfg.Address, keys.ErrDenied))
		}
		l.lease, l.replaced = lease{}, now
	}
	l.mu.Unlock()
	return l.token(ctx)
}

// failed notes a login that failed. The caller holds mu.
func (l *login) failed(now time.Time, err error) {
	l.err = err
	l.next = now.Add(l.jitter(min(firstPause<<min(l.failures, 8), lastPause)))
	l.failures++
}

// keep logs in and renews until end.
func (l *login) keep() {
	defer close(l.stopped)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-l.stop
		cancel()
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-l.wake:
		case <-l.stop:
			l.giveBack()
			return
		}
		timer.Reset(l.work(ctx))
	}
}

// giveBack ends the login in Vault, which has a limit on how many there are.
func (l *login) giveBack() {
	l.mu.Lock()
	last := l.lease
	l.lease = lease{}
	l.mu.Unlock()
	if last.token == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	l.leave(ctx, last)
}

// work does what is due and says when to look again.
func (l *login) work(ctx context.Context) time.Duration {
	l.mu.Lock()
	now := l.cfg.Clock.Now()
	if l.lease.token != "" && l.lease.expired(now) {
		l.lease = lease{}
		if l.failures == 0 {
			l.next = now
		}
	}
	have, next := l.lease, l.next
	l.mu.Unlock()
	if have.token == "" || have.ttl > 0 || l.failing() {
		if wait := next.Sub(now); wait > 0 {
			return wait
		}
		l.try(ctx, have)
	}
	return l.due()
}

func (l *login) failing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures > 0
}

// due says how long there is nothing to do. A lease is renewed after one to two thirds of its time.
func (l *login) due() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.next.Sub(l.cfg.Clock.Now())
	if l.lease.token != "" && l.lease.ttl == 0 && l.failures == 0 {
		wait = time.Hour
	}
	return max(wait, 10*time.Millisecond)
}

// try renews the lease or logs in, and notes what came of it.
func (l *login) try(ctx context.Context, have lease) {
	ctx, cancel := context.WithTimeout(ctx, 2*l.cfg.RequestTimeout)
	defer cancel()
	got, err := l.obtain(ctx, have)
	if l.isStopped() && err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.cfg.Clock.Now()
	if err != nil {
		l.failed(now, err)
		if l.failures == 1 {
			l.cfg.Log.Warn("the login to Vault cannot be got or renewed now", "err", err)
		}
	} else {
		if l.failures > 0 {
			l.cfg.Log.Info("logged in to Vault again")
		}
		l.lease, l.err, l.failures = got, nil, 0
		l.next = now.Add(max(l.jitter(got.ttl*2/3), firstPause/2))
	}
	close(l.ended)
	l.ended = make(chan struct{})
}

// obtain renews the lease while that prolongs it, and logs in otherwise.
func (l *login) obtain(ctx context.Context, have lease) (lease, error) {
	if have.token == "" || !have.renewable {
		return l.enter(ctx)
	}
	got, err := l.renew(ctx, have)
	switch {
	case err == nil && got.ttl > have.full/2:
		return got, nil
	case err == nil: // its maximum age is near
		return l.enter(ctx)
	case errors.Is(err, keys.ErrUnavailable):
		return lease{}, err
	default:
		return l.enter(ctx)
	}
}
