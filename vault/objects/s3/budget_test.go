package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/processtest"
	"muniment/vault/budget"
	"muniment/vault/objects"
	"muniment/vault/objects/s3"
	"muniment/vault/servertest"
)

// onePart is a budget in which there is room for one part of 5 MiB, and for half a second one.
func onePart(patience time.Duration) *budget.Memory {
	return budget.New(20<<20, patience, journal.SystemClock{})
}

// sender is a body that comes when the test sends it.
type sender struct {
	*io.PipeReader
	to *io.PipeWriter
}

func newSender() sender {
	from, to := io.Pipe()
	return sender{from, to}
}

func (s sender) send(t *testing.T, n int) {
	t.Helper()
	if _, err := s.to.Write(make([]byte, n)); err != nil {
		t.Error(err)
	}
}

// unreachable is a store that no request may be made of.
func unreachable(t *testing.T, change func(*s3.Config)) *s3.Store {
	t.Helper()
	cfg := config(t, &servertest.S3{Endpoint: "127.0.0.1:1", AccessKey: "a", SecretKey: "s"}, "bucket", true)
	change(&cfg)
	store, err := s3.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestPromisesHoldNothing: an upload that announces a terabyte holds nothing before it has sent something, then no more
// than its first part, and nothing at its end.
func TestPromisesHoldNothing(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int64{"announced": 200 << 30, "unknown": -1} {
		memory := budget.New(256<<20, 0, journal.SystemClock{})
		store := unreachable(t, func(c *s3.Config) { c.Memory = memory })
		ctx, cancel := context.WithCancel(t.Context())
		body, ended := newSender(), make(chan error)
		go func() {
			_, err := store.Put(ctx, "a", body, objects.PutOptions{Length: length})
			ended <- err
		}()
		body.send(t, s3.AtHand)
		if held := memory.Held(budget.Parts); held != 0 {
			t.Errorf("%s: %d bytes are held before the part has begun to come in", name, held)
		}
		body.send(t, 2)
		processtest.Await(t, "the upload asks for its part", func() bool {
			return memory.Held(budget.Parts) == s3.MinPartSize
		})
		cancel()
		_ = body.to.CloseWithError(io.ErrClosedPipe)
		if err := <-ended; err == nil {
			t.Errorf("%s: an upload that was broken off was stored", name)
		}
		if held := memory.Held(budget.Parts); held != 0 {
			t.Errorf("%s: %d bytes are held after the end", name, held)
		}
	}
}

// TestOthersAreServedWithoutMemory: while one upload holds the memory for parts and another waits for it, small bodies
// and those of known length are stored; and the one that waits is, when there is memory again.
func TestOthersAreServedWithoutMemory(t *testing.T) {
	t.Parallel()
	server := shared.Versitygw(t)
	cfg := config(t, server, server.BucketName(), true)
	cfg.StreamSize, cfg.Memory = 0, onePart(20*time.Second)
	store := open(t, cfg)
	put := func(key string, body io.Reader, length int64, owner string) error {
		_, err := store.Put(t.Context(), key, body, objects.PutOptions{Length: length, Owner: owner})
		return err
	}
	holder, ended := newSender(), make(chan error, 2)
	go func() { ended <- put("holder", holder, -1, "a") }()
	holder.send(t, s3.AtHand+2)
	processtest.Await(t, "a part is held", func() bool { return cfg.Memory.Held(budget.Parts) > 0 })
	go func() { ended <- put("waits", bytes.NewReader(content(large)), -1, "b") }()

	for key, body := range map[string][]byte{"letter": content(10_000), "book": content(1 << 20),
		"film": content(large)} {
		if err := put(key, bytes.NewReader(body), int64(len(body)), "c"); err != nil {
			t.Errorf("%s, of known length: %v", key, err)
		}
		if got, err := read(t.Context(), store, key, "", nil); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s reads back as %d bytes, %v", key, len(got), err)
		}
	}
	if err := put("note", bytes.NewReader(content(s3.AtHand)), -1, "c"); err != nil {
		t.Errorf("a small body of unknown length: %v", err)
	}
	select {
	case err := <-ended:
		t.Errorf("one of those that hold and wait has ended: %v", err)
	default:
	}
	if err := holder.to.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestSlowPartGivesUp: an upload that trickles gives its memory up to one of another owner, and stores nothing.
func TestSlowPartGivesUp(t *testing.T) {
	t.Parallel()
	server := shared.Versitygw(t)
	cfg := config(t, server, server.BucketName(), true)
	cfg.Memory = onePart(time.Second)
	store := open(t, cfg)
	slow, ended := newSender(), make(chan error)
	go func() {
		_, err := store.Put(t.Context(), "slow", slow, objects.PutOptions{Length: -1, Owner: "a"})
		_ = slow.CloseWithError(err)
		ended <- err
	}()
	slow.send(t, s3.AtHand+2)
	go func() {
		for {
			if _, err := slow.to.Write([]byte("x")); err != nil {
				return
			}
			<-time.After(10 * time.Millisecond)
		}
	}()
	body := bytes.NewReader(content(large))
	var err error
	for range 5 { // it waits for a second, and so long the other may have taken
		_, _ = body.Seek(0, io.SeekStart)
		if _, err = store.Put(t.Context(), "b", body, objects.PutOptions{Length: -1, Owner: "b"}); err == nil {
			break
		}
	}
	if err != nil {
		t.Errorf("another owner's upload: %v", err)
	}
	_ = slow.to.CloseWithError(errors.New("it went on for ever"))
	if err := <-ended; !errors.Is(err, budget.ErrSlow) || errors.Is(err, objects.ErrUnavailable) {
		t.Errorf("the upload that trickled: %v", err)
	}
	if _, err := store.Stat(t.Context(), "slow", ""); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("it left something: %v", err)
	}
}

// TestPartsGrow: the size of a part goes by its number, up to what one upload may hold; or all are equal.
func TestPartsGrow(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	grown := unreachable(t, func(c *s3.Config) {
		c.PartSize, c.Memory = 6*mib, budget.New(128*mib, 0, journal.SystemClock{})
	})
	for n, want := range map[int]int64{1: 6, 1000: 6, 1001: 12, 2001: 24, 3001: 32, 10_000: 32} {
		if got := grown.PartSize(n); got != want*mib {
			t.Errorf("part %d has %d MiB, want %d", n, got/mib, want)
		}
	}
	if got, want := grown.MaxSize(), int64(1000*(6+12+24+7*32)*mib); got != want {
		t.Errorf("the largest body has %d bytes, want %d", got, want)
	}
	equal := unreachable(t, func(c *s3.Config) { c.EqualParts = true })
	if got := equal.MaxSize(); equal.PartSize(10_000) != s3.MinPartSize || got != 10_000*s3.MinPartSize {
		t.Errorf("the largest body of equal parts has %d bytes", got)
	}
}

// TestStoresTakeGrowingParts: the stores join parts of several sizes into what was sent.
func TestStoresTakeGrowingParts(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			store := open(t, config(t, server, server.BucketName(), true))
			store.GrowEvery(1)
			body := content(s3.MinPartSize*7 + 12_345) // parts of 5, 10 and 20 MiB, and a rest
			if _, err := store.Put(t.Context(), "a", bytes.NewReader(body),
				objects.PutOptions{Length: -1}); err != nil {
				t.Fatal(err)
			}
			if got, err := read(t.Context(), store, "a", "", nil); err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d bytes read back as %d, %v", len(body), len(got), err)
			}
		})
	}
}
