// Package journaltest is the kit for tests of the journal and of what stands on it: a clock that stands still,
// randomness that repeats, a fixed signer, and a release bucket in memory that fails at will and watches what is done
// to it.
package journaltest

import (
	"context"
	"crypto/ed25519"
	"io"
	"math/rand/v2" //nolint:depguard // tests want randomness that repeats
	"sync"
	"time"

	"muniment/anchor/journal"
)

// Clock is a clock that moves only when it is told to. It may be used concurrently.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	passed time.Duration
}

// NewClock is a clock that shows 2 January 2026, 15:04:05.000006 UTC.
func NewClock() *Clock {
	return &Clock{now: time.Date(2026, time.January, 2, 15, 4, 5, 6000, time.UTC)}
}

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Monotonic is how much time has passed, by Set or Advance: what Step does to the clock has no part in it.
func (c *Clock) Monotonic() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed
}

// Set sets the clock, backwards too. So much time passes as it goes forward.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed += max(now.Sub(c.now), 0)
	c.now = now
}

// Advance lets time pass: it moves the clock on by d, and returns the new time.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed += max(d, 0)
	c.now = c.now.Add(d)
	return c.now
}

// Step moves the clock by d, forward or back, while no time passes.
func (c *Clock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Rand is an endless reader of random bytes, the same ones for the same seed. It may be used concurrently.
func Rand(seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return &random{source: rand.NewChaCha8(key)}
}

type random struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func (r *random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(p)
}

// Signer signs with a key that everybody knows: the Ed25519 key whose seed is the bytes 0 to 31.
func Signer() journal.Signer {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	return signer{ed25519.NewKeyFromSeed(seed)}
}

type signer struct{ key ed25519.PrivateKey }

// Sign signs; it fails only when the context has ended.
func (s signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return ed25519.Sign(s.key, message), nil
}

// PublicKey is the key that everybody knows.
func (s signer) PublicKey() []byte { return s.key.Public().(ed25519.PublicKey) }

// Must returns v; it panics if there is an error. Use it as Must(f()).
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
