package access

import (
	"strings"

	"muniment/anchor/journal"
)

// Guard answers what one principal may do, in one snapshot of the journal. A Door hands it to those who decide.
type Guard struct {
	authority *Authority
	r         journal.Reader
	who       Who
	asked     bool
}

// Who is the principal.
func (g *Guard) Who() Who { return g.who }

// Authorize returns nil if the principal may do a within s, and ErrDenied if not, which the door puts on record. A
// scope without a series is the whole tenant, for which a grant of one series is not enough. doc is the zero ID unless
// the act is about a document of the principal's own tenant.
func (g *Guard) Authorize(a Action, s Scope, doc journal.ID) error {
	p, err := g.Permission(a)
	if err != nil || p.Covers(s) {
		return err
	}
	answer := ErrDenied
	if s.Series == "" && doc.IsZero() {
		answer = &tenantDenied{a}
	}
	return g.Refuse(a, s, doc, answer)
}

// tenantDenied is ErrDenied for an act in the whole tenant, of which anybody may know who does it: the roles are those
// of the built-in matrix. A refusal about a series or a document says no more than ErrDenied.
type tenantDenied struct{ act Action }

func (d *tenantDenied) Error() string { return ErrDenied.Error() }

func (d *tenantDenied) Unwrap() error { return ErrDenied }

// Detail says who may do the act.
func (d *tenantDenied) Detail() string {
	var roles []string
	for _, role := range Roles() {
		if role.permits(d.act) {
			roles = append(roles, string(role))
		}
	}
	which := strings.Join(roles, ", ")
	if at := strings.LastIndex(which, ", "); at >= 0 {
		which = which[:at] + " or " + which[at+2:]
	}
	return "This takes the role " + which + ", for the whole tenant. muniment whoami says which roles you have, " +
		"muniment principal matrix what each permits. The denial is on record."
}

// Tenancy says how the principal's tenant was founded.
func (g *Guard) Tenancy() (Tenancy, error) { return g.authority.Tenancy(g.r, g.who.Tenant) }

// Redeem finds the principal if a one-time code is its own: ErrUnknownKey if not, which does not go on record, as who
// sends it has not shown yet who they are. Whether the code can be used now is for the caller to say.
func (g *Guard) Redeem(c Code) (Standing, error) {
	g.asked = true
	s, err := g.authority.Coded(g.r, c)
	if err == nil && s.Who != g.who {
		err = ErrUnknownKey
	}
	return s, err
}

// Permission says where the principal may do a, for acts that concern more than one series, or one that the principal
// may not learn of. A caller that finds in it that the act is not permitted returns the error of Refuse.
func (g *Guard) Permission(a Action) (Permission, error) {
	g.asked = true
	return g.authority.Permission(g.r, g.who, a)
}

// Refuse makes the refusal of an act, which the door puts on record, as an error that wraps answer. That is ErrDenied,
// or the error by which what may not be seen looks as if it were not there. doc is as for Authorize. A principal's row
// that says more than the events is found here.
func (g *Guard) Refuse(a Action, s Scope, doc journal.ID, answer error) error {
	g.authority.compare(g.r, principalTable, g.who.Principal[:])
	return Recorded(answer, Denied.New(doc, DeniedData{Action: a, Series: s.Series}))
}

// recorded is an error that goes on record.
type recorded struct {
	error
	events []journal.Event
}

// Unwrap is the error without its events.
func (r *recorded) Unwrap() error { return r.error }

// refused says which act the error refuses, if it refuses one.
func (r *recorded) refused() (Action, bool) {
	for _, event := range r.events {
		if data, ok := event.Data.(DeniedData); ok {
			return data.Action, true
		}
	}
	return "", false
}

// Recorded is err as an error of a decide whose events the door commits: a refusal, or an alarm about what was found.
func Recorded(err error, events ...journal.Event) error {
	if len(events) == 0 {
		return err
	}
	return &recorded{error: err, events: events}
}
