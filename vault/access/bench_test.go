package access_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	"muniment/anchor/journal/journaltest"
	"muniment/vault/access"
)

// benchSite opens a journal on bbolt with so many principals, each with a key, and returns the last of them.
func benchSite(b *testing.B, principals int) (*journal.Journal, person) {
	b.Helper()
	backend := journaltest.Must(bolt.Open(bolt.Config{Path: filepath.Join(b.TempDir(), "journal.db"), Create: true}))
	j, err := journal.Open(b.Context(), journal.Config{
		Backend: backend, Bucket: journaltest.NewBucket(b), Signer: journaltest.Signer(),
		Clock: journaltest.NewClock(), Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
		Definitions: access.Definitions(), Origin: "muniment/test", Create: true,
		ID: journaltest.ID, ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = j.Close() })
	var last person
	var events []journal.Event
	for n := range principals {
		p, made := newPerson(b, access.Grant{Role: access.Auditor})
		last, events = p, append(events, made...)
		if len(events) < 2_000 && n+1 < principals {
			continue
		}
		_, err := j.Commit(b.Context(), journal.Actor{Tenant: tenant, ID: "test"},
			func(journal.View) (journal.Change, error) { return journal.Change{Events: events}, nil })
		if err != nil {
			b.Fatal(err)
		}
		events = nil
	}
	return j, last
}

// loaded has read all that there is.
func loaded(b *testing.B, j *journal.Journal) *access.Authority {
	b.Helper()
	authority := access.NewAuthority(j, nil)
	if err := authority.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	return authority
}

// BenchmarkAuthenticate finds out for whom an API key speaks, in a snapshot of its own as each request does.
func BenchmarkAuthenticate(b *testing.B) {
	j, last := benchSite(b, 10_000)
	authority := loaded(b, j)
	token := last.key.Reveal()
	for b.Loop() {
		if who, err := authority.AuthenticateNow(b.Context(), token); err != nil || who != last.who {
			b.Fatal(who, err)
		}
	}
}

// BenchmarkPermission asks what a principal may do, in a snapshot of its own.
func BenchmarkPermission(b *testing.B) {
	j, last := benchSite(b, 10_000)
	authority := loaded(b, j)
	for b.Loop() {
		err := j.View(b.Context(), func(r journal.Reader) error {
			p, err := access.NewGuard(authority, r, last.who).Permission(access.Feed)
			if !p.All {
				b.Fatal("it is not permitted")
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStart brings memory up to ten thousand principals with a key each: from the stored state, and from all
// events, as after a restore.
func BenchmarkStart(b *testing.B) {
	for _, stored := range []bool{true, false} {
		b.Run(fmt.Sprintf("stored=%t", stored), func(b *testing.B) {
			j, last := benchSite(b, 10_000)
			first := access.NewAuthority(j, nil)
			if stored {
				if err := first.Load(b.Context()); err != nil {
					b.Fatal(err)
				}
				if err := first.Store(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				authority := access.NewAuthority(j, nil)
				if err := authority.Load(b.Context()); err != nil {
					b.Fatal(err)
				}
				who, err := authority.AuthenticateNow(b.Context(), last.key.Reveal())
				if err != nil || who != last.who {
					b.Fatal(who, err)
				}
			}
		})
	}
}
