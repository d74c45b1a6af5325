package ledgertest

import (
	"crypto/sha256"
	"errors"

	"muniment/anchor/ledger"
)

func testSameCheckpointTwice(s *suite) {
	a := s.prepare(7)
	s.submit(a)
	s.finish(a)
	b := s.prepare(7)
	s.submit(b)
	s.finish(b)
	if got := s.status(a); got != ledger.Final {
		s.Errorf("after the same checkpoint was anchored again, the first attempt is %s", got)
	}
	s.head(7)
}

func testSameCheckpointWhileOpen(s *suite) {
	a := s.prepare(7)
	s.submit(a)
	b := s.prepare(7, a)
	s.submit(b)
	finals := 0
	for _, x := range []ledger.Attempt{a, b} {
		if s.settle(x) == ledger.Final {
			s.prove(x)
			finals++
		}
	}
	if finals == 0 {
		s.Error("of two attempts at one checkpoint neither became final")
	}
	s.head(7)
}

func testSmallerIsRefused(s *suite) {
	a := s.prepare(7)
	s.submit(a)
	s.finish(a)
	if _, err := s.Ledger.Prepare(s.ctx(), s.checkpoint(6), nil); !errors.Is(err, ledger.ErrRefused) {
		s.Errorf("preparing a smaller size gave %v, want ErrRefused", err)
	}
	s.advance()
	s.head(7)
}

func testOtherRootIsRefused(s *suite) {
	a := s.prepare(7)
	s.submit(a)
	s.finish(a)
	root := sha256.Sum256([]byte("another history"))
	_, err := s.Ledger.Prepare(s.ctx(), CheckpointAt(s.Origin, 7, root[:]), nil)
	if !errors.Is(err, ledger.ErrRefused) {
		s.Errorf("preparing the same size with another root gave %v, want ErrRefused", err)
	}
	s.advance()
	s.head(7)
}

// testOvertakenAttempt sends an attempt after a larger one became final.
func testOvertakenAttempt(s *suite) {
	a := s.prepare(5)
	b := s.prepare(9, a)
	s.submit(b)
	s.finish(b)
	if err := s.Ledger.Submit(s.ctx(), a); err != nil && !errors.Is(err, ledger.ErrRefused) {
		s.Errorf("submitting an overtaken attempt gave %v, want no error or ErrRefused", err)
	}
	s.advance()
	if got := s.settle(a); got != ledger.Lost && got != ledger.Superseded {
		s.Errorf("an overtaken attempt is %s, want lost or superseded", got)
	}
	s.head(9)
	s.prove(b)
}

func testOriginsAreApart(s *suite) {
	a := s.prepare(7)
	s.submit(a)
	s.finish(a)
	if got, err := s.Ledger.Head(s.ctx(), s.Origin+"-not"); !isUnknown(err) {
		s.Errorf("the head of another origin is size %d with the error %v, want ErrUnknown", got.Size, err)
	}
}
