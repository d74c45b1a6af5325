package journal_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

const term = 30 * time.Second

// on opens a journal on a backend, at the kit's bucket, with a lease of the usual term. It gives up after many of them.
func (k *kit) on(t *testing.T, b *memory.Store, seed uint64) (*journal.Journal, error) {
	t.Helper()
	cfg := k.config(t)
	cfg.Backend, cfg.Place, cfg.Term, cfg.Rand, cfg.Create = b, b.Place(), 0, journaltest.Rand(seed), false
	ctx, cancel := context.WithTimeout(t.Context(), 20*term)
	defer cancel()
	return journal.Open(ctx, cfg)
}

// begun is a kit with a journal that has released two entries, and was closed or, as by kill -9, was not.
func begun(t *testing.T, clean bool) *kit {
	t.Helper()
	k := newKit(t)
	cfg := k.config(t)
	cfg.Term = 0
	j := journaltest.Must(journal.Open(t.Context(), cfg))
	released(t, j, commit(t, j, noted.New(docID(1), note1(0))))
	if clean {
		k.close(t, j)
		return k
	}
	k.backend = k.backend.Reopen(memory.Config{})
	t.Cleanup(func() { _ = j.Close() }) // of the process that was killed: it does nothing more until then
	return k
}

// opening is how long it takes until content may be read on a backend.
func opening(t *testing.T, k *kit, b *memory.Store) time.Duration {
	t.Helper()
	began := time.Now()
	j := journaltest.Must(k.on(t, b, 9))
	if err := j.Fence(t.Context()); err != nil {
		t.Errorf("reading: %v", err)
	}
	took := time.Since(began)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	return took
}

// TestWhoWaitsForTheLease: the same database at its place never does, and nobody after a clean end; a copy waits a
// term.
func TestWhoWaitsForTheLease(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		clean, copied bool
		waits         bool
	}{
		"killed, the same file":          {false, false, false},
		"killed, a copy":                 {false, true, true},
		"a clean end, the same file":     {true, false, false},
		"a clean end, another machine":   {true, true, false},
		"an empty lease, as of nobody's": {false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := begun(t, c.clean)
				b := k.backend
				if c.copied {
					b = b.Clone()
				}
				if strings.HasPrefix(name, "an empty") {
					k.bucket.Tamper("lease", []byte("{}"))
				}
				if took := opening(t, k, b); (took >= term) != c.waits || took > term+2*time.Second {
					t.Errorf("it took %s; it waits: %v", took, c.waits)
				}
			})
		})
	}
}

// TestACopyServesNothingOffTheRecord: of two that go on from one folder, only one hands out content at a time, and the
// other one stops.
func TestACopyServesNothingOffTheRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := begun(t, true)
		copied := k.backend.Clone()
		a := journaltest.Must(k.on(t, k.backend, 1))
		if err := a.Fence(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		b := journaltest.Must(k.on(t, copied, 2))
		if waited := time.Since(began); waited < term {
			t.Errorf("the copy began after %s", waited)
		}
		commit(t, a, looked.New(docID(1), note1(1))) // on record here, where nobody will ever see it
		if err := a.Fence(t.Context()); !errors.Is(err, journal.ErrStopped) {
			t.Errorf("the first one may read: %v", err)
		}
		if err := b.Fence(t.Context()); err != nil {
			t.Errorf("the second one may not read: %v", err)
		}
		if !errors.Is(a.Err(), journal.ErrTakenOver) || b.Err() != nil {
			t.Errorf("they stopped because of %v and %v", a.Err(), b.Err())
		}
		_, _ = a.Close(), b.Close()
	})
}

// TestALiveServerIsNotTakenOver: who waits sees it work, and gives up.
func TestALiveServerIsNotTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := begun(t, true)
		copied := k.backend.Clone()
		a := journaltest.Must(k.on(t, k.backend, 1))
		done := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-done:
					return
				case <-time.After(term / 3):
				}
				if err := a.Fence(t.Context()); err != nil { // reads of one session: the head never moves
					t.Errorf("the first one may not read: %v", err)
				}
			}
		}()
		b, err := k.on(t, copied, 2)
		if !errors.Is(err, journal.ErrHeld) {
			t.Errorf("the copy: %v", err)
		}
		if err == nil {
			_ = b.Close()
		}
		close(done)
		<-ended
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestALateEndIsNone: that a server has given the lease back arrives only when the next one on its database is at work.
// Another server waits a whole term all the same.
func TestALateEndIsNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := begun(t, false)
		copied := k.backend.Clone()
		a := journaltest.Must(k.on(t, k.backend, 1))
		before, tag, err := k.bucket.Get(t.Context(), "lease")
		if err != nil {
			t.Fatal(err)
		}
		k.close(t, a)
		late := k.bucket.Objects()["lease"]
		k.bucket.Tamper("lease", before)
		a = journaltest.Must(k.on(t, k.backend, 2))
		released(t, a, commit(t, a, noted.New(docID(1), note1(1)))) // a new term, without a write of the lease
		_, _ = k.bucket.Put(t.Context(), "lease", late, tag)
		if took := opening(t, k, copied); took < term {
			t.Errorf("another server hands out content after %s", took)
		}
		if err := a.Fence(t.Context()); err == nil {
			t.Error("the first one goes on handing out content")
		}
		_ = a.Close()
	})
}

// slowAnswers is a way to the bucket on which the answer to a write takes a while, and is the last that comes through.
type slowAnswers struct {
	*journaltest.Bucket
	armed, down atomic.Bool
}

func (s *slowAnswers) Put(ctx context.Context, name string, data []byte, tag string) (string, error) {
	if s.down.Load() {
		return "", journaltest.ErrFault
	}
	s.down.Store(s.armed.Load())
	next, err := s.Bucket.Put(ctx, name, data, tag)
	if s.armed.Load() {
		time.Sleep(4 * time.Second)
	}
	return next, err
}

// TestATermBeginsBeforeItsWrite: a slow answer, to a write of the lease or of the head, makes no term longer than
// another server waits.
func TestATermBeginsBeforeItsWrite(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(t *testing.T, j *journal.Journal){
		"the lease": func(t *testing.T, j *journal.Journal) {
			if err := j.Fence(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"the head": func(t *testing.T, j *journal.Journal) { commit(t, j, noted.New(docID(1), note1(1))) },
	} {
		synctest.Test(t, func(t *testing.T) {
			k := begun(t, true)
			copied := k.backend.Clone()
			wire := &slowAnswers{Bucket: k.bucket}
			cfg := k.config(t)
			cfg.Bucket, cfg.Term, cfg.Tail = wire, 0, 0
			a := journaltest.Must(journal.Open(t.Context(), cfg))
			time.Sleep(2 * term / 3) // the next read asks for a new term
			wire.armed.Store(true)
			write(t, a)
			b := journaltest.Must(k.on(t, copied, 2))
			if s := a.Tenure(); s.Left > 0 {
				t.Errorf("%s: another server has taken over, and the term lasts %s longer", name, s.Left)
			}
			_, _ = a.Close(), b.Close()
		})
	}
}

// TestReadsWhileTheBucketIsAway go on to the end of the term, are refused then, and come back with the bucket. With
// ReadsWithoutLease they go on, and that is on record once.
func TestReadsWhileTheBucketIsAway(t *testing.T) {
	t.Parallel()
	for _, without := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			k := begun(t, true)
			cfg := k.config(t)
			cfg.Term, cfg.ReadsWithoutLease = 0, without
			j := journaltest.Must(journal.Open(t.Context(), cfg))
			if err := j.Fence(t.Context()); err != nil {
				t.Fatal(err)
			}
			k.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
			began, size := time.Now(), j.Size()
			for time.Since(began) < 3*term {
				err := j.Fence(t.Context())
				if over := time.Since(began) >= term; (err != nil) != (over && !without) ||
					err != nil && !errors.Is(err, journal.ErrNoLease) {
					t.Fatalf("after %s reading says %v", time.Since(began), err)
				}
				time.Sleep(time.Second)
			}
			if got := j.Size() - size; (got == 1) != without || got > 1 {
				t.Errorf("%d entries are about it", got)
			}
			if s := j.Tenure(); s.Failure == nil || s.Unfenced != without {
				t.Errorf("its state: %+v", s)
			}
			k.clock.Advance(-time.Hour) // steps of the clock change nothing
			k.bucket.Inject(nil)
			time.Sleep(2 * time.Second)
			if err := j.Fence(t.Context()); err != nil {
				t.Errorf("with the bucket again: %v", err)
			}
			if s := j.Tenure(); s.Failure != nil || s.Unfenced || s.Left < term/2 {
				t.Errorf("its state: %+v", s)
			}
			k.close(t, j)
		})
	}
}

// TestIdleIsIdle: nothing is written while nothing is read, and a read session renews the lease twice a term at most.
func TestIdleIsIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := begun(t, true)
		j := journaltest.Must(k.on(t, k.backend, 1))
		var puts atomic.Int64
		k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
			if c.Op == "put" {
				puts.Add(1)
			}
			return journaltest.Works
		})
		time.Sleep(24 * time.Hour)
		if n := puts.Load(); n > 0 {
			t.Errorf("a day of silence wrote %d objects", n)
		}
		for range 10 * int(term/time.Second) {
			if err := j.Fence(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := puts.Load(); n < 10 || n > 21 {
			t.Errorf("ten terms of reads wrote the lease %d times", n)
		}
		k.close(t, j)
	})
}

// TestALostAnswerIsNoTakeover: nor is a lease that somebody has removed.
func TestALostAnswerIsNoTakeover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := begun(t, true)
		j := journaltest.Must(k.on(t, k.backend, 1))
		for _, fault := range []journaltest.Fault{journaltest.FailsDone, journaltest.Fails, journaltest.Hangs} {
			time.Sleep(2 * term)
			once := true
			k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
				if once && c.Name == "lease" {
					once = false
					return fault
				}
				return journaltest.Works
			})
			if err := j.Fence(t.Context()); !errors.Is(err, journal.ErrNoLease) {
				t.Errorf("with a fault: %v", err)
			}
			time.Sleep(2 * time.Second)
			if err := j.Fence(t.Context()); err != nil {
				t.Errorf("after a fault: %v", err)
			}
		}
		time.Sleep(2 * term)
		k.bucket.Tamper("lease", nil)
		if err := j.Fence(t.Context()); err != nil {
			t.Errorf("with the lease removed: %v", err)
		}
		k.close(t, j)
	})
}

// TestAHeadThatDoesNotLeadBack is found without a write of ours: by the look after a swap, and by the hourly one.
func TestAHeadThatDoesNotLeadBack(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(k *kit, old []byte) []byte{
		"put back":  func(_ *kit, old []byte) []byte { return old },
		"removed":   func(*kit, []byte) []byte { return nil },
		"scribbled": func(*kit, []byte) []byte { return []byte("{}") },
		"a bit of it": func(k *kit, _ []byte) []byte {

			return bytes.Replace(k.bucket.Objects()["head"], []byte(`"size"`), []byte(`"sizE"`), 1)

		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := begun(t, true)
				k.bucket = k.bucket.Clone(silent{})
				j := journaltest.Must(k.on(t, k.backend, 1))
				old := k.bucket.Objects()["head"]
				released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
				time.Sleep(10 * time.Minute)
				if j.Err() != nil {
					t.Fatal(j.Err())
				}
				k.bucket.Tamper("head", change(k, old))
				time.Sleep(time.Hour)
				if !errors.Is(j.Err(), journal.ErrContradicts) {
					t.Errorf("it goes on: %v", j.Err())
				}
				_ = j.Close()
			})
		})
	}
}
