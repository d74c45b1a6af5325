package vault_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/objects"
)

// trials is a store that is tried: it does what it is told to.
type trials struct {
	mu    sync.Mutex
	trial objects.Attestation
	err   error
	made  int
}

func (s *trials) try(context.Context) (objects.Attestation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	return s.trial, s.err
}

// now sets what the next trials come to.
func (s *trials) now(enforced bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trial = objects.Attestation{
		Key: objects.ProbePrefix + "a", Version: "1", Locks: true, RefusesDelete: enforced, RefusesShorter: true,
		KeepsVersions: true,
	}
	s.err = err
}

func (s *trials) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made
}

const storeName = "s3/5feceb66ffc86f38"

// tried is a rig whose store is tried.
func tried(s *trials) option {
	return func(_ *rig, c *vault.Config) { c.Store, c.Attest = storeName, s.try }
}

// attested are the attestations on record, of the system's and the tenant's own events.
func (r *rig) attested() []journal.Record {
	r.t.Helper()
	var out []journal.Record
	for _, tenant := range []string{journal.System, r.tenant} {
		records, err := r.journal.Records(context.Background(), tenant, 0, 1<<20)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, rec := range records {
			if rec.Type == string(vault.StorageAttested) {
				out = append(out, rec)
			}
		}
	}
	return out
}

// await polls until ok says so.
func (r *rig) await(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s did not happen", what)
		}
	}
}

// TestAStartAttestsTheStoreOnceAWeek: an idle restart neither touches the store nor writes an event.
func TestAStartAttestsTheStoreOnceAWeek(t *testing.T) {
	t.Parallel()
	store := &trials{}
	store.now(true, nil)
	r := newRig(t, tried(store))
	r.await("the first attestation", func() bool { return len(r.attested()) == 1 })
	want := `"data":{"store":"s3/5feceb66ffc86f38","immutable":true,"trial":{"key":"muniment-probe/a","version":"1",`
	if body := string(r.attested()[0].Body); !strings.Contains(body, want) {
		t.Errorf("on record: %s", body)
	}
	due := func(later, wantPause time.Duration, wantTrials int) {
		t.Helper()
		r.clock.Advance(later)
		pause, err := vault.AttestWhenDue(context.Background(), r.vault)
		if err != nil || pause.Round(time.Hour) != wantPause || store.count() != wantTrials {
			t.Errorf("%v later: nothing is due for %v (want %v), %d trials (want %d), error %v",
				later, pause, wantPause, store.count(), wantTrials, err)
		}
	}
	day := 24 * time.Hour
	due(6*day, day, 1)
	due(day+time.Hour, 7*day, 2)
	due(0, 7*day, 2)
	due(-30*day, 7*day, 3) // an attestation from a time that is yet to come is of a wrong clock
	due(day, 6*day, 3)
}

// TestATrialWithoutResultIsNotOnRecord: a store that is down has neither passed nor failed.
func TestATrialWithoutResultIsNotOnRecord(t *testing.T) {
	t.Parallel()
	store := &trials{}
	down := errors.New("the store is down")
	store.now(false, down)
	r := newRig(t, tried(store))
	r.await("the trial at the start", func() bool { return store.count() > 0 })
	if _, err := r.vault.Attest(context.Background(), r.who); !errors.Is(err, down) {
		t.Errorf("attesting: %v", err)
	}
	if got := r.attested(); len(got) != 0 {
		t.Errorf("on record: %s", got[0].Body)
	}
}

// TestAttestAsksForPermission before the store is touched, and puts the refusal on record.
func TestAttestAsksForPermission(t *testing.T) {
	t.Parallel()
	store := &trials{}
	store.now(true, nil)
	r := newRig(t, tried(store))
	r.await("the attestation at the start", func() bool { return len(r.attested()) == 1 })
	reader := r.principal(access.Grant{Role: access.ReaderRole})
	if _, err := r.vault.Attest(context.Background(), reader); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a reader: %v", err)
	}
	if n, denied := store.count(), r.count("access.denied/1"); n != 1 || denied != 1 {
		t.Errorf("%d trials and %d refusals on record", n, denied)
	}
	officer := r.principal(access.Grant{Role: access.RecordsOfficer})
	got, err := r.vault.Attest(context.Background(), officer)
	if err != nil {
		t.Fatal(err)
	}
	last := r.attested()[1]
	if last.Actor != officer.Principal.String() || last.Index != got.Index {
		t.Errorf("on record at %d by %s, returned %d", last.Index, last.Actor, got.Index)
	}
	want := vault.StorageAttestedData{Store: storeName, Immutable: true, Trial: &store.trial}
	if diff := cmp.Diff(want, got.StorageAttestedData); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAnImmutableSeriesFollowsTheNewestAttestation: it takes nothing before one, after one that failed, or from a store
// that cannot be tried; and refuses before a byte is read. Documents that are there already can be read.
func TestAnImmutableSeriesFollowsTheNewestAttestation(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	store := &trials{}
	store.now(false, errors.New("the store is down"))
	r := newRig(t, tried(store))
	if _, err := retention.CreateSeries(ctx, r.cfg.Door, r.who,
		retention.NewSeries{Code: "worm", Immutable: true}); err != nil {
		t.Fatal(err)
	}
	deposit := func() (vault.Deposited, error) {
		content := strings.NewReader("x")
		out, err := r.vault.Deposit(ctx, r.who, vault.Deposit{Series: "worm", Length: 1, Content: content})
		if errors.Is(err, vault.ErrNotImmutable) && content.Len() == 0 {
			t.Error("the content was read before it was refused")
		}
		return out, err
	}
	if _, err := deposit(); !errors.Is(err, vault.ErrNotImmutable) {
		t.Errorf("before any attestation: %v", err)
	}
	r.deposit(vault.Deposit{}, []byte("the default series demands nothing"))
	var kept vault.Deposited
	for _, enforced := range []bool{false, true, false} {
		store.now(enforced, nil)
		if _, err := r.vault.Attest(ctx, r.who); err != nil {
			t.Fatal(err)
		}
		out, err := deposit()
		if enforced && err != nil || !enforced && !errors.Is(err, vault.ErrNotImmutable) {
			t.Errorf("enforced %v: %v", enforced, err)
		}
		if enforced {
			kept = out
		}
	}
	if got, err := r.read(kept.ID); err != nil || string(got) != "x" {
		t.Errorf("reading %q, %v", got, err)
	}
}

func TestAStoreThatCannotBeTriedEnforcesNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t, func(_ *rig, c *vault.Config) { c.Store = "folder" })
	if _, err := retention.CreateSeries(ctx, r.cfg.Door, r.who,
		retention.NewSeries{Code: "worm", Immutable: true}); err != nil {
		t.Fatal(err)
	}
	got, err := r.vault.Attest(ctx, r.who)
	if err != nil || got.Immutable {
		t.Errorf("attested: %+v, %v", got, err)
	}
	if _, err := r.vault.Deposit(ctx, r.who, vault.Deposit{Series: "worm"}); !errors.Is(err, vault.ErrNotImmutable) {
		t.Errorf("depositing: %v", err)
	}
	if len(r.attested()) != 1 {
		t.Error("it is not on record")
	}
}

func TestAStoreToBeAttestedNeedsAName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cfg := r.config(func(c *vault.Config) { c.Attest = (&trials{}).try })
	if v, err := vault.Open(context.Background(), cfg); err == nil {
		t.Error("it was opened")
		v.Close()
	}
}
