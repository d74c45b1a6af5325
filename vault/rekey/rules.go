package rekey

import (
	"errors"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/approval"
)

// EventRules say who may cause the events of this package.
func EventRules() access.Rules {
	return access.Rules{
		string(KeyRotated):         access.Needs(access.RotateKey),
		string(KeyRewrapBegun):     access.Needs(access.RewrapKeys),
		string(KeysRewrapped):      access.Needs(access.RewrapKeys),
		string(KeyRewrapCompleted): access.Needs(access.RewrapKeys),
		string(KeyTrimProposed):    access.Needs(access.TrimKey),
		string(KeyTrimApproved):    access.All(access.Needs(access.ApproveTrim), byAnother),
		string(KeyTrimBegun):       access.All(access.Needs(access.TrimKey), approved),
		string(KeyTrimRefused):     access.Needs(access.TrimKey),
		string(KeyTrimmed):         access.All(access.Principal, begun[KeyTrimmedData]),
		string(ErasedInBackups):    access.All(access.Principal, begun[ErasedInBackupsData]),
		string(BackupVerified):     access.Needs(access.RecordBackup),
	}
}

// trimNamed is the trim that an event's data name.
func trimNamed(c *access.Case, id journal.ID) (trimRow, error) {
	row, ok, err := trims.Get(c, tenantKey(c.Tenant, id[:]...))
	if err == nil && !ok {
		err = errors.New("it is about a trim that nobody has proposed")
	}
	return row, err
}

// byAnother: who has proposed a trim does not approve it.
func byAnother(c *access.Case) error {
	d, err := access.ReadData[KeyTrimApprovedData](c)
	if err != nil {
		return err
	}
	trim, err := trimNamed(c, d.ID)
	if err == nil && trim.Proposer == c.Actor {
		err = errors.New("its actor approves what it has proposed itself")
	}
	return err
}

// approved: a trim begins after its waiting period and before it lapses, all by settled time, with the approval of
// another principal than the one that begins it.
func approved(c *access.Case) error {
	d, err := access.ReadData[KeyTrimBegunData](c)
	if err != nil {
		return err
	}
	trim, err := trimNamed(c, d.ID)
	if err != nil {
		return err
	}
	ends, err := journal.WaitEnds(c.Reader, trim.From, trim.NotBefore)
	switch {
	case err != nil:
		return err
	case trim.Approver == "" || trim.Approver == c.Actor:
		return errors.New("nobody else than its actor has approved the trim")
	case c.Settled.Before(ends):
		return errors.New("the trim's waiting period was not over")
	case !c.Settled.Before(trim.Until) || !c.Settled.Before(trim.Lapses):
		return errors.New("the trim, or its approval, had lapsed")
	}
	proposer, err := c.Permitted(trim.Proposer, access.TrimKey)
	if err != nil {
		return err
	}
	approver, err := c.Permitted(trim.Approver, access.ApproveTrim)
	if err == nil && (!proposer || !approver) {
		err = errors.New("the trim's proposer, or its approver, had been dismissed")
	}
	return err
}

// begun: the end of a trim follows its beginning, which was permitted.
func begun[D approval.Data](c *access.Case) error {
	d, err := access.ReadData[D](c)
	if err != nil {
		return err
	}
	trim, err := trimNamed(c, d.Proposal())
	if err == nil && trim.Begun.IsZero() {
		err = errors.New("the trim had not begun")
	}
	return err
}
