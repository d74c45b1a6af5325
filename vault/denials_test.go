package vault_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// A flood of refusals is on record by its first ones and its number.
func TestDenialsCoalesced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := context.Background()
	who, other := r.principal(access.Grant{Role: access.KeyCustodian}), r.principal()
	refuse := func(who access.Who, n int) {
		t.Helper()
		for range n {
			if _, err := r.vault.Describe(ctx, who, journal.ID{6: 0x70, 8: 0x80}); !errors.Is(err, access.ErrDenied) {
				t.Fatal(err)
			}
		}
	}
	refuse(who, 100)
	if n := r.count("access.denied/1"); n != 16 {
		t.Errorf("%d events for 100 refusals within a minute", n)
	}
	refuse(other, 1)
	if _, err := r.vault.Feed(ctx, who, 0, 1); !errors.Is(err, access.ErrDenied) {
		t.Fatal(err)
	}
	if n := r.count("access.denied/1"); n != 18 {
		t.Errorf("%d events: another principal's, and those of another act, are for themselves", n)
	}
	if err := r.cfg.Door.Flush(ctx, r.clock.Now()); err != nil || r.count("access.denied/1") != 18 {
		t.Errorf("within the minute: %d events, error %v", r.count("access.denied/1"), err)
	}
	r.clock.Advance(time.Minute)
	refuse(who, 1)
	if err := r.cfg.Door.Flush(ctx, r.clock.Now()); err != nil {
		t.Fatal(err)
	}
	rec, n := r.last("access.denied/1")
	if n != 20 || rec.Actor != who.Principal.String() ||
		string(rec.Data) != `{"action":"document.describe","more":84}` {
		t.Errorf("after the minute: %d events, the last is %s", n, rec.Body)
	}
	refuse(who, 17) // one in full has gone before
	if err := r.vault.Close(); err != nil {
		t.Fatal(err)
	}
	rec, n = r.last("access.denied/1")
	if n != 20+15+1 || string(rec.Data) != `{"action":"document.describe","more":2}` {
		t.Errorf("at the end: %d events, the last is %s", n, rec.Body)
	}
}
