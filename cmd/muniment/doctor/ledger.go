package doctor

import (
	"context"
	"errors"
	"io/fs"

	ledgerlocal "muniment/anchor/ledger/local"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
)

// ledger reads the blocks of the embedded ledger, whether a server runs or not: what they must be signed with is in the
// folder's policy.
func (d *doctor) ledger(_ context.Context, r *report) {
	f := node.Folder(d.cfg.Data)
	policy, err := node.ReadPolicy(f)
	if errors.Is(err, fs.ErrNotExist) {
		return // there has been no serve yet
	}
	if err != nil {
		r.refused("", err, "move policy.json away: the next start writes it anew")
		return
	}
	for _, pin := range policy.Ledgers {
		if pin.Kind != ledgerlocal.Kind {
			continue
		}
		blocks, err := ledgerlocal.Check(f.Ledger(), pin.Pin)
		if err != nil {
			r.fail("", node.LedgerAdvice, "%v", err)
			continue
		}
		r.ok("", "%s of %s follow from each other", cli.Count(blocks, "block", "blocks"), pin.ID)
	}
}
