package ledgertest

import (
	"errors"

	"muniment/anchor/ledger"
)

// testCrashAfterPersisting loses the process between the event that persists the attempt and Submit.
func testCrashAfterPersisting(s *suite) {
	a := s.prepare(7)
	s.reopen()
	if got := s.status(a); got != ledger.Pending {
		s.Errorf("a new handle says of an attempt that was never sent: %s, want pending", got)
	}
	s.submit(a)
	s.finish(a)
	s.head(7)
}

// testCrashBeforePersisting loses the process between Prepare and the event: the attempt is forgotten.
func testCrashBeforePersisting(s *suite) {
	s.prepare(7)
	s.reopen()
	s.head(0)
	a := s.prepare(8)
	s.submit(a)
	s.finish(a)
	s.head(8)
}

// testCrashAfterSubmitting loses the process before anybody noted that the attempt was sent.
func testCrashAfterSubmitting(s *suite) {
	a := s.prepare(7)
	s.submit(a)
	s.reopen()
	s.submit(a)
	s.finish(a)
	s.head(7)
}

func testSubmitFails(s *suite) { submitBroken(s, false) }

func testSubmitFailsLate(s *suite) { submitBroken(s, true) }

func submitBroken(s *suite, late bool) {
	if s.Break == nil {
		s.Skip("the environment cannot make Submit fail: Env.Break is nil")
	}
	a := s.prepare(7)
	s.Break(s.T, late)
	if err := s.Ledger.Submit(s.ctx(), a); !errors.Is(err, ledger.ErrUnavailable) {
		s.Fatalf("a submission that failed gave %v, want ErrUnavailable", err)
	}
	s.advance()
	switch got := s.status(a); {
	case got == ledger.Lost || got == ledger.Superseded:
		s.Errorf("after a submission that failed the attempt is %s", got)
	case !late && got != ledger.Pending:
		s.Errorf("an attempt that the ledger has never heard of is %s, want pending", got)
	}
	s.submit(a)
	s.finish(a)
	s.head(7)
}
