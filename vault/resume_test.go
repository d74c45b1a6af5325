package vault_test

import (
	"bytes"
	"errors"
	"testing"

	"muniment/vault"
	"muniment/vault/objects"
	"muniment/vault/objects/objectstest"
)

// TestReadsGoOnWhereTheStoreBreaksOff: a body that is cut now and then is read whole; one that is cut again and again
// is not, and raises no alarm.
func TestReadsGoOnWhereTheStoreBreaksOff(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100 << 10, 5 << 20} {
		r, _, store := newDownRig(t)
		content := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		done := r.deposit(vault.Deposit{}, content)
		for range 3 {
			store.Arm(objectstest.Fault{Op: objectstest.Get, Kind: objectstest.Cut, After: 70_000})
		}
		if got, err := r.read(done.ID); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes, cut three times: %d bytes, %v", size, len(got), err)
		}
		for range 8 {
			store.Arm(objectstest.Fault{Op: objectstest.Get, Kind: objectstest.Cut, After: 0})
		}
		if got, err := r.read(done.ID); !errors.Is(err, objects.ErrUnavailable) || len(got) != 0 {
			t.Errorf("%d bytes, cut at once again and again: %d bytes, %v", size, len(got), err)
		}
		store.Disarm()
		if r.count("object.damaged/1") != 0 {
			t.Error("a connection that was lost raised an alarm")
		}
		if got, err := r.read(done.ID); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes, with a good store again: %d bytes, %v", size, len(got), err)
		}
	}
}
