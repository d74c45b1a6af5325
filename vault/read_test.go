package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/objects"
	"muniment/vault/seal"
)

// last is the newest event of a type, and how many there are.
func (r *rig) last(kind string) (rec journal.Record, n int) {
	r.t.Helper()
	for _, x := range r.records() {
		if x.Type == kind {
			rec, n = x, n+1
		}
	}
	return rec, n
}

func TestReadSession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.deposit(vault.Deposit{}, []byte("0123456789")).ID
	other := r.deposit(vault.Deposit{}, []byte("other")).ID
	var written int64
	read := func(id journal.ID, who access.Who, purpose, note string) uint64 {
		t.Helper()
		c, err := r.vault.Read(context.Background(), who, id, vault.ReadRequest{Purpose: purpose, Note: note})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.WriteSpan(context.Background(), io.Discard, 0); err != nil {
			t.Fatal(err)
		}
		written += c.Spans[0].Length
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Fatal(err)
		}
		return c.Index
	}
	first := read(id, r.who, "audit", "")
	r.clock.Advance(50 * time.Second)
	if again := read(id, r.who, "audit", ""); again != first {
		t.Errorf("a read within the session is covered by %d, want %d", again, first)
	}
	if n := r.count("document.read/1"); n != 1 {
		t.Errorf("%d events for one session", n)
	}
	reader := r.principal(access.Grant{Role: access.ReaderRole})
	for i, index := range []uint64{
		read(other, r.who, "audit", ""), read(id, r.who, "case-work", ""), read(id, r.who, "audit", "why"),
		read(id, reader, "audit", ""),
	} {
		if index == first {
			t.Errorf("read %d is covered by the first session", i)
		}
	}
	for range 5 { // 50 s each: idle never, but more than five minutes in all
		r.clock.Advance(50 * time.Second)
		read(id, r.who, "audit", "")
	}
	r.clock.Advance(50 * time.Second)
	if late := read(id, r.who, "audit", ""); late == first {
		t.Error("a session lasts for more than five minutes")
	}
	newest := read(id, r.who, "audit", "")
	r.clock.Advance(61 * time.Second)
	if idle := read(id, r.who, "audit", ""); idle == newest {
		t.Error("a session is joined after more than a minute")
	}
	if err := r.vault.Close(); err != nil {
		t.Fatal(err)
	}
	var bytes int64
	sessions := map[uint64]bool{}
	for _, rec := range r.records() {
		if rec.Type != "document.served/1" {
			continue
		}
		var d vault.DocumentServedData
		if err := json.Unmarshal(rec.Data, &d); err != nil {
			t.Fatal(err)
		}
		if d.Broken != 0 || sessions[d.Read] {
			t.Errorf("served: %+v", d)
		}
		sessions[d.Read] = true
		bytes += d.Bytes
	}
	if bytes != written || len(sessions) != r.count("document.read/1") {
		t.Errorf("%d bytes on record in %d sessions, want %d in %d",
			bytes, len(sessions), written, r.count("document.read/1"))
	}
}

// An open session gives nothing to somebody whose permission ended meanwhile; here, to whom it never was given.
func TestReadDenied(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.series("a")
	id := r.deposit(vault.Deposit{Series: "a"}, []byte("secret")).ID
	for _, test := range []struct {
		name   string
		grants []access.Grant
		want   error
	}{
		{"administrator", []access.Grant{{Role: access.Administrator}}, access.ErrDenied},
		{"depositor", []access.Grant{{Role: access.Depositor}}, access.ErrDenied},
		{"auditor", []access.Grant{{Role: access.Auditor}}, access.ErrDenied},
		{"reader of another series", []access.Grant{{Role: access.ReaderRole, Series: "default"}}, vault.ErrNotFound},
		{"reader of the series", []access.Grant{{Role: access.ReaderRole, Series: "a"}}, nil},
		{"reader", []access.Grant{{Role: access.ReaderRole}}, nil},
	} {
		who := r.principal(test.grants...)
		c, err := r.vault.Read(context.Background(), who, id, vault.ReadRequest{Purpose: "test"})
		if test.want == nil {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			c.Close()
			continue
		}
		denial, n := r.last("access.denied/1")
		if !errors.Is(err, test.want) || n == 0 || denial.Actor != who.Principal.String() || denial.Doc != id {
			t.Errorf("%s: got error %v, and on record %s", test.name, err, denial.Body)
		}
	}
}

// Nothing tells another tenant's document from none.
func TestOtherTenant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.deposit(vault.Deposit{ExternalID: "EXT"}, []byte("ours")).ID
	who, _, err := r.vault.CreateTenant(context.Background(), "other",
		[]access.Grant{{Role: access.ReaderRole}, {Role: access.Auditor}, {Role: access.Depositor}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	missing := journal.ID{6: 0x70, 8: 0x80}
	for name, call := range map[string]func(journal.ID) error{
		"read": func(id journal.ID) error {
			_, err := r.vault.Read(ctx, who, id, vault.ReadRequest{Purpose: "test"})
			return err
		},
		"describe": func(id journal.ID) error { _, err := r.vault.Describe(ctx, who, id); return err },
		"history":  func(id journal.ID) error { _, err := r.vault.History(ctx, who, id, 0, 10); return err },
		"evidence": func(id journal.ID) error { _, err := r.vault.Evidence(ctx, who, id, false); return err },
		"disclose": func(id journal.ID) error { _, err := r.vault.Evidence(ctx, who, id, true); return err },
	} {
		before := r.journal.Size()
		theirs, none := call(id), call(missing)
		if !errors.Is(theirs, vault.ErrNotFound) || theirs.Error() != none.Error() {
			t.Errorf("%s: another tenant's gives %v, a missing one %v", name, theirs, none)
		}
		if r.journal.Size() != before {
			t.Errorf("%s: something was recorded", name)
		}
	}
	if _, err := r.vault.Find(ctx, who, "", "EXT"); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("finding another tenant's: %v", err)
	}
	if page, err := r.vault.List(ctx, who, vault.Query{}); err != nil || len(page.Documents) != 0 {
		t.Errorf("listing another tenant's: %d, %v", len(page.Documents), err)
	}
	if feed, err := r.vault.Feed(ctx, who, 0, 1000); err != nil || len(feed) == 0 || feed[0].Tenant != "other" {
		t.Errorf("feed: %v", err)
	}
	out, err := r.vault.Deposit(ctx, who,
		vault.Deposit{ExternalID: "EXT", Length: 6, Content: strings.NewReader("theirs")})
	if err != nil || !out.Created {
		t.Errorf("the same external id in another tenant: %+v, %v", out, err)
	}
}

func TestReadSpans(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	content := make([]byte, 3<<20+5)
	for i := range content {
		content[i] = byte(i * 7 >> 3)
	}
	small, large := r.deposit(vault.Deposit{}, content[:1000]).ID, r.deposit(vault.Deposit{}, content).ID
	for _, test := range []struct {
		id    journal.ID
		spans []objects.Span
		err   error
	}{
		{small, []objects.Span{{Offset: 0, Length: 1}, {Offset: 999, Length: 1}, {Offset: 100, Length: 500}}, nil},
		{large, []objects.Span{{Offset: 3 << 20, Length: 5}, {Offset: 1<<20 - 3, Length: 1 << 20},
			{Offset: 0, Length: 1}}, nil},
		{small, []objects.Span{{Offset: 999, Length: 2}}, seal.ErrSpan},
		{small, []objects.Span{{Offset: -1, Length: 2}}, seal.ErrSpan},
		{large, []objects.Span{{Offset: 1, Length: 1<<63 - 1}}, seal.ErrSpan},
	} {
		before := r.journal.Size()
		c, err := r.vault.Read(context.Background(), r.who, test.id, vault.ReadRequest{
			Purpose: "test", Select: func(int64) ([]objects.Span, error) { return test.spans, nil },
		})
		if !errors.Is(err, test.err) {
			t.Errorf("%v: error %v, want %v", test.spans, err, test.err)
		}
		if err != nil {
			if r.journal.Size() != before {
				t.Errorf("%v: a refused range was recorded", test.spans)
			}
			continue
		}
		for i, s := range test.spans {
			var out bytes.Buffer
			if err := c.WriteSpan(context.Background(), &out, i); err != nil ||
				!bytes.Equal(out.Bytes(), content[s.Offset:s.Offset+s.Length]) {
				t.Errorf("%v: span %d: %d bytes, error %v", test.spans, i, out.Len(), err)
			}
		}
		c.Close()
	}
	unsatisfiable := errors.New("no such range")
	_, err := r.vault.Read(context.Background(), r.who, small, vault.ReadRequest{
		Purpose: "test", Select: func(size int64) ([]objects.Span, error) { return nil, unsatisfiable },
	})
	if !errors.Is(err, unsatisfiable) {
		t.Errorf("got %v, want the selection's error", err)
	}
}

// swapped gives another answer than the store's for one key.
type swapped struct {
	objects.Store
	get func(key string, body []byte) ([]byte, error) // nil: as it is
}

func (s *swapped) Get(ctx context.Context, key, version string, span *objects.Span) (io.ReadCloser, objects.Info,
	error) {
	body, info, err := s.Store.Get(ctx, key, version, nil)
	if err != nil {
		return nil, info, err
	}
	defer body.Close()
	raw, err := io.ReadAll(body)
	if err == nil && s.get != nil {
		raw, err = s.get(key, raw)
	}
	if err != nil {
		return nil, info, err
	}
	info.Size = int64(len(raw))
	if span != nil {
		raw = raw[min(span.Offset, info.Size):min(span.Offset+span.Length, info.Size)]
	}
	return io.NopCloser(bytes.NewReader(raw)), info, nil
}

func TestDamage(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1000, 3 << 20} {
		for name, spoil := range map[string]func(body, other []byte) ([]byte, error){
			"missing":   func([]byte, []byte) ([]byte, error) { return nil, objects.ErrNotFound },
			"damaged":   func([]byte, []byte) ([]byte, error) { return nil, objects.ErrDamaged },
			"flipped":   func(body, _ []byte) ([]byte, error) { body[len(body)/2] ^= 1; return body, nil },
			"cut":       func(body, _ []byte) ([]byte, error) { return body[:len(body)-1], nil },
			"longer":    func(body, _ []byte) ([]byte, error) { return append(body, 0), nil },
			"exchanged": func(_, other []byte) ([]byte, error) { return other, nil },
		} {
			store := &swapped{}
			r := newRig(t, func(r *rig, c *vault.Config) { store.Store = c.Objects; c.Objects = store })
			id := r.deposit(vault.Deposit{}, make([]byte, size)).ID
			good := r.deposit(vault.Deposit{}, make([]byte, size)).ID
			var other []byte
			store.get = func(_ string, body []byte) ([]byte, error) { other = body; return body, nil }
			if _, err := r.read(good); err != nil {
				t.Fatal(err)
			}
			store.get = func(_ string, body []byte) ([]byte, error) { return spoil(body, other) }
			if size > 1<<20 && name == "longer" {
				continue // large documents: what follows the recorded end is never asked for
			}
			for range 2 {
				got, err := r.read(id)
				if !errors.Is(err, vault.ErrDamagedContent) || len(got) >= max(size, 1) {
					t.Errorf("%d bytes, %s: read %d bytes, error %v", size, name, len(got), err)
				}
			}
			want := map[string]string{"cut": "size", "longer": "size", "flipped": "digest", "exchanged": "digest"}[name]
			if size > 1<<20 {
				want = "segment"
			}
			if name == "missing" || name == "damaged" {
				want = name
			}
			alarm, n := r.last("object.damaged/1")
			var found vault.ObjectDamagedData
			if err := json.Unmarshal(alarm.Data, &found); err != nil || n != 1 || alarm.Doc != id ||
				found.Found != want {
				t.Errorf("%d bytes, %s: %d alarms on record, %s, want %s", size, name, n, alarm.Body, want)
			}
			if !bytes.Contains(r.log.Bytes(), []byte(id.String())) {
				t.Errorf("%d bytes, %s: nothing in the log", size, name)
			}
			if err := r.vault.Close(); err != nil {
				t.Fatal(err)
			}
			var served vault.DocumentServedData
			rec, _ := r.last("document.served/1")
			for _, x := range r.records() {
				if x.Type == "document.served/1" && x.Doc == id {
					rec = x
				}
			}
			if err := json.Unmarshal(rec.Data, &served); err != nil || served.Broken != 2 {
				t.Errorf("%d bytes, %s: the outcome on record is %s", size, name, rec.Body)
			}
		}
	}
}

// unavailable keys or objects are no damage.
func TestReadUnavailable(t *testing.T) {
	t.Parallel()
	store := &swapped{}
	r := newRig(t, func(r *rig, c *vault.Config) { store.Store = c.Objects; c.Objects = store })
	id := r.deposit(vault.Deposit{}, []byte("x")).ID
	store.get = func(string, []byte) ([]byte, error) { return nil, objects.ErrUnavailable }
	if _, err := r.read(id); !errors.Is(err, objects.ErrUnavailable) || errors.Is(err, vault.ErrDamagedContent) {
		t.Errorf("got %v", err)
	}
	if _, n := r.last("object.damaged/1"); n != 0 {
		t.Error("an alarm was raised")
	}
}

// A document whose wrapped key stands in another's place cannot be read.
func TestForeignKey(t *testing.T) {
	t.Parallel()
	swap := &swappedKeys{}
	r := newRig(t, func(r *rig, c *vault.Config) { swap.Service = c.Keys; c.Keys = swap })
	a := r.deposit(vault.Deposit{}, []byte("a")).ID
	b := r.deposit(vault.Deposit{}, []byte("b")).ID
	if _, err := r.read(a); err != nil {
		t.Fatal(err)
	}
	swap.replay = true
	if got, err := r.read(b); !errors.Is(err, seal.ErrRow) {
		t.Errorf("read %q, error %v", got, err)
	}
}

// swappedKeys unwraps, when told to, what it unwrapped before.
type swappedKeys struct {
	keys.Service
	before []string
	replay bool
}

func (s *swappedKeys) Unwrap(ctx context.Context, tenant string, wrapped []string) ([]keys.Unwrapped, error) {
	if !s.replay {
		s.before = wrapped
	}
	return s.Service.Unwrap(ctx, tenant, s.before)
}

func TestPurpose(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.deposit(vault.Deposit{}, []byte("x")).ID
	before := r.journal.Size()
	for _, req := range []vault.ReadRequest{
		{}, {Purpose: "Audit"}, {Purpose: "a b"}, {Purpose: strings.Repeat("a", 65)},
		{Purpose: "a", Note: strings.Repeat("a", 4097)}, {Purpose: "a", Note: "\xff"},
	} {
		if _, err := r.vault.Read(context.Background(), r.who, id, req); !errors.Is(err, vault.ErrPurpose) {
			t.Errorf("%q: %v", req.Purpose, err)
		}
	}
	if r.journal.Size() != before {
		t.Error("something was recorded")
	}
}
