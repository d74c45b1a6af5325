package vault

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

const (
	// sessionIdle is how long after its last read a session can still be joined.
	sessionIdle = time.Minute
	// sessionMost is how long a session lasts at most.
	sessionMost = 5 * time.Minute
	// sessionsOpen is how many sessions can be joined at a time: they are kept in memory.
	sessionsOpen = 4096
	// outcomesEvery is how often ended sessions are looked for.
	outcomesEvery = 10 * time.Second
	// outcomesBatch is how many outcomes of one actor share a commit.
	outcomesBatch = 256
)

// sessionKey is what the reads of one session have in common.
type sessionKey struct {
	who     access.Who
	doc     journal.ID
	purpose string
	note    [sha256.Size]byte // SHA-256 of the note: its text is not kept
}

// session is the reads that one document.read covers. Its fields belong to sessions.mu.
type session struct {
	key    sessionKey
	index  uint64 // of its document.read
	opened time.Time
	used   time.Time
	active int // reads that have not been closed yet

	bytes  int64
	reads  int
	broken int

	expelled atomic.Bool // the document was erased: nothing more is served
}

func (s *session) ended(now time.Time) bool {
	return now.Sub(s.used) > sessionIdle || now.Sub(s.opened) > sessionMost
}

// sessions holds the read sessions in memory. A crash loses their outcomes, never their document.read events.
type sessions struct {
	mu   sync.Mutex
	open map[sessionKey]*list.Element
	ages *list.List // of the open *session, the oldest in front
	past []*session // cannot be joined any more, outcome not on record yet
}

func newSessions() *sessions {
	return &sessions{open: map[sessionKey]*list.Element{}, ages: list.New()}
}

// end lets nobody join a session any more. The caller holds the lock.
func (t *sessions) end(at *list.Element) {
	s := t.ages.Remove(at).(*session)
	delete(t.open, s.key)
	t.past = append(t.past, s)
}

// join enters a session that is open under the key; nil when there is none. The caller leaves it.
func (t *sessions) join(key sessionKey, now time.Time) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.open[key]
	if at == nil {
		return nil
	}
	s := at.Value.(*session)
	if s.ended(now) {
		t.end(at)
		return nil
	}
	s.used = now
	s.active++
	return s
}

// begin enters a new session. A session under the same key ends, and so does the oldest when there are too many: the
// next read of either has an event of its own.
func (t *sessions) begin(key sessionKey, index uint64, now time.Time) *session {
	s := &session{key: key, index: index, opened: now, used: now, active: 1}
	t.mu.Lock()
	defer t.mu.Unlock()
	if other := t.open[key]; other != nil {
		t.end(other)
	} else if t.ages.Len() >= sessionsOpen {
		t.end(t.ages.Front())
	}
	t.open[key] = t.ages.PushBack(s)
	return s
}

// leave ends one read.
func (t *sessions) leave(s *session, now time.Time, bytes int64, broken bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.used = now
	s.active--
	s.reads++
	s.bytes += bytes
	if broken {
		s.broken++
	}
}

// expel ends the sessions of a document that was erased, those with reads under way too.
func (t *sessions) expel(doc journal.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, at := range t.open {
		if key.doc == doc {
			t.end(at)
		}
	}
	for _, s := range t.past {
		if s.key.doc == doc {
			s.expelled.Store(true)
		}
	}
}

// withdraw takes back a join that came to nothing.
func (t *sessions) withdraw(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.active--
}

// collect takes out the sessions whose outcome is final; all of them when now is zero.
func (t *sessions) collect(now time.Time) []*session {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, at := range t.open {
		if now.IsZero() || at.Value.(*session).ended(now) {
			t.end(at)
		}
	}
	var out, rest []*session
	for _, s := range t.past {
		if s.active == 0 || now.IsZero() {
			out = append(out, s)
		} else {
			rest = append(rest, s)
		}
	}
	t.past = rest
	return out
}

// putBack returns sessions whose outcome could not be recorded.
func (t *sessions) putBack(batch []*session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.past = append(t.past, batch...)
}

// workOutcomes puts the outcome of ended sessions, and the number of refusals, on record until ctx ends.
func (v *Vault) workOutcomes(ctx context.Context) {
	ticker := time.NewTicker(outcomesEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := v.cfg.Clock.Now()
		if err := errors.Join(v.flushOutcomes(ctx, now), v.cfg.Door.Flush(ctx, now)); err != nil && ctx.Err() == nil {
			v.cfg.Log.Warn("the outcome of reads, or a number of refusals, could not be put on record yet",
				"error", err)
		}
	}
}

// flushOutcomes records the outcome of the sessions that have ended by now, or of all when now is zero: for each actor
// one commit for many.
func (v *Vault) flushOutcomes(ctx context.Context, now time.Time) error {
	byActor := map[access.Who][]*session{}
	for _, s := range v.sessions.collect(now) {
		byActor[s.key.who] = append(byActor[s.key.who], s)
	}
	var failed []error
	for who, batch := range byActor {
		for len(batch) > 0 {
			n := min(len(batch), outcomesBatch)
			if err := v.recordOutcomes(ctx, who, batch[:n]); err != nil {
				v.sessions.putBack(batch[:n])
				failed = append(failed, err)
			}
			batch = batch[n:]
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("recording the outcome of reads: %w", errors.Join(failed...))
	}
	return nil
}

func (v *Vault) recordOutcomes(ctx context.Context, who access.Who, batch []*session) error {
	v.sessions.mu.Lock()
	events := make([]journal.Event, len(batch))
	for i, s := range batch {
		data := DocumentServedData{Read: s.index, Bytes: s.bytes, Reads: s.reads, Broken: s.broken}
		events[i] = DocumentServed.New(s.key.doc, data)
	}
	v.sessions.mu.Unlock()
	_, err := v.cfg.Journal.Commit(ctx, who.Actor(), func(journal.View) (journal.Change, error) {
		return journal.Change{Events: events}, nil
	})
	return err
}
