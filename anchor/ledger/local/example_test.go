package local_test

import (
	"context"
	"fmt"
	"os"

	"muniment/anchor/ledger/ledgertest"
	"muniment/anchor/ledger/local"
)

// An attempt is prepared, kept, submitted, and proved once it is final.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	l, err := local.Open(local.Config{Dir: dir, ID: id, Signer: newSigner(1), Clock: newClock()})
	if err != nil {
		panic(err)
	}

	attempt, err := l.Prepare(ctx, ledgertest.Checkpoint("muniment/example", 523), nil)
	if err != nil {
		panic(err)
	}
	// Here the publisher records the attempt, so that after a crash it submits this one and no other.
	if err := l.Submit(ctx, attempt); err != nil {
		panic(err)
	}
	status, err := l.Status(ctx, attempt)
	if err != nil {
		panic(err)
	}
	fmt.Println("the attempt is", status)
	if _, err := l.Prove(ctx, attempt); err != nil {
		panic(err)
	}
	head, err := l.Head(ctx, "muniment/example")
	if err != nil {
		panic(err)
	}
	fmt.Println("the ledger's head is at", head.Size)
	// Output:
	// the attempt is final
	// the ledger's head is at 523
}
