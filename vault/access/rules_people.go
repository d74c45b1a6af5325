package access

import (
	"bytes"
	"errors"
	"fmt"

	"muniment/anchor/journal"
)

// OperatorActor is who acts offline, on the machine itself: somebody with the data folder and the keys, and no
// principal.
const OperatorActor = "operator"

// peopleRules say who may cause the events about principals, their keys and grants, and the founding of a tenant.
func peopleRules() Rules {
	return Rules{
		string(TrialBegun):       AtBeginning,
		string(FoundingBegun):    foundingRule,
		string(FoundingStopped):  Either(Needs(ManageUsers), Needs(ApproveGrants)),
		string(TenantFounded):    founderRule,
		string(PrincipalCreated): createdRule,
		string(PrincipalNamed): Either(All(Needs(ManageUsers), noFounder[PrincipalNamedData]),
			Either(namesItself, By("", OperatorActor))),
		string(CodeIssued):     Either(All(Needs(ManageUsers), codesRule), toFounder),
		string(KeyAdded):       All(addedRule, ownTenant[KeyAddedData]),
		string(KeyRevoked):     All(Needs(ManageUsers), noFounder[KeyRevokedData], notOneself[KeyRevokedData]),
		string(GrantsGiven):    All(Needs(ManageUsers), onTrial, noFounder[GrantsGivenData], givenRule),
		string(GrantsProposed): All(Needs(ManageUsers), noFounder[GrantsProposedData], proposedRule),
		string(GrantsApproved): All(Needs(ApproveGrants), approvedRule),
		string(GrantsDeclined): Either(Needs(ManageUsers), Needs(ApproveGrants)),
		string(GrantsRevoked):  All(Needs(ManageUsers), noFounder[GrantsRevokedData], notOneself[GrantsRevokedData]),
	}
}

// tenancy is how the tenant of the event was founded, as of the event.
func (c *Case) tenancy() (tenancy, error) {
	row, _, err := tenancies.Get(c, []byte(c.Tenant))
	return row, err
}

// onTrial is the rule for what one person may do alone in a tenant on trial.
func onTrial(c *Case) error {
	row, err := c.tenancy()
	if err == nil && !row.Trial {
		err = errors.New("the tenant was not on trial")
	}
	return err
}

// createdRule: the first principal of a tenant is part of its beginning; the bootstrap, the operator or an
// administrator begin a founding; an administrator creates the others, with grants only in a tenant on trial.
func createdRule(c *Case) error {
	d, err := ReadData[PrincipalCreatedData](c)
	if err != nil {
		return err
	}
	switch d.Origin {
	case OriginBootstrap:
		return AtBeginning(c)
	case OriginFounding:
		if len(d.Grants) != 1 || d.Grants[0] != (Grant{Role: Administrator}) && d.Grants[0] != (Grant{Role: Approver}) {
			return errors.New("founders become administrator and approver, and nothing else")
		}
		return foundersRule(c)
	case OriginCreated:
	default:
		return errors.New("it does not say how the principal came to be")
	}
	if err := Needs(ManageUsers)(c); err != nil || len(d.Grants) == 0 {
		return err
	}
	if one, other, bad := Conflict(d.Grants); bad {
		return conflictError(one, other)
	}
	return onTrial(c)
}

func conflictError(one, other Role) error {
	return fmt.Errorf("nobody may be %s and %s together", one, other)
}

// foundersRule: founders are made at the beginning of a tenant, by the administrator of one on trial, or by the
// operator.
func foundersRule(c *Case) error {
	switch c.Actor {
	case BootstrapActor:
		return AtBeginning(c)
	case OperatorActor:
		return By("", OperatorActor)(c)
	}
	return All(Needs(ManageUsers), onTrial)(c)
}

// foundingRule: a recovery, which the operator alone begins, waits.
func foundingRule(c *Case) error {
	d, err := ReadData[FoundingBegunData](c)
	if err == nil && (d.NotBefore != nil) != (c.Actor == OperatorActor) {
		err = errors.New("a recovery is the operator's, and waits")
	}
	if err != nil {
		return err
	}
	return foundersRule(c)
}

// toFounder: before there are two people with keys, the founders get their codes from the program at its start, or from
// the operator.
func toFounder(c *Case) error {
	if c.Actor != BootstrapActor && c.Actor != OperatorActor {
		return errWorker
	}
	id, err := about[CodeIssuedData](c)
	if err != nil {
		return err
	}
	row, err := c.tenancy()
	if err == nil && (row.Trial || !row.Founding.has(id)) {
		err = errors.New("it is about nobody who founds the tenant")
	}
	return err
}

// founderRule: a founding ends with the claim of one of its founders, when both have keys.
func founderRule(c *Case) error {
	row, err := c.tenancy()
	if err != nil {
		return err
	}
	if row.Founding == nil {
		return errNoFounding
	}
	if id, err := journal.ParseID(c.Actor); err != nil || !row.Founding.has(id) {
		return errors.New("its actor is no founder")
	}
	ends, _, err := row.Founding.ends(c)
	if err == nil && c.Settled.Before(ends) {
		err = errors.New("the recovery's waiting period was not over")
	}
	if err != nil {
		return err
	}
	keys, err := allKeys(c)
	if err != nil {
		return err
	}
	for _, founder := range []journal.ID{row.Founding.Administrator, row.Founding.Approver} {
		has := false
		for _, key := range keys {
			has = has || key.Principal == founder
		}
		if !has {
			return errors.New("a founder has no key yet")
		}
	}
	return nil
}

// addedRule: a key is added at the beginning of a tenant, by the administrator of one on trial, or by whoever claims it
// with the principal's code.
func addedRule(c *Case) error {
	d, err := ReadData[KeyAddedData](c)
	if err != nil {
		return err
	}
	if !d.Claimed {
		return Either(All(Needs(ManageUsers), onTrial, noFounder[KeyAddedData]), AtBeginning)(c)
	}
	p, known, err := c.cache.get(c, d.Principal)
	if err != nil {
		return err
	}
	if !known || c.Actor != d.Principal.String() {
		return errors.New("its actor claims a key of somebody else")
	}
	usable, err := c.usable(d.Principal, p.Code)
	if err == nil && !usable {
		err = errors.New("there was no code to claim it with")
	}
	return err
}

// usable says whether a key could be claimed with a principal's code. The codes of a recovery wait and lapse by settled
// time, as the recovery waits by it.
func (c *Case) usable(id journal.ID, with *code) (bool, error) {
	row, err := c.tenancy()
	if err != nil || with == nil {
		return false, err
	}
	if !row.Founding.has(id) || row.Founding.NotBefore.IsZero() {
		return c.At.Before(with.Lapses), nil
	}
	ends, lapses, err := row.Founding.ends(c)
	return !c.Settled.Before(ends) && c.Settled.Before(lapses), err
}

// namesItself: who claims a key may say how they are called, once.
func namesItself(c *Case) error {
	d, err := ReadData[PrincipalNamedData](c)
	if err != nil {
		return err
	}
	p, err := c.actor()
	if err == nil && (c.Actor != d.Principal.String() || !p.Name.IsZero()) {
		err = errors.New("its actor names somebody else, or itself anew")
	}
	return err
}

// givenRule: on trial, too, nobody widens their own power, and no roles come together that exclude each other.
func givenRule(c *Case) error {
	d, err := ReadData[GrantsGivenData](c)
	if err != nil {
		return err
	}
	return widens(c, d.Principal, d.Grants)
}

// widens says whether the actor of an event may widen somebody's power by grants.
func widens(c *Case, id journal.ID, by []Grant) error {
	p, _, err := c.cache.get(c, id)
	if err == nil && id.String() == c.Actor {
		err = errors.New("its actor widens its own power")
	}
	if err != nil {
		return err
	}
	if one, other, bad := Conflict(Union(p.Grants, by)); bad {
		return conflictError(one, other)
	}
	return nil
}

// proposedRule: nobody widens their own power, and no roles come together that exclude each other.
func proposedRule(c *Case) error {
	d, err := ReadData[GrantsProposedData](c)
	if err != nil {
		return err
	}
	return widens(c, d.Principal, d.Grants)
}

// approvedRule: an approval is of a proposal that is open, by somebody who has not proposed it and is not the one whose
// power it widens, while its proposer is still an administrator; and it gives what was proposed.
func approvedRule(c *Case) error {
	d, err := ReadData[GrantsApprovedData](c)
	if err != nil {
		return err
	}
	p, known, err := c.cache.get(c, d.Principal)
	switch {
	case err != nil:
		return err
	case !known || p.Tenant != c.Tenant:
		return errNotOurs
	case p.Proposed == nil || p.Proposed.ID != d.ID:
		return errNoProposal
	case !c.Settled.Before(p.Proposed.Lapses):
		return errors.New("the proposal had lapsed")
	case p.Proposed.Proposer == c.Actor || d.Principal.String() == c.Actor:
		return errors.New("its actor approves what it has proposed, or its own power")
	}
	keys, err := keysIn(c, d.Principal)
	if err != nil {
		return err
	}
	s := standing(d.Principal, p, keys)
	if !equal(d.Digest, s.Digest()) || !sameKeys(d.Keys, s.Keys) || !sameGrants(d.Grants, s.After()) {
		return errors.New("it approves something else than was proposed")
	}
	row, err := c.tenancy()
	if err == nil && row.Founded.IsZero() {
		err = errors.New("the tenant was not founded")
	}
	if err != nil {
		return err
	}
	stands, err := c.Permitted(p.Proposed.Proposer, ManageUsers)
	if err == nil && !stands {
		err = errors.New("its proposer was no administrator any more")
	}
	return err
}

// keysIn are a principal's keys in the tables, in the order of their digests.
func keysIn(r journal.Reader, id journal.ID) (found []apiKey, err error) {
	err = apiKeys.Scan(r, journal.Range{}, func(_ []byte, key apiKey) error {
		if key.Principal == id {
			found = append(found, key)
		}
		return nil
	})
	return found, err // the rows lie in the order of the digests
}

func sameKeys(digests [][]byte, keys []Key) bool {
	if len(digests) != len(keys) {
		return false
	}
	for i, key := range keys {
		if !bytes.Equal(digests[i], key.Digest) {
			return false
		}
	}
	return true
}

func sameGrants(one, other []Grant) bool {
	return len(one) == len(other) && len(Union(one, other)) == len(one)
}

var errNotOurs = errors.New("it is about a principal that the tenant does not have")

// ownTenant is the rule that a principal is of the event's tenant.
func ownTenant[D subject](c *Case) error {
	id, err := about[D](c)
	if err != nil {
		return err
	}
	p, known, err := c.cache.get(c, id)
	if err == nil && (!known || p.Tenant != c.Tenant) {
		err = errNotOurs
	}
	return err
}

// noFounder is the rule that a principal is of the event's tenant, and founds nothing: nobody prepares the power of
// founders before they have it.
func noFounder[D subject](c *Case) error {
	id, err := about[D](c)
	if err == nil {
		err = ownTenant[D](c)
	}
	if err != nil {
		return err
	}
	row, err := c.tenancy()
	if err == nil && row.Founding.has(id) {
		err = errors.New("it is about somebody who founds the tenant")
	}
	return err
}

// codesRule: an administrator issues codes to everybody but founders, who have theirs from the founding itself: the two
// codes of a trial's founding come before anybody has claimed.
func codesRule(c *Case) error {
	id, err := about[CodeIssuedData](c)
	if err != nil {
		return err
	}
	row, err := c.tenancy()
	if err == nil && id.String() == c.Actor {
		err = errors.New("its actor gives a code to itself")
	}
	if err != nil || !row.Founding.has(id) {
		return errors.Join(err, ownTenant[CodeIssuedData](c))
	}
	p, known, err := c.cache.get(c, id)
	if err == nil && (!known || !p.Created.Equal(c.At) || p.Code != nil) {
		err = errors.New("it is about somebody who founds the tenant, and has a code")
	}
	return err
}

// notOneself is the rule that nobody revokes what they have themselves.
func notOneself[D subject](c *Case) error {
	id, err := about[D](c)
	if err == nil && id.String() == c.Actor {
		err = errors.New("its actor revokes its own API key, or its own grants")
	}
	return err
}

// subject is the data of an event that is about one principal.
type subject interface{ about() journal.ID }

// about is the principal that an event is about.
func about[D subject](c *Case) (journal.ID, error) {
	d, err := ReadData[D](c)
	return d.about(), err
}

func (d PrincipalNamedData) about() journal.ID { return d.Principal }
func (d CodeIssuedData) about() journal.ID     { return d.Principal }
func (d KeyAddedData) about() journal.ID       { return d.Principal }
func (d KeyRevokedData) about() journal.ID     { return d.Principal }
func (d GrantsGivenData) about() journal.ID    { return d.Principal }
func (d GrantsProposedData) about() journal.ID { return d.Principal }
func (d GrantsRevokedData) about() journal.ID  { return d.Principal }
