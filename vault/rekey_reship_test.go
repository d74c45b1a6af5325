package vault_test

import (
	"context"
	"testing"

	"muniment/vault"
	"muniment/vault/access"
)

// TestReship: a key custodian, and nobody else, changes the shipping key; what is shipped afterwards gives back all.
func TestReship(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	doc := l.deposit(vault.Deposit{}, []byte("kept"))
	_, err := l.life.Reship(ctx, l.who)
	l.wants("changing the shipping key without the role", err, access.ErrDenied)
	number, err := l.life.Reship(ctx, l.custodian)
	l.must(err)
	if current, _ := l.journal.ShippingKey(); number != current || number < 2 {
		t.Errorf("the shipping key is number %d, and the journal says %d", number, current)
	}
	restored := l.restored(l.shipped())
	if err := l.unwraps(doc.ID, sealedRow(t, restored, doc.ID)); err != nil {
		t.Errorf("after a restore from what was shipped again, the document does not open: %v", err)
	}
	l.fsck()
}
