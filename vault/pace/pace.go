// Package pace keeps work that anybody may ask for again and again from taking the processors' time from deposits.
package pace

import (
	"context"
	"runtime"
	"time"
)

const (
	// share is the part of the machine's processor time that the work may take: a thirty-second.
	share = 32
	// Burst is how much of it may be taken at once after a rest.
	Burst = 500 * time.Millisecond
)

// Pace has work done piece by piece, each as soon as what was taken before has been earned: who asks now and then never
// waits. Its methods may be called concurrently.
type Pace struct {
	turn chan struct{} // of one place; whoever holds it has the fields below
	left time.Duration // of processor time; below zero while it is owed
	at   time.Time     // when that was
}

// New makes a pace that has rested.
func New() *Pace {
	return &Pace{turn: make(chan struct{}, 1), left: Burst, at: time.Now()}
}

// Do does a piece of work at its turn.
func (p *Pace) Do(ctx context.Context, work func() error) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	p.earn()
	if p.left < 0 {
		timer := time.NewTimer(-p.left * share / time.Duration(runtime.GOMAXPROCS(0)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		p.earn()
	}
	began := time.Now()
	err := work()
	p.left -= time.Since(began)
	return err
}

// earn adds what has been earned since it was last called.
func (p *Pace) earn() {
	now := time.Now()
	earned := now.Sub(p.at) * time.Duration(runtime.GOMAXPROCS(0)) / share
	p.left, p.at = min(p.left+earned, Burst), now
}
