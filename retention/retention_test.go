package retention_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/invalid"
)

func open(t *testing.T) *journal.Journal {
	t.Helper()
	j, err := journal.Open(context.Background(), journal.Config{
		Backend: memory.New(memory.Config{}), Bucket: journaltest.NewBucket(t), Signer: journaltest.Signer(),
		Clock: journaltest.NewClock(), Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
		Definitions: append(retention.Definitions(), access.Definitions()...), Origin: "muniment/test", Create: true,
		ID: journaltest.ID, ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// newTenant makes a tenant's default series and a principal with the role.
func newTenant(t *testing.T, j *journal.Journal, tenant string, role access.Role) access.Who {
	t.Helper()
	who := access.Who{Tenant: tenant, Principal: journal.ID{6: 0x70, 8: 0x80, 15: byte(len(tenant))}}
	_, err := j.Commit(context.Background(), who.Actor(), func(journal.View) (journal.Change, error) {
		data := access.PrincipalCreatedData{Principal: who.Principal, Grants: []access.Grant{{Role: role}}}
		events := append(retention.Rules{}.NewTenant(), access.PrincipalCreated.New(journal.ID{}, data))
		return journal.Change{Events: events}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return who
}

func TestSeries(t *testing.T) {
	t.Parallel()
	j := open(t)
	ctx := context.Background()
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock()})
	ours, theirs := newTenant(t, j, "ours", access.RecordsOfficer), newTenant(t, j, "theirs", access.RecordsOfficer)
	if _, err := retention.CreateSeries(ctx, door, ours, retention.NewSeries{Code: "ap.invoices-2026"}); err != nil {
		t.Fatal(err)
	}
	if _, err := retention.CreateSeries(ctx, door, ours, retention.NewSeries{Code: "ap.invoices-2026"}); !errors.Is(err,
		retention.ErrSeriesExists) {
		t.Errorf("the same series again: %v", err)
	}
	if _, err := retention.CreateSeries(ctx, door, theirs, retention.NewSeries{Code: "ap.invoices-2026"}); err != nil {
		t.Errorf("the same code in another tenant: %v", err)
	}
	for _, code := range []string{"", "A", "../x", "-a", "a b", strings.Repeat("a", 65), "a\x00"} {
		if _, err := retention.CreateSeries(ctx, door, ours, retention.NewSeries{Code: code}); !errors.Is(err,
			invalid.ErrField) {
			t.Errorf("%q: %v", code, err)
		}
	}
	err := j.View(ctx, func(r journal.Reader) error {
		for _, test := range []struct {
			tenant, code, want string
			err                error
		}{
			{"ours", "", "default", nil},
			{"ours", "default", "default", nil},
			{"ours", "ap.invoices-2026", "ap.invoices-2026", nil},
			{"ours", "ap.invoices", "", vault.ErrNoSeries},
			{"our", "", "", vault.ErrNoSeries},
		} {
			got, err := retention.Rules{}.File(r, test.tenant, test.code)
			if !errors.Is(err, test.err) {
				t.Errorf("%s, %q: error %v, want %v", test.tenant, test.code, err, test.err)
			}
			if diff := cmp.Diff(vault.Filing{Series: test.want}, got); diff != "" {
				t.Errorf("%s, %q (-want +got):\n%s", test.tenant, test.code, diff)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := retention.ListSeries(ctx, door, ours)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, s := range list {
		codes = append(codes, s.Code)
	}
	if diff := cmp.Diff([]string{"ap.invoices-2026", "default"}, codes); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
}

// TestSeriesDenied: who may not manage or view the file plan is refused, on record.
func TestSeriesDenied(t *testing.T) {
	t.Parallel()
	j := open(t)
	ctx := context.Background()
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock()})
	who := newTenant(t, j, "ours", access.Administrator)
	create := func(code string) func() error {
		return func() error {
			_, err := retention.CreateSeries(ctx, door, who, retention.NewSeries{Code: code})
			return err
		}
	}
	list := func() error {
		_, err := retention.ListSeries(ctx, door, who)
		return err
	}
	before := j.Size()
	for i, c := range []struct {
		name string
		act  func() error
	}{{"fileplan.manage", create("a")}, {"fileplan.manage", create("A code that is none")}, {"fileplan.view", list}} {
		name := c.name
		if err := c.act(); !errors.Is(err, access.ErrDenied) || j.Size() != before+uint64(i)+1 {
			t.Errorf("%s: %v, %d events on record", name, err, j.Size()-before)
		}
		records, err := j.Records(ctx, "ours", 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		if last := records[len(records)-1]; last.Type != "access.denied/1" ||
			!strings.Contains(string(last.Data), name) {
			t.Errorf("%s: the last event is %s", name, last.Body)
		}
	}
}
