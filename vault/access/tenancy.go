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
	NotBefore     time.Time // settled time; of a recovery, when its founders can claim their keys at the earliest
}

// Recovery says that a founding puts two people in the place of those who are lost.
func (t Tenancy) Recovery() bool { return t.Founding != nil && !t.Founded.IsZero() }

// Has says whether a principal is one of the two founders.
func (f *Founding) Has(id journal.ID) bool {
	return f != nil && (f.Administrator == id || f.Approver == id)
}

func (t tenancy) describe(tenant string) Tenancy {
	out := Tenancy{Tenant: tenant, Trial: t.Trial, Founded: t.Founded}
	if t.Founding != nil {
		out.Founding = &Founding{Administrator: t.Founding.Administrator, Approver: t.Founding.Approver,
			NotBefore: t.Founding.NotBefore}
	}
	return out
}

func (s *state) describeTenancies() (out []Tenancy) {
	for tenant, row := range s.tenancies.all() {
		out = append(out, row.describe(tenant))
	}
	slices.SortFunc(out, func(a, b Tenancy) int { return strings.Compare(a.Tenant, b.Tenant) })
	return out
}

// Tenancy says how a tenant was founded: a tenant that does not exist is neither on trial nor founded.
func (a *Authority) Tenancy(r journal.Reader, tenant string) (out Tenancy, err error) {
	err = a.in(r, func(s *state, _ bool) error {
		row, _ := s.tenancies.get(tenant)
		out = row.describe(tenant)
		return nil
	})
	return out, err
}

// Tenancies says how each tenant was founded, by their names.
func (a *Authority) Tenancies(r journal.Reader) (out []Tenancy, err error) {
	err = a.in(r, func(s *state, _ bool) error {
		out = s.describeTenancies()
		return nil
	})
	return out, err
}
