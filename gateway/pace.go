package gateway

import "time"

// MinSpeed is how slow a client may be.
type MinSpeed struct {
	// Stall is how long a client may send, or take, nothing at all.
	Stall time.Duration
	// Rate is the least number of bytes a second that it must send, or take, on average over any time that is longer
	// than a Stall.
	Rate int64
}

// pace is how much of a Stall a client has used up. It uses it up while it is waited for, and earns it back with each
// byte, but never more than that: who has sent a gigabyte may stall for no longer than who has sent nothing.
type pace struct {
	least MinSpeed
	spent time.Duration
}

// left is how long the client may be waited for.
func (p *pace) left() time.Duration { return max(0, p.least.Stall-p.spent) }

// moved notes that so many bytes have come or gone after the client was waited for.
func (p *pace) moved(bytes int, waited time.Duration) {
	earned := time.Duration(float64(bytes) / float64(p.least.Rate) * float64(time.Second))
	p.spent = max(0, p.spent+waited-earned)
}
