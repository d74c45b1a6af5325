package journal

import "context"

// unfinishedTable marks a catch-up that has applied an erasure and has not removed the erased row's lookup tokens yet.
// The mark is written in the transaction that applies the erasure, so that a start that is killed in between is
// finished by the next one.
var (
	unfinishedTable = Table{Volatile, "unfinished"}
	unfinishedKey   = []byte("tokens")
)

// finishCatchUp removes the lookup tokens of rows that applied batches have erased, if there are any, and then the mark
// that says so.
func finishCatchUp(ctx context.Context, b Backend) error {
	marked := false
	err := b.View(ctx, func(r Reader) error {
		mark, err := r.Get(unfinishedTable, unfinishedKey)
		marked = mark != nil
		return err
	})
	if err != nil || !marked {
		return err
	}
	if err := dropTokens(ctx, b); err != nil {
		return err
	}
	return b.Update(ctx, func(tx Txn) error { return tx.Delete(unfinishedTable, unfinishedKey) })
}
