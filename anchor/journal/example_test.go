package journal_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/mod/sumdb/tlog"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// panicking is for a bucket outside of a test.
type panicking struct{}

func (panicking) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// greeted is an event type, and greetings the table that its reducer copies it to.
type greeted struct {
	Text string `json:"text"`
}

var (
	greetedEvent = journal.Type[greeted]("example.greeted/1")
	greetings    = journal.NewRows[greeted]("example.greetings")
)

// An event is committed, released, and proved by the checkpoint that covers it.
func Example() {
	ctx := context.Background()
	j, err := journal.Open(ctx, journal.Config{
		Backend: memory.New(memory.Config{}), Bucket: journaltest.NewBucket(panicking{}),
		Signer: journaltest.Signer(), Clock: journaltest.NewClock(), Rand: journaltest.Rand(1),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Origin: "muniment/example", Create: true,
		ID: journaltest.ID, ShippingKeys: journaltest.ShippingKeys(),
		Definitions: []journal.Definition{
			greetedEvent.On(func(w *journal.Writer, e journal.Entry, g greeted) error {
				return greetings.Put(w, []byte(e.Actor), g)
			}),
		},
	})
	if err != nil {
		panic(err)
	}
	defer j.Close()

	alice := journal.Actor{Tenant: "default", ID: "alice"}
	receipt, err := j.Commit(ctx, alice, func(v journal.View) (journal.Change, error) {
		if _, ok, err := greetings.Get(v, []byte("alice")); ok || err != nil {
			return journal.Change{}, err // she has greeted before, and once is enough
		}
		return journal.Change{Events: []journal.Event{greetedEvent.New(journal.ID{}, greeted{"hello"})}}, nil
	})
	if err != nil {
		panic(err)
	}
	if receipt, err = j.Released(ctx, receipt); err != nil {
		panic(err)
	}
	record, err := j.Record(ctx, receipt.Index)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s by %s: %s\n", record.Type, record.Actor, record.Data)

	checkpoint := j.Checkpoint()
	err = tlog.CheckRecord(receipt.Proof, int64(checkpoint.Size), checkpoint.Root, int64(receipt.Index),
		tlog.RecordHash(receipt.Leaf[:]))
	fmt.Println("leaf", receipt.Index, "of", checkpoint.Origin, "at size", checkpoint.Size, "proved:", err == nil)
	tile, err := j.Tile(ctx, 0, 0, int(checkpoint.Size))
	fmt.Println(journal.TilePath{Width: int(checkpoint.Size)}, "has", len(tile), "bytes:", err == nil)
	// Output:
	// example.greeted/1 by alice: {"text":"hello"}
	// leaf 1 of muniment/example at size 2 proved: true
	// tile/0/000.p/2 has 64 bytes: true
}
