package access_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/vault/access"
)

// The tables that somebody with access to the database writes to.
var (
	principalTable = journal.Table{Kind: journal.Projection, Name: "principals"}
	keyTable       = journal.Table{Kind: journal.Projection, Name: "api_keys"}
	lastTable      = journal.Table{Kind: journal.Log, Name: "auth"}
	storedTable    = journal.Table{Kind: journal.Volatile, Name: "authority"}
)

// site is a database, the journal on it, and what it says about principals and keys.
type site struct {
	*testing.T
	kit  *journaltest.Kit
	log  *strings.Builder
	j    *journal.Journal
	auth *access.Authority
}

// newSite opens a journal whose backend runs every transaction twice.
func newSite(t *testing.T) *site {
	s := &site{T: t, kit: journaltest.NewKit(t)}
	s.open()
	commit(t, s.j, access.TrialBegun.New(journal.ID{}, access.TrialBegunData{}))
	return s
}

// open starts a process on the database.
func (s *site) open() {
	s.Helper()
	s.j = s.kit.Open(s.T, access.Definitions()...)
	s.log = &strings.Builder{}
	s.auth = access.NewAuthority(s.j, slog.New(slog.NewTextHandler(&lockedWriter{to: s.log}, nil)))
	if err := s.auth.Load(s.Context()); err != nil {
		s.Fatal(err)
	}
}

// restart ends the process, lets change write to the database, and starts another one.
func (s *site) restart(change func()) {
	s.Helper()
	if err := s.j.Close(); err != nil {
		s.Fatal(err)
	}
	s.kit.Backend = s.kit.Backend.Reopen(memory.Config{})
	change()
	s.open()
}

type lockedWriter struct {
	mu sync.Mutex
	to *strings.Builder
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// person is a principal with its API key.
type person struct {
	who access.Who
	key access.APIKey
}

// create makes a principal with a key.
func (s *site) create(grants ...access.Grant) person {
	s.Helper()
	p, events := newPerson(s.T, grants...)
	commit(s.T, s.j, events...)
	return p
}

// newPerson are the events that make a principal with a key.
func newPerson(t testing.TB, grants ...access.Grant) (person, []journal.Event) {
	id := journaltest.Must(journal.NewID(journaltest.NewClock().Now(), rand.Reader))
	key := journaltest.Must(access.NewAPIKey(rand.Reader))
	digest := key.Digest()
	return person{access.Who{Tenant: tenant, Principal: id}, key}, []journal.Event{
		access.PrincipalCreated.New(journal.ID{},
			access.PrincipalCreatedData{Principal: id, Origin: access.OriginCreated, Grants: grants}),
		access.KeyAdded.New(journal.ID{}, access.KeyAddedData{Principal: id, Digest: digest[:]}),
	}
}

func (p person) revoked() journal.Event {
	digest := p.key.Digest()
	return access.KeyRevoked.New(journal.ID{}, access.KeyRevokedData{Principal: p.who.Principal, Digest: digest[:]})
}

// knows checks whether a key speaks for its principal.
func (s *site) knows(p person, want bool) {
	s.Helper()
	who, err := s.auth.AuthenticateNow(s.Context(), p.key.Reveal())
	switch {
	case want && (err != nil || who != p.who):
		s.Errorf("the key speaks for %v, %v; want %v", who, err, p.who)
	case !want && !errors.Is(err, access.ErrUnknownKey):
		s.Errorf("the key speaks for %v, %v; want nobody", who, err)
	}
}

// may checks whether a principal is permitted an act, in a commit as everywhere.
func (s *site) may(p person, a access.Action, want bool) {
	s.Helper()
	door := access.NewDoorOf(s.j, s.auth)
	if err := door.Permit(s.Context(), p.who, a); want && err != nil || !want && !errors.Is(err, access.ErrDenied) {
		s.Errorf("%s: %v, want it permitted: %t", a, err, want)
	}
}

// alarms checks how many rows were found to contradict the events, and that as many are on record.
func (s *site) alarms(want int) {
	s.Helper()
	if err := s.auth.RecordContradictions(s.Context()); err != nil {
		s.Fatal(err)
	}
	records := journaltest.Must(s.j.Records(s.Context(), journal.System, 0, 1<<20))
	n := 0
	for _, rec := range records {
		if rec.Type == string(access.Contradicted) {
			n++
			if rec.Actor != "access" {
				s.Errorf("%s is by %s", rec.Type, rec.Actor)
			}
		}
	}
	if got := s.auth.Contradicted(); got != want || n != want {
		s.Errorf("%d rows are known to contradict the events, %d on record; want %d", got, n, want)
	}
	if logged := strings.Count(s.log.String(), "level=ERROR"); logged != want {
		s.Errorf("the log has %d alarms, want %d:\n%s", logged, want, s.log)
	}
}

// get reads a row, and put writes one as somebody does who has the database; nil deletes it.
func (s *site) get(t journal.Table, key []byte) (row []byte) {
	s.Helper()
	err := s.kit.Backend.View(s.Context(), func(r journal.Reader) error {
		got, err := r.Get(t, key)
		row = append([]byte(nil), got...)
		return err
	})
	if err != nil || row == nil {
		s.Fatalf("no row to be read: %v", err)
	}
	return row
}

func (s *site) put(t journal.Table, key, row []byte) {
	s.Helper()
	err := s.kit.Backend.Update(context.Background(), func(tx journal.Txn) error {
		if row == nil {
			return tx.Delete(t, key)
		}
		return tx.Put(t, key, row)
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (p person) keyRow() []byte { digest := p.key.Digest(); return digest[:16] }

// attacks are what somebody does who can write the database, each to grant something that was never granted, or was
// revoked.
var attacks = map[string]func(s *site, victim, revoked person) (forged person, act access.Action){
	"a row for a new key": func(s *site, victim, _ person) (person, access.Action) {
		key := journaltest.Must(access.NewAPIKey(rand.Reader))
		forged := person{victim.who, key}
		digest := key.Digest()
		row := strings.Replace(string(s.get(keyTable, victim.keyRow())), b64(victim.key), b64(key), 1)
		s.put(keyTable, digest[:16], []byte(row))
		return forged, ""
	},
	"the row of a revoked key": func(s *site, victim, revoked person) (person, access.Action) {
		row := string(s.get(keyTable, victim.keyRow()))
		row = strings.Replace(row, b64(victim.key), b64(revoked.key), 1)
		row = strings.Replace(row, victim.who.Principal.String(), revoked.who.Principal.String(), 1)
		s.put(keyTable, revoked.keyRow(), []byte(row))
		return revoked, ""
	},
	"wider grants": func(s *site, victim, _ person) (person, access.Action) {
		row := string(s.get(principalTable, victim.who.Principal[:]))
		s.put(principalTable, victim.who.Principal[:], []byte(strings.Replace(row, `"auditor"`, `"reader"`, 1)))
		return victim, access.Read
	},
	"a row for a new principal": func(s *site, victim, _ person) (person, access.Action) {
		id := journaltest.Must(journal.NewID(journaltest.NewClock().Now(), rand.Reader))
		row := string(s.get(principalTable, victim.who.Principal[:]))
		s.put(principalTable, id[:], []byte(strings.Replace(row, `"auditor"`, `"reader"`, 1)))
		return person{access.Who{Tenant: tenant, Principal: id}, access.APIKey{}}, access.Read
	},
	"a principal that counts as not revoked": func(s *site, _, revoked person) (person, access.Action) {
		row := string(s.get(principalTable, revoked.who.Principal[:]))
		s.put(principalTable, revoked.who.Principal[:], []byte(strings.Replace(row, `"revoked":true`, `"keys":1`, 1)))
		return revoked, access.Feed
	},
}

// TestRowsGrantNothing: who writes the database is granted nothing, at the next request, and an alarm goes on record:
// while the process runs, and while it does not.
func TestRowsGrantNothing(t *testing.T) {
	t.Parallel()
	for name, attack := range attacks {
		for _, live := range []bool{true, false} {
			t.Run(name+", live "+strconv.FormatBool(live), func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				victim := s.create(access.Grant{Role: access.Auditor})
				revoked := s.create(access.Grant{Role: access.Auditor})
				commit(t, s.j, revoked.revoked())
				s.knows(victim, true)
				s.knows(revoked, false)
				s.may(victim, access.Feed, true)
				var forged person
				var act access.Action
				run := func() { forged, act = attack(s, victim, revoked) }
				if live {
					run()
				} else {
					s.restart(run)
				}
				if act == "" {
					s.knows(forged, false)
				} else {
					s.may(forged, act, false)
				}
				s.alarms(1)
				s.knows(victim, true)
				s.may(victim, access.Feed, true)
				s.may(victim, access.Read, false)
				if err := s.auth.Compare(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.alarms(1) // each row once
			})
		}
	}
}

// TestCompare: rows that grant nothing to anybody who asks are found by looking at all of them.
func TestCompare(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *site, p person){
		"nothing":                  func(*site, person) {},
		"a key's row is missing":   func(s *site, p person) { s.put(keyTable, p.keyRow(), nil) },
		"a principal's is missing": func(s *site, p person) { s.put(principalTable, p.who.Principal[:], nil) },
		"a key's row is another's": func(s *site, p person) {
			s.put(keyTable, p.keyRow(), s.get(keyTable, s.create().keyRow()))
		},
		"a principal's row says less": func(s *site, p person) {
			s.put(principalTable, p.who.Principal[:], []byte(`{}`))
		},
		"a row that nobody reads": func(s *site, p person) { s.put(keyTable, []byte("x"), []byte("y")) },
		"the chain ends before":   func(s *site, p person) { s.put(lastTable, []byte("last"), make([]byte, 8)) },
		"the chain is gone":       func(s *site, p person) { s.put(lastTable, []byte("last"), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			p := s.create(access.Grant{Role: access.Auditor})
			s.knows(p, true)
			change(s, p)
			for range 2 {
				if err := s.auth.Compare(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if name == "nothing" {
				s.alarms(0)
			} else if n := s.auth.Contradicted(); n != 1 {
				t.Errorf("%d rows are reported, want 1:\n%s", n, s.log)
			}
			s.knows(p, true)
		})
	}
}

// TestChainSetBack: a row that says that the chain ends before a revocation hides the revocation from nobody: not while
// the process runs, not from the events that follow, and not at the next start.
func TestChainSetBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.create(access.Grant{Role: access.Auditor})
	before := s.get(lastTable, []byte("last"))
	commit(t, s.j, p.revoked())
	s.put(lastTable, []byte("last"), before)
	s.knows(p, false) // the first question of this process is asked in front of the row
	s.may(p, access.Feed, false)
	late := s.create(access.Grant{Role: access.Auditor})
	s.knows(late, true)
	s.knows(p, false)
	s.restart(func() { s.put(lastTable, []byte("last"), before) })
	s.knows(p, false)
	s.knows(late, true)
	s.restart(func() { s.put(lastTable, []byte("last"), nil) })
	s.knows(p, false)
	s.knows(late, true)
}

// TestDatabasePutBack: whoever puts the whole database back to a time before a revocation, while it is open, gives no
// key its voice back, and stops the process: it would go on with another history.
func TestDatabasePutBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.create(access.Grant{Role: access.Auditor})
	old := s.kit.Backend.Clone()
	commit(t, s.j, p.revoked())
	s.knows(p, false)
	tables := journaltest.Must(s.kit.Backend.Tables(t.Context()))
	err := s.kit.Backend.Update(t.Context(), func(tx journal.Txn) error {
		for _, table := range tables {
			err := tx.Scan(table, journal.Range{}, func(key, _ []byte) error { return tx.Delete(table, key) })
			if err != nil {
				return err
			}
		}
		return old.View(t.Context(), func(r journal.Reader) error {
			for _, table := range tables {
				err := r.Scan(table, journal.Range{}, func(key, row []byte) error { return tx.Put(table, key, row) })
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	s.knows(p, false)
	err = access.NewDoorOf(s.j, s.auth).Permit(t.Context(), p.who, access.Feed)
	if !errors.Is(err, journal.ErrContradicts) || s.j.Err() == nil {
		t.Errorf("after the database was put back: %v, stopped by %v", err, s.j.Err())
	}
}

// TestForgedHead: a head that nobody has authenticated makes nobody known, and nothing is built on it.
func TestForgedHead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.create(access.Grant{Role: access.Auditor})
	s.knows(p, true)
	head := journal.Table{Kind: journal.Log, Name: "head"}
	row := s.get(head, []byte("head"))
	s.put(head, []byte("head"), bytes.Replace(row, []byte(`"auth":3`), []byte(`"auth":2`), 1))
	if _, err := s.auth.AuthenticateNow(t.Context(), p.key.Reveal()); err == nil {
		t.Error("a request is let in by a head that was forged")
	}
	if err := access.NewDoorOf(s.j, s.auth).Permit(t.Context(), p.who, access.Feed); err == nil {
		t.Error("an act is permitted on a head that was forged")
	}
	s.put(head, []byte("head"), row)
	s.knows(p, true)
	s.may(p, access.Feed, true)
}

// TestReducersRefuse: no log says of principals and keys what cannot be.
func TestReducersRefuse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p, events := newPerson(t, access.Grant{Role: access.Auditor})
	other, others := newPerson(t)
	commit(t, s.j, events...)
	for name, event := range map[string]journal.Event{
		"a principal twice": events[0],
		"a key twice":       events[1],
		"a key for nobody":  others[1],
		"an unknown key":    other.revoked(),
		"another's key":     person{other.who, p.key}.revoked(),
		"half of a digest":  access.KeyAdded.New(journal.ID{}, access.KeyAddedData{Principal: p.who.Principal}),
		"nothing to revoke": access.KeyRevoked.New(journal.ID{}, access.KeyRevokedData{Principal: p.who.Principal}),
	} {
		_, err := s.j.Commit(t.Context(), journal.Actor{Tenant: tenant, ID: "test"},
			func(journal.View) (journal.Change, error) {
				return journal.Change{Events: []journal.Event{event}}, nil
			})
		if err == nil {
			t.Errorf("%s is on record", name)
		}
	}
	s.knows(p, true)
	s.alarms(0)
}

// TestAnotherGateway: what another process grants and revokes on the same database holds here at the next request.
func TestAnotherGateway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.create(access.Grant{Role: access.Auditor})
	s.knows(p, true)
	s.may(p, access.Feed, true)
	other := s.kit.Open(t, access.Definitions()...)
	late, events := newPerson(t, access.Grant{Role: access.Auditor})
	commit(t, other, append(events, p.revoked())...)
	s.knows(p, false)
	s.knows(late, true)
	s.may(p, access.Feed, false)
	s.may(late, access.Feed, true)
	s.alarms(0)
}

// group runs decide functions in one group of commits, within a bubble of synctest.
func (s *site) group(decides ...func(journal.View) (journal.Change, error)) {
	leave := make(chan struct{})
	wait := func(journal.View) (journal.Change, error) { // the others gather behind it
		<-leave
		return journal.Change{}, nil
	}
	for _, decide := range append([]func(journal.View) (journal.Change, error){wait}, decides...) {
		go func() {
			if _, err := s.j.Commit(s.Context(), journal.Actor{Tenant: tenant, ID: "test"}, decide); err != nil {
				s.Error(err)
			}
		}()
		synctest.Wait()
	}
	close(leave)
	synctest.Wait()
}

// TestAbortedGroup: what a decide has seen of its group is forgotten when the group's transaction is aborted.
func TestAbortedGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t) // discards the first run of every transaction
		s.create(access.Grant{Role: access.Auditor})
		first, firstEvents := newPerson(t, access.Grant{Role: access.ReaderRole})
		second, secondEvents := newPerson(t, access.Grant{Role: access.ReaderRole})
		runs := 0
		var saw [][2]bool
		s.group(func(journal.View) (journal.Change, error) {
			if runs++; runs == 1 {
				return journal.Change{Events: firstEvents}, nil
			}
			return journal.Change{Events: secondEvents}, nil
		}, func(view journal.View) (journal.Change, error) {
			saw = append(saw, [2]bool{
				journaltest.Must(s.auth.Exists(view, first.who)), journaltest.Must(s.auth.Exists(view, second.who)),
			})
			return journal.Change{}, nil
		})
		if len(saw) != 2 || saw[0] != [2]bool{true, false} || saw[1] != [2]bool{false, true} {
			t.Errorf("the runs saw %v", saw)
		}
		s.knows(first, false)
		s.knows(second, true)
		s.alarms(0)
	})
}

// TestGroupAfterGroup: what was seen of one group does not hide from the next one what has come in between.
func TestGroupAfterGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		p, created := newPerson(t, access.Grant{Role: access.ReaderRole})
		_, others := newPerson(t, access.Grant{Role: access.ReaderRole})
		var speak []int // keys for the principal, in each run
		count := func(view journal.View) (journal.Change, error) {
			speak = append(speak, journaltest.Must(s.auth.KeysOf(view, p.who)))
			return journal.Change{}, nil
		}
		create := func(events []journal.Event) func(journal.View) (journal.Change, error) {
			return func(journal.View) (journal.Change, error) { return journal.Change{Events: events}, nil }
		}
		s.group(create(created), count)
		commit(t, s.j, p.revoked())
		s.knows(p, false)
		s.group(create(others), count)
		if !slices.Equal(speak, []int{1, 1, 0, 0}) {
			t.Errorf("the numbers of its keys are %d; want one in the group that adds it, none in the later one", speak)
		}
	})
}

// TestRefusedGroupMate: a group in which nothing is granted any more when it is run again leaves nothing either.
func TestRefusedGroupMate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p, events := newPerson(t, access.Grant{Role: access.Auditor})
	runs := 0
	_, err := s.j.Commit(t.Context(), journal.Actor{Tenant: tenant, ID: "test"},
		func(view journal.View) (journal.Change, error) {
			if journaltest.Must(s.auth.Exists(view, p.who)) {
				t.Error("a principal that was never created exists")
			}
			if runs++; runs == 1 {
				return journal.Change{Events: events}, nil
			}
			return journal.Change{}, nil
		})
	if err != nil || runs != 2 {
		t.Fatalf("%d runs, %v", runs, err)
	}
	s.knows(p, false)
	s.alarms(0)
}

// TestStored: a start reads the stored state, whoever has put it there, only if this journal has written it, and reads
// what came after it in any case.
func TestStored(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(s *site, old []byte)
		warns  bool
	}{
		"as it was":   {func(*site, []byte) {}, false},
		"an old one":  {func(s *site, old []byte) { s.put(storedTable, make([]byte, 4), old) }, false},
		"none":        {func(s *site, _ []byte) { s.put(storedTable, make([]byte, 4), nil) }, false},
		"a short one": {func(s *site, _ []byte) { s.put(storedTable, make([]byte, 4), []byte("short")) }, true},
		"one changed": {func(s *site, _ []byte) {
			row := s.get(storedTable, make([]byte, 4))
			row[len(row)-1] ^= 1
			s.put(storedTable, make([]byte, 4), row)
		}, true},
		"one with more behind it": {func(s *site, _ []byte) {
			s.put(storedTable, []byte{0, 0, 0, 1}, []byte("more"))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			gone, stays := s.create(access.Grant{Role: access.Auditor}), s.create(access.Grant{Role: access.Auditor})
			s.knows(gone, true)
			if err := s.auth.Store(t.Context()); err != nil {
				t.Fatal(err)
			}
			old := s.get(storedTable, make([]byte, 4))
			commit(t, s.j, gone.revoked())
			s.knows(gone, false)
			if err := s.auth.Store(t.Context()); err != nil {
				t.Fatal(err)
			}
			late := s.create(access.Grant{Role: access.Auditor})
			s.restart(func() { c.change(s, old) })
			s.knows(gone, false)
			s.knows(stays, true)
			s.knows(late, true)
			s.alarms(0)
			if warns := strings.Contains(s.log.String(), "passed over"); warns != c.warns {
				t.Errorf("the log:\n%s", s.log)
			}
			if err := s.auth.Compare(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.alarms(0)
		})
	}
}

// TestStoredElsewhere: the stored state of another history under the same shipping key is not read.
func TestStoredElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.create(access.Grant{Role: access.Auditor})
	if err := s.j.Close(); err != nil { // all that there is has been released
		t.Fatal(err)
	}
	kit := *s.kit
	kit.Backend, kit.Bucket, kit.Seed = s.kit.Backend.Clone(), s.kit.Bucket.Clone(t), 100
	other := &site{T: t, kit: &kit}
	other.open()
	s.open()
	stranger := other.create(access.Grant{Role: access.Auditor})
	late := s.create(access.Grant{Role: access.Auditor}) // in the same place as the other history's
	other.knows(stranger, true)
	if err := other.auth.Store(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.restart(func() { s.put(storedTable, make([]byte, 4), other.get(storedTable, make([]byte, 4))) })
	s.knows(stranger, false)
	s.knows(p, true)
	s.knows(late, true)
	if !strings.Contains(s.log.String(), "passed over") {
		t.Errorf("the log says nothing of it:\n%s", s.log)
	}
}

// FuzzStored: whatever is read as a stored state comes to something, and is the same when it is written and read again.
func FuzzStored(f *testing.F) {
	j := open(f)
	p, events := newPerson(f, access.Grant{Role: access.Auditor}, access.Grant{Role: access.Depositor, Series: "a"})
	commit(f, j, append(events, p.revoked())...)
	_, events = newPerson(f)
	commit(f, j, events...)
	authority := access.NewAuthority(j, nil)
	if err := errors.Join(authority.Load(f.Context()), authority.Store(f.Context())); err != nil {
		f.Fatal(err)
	}
	var stored []byte
	err := j.View(f.Context(), func(r journal.Reader) (err error) {
		stored, err = journal.StoredAuthority(r)
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored[32:])
	f.Fuzz(func(t *testing.T, raw []byte) {
		again, err := access.DecodeState(raw)
		if err != nil {
			return
		}
		if third, err := access.DecodeState(again); err != nil || len(third) != len(again) {
			t.Errorf("%d bytes are read as %d, and then as %d, %v", len(raw), len(again), len(third), err)
		}
	})
}

// TestWork: a process compares the tables when it starts, puts on record what it finds, and stores the state when it
// ends.
func TestWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		p := s.create(access.Grant{Role: access.Auditor})
		s.restart(func() { s.put(keyTable, []byte("forged"), []byte("{}")) })
		if err := s.auth.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.alarms(1)
		s.put(keyTable, []byte("forged2"), []byte("{}"))
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		s.alarms(2)
		if err := s.auth.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.get(storedTable, make([]byte, 4))
		s.knows(p, true)
	})
}

// TestManyPrincipals: ten thousand principals are there a moment after the start, from the stored state.
func TestManyPrincipals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	people := s.crowd(10_000)
	s.knows(people[0], true)
	if err := s.auth.Store(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := s.create(access.Grant{Role: access.Auditor})
	s.restart(func() {})
	for _, p := range []person{people[0], people[5_000], people[9_999], late} {
		s.knows(p, true)
		s.may(p, access.Feed, true)
	}
	if err := s.auth.Compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.alarms(0)
}

// crowd makes so many principals, many to a commit.
func (s *site) crowd(n int) (people []person) {
	s.Helper()
	var events []journal.Event
	for range n {
		p, made := newPerson(s.T, access.Grant{Role: access.Auditor})
		people, events = append(people, p), append(events, made...)
		if len(events) == 2_000 || len(people) == n {
			commit(s.T, s.j, events...)
			events = nil
		}
	}
	return people
}

// b64 is a key's digest as rows have it.
func b64(key access.APIKey) string {
	digest := key.Digest()
	return base64.StdEncoding.EncodeToString(digest[:])
}
