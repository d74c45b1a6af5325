package transit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muniment/vault/keys"
)

type bubbleClock struct{}

func (bubbleClock) Now() time.Time { return time.Now() }

// authority stands for Vault in tests of when we log in. Its network part is tested against a real one.
type authority struct {
	mu       sync.Mutex
	ttl, age time.Duration // what a login gives, and how long its token can be renewed; 0: for ever
	fail     error
	number   int
	entered  []time.Time
	renewed  []time.Time
	left     int
	born     time.Time
}

func (a *authority) enter(context.Context) (lease, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entered = append(a.entered, time.Now())
	if a.fail != nil {
		return lease{}, a.fail
	}
	a.number++
	a.born = time.Now()
	return lease{token: string(rune('a' + a.number)), renewable: a.age > 0, got: a.born, ttl: a.ttl, full: a.ttl}, nil
}

func (a *authority) renew(_ context.Context, have lease) (lease, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.renewed = append(a.renewed, time.Now())
	if a.fail != nil {
		return lease{}, a.fail
	}
	have.got, have.ttl = time.Now(), min(a.ttl, a.age-time.Since(a.born))
	return have, nil
}

func (a *authority) leave(context.Context, lease) { a.left++ }

func (a *authority) set(fail error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail, a.entered, a.renewed = fail, nil, nil
}

// counts gives how many logins and renewals there were.
func (a *authority) counts() (entered, renewed int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.entered), len(a.renewed)
}

// login keeps one logged in by the authority.
func (a *authority) login(t *testing.T) *login {
	t.Helper()
	l := &login{
		cfg:   Config{Clock: bubbleClock{}, RequestTimeout: 10 * time.Second, Log: slog.New(slog.DiscardHandler)},
		enter: a.enter, renew: a.renew, leave: a.leave,
		jitter: func(d time.Duration) time.Duration { return d * 3 / 4 },
		wake:   make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
		ended: make(chan struct{}),
	}
	t.Cleanup(l.end)
	return l
}

func mustToken(t *testing.T, l *login) string {
	t.Helper()
	token, err := l.token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestLoginIsRenewedAndThenReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{ttl: time.Hour, age: 10 * time.Hour}
		l := a.login(t)
		if err := l.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := mustToken(t, l)
		for range 100 {
			time.Sleep(6 * time.Minute)
			l.mu.Lock()
			expired := l.lease.expired(time.Now())
			l.mu.Unlock()
			if expired {
				t.Fatal("the token expired")
			}
		}
		if m, n := a.counts(); n < 18 || n > 25 || m != 2 {
			t.Errorf("in 10 hours there were %d renewals and %d logins, want some 20 and 2", n, m)
		}
		if mustToken(t, l) == first {
			t.Error("after its maximum age the token is still the same")
		}
		l.end()
		if a.left != 1 {
			t.Errorf("the login was given back %d times", a.left)
		}
	})
}

func TestLoginWhileVaultIsDown(t *testing.T) {
	down := errors.Join(errors.New("down"), keys.ErrUnavailable)
	for name, fail := range map[string]error{"down": down,
		"denied": errors.Join(errors.New("denied"), keys.ErrDenied)} {
		synctest.Test(t, func(t *testing.T) {
			a := &authority{ttl: time.Hour, age: 1000 * time.Hour, fail: fail}
			l := a.login(t)
			if err := l.begin(t.Context()); !errors.Is(err, fail) {
				t.Fatalf("%s: %v", name, err)
			}
			for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				if _, err := l.token(t.Context()); !errors.Is(err, fail) {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if n, _ := a.counts(); n < 60 || n > 100 { // one in 10 s at most
				t.Errorf("%s: in 10 minutes with 60,000 calls there were %d logins", name, n)
			}
			a.set(nil)
			begin := time.Now()
			for {
				if _, err := l.token(t.Context()); err == nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if took := time.Since(begin); took > lastPause {
				t.Errorf("%s: it took %v to log in when that was possible", name, took)
			}
		})
	}
}

// A renewal that fails is tried again while the token lives, without a spin; calls go on with it; then there is none.
func TestRenewalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{ttl: time.Hour, age: 1000 * time.Hour}
		l := a.login(t)
		if err := l.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.set(errors.Join(errors.New("down"), keys.ErrUnavailable))
		time.Sleep(59 * time.Minute)
		mustToken(t, l)
		if _, n := a.counts(); n < 60 || n > 400 {
			t.Errorf("there were %d renewals in half an hour", n)
		}
		time.Sleep(2 * time.Minute)
		if _, err := l.token(t.Context()); !errors.Is(err, keys.ErrUnavailable) {
			t.Errorf("after the token's end: %v, want ErrUnavailable", err)
		}
		a.set(nil)
		time.Sleep(lastPause)
		mustToken(t, l)
	})
}

// Vault has revoked the token, so renewing is denied: it logs in again.
func TestRenewalIsDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{ttl: time.Hour, age: 1000 * time.Hour}
		l := a.login(t)
		l.renew = func(context.Context, lease) (lease, error) { return lease{}, keys.ErrDenied }
		if err := l.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := mustToken(t, l)
		time.Sleep(time.Hour)
		if n, _ := a.counts(); mustToken(t, l) == first || n < 2 {
			t.Errorf("%d logins, want a second", n)
		}
	})
}

// Of many callers whose token is refused at once, one login is made.
func TestReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{ttl: time.Hour, age: 1000 * time.Hour}
		l := a.login(t)
		if err := l.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := mustToken(t, l)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if got, err := l.replace(t.Context(), first); err != nil || got == first {
					t.Errorf("replaced by %q, %v", got, err)
				}
			})
		}
		wg.Wait()
		if n, _ := a.counts(); n != 2 {
			t.Errorf("%d logins, want 2", n)
		}
		// A Vault that refuses each token that it gives is not asked for one after the other.
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if token, err := l.token(t.Context()); err == nil {
				_, _ = l.replace(t.Context(), token)
			} else if !errors.Is(err, keys.ErrDenied) {
				t.Fatalf("while every token is refused: %v, want ErrDenied", err)
			}
		}
		if n, _ := a.counts(); n > 90 {
			t.Errorf("%d logins in a minute", n)
		}
	})
}

func TestTokenOfOneWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{}
		l := a.login(t)
		l.enter = func(ctx context.Context) (lease, error) {
			<-ctx.Done()
			return lease{}, errors.Join(ctx.Err(), keys.ErrUnavailable)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.begin(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, keys.ErrUnavailable) {
			t.Errorf("%v, want ErrUnavailable and DeadlineExceeded", err)
		}
		l.end()
		if _, err := l.token(t.Context()); !errors.Is(err, errClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}
