package objectstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"muniment/vault/objects"
)

const (
	racers = 16
	rounds = 12
)

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// race lets many writers put at once under one condition and returns what the only winner wrote.
func (e *env) race(key string, condition objects.Condition) (objects.Info, []byte) {
	e.Helper()
	bodies, infos, errs := make([][]byte, racers), make([]objects.Info, racers), make([]error, racers)
	e.together(racers, func(i int) {
		bodies[i] = content(1000 + i)
		opt := objects.PutOptions{Length: int64(len(bodies[i])), Condition: condition}
		if i%2 == 0 {
			opt.Length = -1
		}
		infos[i], errs[i] = e.store.Put(e.Context(), key, bytes.NewReader(bodies[i]), opt)
	})
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			e.Fatalf("writers %d and %d both won", winner, i)
		case !errors.Is(err, objects.ErrExists):
			e.Fatalf("a writer that lost got %v, want ErrExists", err)
		}
	}
	if winner < 0 {
		e.Fatalf("no writer won: %v", errs)
	}
	return infos[winner], bodies[winner]
}

// together runs n calls that start at the same time and waits for them.
func (e *env) together(n int, do func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wg.Wait()
}

func testRaceAbsent(e *env) {
	for round := range rounds {
		key := e.key(fmt.Sprint(round))
		_, body := e.race(key, objects.Condition{Absent: true})
		e.holds(key, "", body)
		if n := len(e.list(key, "")); n != 1 {
			e.Fatalf("one winner left %d versions", n)
		}
	}
}

func testRaceTag(e *env) {
	key := e.key("head")
	tag := e.put(key, content(10), objects.PutOptions{}).Tag
	for range rounds {
		info, body := e.race(key, objects.Condition{Tag: tag})
		e.holds(key, "", body)
		if info.Tag == tag {
			e.Fatalf("the tag %q stayed the same when the content changed", tag)
		}
		tag = info.Tag
	}
	want := rounds + 1
	if e.opt.Unversioned {
		want = 1
	}
	if n := len(e.list(key, "")); n != want {
		e.Errorf("%d rounds left %d versions, want %d", rounds, n, want)
	}
}

// testConcurrency has many clients work on keys of their own and on shared ones.
func testConcurrency(e *env) {
	shared := e.key("shared")
	e.put(shared, content(5000), objects.PutOptions{})
	e.together(racers, func(i int) {
		for j := range 5 {
			key, body := e.key(fmt.Sprintf("own/%d-%d", i, j)), content(4000+i)
			info, err := e.store.Put(e.Context(), key, bytes.NewReader(body), objects.PutOptions{Length: -1})
			if err != nil {
				e.Errorf("Put: %v", err)
				return
			}
			if got, err := e.get(key, info.Version); err != nil || !bytes.Equal(got, body) {
				e.Errorf("an object of one's own reads back as %d bytes of %d, %v", len(got), len(body), err)
			}
			if _, err := e.store.Put(e.Context(), shared, bytes.NewReader(body),
				objects.PutOptions{Length: int64(len(body))}); err != nil {
				e.Errorf("Put of a shared key: %v", err)
			}
			for _, err := range e.store.List(e.Context(), e.prefix, "") {
				if err != nil {
					e.Errorf("List: %v", err)
				}
			}
			if j%2 == 1 {
				if err := e.store.Delete(e.Context(), key, info.Version); err != nil {
					e.Errorf("Delete: %v", err)
				}
			}
		}
	})
	if n := len(e.list(e.key("own/"), "")); n != racers*3 {
		e.Errorf("%d objects are left, want %d", n, racers*3)
	}
	want := racers*5 + 1
	if e.opt.Unversioned {
		want = 1
	}
	if n := len(e.list(shared, "")); n != want {
		e.Errorf("%d versions of the shared key, want %d", n, want)
	}
}

// get reads a version whole, for use beside the test's own goroutine.
func (e *env) get(key, version string) ([]byte, error) {
	body, _, err := e.store.Get(e.Context(), key, version, nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// testReplacedWhileRead reads an object that is replaced all the time: each read gives one of its states, whole.
func testReplacedWhileRead(e *env) {
	key := e.key("a")
	state := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 20_000+i) }
	e.put(key, state(0), objects.PutOptions{})
	written := make(chan struct{})
	e.together(4, func(i int) {
		if i == 0 {
			defer close(written)
			for n := 1; n <= 40; n++ {
				if _, err := e.store.Put(e.Context(), key, bytes.NewReader(state(n)),
					objects.PutOptions{Length: -1}); err != nil {
					e.Errorf("Put: %v", err)
				}
			}
			return
		}
		for {
			got, err := e.get(key, "")
			if err != nil || len(got) == 0 || !bytes.Equal(got, state(int(got[0]))) {
				e.Errorf("a read beside a Put gave %d bytes that nobody wrote, %v", len(got), err)
				return
			}
			select {
			case <-written:
				return
			default:
			}
		}
	})
}
