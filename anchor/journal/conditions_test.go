package journal_test

import (
	"context"
	"errors"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

// careless is a store that accepts conditions and honours none, or only those of If-None-Match or of If-Match.
type careless struct {
	*journaltest.Bucket
	absent, match bool // honoured
}

func (c careless) Put(ctx context.Context, name string, data []byte, tag string) (string, error) {
	if tag == "" && c.absent || tag != "" && c.match {
		return c.Bucket.Put(ctx, name, data, tag)
	}
	_, now, err := c.Get(ctx, name)
	if err != nil {
		now = ""
	}
	return c.Bucket.Put(ctx, name, data, now)
}

// TestABucketWithoutConditionsIsRefused at every start, before anything is written that counts: over it two servers
// would sign two histories.
func TestABucketWithoutConditionsIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ absent, match bool }{{false, false}, {true, false}, {false, true}} {
		k := newKit(t)
		cfg := k.config(t)
		cfg.Bucket = careless{k.bucket, c.absent, c.match}
		if _, err := journal.Open(t.Context(), cfg); !errors.Is(err, journal.ErrUnconditional) {
			t.Errorf("If-None-Match %v, If-Match %v: creating says %v", c.absent, c.match, err)
		}
		objects, rows := k.bucket.Objects(), rowsOf(t, k.backend, journal.Table{Kind: journal.Log, Name: "body"})
		if len(objects) > 0 || len(rows) > 0 {
			t.Errorf("it has left %d objects and %d entries", len(objects), len(rows))
		}
		k.close(t, k.open(t))
		before := string(k.bucket.Objects()["head"])
		cfg.Backend = k.backend
		if _, err := journal.Open(t.Context(), cfg); !errors.Is(err, journal.ErrUnconditional) {
			t.Errorf("If-None-Match %v, If-Match %v: opening says %v", c.absent, c.match, err)
		}
		if string(k.bucket.Objects()["head"]) != before {
			t.Error("it has changed the head")
		}
	}
}

// TestProbingLeavesNothing in a bucket that honours conditions.
func TestProbingLeavesNothing(t *testing.T) {
	t.Parallel()
	b := journaltest.NewBucket(t)
	if _, err := journal.ProbeConditions(t.Context(), b, journaltest.Rand(1)); err != nil {
		t.Error(err)
	}
	if left := b.Objects(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
