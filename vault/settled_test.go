package vault_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/rekey"
)

// approved leads the key to a trim that waits for nothing but its time.
func (l *lifeRig) approved() rekey.Trim {
	l.t.Helper()
	trim, err := l.life.ApproveTrim(context.Background(), l.approver, l.proposed().ID)
	l.must(err)
	return trim
}

// restart stops what runs, and starts it again after a time in which nothing did.
func (l *lifeRig) restart(off time.Duration) {
	l.t.Helper()
	ctx := context.Background()
	l.must(l.vault.Close())
	l.must(l.journal.Close())
	l.clock.Advance(off)
	l.backend = l.backend.(*memory.Store).Reopen(memory.Config{})
	var err error
	l.journal, err = journal.Open(ctx, journal.Config{
		Backend: l.backend, Bucket: l.bucket, Signer: journaltest.Signer(), Clock: l.clock, Rand: l.cfg.Rand,
		Log: l.cfg.Log, Definitions: slices.Concat(vault.Definitions(), retention.Definitions(), anchor.Definitions()),
		Origin: "muniment/test", ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
	})
	l.must(err)
	l.cfg = l.config(func(c *vault.Config) { c.Journal = l.journal })
	l.vault, err = vault.Open(ctx, l.cfg)
	l.must(err)
	l.life = l.keyLife(func(*rekey.Config) {})
	l.people = l.keeps()
}

// A clock that jumps ends no waiting period: forward or back, at once or bit by bit, while the vault runs or not.
func TestTrimWaitsThroughClocks(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	for name, jump := range map[string]func(*lifeRig){
		"forward": func(l *lifeRig) { l.clock.Step(year) },
		"forward and back": func(l *lifeRig) {
			l.clock.Step(year)
			l.deposit(vault.Deposit{}, []byte("in between"))
			l.clock.Step(-year)
		},
		"back":                func(l *lifeRig) { l.clock.Step(-year) },
		"forward over a stop": func(l *lifeRig) { l.restart(year) },
		"in small steps": func(l *lifeRig) {
			for range 100 {
				l.clock.Step(59 * time.Second)
				l.deposit(vault.Deposit{}, []byte("in between"))
			}
		},
		"over ten stops": func(l *lifeRig) {
			for range 10 {
				l.restart(year / 10)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLifeRig(t, localHouse(t))
			trim := l.approved()
			jump(l)
			l.runs("running a trim after a jump", trim, approval.ErrWaiting)
			l.clock.Advance(trimWait - time.Second)
			l.runs("running a trim a second early", trim, approval.ErrWaiting)
			l.clock.Advance(time.Second)
			l.runs("running a trim after its waiting period", trim, nil)
			if found := l.forbidden(); len(found) > 0 {
				t.Errorf("fsck: %s", found)
			}
		})
	}
}

// runs runs a trim, which must end with the error given.
func (l *lifeRig) runs(what string, trim rekey.Trim, want error) {
	l.t.Helper()
	_, err := l.life.RunTrim(context.Background(), l.custodian, trim.ID)
	l.wants(what, err, want)
}

// A weekend off, by a stop or by a machine that slept, restarts no waiting period and counts for it, once an approver
// has acknowledged it: nobody else, and nothing else than they were shown.
func TestWeekendOff(t *testing.T) {
	t.Parallel()
	const weekend = 60 * time.Hour
	for name, off := range map[string]func(*lifeRig){
		"stopped": func(l *lifeRig) { l.restart(weekend) },
		"asleep":  func(l *lifeRig) { l.clock.Step(weekend) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			l := newLifeRig(t, localHouse(t))
			trim := l.approved()
			l.clock.Advance(20 * 24 * time.Hour)
			l.deposit(vault.Deposit{}, []byte("on Friday"))
			off(l)
			l.deposit(vault.Deposit{}, []byte("on Monday"))
			status, err := l.people.Time(ctx, l.approver)
			if err != nil || len(status.Gaps) != 1 || status.Gaps[0].Length != weekend || len(status.Waits) != 1 ||
				status.Waits[0].What != "trim" || status.Waits[0].Actor != l.custodian.Actor().ID {
				t.Fatalf("the settled time is %+v, %v", status, err)
			}
			gap := status.Gaps[0]
			for _, who := range []access.Who{l.custodian, l.operator, l.who} {
				_, err := l.people.AcknowledgeTime(ctx, who, gap.Index, gap.Length)
				l.wants("acknowledging without the role", err, access.ErrDenied)
			}
			_, err = l.people.AcknowledgeTime(ctx, l.approver, gap.Index, gap.Length+time.Hour)
			l.wants("acknowledging another length", err, journal.ErrNoGap)
			status, err = l.people.AcknowledgeTime(ctx, l.approver, gap.Index, gap.Length)
			if l.must(err); len(status.Gaps) != 0 {
				t.Errorf("after the acknowledgement the settled time is %+v", status)
			}
			l.clock.Advance(10*24*time.Hour - weekend - time.Second)
			l.runs("running a trim a second early", trim, approval.ErrWaiting)
			l.clock.Advance(time.Second)
			l.runs("running a trim after its waiting period", trim, nil)
			if found := l.forbidden(); len(found) > 0 {
				t.Errorf("fsck: %s", found)
			}
		})
	}
}

// A check of the journal finds a trim that began before its waiting period had ended by settled time, whatever the
// clock said, and one that began when its approval had lapsed.
func TestForbiddenTrims(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pass func(*lifeRig)
		want string
	}{
		"after a step":   {func(l *lifeRig) { l.clock.Step(40 * 24 * time.Hour) }, "waiting period was not over"},
		"after a stop":   {func(l *lifeRig) { l.restart(40 * 24 * time.Hour) }, "waiting period was not over"},
		"when it lapsed": {func(l *lifeRig) { l.clock.Advance(91 * 24 * time.Hour) }, "had lapsed"},
		"in time":        {func(l *lifeRig) { l.clock.Advance(31 * 24 * time.Hour) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLifeRig(t, localHouse(t))
			trim := l.approved()
			c.pass(l)
			_, err := l.journal.Commit(context.Background(), l.custodian.Actor(),
				func(journal.View) (journal.Change, error) {
					return journal.Change{Events: []journal.Event{
						rekey.KeyTrimBegun.New(journal.ID{}, rekey.KeyTrimBegunData{ID: trim.ID})}}, nil
				})
			l.must(err)
			found := strings.Join(l.forbidden(), "\n")
			if c.want == "" && found != "" || !strings.Contains(found, c.want) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}

// A proposal whose place another takes waits no longer.
func TestSupersededWaitsNoLonger(t *testing.T) {
	t.Parallel()
	l := newLifeRig(t, localHouse(t))
	l.proposed()
	later := l.proposed()
	status, err := l.people.Time(context.Background(), l.approver)
	if err != nil || len(status.Waits) != 1 || !status.Waits[0].Until.Equal(later.NotBefore) {
		t.Errorf("what waits is %+v, %v; want the later one until %v", status.Waits, err, later.NotBefore)
	}
}
