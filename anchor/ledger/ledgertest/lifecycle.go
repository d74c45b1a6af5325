package ledgertest

import (
	"errors"
	"strings"
	"sync"

	"muniment/anchor/ledger"
)

func isUnknown(err error) bool { return errors.Is(err, ledger.ErrUnknown) }

func testIdentity(s *suite) {
	kind, id := s.Ledger.Kind(), s.Ledger.ID()
	for _, name := range []string{kind, id} {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			s.Errorf("%q is not a name in printable ASCII", name)
		}
	}
	s.reopen()
	if s.Ledger.Kind() != kind || s.Ledger.ID() != id {
		s.Errorf("a new handle calls itself %s %s, want %s %s", s.Ledger.Kind(), s.Ledger.ID(), kind, id)
	}
}

func testHeadUnknown(s *suite) { s.head(0) }

func testPrepareDoesNotSend(s *suite) {
	a := s.prepare(7)
	s.advance()
	s.head(0)
	if got := s.status(a); got != ledger.Pending {
		s.Errorf("an attempt that was never sent is %s, want pending", got)
	}
	if _, err := s.Ledger.Prove(s.ctx(), a); !isUnknown(err) {
		s.Errorf("proving an attempt that was never sent gave %v, want ErrUnknown", err)
	}
}

func testLifecycle(s *suite) {
	rank := map[ledger.Status]int{ledger.Pending: 0, ledger.Included: 1, ledger.Final: 2}
	a := s.prepare(7)
	s.submit(a)
	before := 0
	for range maxAdvances {
		now := s.status(a)
		r, ok := rank[now]
		if !ok || r < before {
			s.Fatalf("the attempt went from rank %d to %s", before, now)
		}
		if r > 0 {
			s.head(7)
		}
		if before = r; now == ledger.Final {
			break
		}
		s.advance()
	}
	s.finish(a)
	s.advance()
	if got := s.status(a); got != ledger.Final {
		s.Errorf("a final attempt became %s", got)
	}
	s.head(7)
}

func testSubmitIsIdempotent(s *suite) {
	a := s.prepare(7)
	s.submit(a)
	s.submit(a)
	s.advance()
	s.submit(a)
	s.finish(a)
	s.submit(a)
	s.advance()
	if got := s.status(a); got != ledger.Final {
		s.Errorf("after it was sent again, a final attempt is %s", got)
	}
	s.head(7)
}

func testEveryAnchorStaysProvable(s *suite) {
	var all []ledger.Attempt
	for _, size := range []uint64{1, 2, 255, 256, 1 << 40} {
		a := s.prepare(size)
		s.submit(a)
		s.finish(a)
		s.head(size)
		all = append(all, a)
	}
	s.reopen()
	for _, a := range all {
		if got := s.status(a); got != ledger.Final {
			s.Errorf("size %d is %s, want final", a.Checkpoint.Size, got)
		}
		s.prove(a)
	}
}

func testConcurrent(s *suite) {
	a := s.prepare(7)
	s.submit(a)
	s.finish(a)
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for range 5 {
				if status, err := s.Ledger.Status(s.ctx(), a); status != ledger.Final || err != nil {
					s.Errorf("Status gave %q and the error %v, want final", status, err)
				}
				if _, err := s.Ledger.Prove(s.ctx(), a); err != nil {
					s.Errorf("Prove: %v", err)
				}
				if _, err := s.Ledger.Head(s.ctx(), s.Origin); err != nil {
					s.Errorf("Head: %v", err)
				}
			}
		})
	}
	b := s.prepare(9)
	s.submit(b)
	readers.Wait()
	s.finish(b)
}
