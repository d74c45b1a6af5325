package node

import (
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
)

// EventRules say of every event type who may cause it.
func EventRules() access.Rules { return access.Join(vault.EventRules(), retention.EventRules()) }
