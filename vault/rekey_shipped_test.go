package vault_test

import (
	"context"
	"testing"
	"time"

	"muniment/anchor/journal/journaltest"
	"muniment/vault"
	"muniment/vault/access"
)

// Nothing is destroyed before it is shipped that this begins, however often the command is given: what this machine
// alone knows would be destroyed without a record if it were lost.
func TestTrimWaitsForShipping(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t), func(r *rig, _ *vault.Config) { r.releaseWait = 300 * time.Millisecond })
	trim := l.proposed()
	_, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.must(err)
	l.clock.Advance(trimWait)
	l.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
	for range 3 {
		_, err := l.life.RunTrim(ctx, l.custodian, trim.ID)
		l.wants("running a trim whose beginning cannot be shipped", err, access.ErrUnreleased)
		if v, err := l.service.Versions(ctx, l.tenant); err != nil || v.Kept != 1 {
			t.Fatalf("the key service has %+v, error %v: the trim was carried out", v, err)
		}
	}
	l.bucket.Inject(nil)
	l.shipped()
	l.runTrim(trim.ID)
}
