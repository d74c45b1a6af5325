package vault

import (
	"errors"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/rekey"
)

// The workers that put on record what they do by themselves.
const (
	attestActor = "attest"
	sweepActor  = "sweep"
)

// EventRules say who may cause the events of this package, of access and of rekey, and those about anchors: their
// package knows no principals.
func EventRules() access.Rules {
	in := func(a access.Action) access.Rule { return access.NeedsIn(a, ofDocument) }
	byAnchor, byAttestor := access.By(journal.System, "anchor"), access.By(journal.System, attestActor)
	return access.Join(access.EventRules(), rekey.EventRules(), access.Rules{
		string(TenantCreated):     access.All(access.By("", access.BootstrapActor), newTenant),
		string(DocumentDeposited): access.NeedsIn(access.Deposit, filedIn),
		string(PurposesSet):       access.Needs(access.ManageFile),
		string(DocumentRead):      access.All(in(access.Read), forListedPurpose),
		string(DocumentServed):    access.All(access.Principal, afterRead),
		string(DocumentDescribed): in(access.Describe),
		string(DocumentsListed):   access.NeedsSomewhere(access.Describe),
		string(DocumentCompared):  in(access.Deposit),
		string(EvidenceIssued):    issued,
		string(ObjectDamaged):     access.Principal,
		string(ObjectsAbandoned):  access.By("", sweepActor),
		string(ObjectsUnknown):    access.By("", sweepActor),
		string(JournalRestored):   access.By(journal.System, access.OperatorActor),
		string(StorageAttested):   access.Either(access.Needs(access.AttestStore), byAttestor),
		string(DocumentErased):    in(access.Erase),
		string(TombstoneErased):   in(access.Erase),
		string(ObjectErased):      access.By("", eraseActor),
		string(LocksBehind):       access.By("", lockActor),
		string(LocksCaughtUp):     access.By("", lockActor),

		"anchor.requested/1": access.Needs(access.AnchorNow),
		"anchor.prepared/1":  byAnchor,
		"anchor.submitted/1": byAnchor,
		"anchor.included/1":  byAnchor,
		"anchor.final/1":     byAnchor,
		"anchor.lost/1":      byAnchor,
	})
}

var errNoDocument = errors.New("it is about a document that the tenant does not have")

// ofDocument is the series of the document that an event is about.
func ofDocument(c *access.Case) (access.Scope, error) {
	row, ok, err := documents.Get(c, c.Doc[:])
	if err == nil && (!ok || row.Tenant != c.Tenant) {
		err = errNoDocument
	}
	return access.Scope{Series: row.Series}, err
}

// filedIn is the series that a deposit is filed in.
func filedIn(c *access.Case) (access.Scope, error) {
	d, err := access.ReadData[DocumentDepositedData](c)
	return access.Scope{Series: d.Series}, err
}

// newTenant: a tenant begins once.
func newTenant(c *access.Case) error {
	_, there, err := tenants.Get(c, []byte(c.Tenant))
	if err == nil && there {
		err = ErrBootstrapped
	}
	return err
}

// afterRead: the outcome of a read is put on record after it, when its actor may not be permitted to read any more.
func afterRead(c *access.Case) error {
	d, err := access.ReadData[DocumentServedData](c)
	if err != nil {
		return err
	}
	read, err := journal.RecordAt(c, d.Read)
	if err == nil && (read.Type != string(DocumentRead) || read.Tenant != c.Tenant || read.Actor != c.Actor ||
		read.Doc != c.Doc) {
		err = errors.New("it is the outcome of no read of its actor's")
	}
	return err
}

func issued(c *access.Case) error {
	d, err := access.ReadData[EvidenceIssuedData](c)
	if err == nil && d.Disclosed {
		err = access.NeedsIn(access.Disclose, ofDocument)(c)
	}
	if err != nil {
		return err
	}
	return access.NeedsIn(access.Evidence, ofDocument)(c)
}
