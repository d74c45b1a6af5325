package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/bench/measure"
	"muniment/cmd/muniment/node"
	"muniment/vault"
)

// The parts of a real deposit's sealed row and tokens.
const (
	sealedSize = 700 // bytes of a document's sealed row, with a title, a file name and an external id
	tokens     = 3   // content, external id, idempotency key
)

// journal measures commits of real events, each of one event by one of so many writers, with all syncs, and with the
// release going on behind them. No vault is open over the journal, so nothing else writes to it.
func (b *bench) journal(ctx context.Context, dir string) error {
	for _, writers := range []int{1, 64, 1024} {
		for _, kind := range []struct {
			name   string
			change func(journal.ID) (journal.Change, error)
		}{{"document.deposited", depositChange}, {"document.read", readChange}} {
			data := fmt.Sprintf("%s/%s-%d", dir, kind.name, writers)
			r, err := b.commits(ctx, node.Folder(data), writers, kind.change)
			if err != nil {
				return err
			}
			b.addRate("journal", fmt.Sprintf("%s, %d writers", kind.name, writers), "events", r)
		}
	}
	return nil
}

func (b *bench) commits(ctx context.Context, f node.Folder, writers int,
	change func(journal.ID) (journal.Change, error)) (r measure.Rate, err error) {
	s, err := node.OpenStorage(ctx, node.Embedded(f), slog.New(slog.DiscardHandler))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	j, err := s.OpenJournal(ctx, "", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	actor, err := journal.NewID(time.Now(), rand.Reader)
	if err != nil {
		return r, err
	}
	return measure.Repeat(ctx, writers, measure.For(b.each), func(ctx context.Context, _ int) error {
		id, err := journal.NewID(time.Now(), rand.Reader)
		if err != nil {
			return err
		}
		c, err := change(id)
		if err != nil {
			return err
		}
		_, err = j.Commit(ctx, journal.Actor{Tenant: vault.DefaultTenant, ID: actor.String()},
			func(journal.View) (journal.Change, error) { return c, nil })
		return err
	})
}

// depositChange is what a deposit commits: the event, the document's sealed row, and the tokens that lead to it.
func depositChange(id journal.ID) (journal.Change, error) {
	random := make([]byte, 32+32+16+sealedSize+32*tokens)
	if _, err := rand.Read(random); err != nil {
		return journal.Change{}, err
	}
	take := func(n int) []byte {
		out := random[:n:n]
		random = random[n:]
		return out
	}
	event := vault.DocumentDeposited.New(id, vault.DocumentDepositedData{
		Series: "default", LockDue: time.Now().UTC().AddDate(0, 0, 30), Size: 10 << 10, Commitment: take(32),
		Object: vault.StoredObject{
			Key: fmt.Sprintf("%s/%x", vault.DefaultTenant, take(16)), Version: "0123456789abcdef0123456789abcdef",
			Size: 10<<10 + 56, SHA256: take(32), CRC32C: 1,
		},
	})
	// As vault keys documents' sealed rows.
	row := journal.Row{Key: append([]byte("d"), id[:]...), Value: take(sealedSize)}
	for range tokens {
		row.Tokens = append(row.Tokens, take(32))
	}
	return journal.Change{Events: []journal.Event{event}, Sealed: []journal.Row{row}}, nil
}

func readChange(id journal.ID) (journal.Change, error) {
	event := vault.DocumentRead.New(id, vault.DocumentReadData{Purpose: "bench"})
	return journal.Change{Events: []journal.Event{event}}, nil
}
