// Package people keeps the principals of tenants: who they are, what they may do, and the two people whom it takes to
// widen somebody's power.
package people

import (
	"errors"
	"io"
	"log/slog"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
)

// The sentinels of wrong requests. Besides these the methods of People return, wrapped, those of packages access,
// approval, invalid and keys, and what Config.Series says.
var (
	// ErrNotFound says that the tenant has no such principal, or no such code is open, or no founding is under way.
	ErrNotFound = errors.New("no such principal, code or founding")
	// ErrFounded says that the tenant is not on trial: two people have founded it.
	ErrFounded = errors.New("the tenant was founded already")
	// ErrFounding says that the principal is a founder, about whom nobody decides before the founding is over.
	ErrFounding = errors.New("the principal is founding the tenant: nothing about it can change before that is over")
	// ErrRoles says that nobody may hold some roles together.
	ErrRoles = errors.New("nobody may hold these roles together")
	// ErrNoProposal says that no proposal of grants with this id is open.
	ErrNoProposal = errors.New("no such proposal")
	// ErrChanged says that a proposal is not any more what its approver has seen: look at it again.
	ErrChanged = errors.New("the proposal is not any more what was looked at")
	// ErrNoKey says that the person whom a proposal is about has not claimed a key yet: there is none to approve.
	ErrNoKey = errors.New("the person has not claimed an API key yet")
)

// Config is what People needs. Every field is required.
type Config struct {
	Journal *journal.Journal
	Door    *access.Door
	Keys    keys.Service // names are sealed under the tenants' keys
	// Series says whether a tenant has a record series: an error if not. It is asked in decides, and only reads.
	Series func(r journal.Reader, tenant, code string) error
	Clock  journal.Clock
	Rand   io.Reader // must be safe for concurrent use, as crypto/rand.Reader is
	Log    *slog.Logger
}

// People keeps the principals of a journal's tenants. Its methods may be called concurrently.
type People struct{ cfg Config }

// New makes it.
func New(cfg Config) (*People, error) {
	if cfg.Journal == nil || cfg.Door == nil || cfg.Keys == nil || cfg.Series == nil || cfg.Clock == nil ||
		cfg.Rand == nil || cfg.Log == nil {
		return nil,
			errors.New("keeping principals: journal, door, keys, series, clock, randomness and log are all required")
	}
	cfg.Keys = keys.ForJournal(cfg.Keys, cfg.Journal.ID())
	return &People{cfg}, nil
}
