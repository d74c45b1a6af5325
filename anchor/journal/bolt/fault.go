package bolt

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"muniment/anchor/journal"
)

// panicOnFault makes a fault in the mapped file, as when it was cut short under us or the disk can't read a page, a
// panic of this goroutine instead of the end of the process. The function that it returns undoes it.
func panicOnFault() (undo func()) {
	before := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(before) }
}

// isFault says whether a panic comes from a fault in the mapped file, so that it is the file's fault and not the
// caller's.
func (s *Store) isFault(p any) bool {
	fault, ok := p.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok || s.stuck.Load() {
		return false
	}
	start := s.db.Info().Data
	return fault.Addr() >= start && fault.Addr()-start < uintptr(mapSize)
}

// guard turns a panic of bbolt over a damaged page into an error. It may be deferred only where no code of the caller
// runs.
func (r *reader) guard(t journal.Table, err *error) {
	if p := recover(); p != nil { //nolint:revive // guard itself is what is deferred
		*err = r.damaged(t, p)
	}
}

func (r *reader) damaged(t journal.Table, what any) error {
	err := fmt.Errorf("reading table %s in %s: %w: %v", t, r.s.path, journal.ErrDamaged, what)
	if r.damage == nil {
		r.damage = err
	}
	return err
}

// guarded calls a function of bbolt, and turns its panic over a damaged page into an error.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", journal.ErrDamaged, p)
		}
	}()
	return fn()
}
