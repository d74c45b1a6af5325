package vault_test

import (
	"context"
	"testing"

	"muniment/vault"
	"muniment/vault/rekey"
)

// BenchmarkRewrap is the rewrap of 50,000 documents in a bbolt journal: with keys in a file, and in a real Vault that
// runs on the same machine.
func BenchmarkRewrap(b *testing.B) {
	const documents = 50_000
	for name, open := range map[string]func(testing.TB) house{"file": localHouse, "vault": vaultHouse} {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			l := newLifeRig(b, open(b), onDisk(b))
			l.must(vault.SealDocuments(ctx, l.vault, l.who, documents))
			l.shipped()
			rows := int64(0)
			for b.Loop() {
				l.rotate()
				got := l.rewrapped()
				if got.State != rekey.RewrapDone || got.Rewrapped < documents {
					b.Fatalf("the rewrap came to %+v, error %v", got, got.Err)
				}
				rows += got.Rewrapped
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
