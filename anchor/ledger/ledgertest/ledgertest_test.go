package ledgertest_test

import (
	"testing"

	"muniment/anchor/ledger/ledgertest"
)

func TestFakeConforms(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t *testing.T) ledgertest.Env {
		return ledgertest.NewFake(t, "fake", "fake/1").Env()
	})
}
