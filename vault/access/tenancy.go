package access

import (
	"slices"
	"strings"
	"time"

	"muniment/anchor/journal"
)

// Tenancy is how a tenant was founded.
type Tenancy struct {
	Tenant string
	// Trial says that one person is enough to grant, and that what takes two people cannot be done.
	Trial    bool
	Founded  time.Time // by two people; zero while it was not
	Founding *Founding // the founding, or the recovery, that is under way; nil for none
}

// Founding is one that is under way: it ends when both founders have claimed their keys.
type Founding struct {
	Administrator journal.ID
	Approver      journal.ID
	// NotBefore is when the founders of a recovery can claim their keys at the earliest, and Lapses from when on they
	// cannot, both in settled time; zero for the founding of a tenant.
	NotBefore time.Time
	Lapses    time.Time
}

// Recovery says that a founding puts two people in the place of those who are lost.
func (t Tenancy) Recovery() bool { return t.Founding != nil && !t.Founded.IsZero() }

// Other is the founder who who is not.
func (f *Founding) Other(who Who) Who {
	if who.Principal == f.Administrator {
		return Who{Tenant: who.Tenant, Principal: f.Approver}
	}
	return Who{Tenant: who.Tenant, Principal: f.Administrator}
}

// Has says whether a principal is one of the two founders.
func (f *Founding) Has(id journal.ID) bool {
	return f != nil && (f.Administrator == id || f.Approver == id)
}

func (t tenancy) describe(r journal.Reader, tenant string) (Tenancy, error) {
	out := Tenancy{Tenant: tenant, Trial: t.Trial, Founded: t.Founded}
	if t.Founding == nil {
		return out, nil
	}
	ends, lapses, err := t.Founding.ends(r)
	out.Founding = &Founding{
		Administrator: t.Founding.Administrator, Approver: t.Founding.Approver, NotBefore: ends, Lapses: lapses,
	}
	return out, err
}

// ends is the settled time at which the waiting period of a recovery ends, and at which its codes lapse; zero for a
// founding.
func (f *founding) ends(r journal.Reader) (ends, lapses time.Time, err error) {
	if f.NotBefore.IsZero() {
		return ends, lapses, nil
	}
	ends, err = journal.WaitEnds(r, f.From, f.NotBefore)
	return ends, ends.Add(f.Lapses.Sub(f.NotBefore)), err
}

func (s *state) describeTenancies(r journal.Reader) (out []Tenancy, err error) {
	for tenant, row := range s.tenancies.all() {
		one, err := row.describe(r, tenant)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Tenancy) int { return strings.Compare(a.Tenant, b.Tenant) })
	return out, nil
}

// Tenancy says how a tenant was founded: a tenant that does not exist is neither on trial nor founded.
func (a *Authority) Tenancy(r journal.Reader, tenant string) (out Tenancy, err error) {
	err = a.in(r, func(s *state, _ bool) (err error) {
		row, _ := s.tenancies.get(tenant)
		out, err = row.describe(r, tenant)
		return err
	})
	return out, err
}

// Tenancies says how each tenant was founded, by their names.
func (a *Authority) Tenancies(r journal.Reader) (out []Tenancy, err error) {
	err = a.in(r, func(s *state, _ bool) (err error) {
		out, err = s.describeTenancies(r)
		return err
	})
	return out, err
}
