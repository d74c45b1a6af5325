package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/invalid"
	"muniment/vault/rekey"
)

// kept is a document as the model has it.
type kept struct {
	id       journal.ID
	content  string
	external string
	repeat   string
	title    string
	series   string
	erased   bool
}

// model is what a vault must do, in a few lines: documents in the order of their deposits.
type model struct {
	r    *rig
	docs []kept
}

// want says what becomes of a deposit: the document that answers it, or an error, or neither for a new document.
func (m *model) want(d kept) (*kept, error) {
	for i := range m.docs {
		if old := &m.docs[i]; !old.erased && d.repeat != "" && old.repeat == d.repeat {
			if old.content != d.content || old.external != d.external || old.title != d.title ||
				old.series != d.series {
				return nil, vault.ErrIdempotency
			}
			return old, nil
		}
	}
	for i := range m.docs {
		if old := &m.docs[i]; d.external != "" && old.external == d.external && old.series == d.series {
			if old.erased {
				return nil, vault.ErrErased
			}
			if d.repeat != "" {
				return nil, invalid.ErrField
			}
			if old.content != d.content {
				return nil, vault.ErrConflict
			}
			return old, nil
		}
	}
	return nil, nil
}

func (m *model) deposit(t *rapid.T) {
	d := kept{
		content:  rapid.SampledFrom([]string{"", "a", "b", "some longer content"}).Draw(t, "content"),
		external: rapid.SampledFrom([]string{"", "", "x", "y", "z"}).Draw(t, "external id"),
		repeat:   rapid.SampledFrom([]string{"", "", "1", "2", "3"}).Draw(t, "idempotency key"),
		title:    rapid.SampledFrom([]string{"", "title"}).Draw(t, "title"),
		series:   rapid.SampledFrom([]string{"default", "a"}).Draw(t, "series"),
	}
	length := rapid.SampledFrom([]int64{int64(len(d.content)), -1}).Draw(t, "length")
	size := m.r.journal.Size()
	out, err := m.r.vault.Deposit(context.Background(), m.r.who, vault.Deposit{
		Series: d.series, ExternalID: d.external, IdempotencyKey: d.repeat, Title: d.title, Length: length,
		Content: bytes.NewReader([]byte(d.content)),
	})
	old, wrong := m.want(d)
	if !errors.Is(err, wrong) || (err == nil) != (wrong == nil) {
		t.Fatalf("depositing: got error %v, want %v", err, wrong)
	}
	switch {
	case wrong != nil:
	case old != nil:
		if out.Created || out.ID != old.id {
			t.Fatalf("depositing: got %s, created %v, want the earlier %s", out.ID, out.Created, old.id)
		}
	default:
		if !out.Created {
			t.Fatal("depositing: an earlier document answered")
		}
		size++
		d.id = out.ID
		m.docs = append(m.docs, d)
	}
	if got := m.r.journal.Size(); got < size || got > size && m.r.count("document.deposited/1") != len(m.docs) {
		t.Fatalf("%d deposits on record, want %d", m.r.count("document.deposited/1"), len(m.docs))
	}
}

func (m *model) some(t *rapid.T) kept {
	if len(m.docs) == 0 {
		t.Skip("no documents yet")
	}
	return m.docs[rapid.IntRange(0, len(m.docs)-1).Draw(t, "document")]
}

func (m *model) read(t *rapid.T) {
	d := m.some(t)
	if d.erased {
		if _, err := m.r.read(d.id); !errors.Is(err, vault.ErrErased) {
			t.Fatalf("reading what is erased: %v", err)
		}
		return
	}
	if got, err := m.r.read(d.id); err != nil || string(got) != d.content {
		t.Fatalf("reading: got %q, error %v, want %q", got, err, d.content)
	}
}

func (m *model) describe(t *rapid.T) {
	d := m.some(t)
	doc, err := m.r.vault.Describe(context.Background(), m.r.who, d.id)
	if d.erased {
		if err != nil || doc.State != vault.Erased || doc.Title != "" || doc.Size != int64(len(d.content)) {
			t.Fatalf("describing what is erased: got %+v, error %v", doc, err)
		}
		m.find(t, d)
		return
	}
	if err != nil || doc.Title != d.title || doc.ExternalID != d.external || doc.Size != int64(len(d.content)) ||
		doc.Series != d.series {
		t.Fatalf("describing: got %+v, error %v, want %+v", doc, err, d)
	}
	m.find(t, d)
}

// find finds a document under its external id, in its series and in any.
func (m *model) find(t *rapid.T, d kept) {
	if d.external == "" {
		return
	}
	for _, series := range []string{d.series, ""} {
		var want []journal.ID
		wrong := vault.ErrErased // there is one at least: d
		for _, other := range m.docs {
			if other.external == d.external && (series == "" || other.series == series) && !other.erased {
				want, wrong = append(want, other.id), nil
			}
		}
		if len(want) > 1 {
			wrong = vault.ErrAmbiguous
		}
		found, err := m.r.vault.Find(context.Background(), m.r.who, series, d.external)
		if !errors.Is(err, wrong) || (err == nil) != (wrong == nil) {
			t.Fatalf("finding in %q: error %v, want %v", series, err, wrong)
		}
		if err == nil && found.ID != want[0] {
			t.Fatalf("finding in %q: got %s, want %s", series, found.ID, want[0])
		}
	}
}

func (m *model) list(t *rapid.T) {
	q := vault.Query{
		Series: rapid.SampledFrom([]string{"", "default", "a"}).Draw(t, "series"),
		Limit:  rapid.IntRange(1, 10).Draw(t, "limit"),
	}
	var want, got []string
	for _, d := range m.docs {
		if q.Series == "" || d.series == q.Series {
			want = append(want, d.id.String())
		}
	}
	for {
		page, err := m.r.vault.List(context.Background(), m.r.who, q)
		if err != nil {
			t.Fatalf("listing: %v", err)
		}
		for _, d := range page.Documents {
			got = append(got, d.ID.String())
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("listing %+v: got %v, want %v", q, got, want)
	}
}

// erase erases a document, perhaps with its external id, perhaps once more.
func (m *model) erase(t *rapid.T) {
	if len(m.docs) == 0 {
		t.Skip("no documents yet")
	}
	d := &m.docs[rapid.IntRange(0, len(m.docs)-1).Draw(t, "document")]
	req := vault.EraseRequest{Authority: "order-1", ExternalID: rapid.Bool().Draw(t, "the external id too")}
	if _, err := m.r.vault.Erase(context.Background(), m.r.who, d.id, req); err != nil {
		t.Fatalf("erasing: %v", err)
	}
	d.erased = true
	if req.ExternalID {
		d.external = ""
	}
}

// rewrap rotates the key and wraps everything anew, which nobody notices.
func (m *model) rewrap(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "seldom") > 0 {
		t.Skip("it walks through the rows of all rounds")
	}
	if _, err := m.r.life.Rotate(context.Background(), m.r.who); err != nil {
		t.Fatalf("rotating: %v", err)
	}
	l := &lifeRig{rig: m.r, custodian: m.r.who}
	if got := l.rewrapped(); got.State != rekey.RewrapDone {
		t.Fatalf("the rewrap came to %+v, error %v", got, got.Err)
	}
}

// roundsOfRig is how many rounds of a random test share a vault.
const roundsOfRig = 10

// A vault does what the model does, whatever the order.
func TestModel(t *testing.T) {
	t.Parallel()
	var r *rig
	fsck := func() {}
	tenant := 0
	rapid.Check(t, func(rt *rapid.T) {
		// A tenant of its own for each round is faster than a vault of its own, up to a point: a rewrap looks at the
		// rows of all tenants.
		if tenant%roundsOfRig == 0 {
			fsck()
			h := localHouse(t)
			r = newRig(t, func(r *rig, c *vault.Config) {
				r.keys, c.Keys, r.lifeConfig.Custodian, c.Rules = h.service, h.service, h.custodian, letting{}
			})
			r.series("a")
			fsck = (&lifeRig{rig: r, house: h}).fsck
		}
		tenant++
		round := *r
		var err error
		grants := append([]access.Grant{{Role: access.KeyCustodian}}, everyRole...)
		round.who, _, err = r.vault.CreateTenant(context.Background(), fmt.Sprint("round-", tenant), grants)
		if err != nil {
			rt.Fatal(err)
		}
		round.tenant = round.who.Tenant
		round.series("a")
		m := &model{r: &round}
		rt.Repeat(map[string]func(*rapid.T){
			"deposit":  m.deposit,
			"read":     m.read,
			"describe": m.describe,
			"list":     m.list,
			"erase":    m.erase,
			"rewrap":   m.rewrap,
			"wait": func(t *rapid.T) {
				r.clock.Advance(time.Duration(rapid.IntRange(0, 100).Draw(t, "seconds")) * time.Second)
			},
		})
	})
	fsck()
}
