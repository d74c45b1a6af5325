package node

import (
	"muniment/anchor/journal"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
)

// EventRules say of every event type who may cause it. Those of the journal and of anchors stand here: their packages
// know no principals.
func EventRules() access.Rules {
	system := func(actor string) access.Rule { return access.By(journal.System, actor) }
	return access.Join(vault.EventRules(), retention.EventRules(), access.Rules{
		"journal.created/1":       system("journal"),
		"journal.loss_accepted/1": system("operator"),
		"clock.stepped/1":         system("clock"),
		"duty.settled/1":          system("duty"),

		"anchor.requested/1": access.Needs(access.AnchorNow),
		"anchor.prepared/1":  system("anchor"),
		"anchor.submitted/1": system("anchor"),
		"anchor.included/1":  system("anchor"),
		"anchor.final/1":     system("anchor"),
		"anchor.lost/1":      system("anchor"),
	})
}
