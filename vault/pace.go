package vault

import (
	"context"
	"runtime"
	"time"
)

const (
	// paceShare is the part of the machine's processor time that the work of a pace may take: a thirty-second.
	paceShare = 32
	// paceBurst is how much of it may be taken at once after a rest.
	paceBurst = 500 * time.Millisecond
)

// pace keeps work that anybody may ask for again and again from taking the processors' time from deposits. It is done
// piece by piece, each as soon as what was taken before has been earned; whoever asks now and then never waits.
type pace struct {
	turn chan struct{} // of one place; whoever holds it has the fields below
	left time.Duration // of processor time; below zero while it is owed
	at   time.Time     // when that was
}

func newPace() *pace {
	return &pace{turn: make(chan struct{}, 1), left: paceBurst, at: time.Now()}
}

// do does a piece of work at its turn.
func (p *pace) do(ctx context.Context, work func() error) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	p.earn()
	if p.left < 0 {
		timer := time.NewTimer(-p.left * paceShare / time.Duration(runtime.GOMAXPROCS(0)))
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
func (p *pace) earn() {
	now := time.Now()
	earned := now.Sub(p.at) * time.Duration(runtime.GOMAXPROCS(0)) / paceShare
	p.left, p.at = min(p.left+earned, paceBurst), now
}
