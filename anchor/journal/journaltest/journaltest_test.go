package journaltest_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"testing"
	"time"

	"muniment/anchor/journal/journaltest"
)

func TestClock(t *testing.T) {
	t.Parallel()
	c := journaltest.NewClock()
	start := c.Now()
	if got := c.Now(); !got.Equal(start) || got.Location() != time.UTC {
		t.Errorf("the clock moved by itself from %v to %v", start, got)
	}
	if got, want := c.Advance(time.Hour), start.Add(time.Hour); !got.Equal(want) || !c.Now().Equal(want) {
		t.Errorf("an hour later it shows %v, then %v; want %v", got, c.Now(), want)
	}
	c.Set(start.Add(-time.Hour))
	if got := c.Now(); !got.Equal(start.Add(-time.Hour)) {
		t.Errorf("set back by an hour, it shows %v", got)
	}
}

func TestRandRepeats(t *testing.T) {
	t.Parallel()
	read := func(seed uint64) []byte {
		b := make([]byte, 1000)
		if _, err := io.ReadFull(journaltest.Rand(seed), b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(read(1), read(1)) {
		t.Error("the same seed gives other bytes")
	}
	if bytes.Equal(read(1), read(2)) || bytes.Equal(read(1), read(1<<63+1)) {
		t.Error("another seed gives the same bytes")
	}
}

func TestSigner(t *testing.T) {
	t.Parallel()
	s := journaltest.Signer()
	message := []byte("message")
	sig := journaltest.Must(s.Sign(context.Background(), message))
	if !ed25519.Verify(s.PublicKey(), message, sig) {
		t.Error("the signature does not verify")
	}
	if !bytes.Equal(s.PublicKey(), journaltest.Signer().PublicKey()) {
		t.Error("the key is not fixed")
	}
}

func TestMust(t *testing.T) {
	t.Parallel()
	fails := errors.New("fails")
	defer func() {
		if p := recover(); p != fails {
			t.Errorf("Must panicked with %v", p)
		}
	}()
	journaltest.Must(0, fails)
	t.Error("Must returned despite an error")
}
