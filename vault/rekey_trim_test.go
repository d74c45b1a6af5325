package vault_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/invalid"
	"muniment/vault/keys"
	"muniment/vault/rekey"
)

// Where the gateway does not hold the keys, it records what the key custodian has done there, and nothing else.
func TestKeyLifeElsewhere(t *testing.T) {
	t.Parallel()
	h := localHouse(t)
	h.ours = false
	testKeyLife(t, h)
}

func TestRotateElsewhere(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	h := localHouse(t)
	h.ours = false
	l := newLifeRig(t, h)
	_, err := l.life.Rotate(ctx, l.custodian)
	l.wants("recording a rotation that nobody has made", err, rekey.ErrCustody)
	l.rotate()
	_, err = l.life.Rotate(ctx, l.custodian)
	l.wants("recording the same again", err, rekey.ErrCustody)
	if n := l.count("key.rotated/1"); n != 1 {
		t.Errorf("%d rotations on record, want one", n)
	}
}

// A rotation that was broken off before its record is recorded by the next call, which does not rotate once more.
func TestRotateTwice(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	if _, err := l.house.custodian.Rotate(ctx, l.tenant, 1); err != nil {
		t.Fatal(err)
	}
	out, err := l.life.Rotate(ctx, l.custodian)
	if err != nil || out != (rekey.Rotation{Version: 2, Recorded: true}) {
		t.Errorf("got %+v, error %v", out, err)
	}
	if v, err := l.service.Versions(ctx, l.tenant); err != nil || v.Newest != 2 {
		t.Errorf("the key service has %+v, error %v", v, err)
	}
}

// Nobody without the role acts on keys, and every refusal is on record.
func TestKeyActsDenied(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	id, err := journal.NewID(l.clock.Now(), journalRand{})
	l.must(err)
	for name, act := range map[string]func(access.Who) error{
		"key.view":         func(w access.Who) error { _, err := l.life.Status(ctx, w); return err },
		"key.rotate":       func(w access.Who) error { _, err := l.life.Rotate(ctx, w); return err },
		"key.rewrap":       func(w access.Who) error { _, err := l.life.StartRewrap(ctx, w); return err },
		"key.trim":         func(w access.Who) error { _, err := l.life.ProposeTrim(ctx, w, 0); return err },
		"key.trim_approve": func(w access.Who) error { _, err := l.life.ApproveTrim(ctx, w, id); return err },
		"backup.record": func(w access.Who) error {
			_, err := l.life.RecordBackup(ctx, w, rekey.Backup{Size: 1})
			return err
		},
		"backup.view": func(w access.Who) error { _, err := l.life.Backups(ctx, w, 0, 1); return err },
		"document.erase": func(w access.Who) error {
			_, err := l.vault.Erase(ctx, w, id, vault.EraseRequest{Authority: "order-1"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := l.count("access.denied/1")
			l.wants(name, act(l.principal(access.Grant{Role: access.Depositor})), access.ErrDenied)
			if got := l.count("access.denied/1"); got != before+1 {
				t.Errorf("%d denials on record, want one more than %d", got, before)
			}
		})
	}
}

// journalRand gives the same bytes always.
type journalRand struct{}

func (journalRand) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// proposed leads the key to a proposal to trim to its newest version.
func (l *lifeRig) proposed() rekey.Trim {
	l.t.Helper()
	l.clock.Advance(time.Second) // ids are in the order of their times
	l.rotate()
	if got := l.rewrapped(); got.State != rekey.RewrapDone {
		l.t.Fatalf("the rewrap came to %+v, error %v", got, got.Err)
	}
	l.backup()
	trim, err := l.life.ProposeTrim(context.Background(), l.custodian, 0)
	l.must(err)
	return trim
}

// Approvals lapse after 90 days, and proposals 90 days after their waiting period.
func TestTrimLapses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	trim := l.proposed()
	_, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.must(err)
	start := l.clock.Now()
	l.clock.Set(start.AddDate(0, 0, 90))
	_, err = l.life.RunTrim(ctx, l.custodian, trim.ID)
	l.wants("running with an approval that has lapsed", err, approval.ErrUnapproved)
	_, err = l.life.ApproveTrim(ctx, l.founders.Approver.Who, trim.ID)
	l.must(err)
	l.clock.Set(start.AddDate(0, 0, 121))
	_, err = l.life.RunTrim(ctx, l.custodian, trim.ID)
	l.wants("running a proposal that has lapsed", err, approval.ErrOver)
	_, err = l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.wants("approving a proposal that has lapsed", err, approval.ErrOver)
	again, err := l.life.ProposeTrim(ctx, l.custodian, 0)
	if err != nil || again.ID == trim.ID {
		t.Errorf("proposing again: %v, error %v", again.ID, err)
	}
}

// A proposal for more versions takes the place of an earlier one; nothing takes the place of one that has begun.
func TestTrimSuperseded(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	h := localHouse(t)
	h.ours = false
	l := newLifeRig(t, h)
	first := l.proposed()
	second := l.proposed()
	if second.Oldest != 3 {
		t.Fatalf("the second proposal is %+v", second)
	}
	_, err := l.life.ApproveTrim(ctx, l.approver, first.ID)
	l.wants("approving the first", err, approval.ErrOver)
	_, err = l.life.ProposeTrim(ctx, l.custodian, 2)
	l.wants("proposing fewer versions", err, approval.ErrOpen)
	_, err = l.life.ApproveTrim(ctx, l.approver, second.ID)
	l.must(err)
	l.clock.Advance(trimWait)
	begun, err := l.life.RunTrim(ctx, l.custodian, second.ID)
	if err != nil || begun.State != approval.Begun {
		t.Fatalf("running: %+v, error %v", begun, err)
	}
	l.rotate()
	l.rewrapped()
	l.backup()
	_, err = l.life.ProposeTrim(ctx, l.custodian, 0)
	l.wants("proposing while one has begun", err, approval.ErrOpen)
	l.clock.Advance(1000 * 24 * time.Hour) // what has begun never lapses: the versions may be gone already
	l.must(l.house.custodian.Trim(ctx, l.tenant, second.Oldest))
	if done, err := l.life.RunTrim(ctx, l.second, second.ID); err != nil || done.State != approval.Done {
		t.Errorf("finishing: %+v, error %v", done, err)
	}
	status, err := l.life.Status(ctx, l.custodian)
	l.must(err)
	var states []string
	for _, trim := range status.Trims {
		states = append(states, string(trim.State))
	}
	if got := fmt.Sprint(states); got != "[done superseded]" {
		t.Errorf("the trims are %s", got)
	}
}

// The conditions of a trim are looked at again when it is carried out.
func TestTrimChecksAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	doc := l.deposit(vault.Deposit{}, []byte("x"))
	old := sealedRow(t, l.journal, doc.ID)
	trim := l.proposed()
	_, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.must(err)
	l.clock.Advance(trimWait)
	// Somebody puts the old row back behind the journal's back.
	fresh := sealedRow(t, l.journal, doc.ID)
	put := func(value []byte) {
		l.must(l.backend.Update(ctx, func(tx journal.Txn) error {
			return tx.Put(journal.Table{Kind: journal.Sealed, Name: "row"}, append([]byte{'d'}, doc.ID[:]...), value)
		}))
	}
	put(old)
	_, err = l.life.RunTrim(ctx, l.custodian, trim.ID)
	l.wants("running while a row is older than its record says", err, rekey.ErrNotRewrapped)
	if n := l.count("key.trim_begun/1"); n != 0 {
		t.Error("the trim has begun")
	}
	put(fresh)
	l.runTrim(trim.ID)
}

// The trim is on record as begun before anything is destroyed, so that a broken one can always be brought to its end.
func TestTrimBreaks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	h := localHouse(t)
	breaking := &breakingCustodian{Custodian: h.custodian}
	h.custodian = breaking
	l := newLifeRig(t, h)
	trim := l.proposed()
	_, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.must(err)
	l.clock.Advance(trimWait)
	for _, done := range []bool{false, true} { // it failed; it failed, but took effect
		breaking.done, breaking.fails = done, true
		_, err = l.life.RunTrim(ctx, l.custodian, trim.ID)
		l.wants("a trim that breaks", err, keys.ErrUnavailable)
		if n := l.count("key.trim_begun/1"); n != 1 {
			t.Errorf("%d begun on record, want one", n)
		}
	}
	breaking.fails = false
	l.clock.Advance(1000 * 24 * time.Hour)
	l.runTrim(trim.ID)
}

// breakingCustodian fails to trim, before or after it has.
type breakingCustodian struct {
	keys.Custodian
	fails, done bool
}

func (b *breakingCustodian) Trim(ctx context.Context, tenant string, oldest int) error {
	if !b.fails || b.done {
		if err := b.Custodian.Trim(ctx, tenant, oldest); err != nil {
			return err
		}
	}
	if b.fails {
		return fmt.Errorf("the answer was lost: %w", keys.ErrUnavailable)
	}
	return nil
}

func TestBackups(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	size := l.journal.Size()
	root, err := l.journal.RootAt(ctx, size)
	l.must(err)
	other := root
	other[0] ^= 1
	for name, b := range map[string]rekey.Backup{
		"another root":     {Size: size, Root: other},
		"another size":     {Size: size - 1, Root: root},
		"more than all":    {Size: size + 100, Root: root},
		"more than can be": {Size: 1 << 63, Root: root},
		"nothing":          {},
	} {
		_, err := l.life.RecordBackup(ctx, l.operator, b)
		l.wants(name, err, rekey.ErrBackup)
	}
	_, err = l.life.RecordBackup(ctx, l.operator, rekey.Backup{Size: size, Root: root, Label: "/srv/backup"})
	l.wants("a path as a label", err, invalid.ErrField)
	first, second := l.backup(), l.backup()
	list, err := l.life.Backups(ctx, l.approver, 0, 10)
	l.must(err)
	if len(list) != 2 || list[0].Index != second.Index || list[1].Index != first.Index || list[1].Label != "offsite" ||
		list[0].At.IsZero() || list[0].Actor != l.operator.Actor().ID || list[0].Root != second.Root {
		t.Errorf("the backups on record: %+v", list)
	}
	if list, err = l.life.Backups(ctx, l.approver, second.Index, 10); err != nil || len(list) != 1 ||
		list[0].Index != first.Index {
		t.Errorf("before the second: %+v, error %v", list, err)
	}
}

func TestRevokeKeys(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	auditor := l.founders.Principal(t, "Una Auditor", access.Grant{Role: access.Auditor})
	who, key := auditor.Who, auditor.Key
	knows := func() error {
		_, err := l.cfg.Door.Authority().AuthenticateNow(ctx, key.Reveal())
		return err
	}
	l.must(knows())
	_, err := l.people.RevokeKeys(ctx, l.custodian, who.Principal)
	l.wants("revoking without the role", err, access.ErrDenied)
	_, err = l.people.RevokeKeys(ctx, l.operator, l.operator.Principal)
	l.wants("revoking one's own keys", err, approval.ErrOwnRequest)
	for _, want := range []int{1, 0} {
		if n, err := l.people.RevokeKeys(ctx, l.operator, who.Principal); err != nil || n != want {
			t.Errorf("%d keys revoked, error %v, want %d", n, err, want)
		}
	}
	l.wants("using a revoked key", knows(), access.ErrUnknownKey)
	_, err = l.vault.Feed(ctx, who, 0, 10)
	l.wants("a request that was let in before", err, access.ErrDenied)
}

// A key service that knows fewer versions than the record has lost some: nothing is recorded.
func TestRotateAfterLoss(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, ours := range []bool{true, false} {
		h := localHouse(t)
		h.ours = ours
		l := newLifeRig(t, h)
		l.rotate()
		older := localHouse(t)
		l.must(keys.ForJournal(older.service, l.journal.ID()).CreateTenant(ctx, l.tenant))
		life := l.keyLife(func(c *rekey.Config) {
			c.Keys, c.Custodian = older.service, nil
			if ours {
				c.Custodian = older.custodian
			}
		})
		_, err := life.Rotate(ctx, l.custodian)
		l.wants("rotating keys of which a version is lost", err, keys.ErrVersion)
		if n := l.count("key.rotated/1"); n != 1 {
			t.Errorf("%d rotations on record", n)
		}
	}
}

// A trim destroys nothing of a key that is not the tenant's own: before anything goes, a row that the journal binds
// must open with it. The refusal is on record.
func TestTrimTriesTheKey(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	doc := l.deposit(vault.Deposit{}, []byte("kept"))
	trim := l.proposed()
	_, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.must(err)
	l.clock.Advance(trimWait)

	swapped := localHouse(t) // the same names and versions, other keys
	theirs, custodian := keys.ForJournal(swapped.service, l.journal.ID()),
		keys.CustodianForJournal(swapped.custodian, l.journal.ID())
	l.must(theirs.CreateTenant(ctx, l.tenant))
	_, err = custodian.Rotate(ctx, l.tenant, 1)
	l.must(err)
	for _, ours := range []bool{true, false} {
		before := l.count("key.trim_refused/1")
		life := l.keyLife(func(c *rekey.Config) {
			c.Keys, c.Custodian = swapped.service, nil
			if ours {
				c.Custodian = swapped.custodian
			}
		})
		_, err = life.RunTrim(ctx, l.custodian, trim.ID)
		l.wants("trimming another's key", err, rekey.ErrCanary)
		if n := l.count("key.trim_refused/1"); n != before+1 {
			t.Errorf("%d refusals on record, want %d", n, before+1)
		}
	}
	if v, err := theirs.Versions(ctx, l.tenant); err != nil || v != (keys.Versions{Newest: 2, Oldest: 1, Kept: 1}) {
		t.Errorf("the other's key has versions %+v, %v: something was destroyed", v, err)
	}
	if n := l.count("key.trim_begun/1"); n != 0 {
		t.Error("the trim has begun")
	}
	if at, err := l.life.TrimRefused(ctx, l.tenant); err != nil || at.IsZero() {
		t.Errorf("the last refusal was at %s, %v", at, err)
	}
	l.runTrim(trim.ID)
	if at, err := l.life.TrimRefused(ctx, l.tenant); err != nil || !at.IsZero() {
		t.Errorf("after the trim the last refusal was at %s, %v", at, err)
	}
	if got, err := l.read(doc.ID); err != nil || string(got) != "kept" {
		t.Errorf("after the trim the document reads as %q, error %v", got, err)
	}
	l.fsck()
}

// TestTrimOfTheDismissed: an approval counts only as long as its approver is one, and a proposal only as long as its
// proposer may trim.
func TestTrimOfTheDismissed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	trim := l.proposed()
	_, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.must(err)
	l.clock.Advance(trimWait)
	_, err = l.people.RevokeGrants(ctx, l.operator, l.approver.Principal, []access.Grant{{Role: access.Approver}})
	l.must(err)
	_, err = l.life.RunTrim(ctx, l.custodian, trim.ID)
	l.wants("running what a dismissed approver has approved", err, approval.ErrUnapproved)
	again, err := l.life.ApproveTrim(ctx, l.founders.Approver.Who, trim.ID)
	l.must(err)
	if again.State != approval.Approved || again.Approver != l.founders.Approver.Actor().ID {
		t.Errorf("approved again: %+v", again)
	}
	_, err = l.people.RevokeKeys(ctx, l.operator, l.custodian.Principal)
	l.must(err)
	_, err = l.life.RunTrim(ctx, l.second, trim.ID)
	l.wants("running what a dismissed custodian has proposed", err, approval.ErrOver)
	l.fsck()
}
