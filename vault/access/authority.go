package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"muniment/anchor/journal"
)

var (
	// ErrUnknownKey says that a token is no API key of ours, or one that was revoked.
	ErrUnknownKey = errors.New("unknown API key")
	// ErrKeyUnapproved says that an API key speaks for nobody yet: no approval covers it, or the founding is not over.
	ErrKeyUnapproved = errors.New("the API key waits for its approval")
)

const (
	digestSize = sha256.Size
	// keyRow is how much of the digest is the row's key. The rest is compared in constant time.
	keyRow = digestSize / 2
)

// Authority is who may do what: principals, their grants, and the API keys that speak for them. It is read from the
// events that granted and revoked it, each of which the tree holds, and never from the tables, which anybody with
// access to the database could write to: a row by hand grants nothing, and is reported (Contradicted).
//
// Those events form a chain, whose newest index stands in the head. Memory says at which of them it stands; every
// question brings it up to the snapshot that it is asked in first, so that another gateway's revocation holds at the
// next request. A snapshot that is older than memory is answered by memory, which knows more.
//
// Its methods may be called concurrently.
type Authority struct {
	journal *journal.Journal
	log     *slog.Logger

	mu    sync.RWMutex
	known *state // what lies below the committed size, and is there for good
	// beyond are events that a decide has seen above known, of commits in its group. Their transaction may still be
	// aborted, or run again with others in their place.
	beyond []journal.Record
	over   *state // known with beyond; nil without any

	stored uint64 // how many events the stored state has taken in

	alarms alarms
	work   worker
}

// NewAuthority reads nothing yet: the first question does, unless Start has been called.
func NewAuthority(j *journal.Journal, log *slog.Logger) *Authority {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Authority{journal: j, log: log, known: newState(), alarms: newAlarms(),
		work: worker{grown: make(chan struct{}, 1)}}
}

// in calls fn with the state that the snapshot, or the group in progress, has. exact is false where memory is newer
// than the snapshot. fn is called while the state is locked.
func (a *Authority) in(r journal.Reader, fn func(s *state, exact bool) error) error {
	last, any, err := a.journal.LastAuth(r)
	if err != nil {
		return fmt.Errorf("reading who may do what: %w", err)
	}
	a.mu.RLock()
	if !any || a.known.begun && last <= a.known.at {
		defer a.mu.RUnlock()
		exact := any == a.known.begun && last == a.known.at
		if _, deciding := r.(journal.View); deciding && !exact {
			a.alarms.report(a.log, lastTable, lastRow) // nothing is newer than a decide's view, but it says less
		}
		return fn(a.known, exact)
	}
	a.mu.RUnlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.advance(r, last)
	if err != nil {
		return fmt.Errorf("reading who may do what: %w", err)
	}
	return fn(s, s.at == last)
}

// advance reads the events up to the one at last, and remembers for good what lies below the committed size.
func (a *Authority) advance(r journal.Reader, last uint64) (*state, error) {
	if a.known.begun && last <= a.known.at {
		return a.known, nil // another question was faster
	}
	if err := a.readTo(r, last); err != nil {
		a.beyond, a.over = nil, nil
		return nil, err
	}
	size, n := a.journal.Size(), 0
	for n < len(a.beyond) && a.beyond[n].Index < size {
		if err := a.known.apply(a.beyond[n]); err != nil {
			a.beyond, a.over = nil, nil
			return nil, err
		}
		n++
	}
	if n > 0 {
		a.beyond, a.over = a.beyond[n:], nil
		a.work.notify()
	}
	if len(a.beyond) == 0 {
		return a.known, nil
	}
	if a.over == nil {
		a.over = a.known.above()
	}
	for _, rec := range a.beyond {
		if a.over.begun && rec.Index <= a.over.at {
			continue
		}
		if err := a.over.apply(rec); err != nil {
			a.beyond, a.over = nil, nil
			return nil, err
		}
	}
	return a.over, nil
}

// readTo makes beyond the events between known and the one at last. It keeps those that beyond holds already if the
// newest of them is still in its place.
func (a *Authority) readTo(r journal.Reader, last uint64) error {
	var found []journal.Record // the newest first
	inPlace := false
	err := a.walk(r, last, a.known, func(rec journal.Record) bool {
		if n := len(a.beyond); n > 0 && rec.Index == a.beyond[n-1].Index && leafOf(rec) == leafOf(a.beyond[n-1]) {
			inPlace = true
			return false
		}
		found = append(found, rec)
		return true
	})
	if !inPlace { // the transaction of those was aborted
		a.beyond, a.over = nil, nil
	}
	for i := len(found) - 1; i >= 0; i-- {
		a.beyond = append(a.beyond, found[i])
	}
	return err
}

// walk follows the chain from the event at last to the one after the newest of base, or until visit says no. An event
// that leads past the newest of base is not of the same chain: journal.ErrDamaged.
func (a *Authority) walk(r journal.Reader, last uint64, base *state, visit func(journal.Record) bool) error {
	read := func(at uint64) (journal.Record, error) { return journal.RecordAt(r, at) }
	if a.journal != nil { // a doctor looks at a database that no process has opened
		prover, err := a.journal.Prover(r)
		if err != nil {
			return err
		}
		read = prover.Record
	}
	for at := last; ; {
		rec, err := read(at)
		if err != nil || !visit(rec) {
			return err
		}
		switch {
		case rec.Auth == nil && !base.begun:
			return nil
		case rec.Auth != nil && base.begun && *rec.Auth == base.at:
			return nil
		case rec.Auth == nil, *rec.Auth >= at, base.begun && *rec.Auth < base.at:
			return fmt.Errorf("event %d does not lead to the events about principals and keys before it: %w",
				at, journal.ErrDamaged)
		}
		at = *rec.Auth
	}
}

// leafOf is a record's entry in the tree.
func leafOf(rec journal.Record) journal.Hash {
	return sha256.Sum256(append(append(make([]byte, 0, len(rec.Nonce)+len(rec.Body)), rec.Nonce[:]...), rec.Body...))
}

// Permission says where who may do a. A principal that does not exist, is another tenant's, or whose every API key was
// revoked may do nothing.
func (a *Authority) Permission(r journal.Reader, who Who, act Action) (p Permission, err error) {
	err = a.in(r, func(s *state, _ bool) error {
		p = s.permission(who, act)
		return nil
	})
	return p, err
}

// Authenticate says for whom an API key speaks: ErrUnknownKey; ErrKeyUnapproved for a key that speaks for nobody yet.
func (a *Authority) Authenticate(r journal.Reader, token string) (Who, error) {
	key, ok := parseKey(token)
	if !ok {
		return Who{}, ErrUnknownKey
	}
	var (
		who     Who
		unknown bool
	)
	err := a.in(r, func(s *state, exact bool) error {
		found, there := s.key(key.Digest())
		p, known := s.principals.get(found.Principal)
		switch {
		case !there || !known:
			unknown = exact
			return ErrUnknownKey
		case !found.Speaks:
			return ErrKeyUnapproved
		}
		who = Who{Tenant: p.Tenant, Principal: found.Principal}
		return nil
	})
	if unknown {
		d := key.Digest()
		a.compare(r, keyTable, d[:keyRow])
	}
	if err != nil && !errors.Is(err, ErrUnknownKey) && !errors.Is(err, ErrKeyUnapproved) {
		err = fmt.Errorf("looking up an API key: %w", err)
	}
	return who, err
}

// AuthenticateNow is Authenticate in a snapshot of its own.
func (a *Authority) AuthenticateNow(ctx context.Context, token string) (who Who, err error) {
	err = a.journal.View(ctx, func(r journal.Reader) error {
		who, err = a.Authenticate(r, token)
		return err
	})
	return who, err
}

// Tenancies are those of a journal that is not open: all events about principals and keys are read.
func Tenancies(r journal.Reader) ([]Tenancy, error) {
	s, err := NewAuthority(nil, nil).readAll(r, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("reading who has founded the tenants: %w", err)
	}
	return s.describeTenancies(r)
}

// readAll reads the chain from its beginning: to its end or, unless until is zero, to the last event of then or before.
func (a *Authority) readAll(r journal.Reader, until time.Time) (*state, error) {
	s := newState()
	last, any, err := journal.LastAuth(r)
	if err != nil || !any {
		return s, err
	}
	var found []journal.Record
	err = a.walk(r, last, s, func(rec journal.Record) bool { found = append(found, rec); return true })
	if err != nil {
		return nil, err
	}
	for i := len(found) - 1; i >= 0; i-- {
		if !until.IsZero() && found[i].At.After(until) {
			break
		}
		if err := s.apply(found[i]); err != nil {
			return nil, err
		}
	}
	return s, nil
}
