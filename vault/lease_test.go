package vault_test

import (
	"errors"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/vault"
)

// TestReadWithoutALease: the read is on record before it is known that no content may leave, and none does, of a
// document of either way of reading.
func TestReadWithoutALease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := []journal.ID{
		r.deposit(vault.Deposit{Title: "small"}, []byte("content")).ID,
		r.deposit(vault.Deposit{Title: "large"}, make([]byte, 3<<20)).ID,
	}
	r.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
	for _, id := range ids {
		var content []byte
		var err error
		for deadline := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(deadline); {
			content, err = r.read(id) // until the term is over
		}
		if !errors.Is(err, journal.ErrNoLease) || content != nil {
			t.Errorf("without a lease %d bytes are read, %v", len(content), err)
		}
	}
	if n := r.count("document.read/1"); n < len(ids) {
		t.Errorf("%d reads are on record", n)
	}
	r.bucket.Inject(nil)
	for _, id := range ids {
		_, err := r.read(id)
		for deadline := time.Now().Add(10 * time.Second); errors.Is(err, journal.ErrNoLease) &&
			time.Now().Before(deadline); {
			_, err = r.read(id)
		}
		if err != nil {
			t.Errorf("with the bucket again: %v", err)
		}
	}
}
