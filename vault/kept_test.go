package vault_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
	"muniment/vault/objects/objectstest"
	"muniment/vault/people"
	"muniment/vault/rekey"
)

// outages are the ways in which no locked checkpoint can be written.
func outages() map[string]func(r *rig, down bool) {
	return map[string]func(*rig, bool){
		"the signer is down": func(r *rig, down bool) { r.signer.down.Store(down) },
		"the release bucket is down": func(r *rig, down bool) {
			r.bucket.Inject(nil)
			if down {
				r.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
			}
		},
		"the documents' store is down": func(r *rig, down bool) {
			r.locked.Disarm()
			if down {
				r.locked.Arm(objectstest.Fault{Op: objectstest.Put, Times: -1})
			}
		},
		"the documents' store refuses locks": func(r *rig, down bool) {
			r.locked.Disarm()
			if down {
				r.locked.Arm(objectstest.Fault{Op: objectstest.Put, Times: -1, Err: errors.New("no lock is taken")})
			}
		},
	}
}

// again repeats an act until a locked checkpoint covers it.
func (l *lifeRig) again(act func() error) {
	l.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := act()
		if err == nil {
			return
		}
		if !errors.Is(err, access.ErrUnreleased) || time.Now().After(deadline) {
			l.t.Fatal(err)
		}
	}
}

// TestActsRuleFromTheirCommit: an act that no locked checkpoint can cover is in force, says so, and gives what it gives
// once only; the next is covered, as is the same again.
func TestActsRuleFromTheirCommit(t *testing.T) {
	t.Parallel()
	for name, switched := range outages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			l := newLifeRig(t, localHouse(t), func(r *rig, _ *vault.Config) { r.releaseWait = 500 * time.Millisecond })
			trim := l.readyToTrim()
			gone := l.founders.Principal(t, "Una Auditor", access.Grant{Role: access.Auditor})
			authority := l.cfg.Door.Authority()
			_, err := authority.AuthenticateNow(ctx, gone.Key.Reveal())
			l.must(err)

			switched(l.rig, true)
			created, err := l.people.CreatePrincipal(ctx, l.operator,
				people.NewPrincipal{Name: "Abe Approver", Grants: []access.Grant{{Role: access.Approver}}})
			l.wants("creating", err, access.ErrUnreleased)
			claimed, err := l.people.Claim(ctx, created.Code.Reveal(), "")
			l.wants("claiming", err, access.ErrUnreleased)
			who := access.Who{Tenant: l.tenant, Principal: created.Principal.ID}
			_, err = authority.AuthenticateNow(ctx, claimed.Key.Reveal())
			l.wants("authenticating before the approval", err, access.ErrKeyUnapproved)
			open, err := l.people.GrantProposals(ctx, l.founders.Approver.Who)
			l.must(err)
			_, err = l.people.ApproveGrants(ctx, l.founders.Approver.Who, open[0].ID, open[0].Digest)
			l.wants("approving grants", err, access.ErrUnreleased)
			if got, err := authority.AuthenticateNow(ctx, claimed.Key.Reveal()); err != nil || got != who {
				t.Errorf("the new key speaks for %v, %v; want %v", got, err, who)
			}
			n, err := l.people.RevokeKeys(ctx, l.operator, gone.Principal)
			l.wants("revoking", err, access.ErrUnreleased)
			if got, err := authority.AuthenticateNow(ctx, gone.Key.Reveal()); err == nil || n != 1 {
				t.Errorf("%d keys are revoked, and one speaks for %v", n, got)
			}
			proposed, err := l.life.ProposeTrim(ctx, l.custodian, trim)
			l.wants("proposing", err, access.ErrUnreleased)
			approved, err := l.life.ApproveTrim(ctx, who, proposed.ID)
			l.wants("approving", err, access.ErrUnreleased)
			if approved.State != approval.Approved || approved.ID != proposed.ID {
				t.Errorf("the trim is %+v", approved)
			}

			switched(l.rig, false)
			l.again(func() error { _, err := l.people.RevokeKeys(ctx, l.operator, gone.Principal); return err })
			_, err = l.life.ProposeTrim(ctx, l.custodian, trim)
			l.must(err)
			_, err = l.life.ApproveTrim(ctx, who, proposed.ID)
			l.must(err)
			l.again(func() error {
				_, err := l.people.CreatePrincipal(ctx, l.operator, people.NewPrincipal{Name: "Nobody Yet"})
				return err
			})
			l.covered()
		})
	}
}

// readyToTrim leads the key to where a trim can be proposed, and returns its newest version.
func (l *lifeRig) readyToTrim() int {
	l.t.Helper()
	l.clock.Advance(time.Second) // ids are in the order of their times
	out := l.rotate()
	if got := l.rewrapped(); got.State != rekey.RewrapDone {
		l.t.Fatalf("the rewrap came to %+v, error %v", got, got.Err)
	}
	l.backup()
	return out.Version
}

// covered fails the test unless a locked checkpoint covers the newest event about authority.
func (l *lifeRig) covered() {
	l.t.Helper()
	kept, err := checkpoints.Newest(context.Background(), checkpoints.Search{Store: l.locked, Journal: l.journal.ID(),
		Origin: l.journal.Origin(), Keys: []string{l.journal.VerifierKey()}})
	l.must(err)
	l.must(l.journal.View(context.Background(), func(r journal.Reader) error {
		at, ok, err := l.journal.LastAuth(r)
		if err == nil && (!ok || at >= kept.Size) {
			l.t.Errorf("the locked checkpoint is of %d entries, and the newest about authority is the one at %d",
				kept.Size, at)
		}
		return err
	}))
}

// TestTrimWaitsForItsLockedCheckpoint: nothing is destroyed before a locked checkpoint covers the beginning, however
// often the command is given. Once it is done, it is done, whether or not one covers that.
func TestTrimWaitsForItsLockedCheckpoint(t *testing.T) {
	t.Parallel()
	for name, switched := range outages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			l := newLifeRig(t, localHouse(t), func(r *rig, _ *vault.Config) { r.releaseWait = 500 * time.Millisecond })
			trim := l.proposed()
			_, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
			l.must(err)
			l.clock.Advance(trimWait)
			switched(l.rig, true)
			for range 3 {
				_, err := l.life.RunTrim(ctx, l.custodian, trim.ID)
				l.wants("running", err, rekey.ErrNotStarted)
				if v, err := l.service.Versions(ctx, l.tenant); err != nil || v.Kept != 1 {
					t.Fatalf("the key service has %+v, error %v: the trim was carried out", v, err)
				}
			}
			if n := l.count("key.trim_begun/1"); n != 1 {
				t.Errorf("it has begun %d times on record", n)
			}
			switched(l.rig, false)
			var done rekey.Trim
			l.again(func() (err error) { done, err = l.life.RunTrim(ctx, l.custodian, trim.ID); return err })
			if v, err := l.service.Versions(ctx, l.tenant); err != nil || v.Kept != 2 || done.State != approval.Done {
				t.Errorf("the key service has %+v, error %v, and the trim is %+v", v, err, done)
			}
		})
	}
}

// TestTrimDoneAndNotCovered: a store that goes away while versions are destroyed makes no failure of what is done.
func TestTrimDoneAndNotCovered(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	trim := l.proposed()
	_, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.must(err)
	l.clock.Advance(trimWait)
	l.locked.Arm(objectstest.Fault{Op: objectstest.Put, Skip: 1, Times: -1})
	for range 2 {
		done, err := l.life.RunTrim(ctx, l.custodian, trim.ID)
		if !errors.Is(err, access.ErrUnreleased) || errors.Is(err, rekey.ErrNotStarted) ||
			!errors.Is(err, objects.ErrUnavailable) || done.State != approval.Done {
			t.Errorf("%+v, %v", done, err)
		}
	}
	l.locked.Disarm()
	if done, err := l.life.RunTrim(ctx, l.custodian, trim.ID); err != nil || done.State != approval.Done {
		t.Errorf("with the store again: %+v, %v", done, err)
	}
}
