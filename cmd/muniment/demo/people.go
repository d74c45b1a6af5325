package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// The people of the demonstration, all played by this program and named so.
const (
	administrator = "Administrator of the demonstration"
	approver      = "Approver of the demonstration"
	clerk         = "Clerk of the demonstration"
)

// found ends the trial: two persons of the demonstration's own found the tenant, and let a third in, one proposing and
// one approving.
func (d *demo) found(ctx context.Context) error {
	self, err := d.remote.WhoAmI(ctx)
	if err != nil {
		return err
	}
	if !self.Trial {
		d.line("founded", "before, by two persons of the demonstration")
		d.say("")
		return nil
	}
	if err := d.trial(ctx); err != nil {
		return err
	}
	d.say("\nTwo persons of the demonstration take over from that one key\n")
	begun, err := d.remote.FoundTenant(ctx, administrator, approver)
	if err != nil {
		return err
	}
	pair, err := remote.FoundAsPair(ctx, d.service.URL(), begun.Administrator.Code, begun.Approver.Code,
		remote.NewTransport(1))
	if err != nil {
		return err
	}
	defer pair.Close()
	err = errors.Join(keepKey(d.founderFile("administrator"), pair.AdministratorKey),
		keepKey(d.founderFile("approver"), pair.ApproverKey))
	if err != nil {
		return err
	}
	if _, err := d.remote.WhoAmI(ctx); err == nil {
		return errors.New("the key of the trial is NOT revoked")
	}
	d.line("founded", "each has claimed a key with a one-time code, and the key of the trial is revoked")
	return d.admit(ctx, pair)
}

// trial shows what one key may on trial, and what it may not.
func (d *demo) trial(ctx context.Context) error {
	d.line("trial", "one key may nearly everything, and lets in whom it likes")
	made, err := d.remote.CreatePrincipal(ctx, "Custodian of the trial", []openapi.Grant{{Role: "key_custodian"}})
	if err != nil {
		return err
	}
	custodian, err := remote.New(d.service.URL(), remote.Text(made.Key), remote.NewTransport(1))
	if err != nil {
		return err
	}
	defer custodian.Close()
	var refused *remote.ProblemError
	if _, err = custodian.ProposeTrim(ctx, 0); !errors.As(err, &refused) || refused.Status != http.StatusConflict {
		return errors.Join(errors.New("what takes two people was NOT refused on trial"), err)
	}
	d.line("refused", "to destroy old keys, which takes two: "+err.Error())
	return nil
}

// admit gives a clerk roles and a key. All that follows is done by the clerk.
func (d *demo) admit(ctx context.Context, pair *remote.Pair) error {
	added, err := pair.Add(ctx, clerk, []openapi.Grant{{Role: "depositor"}, {Role: "reader"}, {Role: "auditor"}})
	if err != nil {
		return err
	}
	if len(added.Approved.Keys) != 1 {
		return fmt.Errorf("%d keys were approved, and one was claimed", len(added.Approved.Keys))
	}
	d.line("proposed", clerk+" as depositor, reader and auditor, by "+administrator)
	d.line("approved", "by "+approver+", with the key whose fingerprint is "+added.Approved.Keys[0])
	d.say("")
	if err := keepKey(d.tokenFile(), added.Key); err != nil {
		return err
	}
	d.remote.Close()
	d.remote, err = remote.New(d.service.URL(), added.Key, remote.NewTransport(clients))
	return err
}

// readBy says who has read the first document, as its story has it.
func (d *demo) readBy(ctx context.Context) error {
	story, err := d.remote.History(ctx, d.documents[0].id, 0)
	if err != nil {
		return err
	}
	for _, e := range story.Entries {
		if e.Type == "document.read/1" && remote.Text(e.ActorName) == clerk {
			d.line("", "on record as read by "+*e.ActorName)
			return nil
		}
	}
	return errors.New("the read is NOT on record")
}
