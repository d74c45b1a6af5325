package vault_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/rekey"
)

// meddling is a key service in which something happens between a rewrap's request and its answer.
type meddling struct {
	keys.Service
	mu   sync.Mutex
	then func(n int) error // after the n-th request was answered, which is then lost if this returns an error
	n    int
}

func (m *meddling) Rewrap(ctx context.Context, tenant string, wrapped []string) ([]keys.Rewrapped, error) {
	out, err := m.Service.Rewrap(ctx, tenant, wrapped)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	if m.then != nil && err == nil {
		if err := m.then(m.n); err != nil {
			return nil, err
		}
	}
	return out, err
}

// meddle sets what happens from now on.
func (m *meddling) meddle(then func(n int) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.then, m.n = then, 0
}

// newMeddlingRig is a life rig whose key service can be meddled with.
func newMeddlingRig(t testing.TB) (*lifeRig, *meddling) {
	t.Helper()
	h := localHouse(t)
	m := &meddling{Service: h.service}
	h.service = m
	return newLifeRig(t, h), m
}

// A rewrap that is broken off is taken up again, and does nothing twice.
func TestRewrapResumes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l, m := newMeddlingRig(t)
	doc := l.deposit(vault.Deposit{Title: "kept"}, []byte("kept"))
	const notes = 5000
	rows := notes + 2 + l.names()
	l.must(vault.SealNotes(ctx, l.vault, l.who, doc.ID, notes))
	l.rotate()
	m.meddle(func(n int) error {
		if n > 2 {
			return fmt.Errorf("broken off: %w", keys.ErrUnavailable)
		}
		return nil
	})
	first := l.rewrapped()
	l.wants("the broken rewrap", first.Err, keys.ErrUnavailable)
	if first.State != rekey.RewrapFailed || first.Rewrapped == 0 || first.Rewrapped >= notes {
		t.Fatalf("the broken rewrap came to %+v", first)
	}
	_, err := l.life.ProposeTrim(ctx, l.custodian, 0)
	l.wants("proposing after half a rewrap", err, rekey.ErrNotRewrapped)
	m.meddle(nil)
	second := l.rewrapped()
	if second.State != rekey.RewrapDone || first.Rewrapped+second.Rewrapped != rows {
		t.Errorf("the first run has rewrapped %d, the second %d, of %d rows in all; error %v",
			first.Rewrapped, second.Rewrapped, rows, second.Err)
	}
	if got := l.versions(); got[1] != 0 || got[2] != int(rows) {
		t.Errorf("rows by version: %v", got)
	}
	third := l.rewrapped()
	if third.State != rekey.RewrapDone || third.Rewrapped != 0 {
		t.Errorf("a third run came to %+v", third)
	}
	if n := l.count("key.rewrap_completed/1"); n != 1 {
		t.Errorf("%d rewraps completed on record", n)
	}
	l.fsck()
}

// While a rewrap runs, a second call joins it, and one of somebody else's is asked for permission all the same.
func TestRewrapJoins(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l, m := newMeddlingRig(t)
	l.deposit(vault.Deposit{}, []byte("x"))
	l.rotate()
	var once sync.Once
	asked, goOn := make(chan struct{}), make(chan struct{})
	m.meddle(func(int) error {
		once.Do(func() { close(asked) })
		<-goOn
		return nil
	})
	first, err := l.life.StartRewrap(ctx, l.custodian)
	l.must(err)
	<-asked
	second, err := l.life.StartRewrap(ctx, l.second)
	l.must(err)
	if second.State != rekey.RewrapRunning || !second.Began.Equal(first.Began) {
		t.Errorf("the second call has begun %+v, not joined %+v", second, first)
	}
	_, err = l.life.StartRewrap(ctx, l.operator)
	l.wants("rewrapping as an administrator", err, access.ErrDenied)
	close(goOn)
	if got := l.awaitRewrap(); got.State != rekey.RewrapDone || l.count("keys.rewrapped/1") != 1 {
		t.Errorf("the rewrap came to %+v, with %d batches on record", got, l.count("keys.rewrapped/1"))
	}
}

// Two gateways rewrap at a time, and the key is rotated between: whoever comes too late with an older version wraps
// once more.
func TestRewrapOvertaken(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l, m := newMeddlingRig(t)
	for i := range 5 {
		l.deposit(vault.Deposit{}, []byte{byte(i)})
	}
	other := l.keyLife(func(*rekey.Config) {})
	l.rotate()
	m.meddle(func(n int) error {
		if n > 1 {
			return nil
		}
		if _, err := other.Rotate(ctx, l.second); err != nil {
			return err
		}
		_, err := other.StartRewrap(ctx, l.second)
		return err
	})
	if got := l.rewrapped(); got.State != rekey.RewrapDone || got.Version != 2 {
		t.Errorf("the rewrap that was overtaken came to %+v, error %v", got, got.Err)
	}
	l.must(other.Close())
	l.rewrapped()
	if got := l.versions(); got[3] != 6+int(l.names()) {
		t.Errorf("rows by version: %v", got)
	}
	l.fsck()
}

// Another tenant's rows are none of a rewrap's business.
func TestRewrapLeavesOthers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	doc := l.deposit(vault.Deposit{}, []byte("x"))
	l.must(vault.SealNotes(ctx, l.vault, l.who, doc.ID, 3))
	custodian, _, err := l.vault.CreateTenant(ctx, "other",
		append([]access.Grant{{Role: access.KeyCustodian}}, everyRole...))
	l.must(err)
	deposit := vault.Deposit{Content: strings.NewReader("y"), Length: 1}
	out, err := l.vault.Deposit(ctx, custodian, deposit)
	l.must(err)
	l.must(vault.SealNotes(ctx, l.vault, custodian, out.ID, 2))
	l.rotate()
	if got := l.rewrapped(); got.State != rekey.RewrapDone || got.Rewrapped != 5+l.names() || got.Seen != 9+l.names() {
		t.Errorf("the rewrap came to %+v, error %v", got, got.Err)
	}
	if got := l.versions(); got[1] != 4 || got[2] != 5+int(l.names()) {
		t.Errorf("rows by version: %v", got)
	}
	status, err := l.life.Status(ctx, custodian)
	l.must(err)
	if status.Newest != 1 || status.Rewrap != nil || status.Tenant != "other" {
		t.Errorf("the other tenant's key is %+v", status)
	}
}

// A row that cannot be unwrapped is counted and reported, and keeps the rewrap from being complete; the others are
// rewrapped.
func TestRewrapUnreadable(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	broken := l.deposit(vault.Deposit{}, []byte("a"))
	l.deposit(vault.Deposit{}, []byte("b"))
	row := sealedRow(t, l.journal, broken.ID)
	row[len("MSR")+1+4+len("local:v1:")+20] ^= 1 // in the wrapped payload
	l.must(l.backend.Update(ctx, func(tx journal.Txn) error {
		return tx.Put(journal.Table{Kind: journal.Sealed, Name: "row"}, append([]byte{'d'}, broken.ID[:]...), row)
	}))
	l.rotate()
	got := l.rewrapped()
	if got.State != rekey.RewrapFailed || got.Unreadable != 1 || got.Rewrapped != 2+l.names() {
		t.Errorf("the rewrap came to %+v", got)
	}
	if n := l.count("object.damaged/1"); n != 1 {
		t.Errorf("%d alarms on record, want one", n)
	}
	if n := l.count("key.rewrap_completed/1"); n != 0 {
		t.Error("the rewrap is on record as complete")
	}
	_, err := l.vault.Erase(ctx, l.who, broken.ID, vault.EraseRequest{Authority: "order-1"})
	l.must(err)
	if got := l.rewrapped(); got.State != rekey.RewrapDone {
		t.Errorf("after the broken document was erased, the rewrap came to %+v, error %v", got, got.Err)
	}
	l.fsck()
}

// A document whose keys were wrapped before a rotation, and which is committed after everything has been rewrapped, is
// wrapped anew: it can be read after the old version is gone.
func TestDepositDuringKeyLife(t *testing.T) {
	t.Parallel()
	l := newLifeRig(t, localHouse(t))
	content := "slow content"
	slow := &acting{Reader: strings.NewReader(content), act: func() {
		l.rotate()
		if got := l.rewrapped(); got.State != rekey.RewrapDone {
			t.Errorf("the rewrap came to %+v, error %v", got, got.Err)
		}
	}}
	out, err := l.vault.Deposit(context.Background(), l.who, vault.Deposit{Length: int64(len(content)), Content: slow})
	l.must(err)
	if got := l.versions(); got[1] != 0 {
		t.Fatalf("rows by version: %v", got)
	}
	l.backup()
	trim, err := l.life.ProposeTrim(context.Background(), l.custodian, 2)
	l.must(err)
	_, err = l.life.ApproveTrim(context.Background(), l.approver, trim.ID)
	l.must(err)
	l.clock.Advance(trimWait)
	l.runTrim(trim.ID)
	if got, err := l.read(out.ID); err != nil || string(got) != content {
		t.Errorf("after the trim it reads as %q, error %v", got, err)
	}
}

// acting does something before the first byte is read.
type acting struct {
	io.Reader
	act func()
}

func (a *acting) Read(p []byte) (int, error) {
	if a.act != nil {
		a.act()
		a.act = nil
	}
	return a.Reader.Read(p)
}

// Erasures and rotations may fall into a rewrap at any time: no erased row comes back, no living one is lost, and none
// stays behind.
func TestEraseRacesRewrap(t *testing.T) {
	t.Parallel()
	l, m := newMeddlingRig(t)
	ctx := context.Background()
	gone, living := map[journal.ID]bool{}, map[journal.ID]string{}
	rounds := 0
	erase := func(id journal.ID) {
		if _, err := l.vault.Erase(ctx, l.who, id, vault.EraseRequest{Authority: "order-1"}); err != nil {
			t.Errorf("erasing: %v", err)
		}
		gone[id] = true
		delete(living, id)
	}
	rapid.Check(t, func(rt *rapid.T) {
		if rounds++; rounds%roundsOfRig == 0 { // every rewrap goes through the rows of all rounds
			l.fsck()
			l, m = newMeddlingRig(t)
			gone, living = map[journal.ID]bool{}, map[journal.ID]string{}
		}
		m.meddle(nil)
		var docs []journal.ID
		for i := range rapid.IntRange(1, 5).Draw(rt, "documents") {
			content := fmt.Sprint("content ", i)
			d := vault.Deposit{ExternalID: rapid.SampledFrom([]string{"",
				fmt.Sprint(len(gone)+len(living), "-", i)}).Draw(rt, "external id")}
			id := l.deposit(d, []byte(content)).ID
			docs, living[id] = append(docs, id), content
		}
		doomed := rapid.SliceOfNDistinct(rapid.SampledFrom(docs), 0, len(docs), rapid.ID[journal.ID]).Draw(rt,
			"to be erased in the middle")
		rotates := rapid.Bool().Draw(rt, "rotated in the middle")
		l.rotate()
		m.meddle(func(n int) error {
			if n > 1 {
				return nil
			}
			for _, id := range doomed {
				erase(id)
			}
			if rotates {
				if _, err := l.life.Rotate(ctx, l.custodian); err != nil {
					rt.Errorf("rotating: %v", err)
				}
			}
			return nil
		})
		for range 2 { // the second run is for what a rotation in the middle has made old again
			if got := l.rewrapped(); got.State != rekey.RewrapDone {
				rt.Fatalf("the rewrap came to %+v, error %v", got, got.Err)
			}
		}
		status, err := l.life.Status(ctx, l.custodian)
		if err != nil {
			rt.Fatal(err)
		}
		for version, n := range l.versions() {
			if version < status.Newest {
				rt.Errorf("%d rows stay at version %d of %d", n, version, status.Newest)
			}
		}
		for id := range gone {
			if sealedRow(t, l.journal, id) != nil {
				rt.Errorf("the row of the erased document %s is back", id)
			}
		}
		for _, id := range docs {
			if content, kept := living[id]; kept {
				if got, err := l.read(id); err != nil || !bytes.Equal(got, []byte(content)) {
					rt.Errorf("a living document reads as %q, error %v", got, err)
				}
			}
		}
	})
	l.fsck()
}

// shifting is a key service whose rewraps are each another row's.
type shifting struct{ keys.Service }

func (s shifting) Rewrap(ctx context.Context, tenant string, wrapped []string) ([]keys.Rewrapped, error) {
	out, err := s.Service.Rewrap(ctx, tenant, wrapped)
	if len(out) > 1 {
		out = append(out[1:], out[0])
	}
	return out, err
}

// Rewraps that are not of the rows that they were asked for are not kept: nobody would notice before the versions that
// the rows need are destroyed.
func TestRewrapMixedUp(t *testing.T) {
	t.Parallel()
	h := localHouse(t)
	h.service = shifting{h.service}
	l := newLifeRig(t, h)
	doc := l.deposit(vault.Deposit{}, []byte("kept"))
	l.deposit(vault.Deposit{}, []byte("kept too"))
	l.rotate()
	if got := l.rewrapped(); got.State != rekey.RewrapFailed || got.Rewrapped != 0 {
		t.Errorf("the rewrap came to %+v", got)
	}
	if n := l.count("key.rewrap_completed/1"); n != 0 {
		t.Error("the rewrap is complete on record")
	}
	if got, err := l.read(doc.ID); err != nil || string(got) != "kept" {
		t.Errorf("the document reads as %q, error %v", got, err)
	}
}
