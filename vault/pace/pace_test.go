package pace_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muniment/vault/pace"
)

// TestPace: however many ask at once and again, their work takes a thirty-second of the processors' time; who asks now
// and then does not wait, and who gives up is let go.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pace.New()
		const piece = 10 * time.Millisecond
		work := func() error {
			<-time.After(piece)
			return nil
		}
		begun := time.Now()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 100 {
					if err := p.Do(t.Context(), work); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		busy, took := 800*piece, time.Since(begun)
		want := (busy - 500*time.Millisecond - piece) * 32 / time.Duration(runtime.GOMAXPROCS(0))
		if took < want {
			t.Errorf("%v of work took %v, want %v at least", busy, took, want)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		if err := p.Do(ctx, work); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("giving up: %v", err)
		}
		<-time.After(time.Minute)
		begun = time.Now()
		for range 10 {
			if err := p.Do(t.Context(), work); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begun); took != 10*piece {
			t.Errorf("after a rest ten pieces took %v", took)
		}
	})
}
