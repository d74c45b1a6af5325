package vault_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal/journaltest"
	"muniment/vault"
	"muniment/vault/access"
)

// TestCommitted: a deposit that asks not to wait is answered while nothing can be released, without a proof, and so is
// the same again; asked in the usual way it waits, and has its proof once it is released.
func TestCommitted(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig, _ *vault.Config) { r.releaseWait = 20 * time.Millisecond })
	r.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
	deposit := func(committed bool) (vault.Deposited, error) {
		return r.vault.Deposit(context.Background(), r.who, vault.Deposit{
			IdempotencyKey: "k", Length: 1, Content: strings.NewReader("x"), Committed: committed,
		})
	}
	first, err := deposit(true)
	if err != nil || !first.Created || first.Receipt.Checkpoint != nil || first.Receipt.Proof != nil ||
		len(first.Receipt.Body) == 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := deposit(true)
	if err != nil || again.Created || again.ID != first.ID || again.Receipt.Checkpoint != nil ||
		again.Receipt.Leaf != first.Receipt.Leaf {
		t.Fatalf("again: %+v, %v", again, err)
	}
	if _, err := deposit(false); !errors.Is(err, access.ErrUnreleased) {
		t.Fatalf("in the usual way: %v", err)
	}
	r.bucket.Inject(nil)
	if _, err := r.journal.Released(context.Background(), first.Receipt); err != nil {
		t.Fatal(err)
	}
	if late, err := deposit(false); err != nil || late.ID != first.ID || late.Receipt.Checkpoint == nil {
		t.Errorf("once released: %+v, %v", late, err)
	}
}

// TestMayDeposit: whoever may deposit somewhere is let on; whoever may nowhere is denied, on record.
func TestMayDeposit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.series("permits")
	for name, c := range map[string]struct {
		who  access.Who
		want error
	}{
		"anywhere": {r.principal(access.Grant{Role: access.Depositor}), nil},
		"in one":   {r.principal(access.Grant{Role: access.Depositor, Series: "permits"}), nil},
		"nowhere":  {r.principal(access.Grant{Role: access.Auditor}), access.ErrDenied},
		"nobody":   {r.principal(), access.ErrDenied},
	} {
		before := r.count("access.denied/1")
		err := r.vault.MayDeposit(context.Background(), c.who)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if on := r.count("access.denied/1") - before; (on == 1) != (c.want != nil) {
			t.Errorf("%s: %d denials on record", name, on)
		}
	}
}

// TestFaults: all that is wrong is told at once, by field, and without what stands there.
func TestFaults(t *testing.T) {
	t.Parallel()
	d := vault.Deposit{FileName: "a/b", Series: "A", RecordDate: "2026-02-30", Title: "fine", Length: -2}
	var fields []string
	for _, fault := range d.Faults() {
		fields = append(fields, fault.Name)
	}
	if got := strings.Join(fields, " "); got != "file_name record_date series length" {
		t.Errorf("the faults are of %s", got)
	}
	if faults := (&vault.Deposit{Title: "fine"}).Faults(); len(faults) != 0 {
		t.Errorf("nothing is wrong, but %v", faults)
	}
}
