package access_test

import (
	"testing"
	"testing/synctest"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/vault/access"
)

// TestAbortedAuthorityIsForgotten: what an aborted transaction would have granted or revoked stays so for nobody, also
// when other events have taken its place in the log.
func TestAbortedAuthorityIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		p := s.create(access.Grant{Role: access.Auditor})
		q, qe := newPerson(t, access.Grant{Role: access.Auditor})
		_, others := newPerson(t, access.Grant{Role: access.ReaderRole})
		runs := 0
		s.group(func(journal.View) (journal.Change, error) {
			if runs++; runs == 1 {
				return journal.Change{Events: append(qe, p.revoked())}, nil
			}
			return journal.Change{}, nil
		}, func(view journal.View) (journal.Change, error) {
			if runs == 1 {
				_ = journaltest.Must(s.auth.Permission(view, q.who, access.Feed))
			}
			return journal.Change{}, nil
		})
		for range 5 {
			commit(t, s.j, access.Contradicted.New(journal.ID{}, access.ContradictedData{Table: "x"}))
		}
		s.knows(q, false)
		s.knows(p, true)
		commit(t, s.j, others...)
		s.knows(q, false)
		s.knows(p, true)
	})
}

// TestRevocationAfterAnAbort: a revocation whose transaction was aborted can be repeated.
func TestRevocationAfterAnAbort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		p := s.create(access.Grant{Role: access.Auditor})
		runs := 0
		s.group(func(journal.View) (journal.Change, error) {
			if runs++; runs == 1 {
				return journal.Change{Events: []journal.Event{p.revoked()}}, nil
			}
			return journal.Change{}, nil
		}, func(view journal.View) (journal.Change, error) {
			_ = journaltest.Must(s.auth.Permission(view, p.who, access.Feed))
			return journal.Change{}, nil
		})
		for range 3 {
			commit(t, s.j, access.Contradicted.New(journal.ID{}, access.ContradictedData{Table: "x"}))
		}
		commit(t, s.j, p.revoked())
		s.knows(p, false)
	})
}
