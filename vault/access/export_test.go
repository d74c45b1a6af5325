package access

import (
	"context"

	"muniment/anchor/journal"
)

// NewGuard is a guard as a Door makes it.
func NewGuard(a *Authority, r journal.Reader, who Who) *Guard {
	return &Guard{authority: a, r: r, who: who}
}

// NewDoorOf is a door that permits acts by an authority of its caller's.
func NewDoorOf(j *journal.Journal, a *Authority) *Door {
	d := NewDoor(DoorConfig{Journal: j, Clock: journal.SystemClock{}})
	d.authority = a
	return d
}

// DecodeState reads a stored state, and writes it again.
func DecodeState(raw []byte) (again []byte, err error) {
	s, err := decodeState(raw)
	if err != nil {
		return nil, err
	}
	return s.encode()
}

// Load reads the events without starting to work.
func (a *Authority) Load(ctx context.Context) error { return a.load(ctx) }

// Exists says whether a principal is known in a snapshot.
func (a *Authority) Exists(r journal.Reader, who Who) (bool, error) {
	_, ok, err := a.Standing(r, who)
	return ok, err
}

// KeysOf counts the API keys of a principal in a snapshot.
func (a *Authority) KeysOf(r journal.Reader, who Who) (int, error) {
	s, _, err := a.Standing(r, who)
	return len(s.Keys), err
}
