package node

import (
	"testing"

	"muniment/anchor/journal"
)

// TestEveryEventHasARule: a new event type says who may cause it.
func TestEveryEventHasARule(t *testing.T) {
	t.Parallel()
	rules, types := EventRules(), journal.Types(Definitions())
	for _, typ := range rules.Missing(types) {
		t.Errorf("no rule says who may cause %s: add one to EventRules of its package, "+
			"or to that of vault/access for one of the journal's own", typ)
	}
	if len(rules) != len(types) {
		t.Errorf("there are %d rules for %d event types", len(rules), len(types))
	}
}
