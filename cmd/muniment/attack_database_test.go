package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/cmd/muniment/node"
	"muniment/vault"
)

// The tables that an attacker writes to.
var (
	bodyTable      = journal.Table{Kind: journal.Log, Name: "body"}
	authTable      = journal.Table{Kind: journal.Log, Name: "auth"}
	principalTable = journal.Table{Kind: journal.Projection, Name: "principals"}
	keyTable       = journal.Table{Kind: journal.Projection, Name: "api_keys"}
	trimTable      = journal.Table{Kind: journal.Projection, Name: "trims"}
	documentTable  = journal.Table{Kind: journal.Projection, Name: "documents"}
	sealedTable    = journal.Table{Kind: journal.Sealed, Name: "row"}
)

// databaseAttacks are those of somebody who can write to the database's file while the server is stopped.
func databaseAttacks() []attack {
	all := []attack{{
		act:     "adds a row for an API key of his own to a principal",
		outcome: "it opens nothing",
		do:      func(s *site) { s.database(s.addKey) },
		noticed: map[observer]string{
			onRecord: "access.contradicted/1",
			inHealth: "rows are not what the events say",
			byFsck:   "the log does not explain it",
		},
	}, {
		act:     "widens a principal's grants",
		outcome: "they grant nothing",
		do:      func(s *site) { s.database(s.widenGrants) },
		noticed: map[observer]string{
			onRecord: "access.contradicted/1",
			inHealth: "rows are not what the events say",
			byFsck:   "it is not what the log makes of it",
		},
	}, {
		act:     "puts a revoked key's row back",
		outcome: "it opens nothing",
		do:      func(s *site) { s.database(s.restoreKey) },
		noticed: map[observer]string{
			onRecord: "access.contradicted/1",
			inHealth: "rows are not what the events say",
			byFsck:   "the log does not explain it",
		},
	}, {
		act:     "sets the row back that names the newest event about principals and keys",
		outcome: "the authentic head counts, and what was revoked stays revoked",
		do:      func(s *site) { s.database(s.setAuthBack) },
		noticed: map[observer]string{
			inLog:    "the row that names the newest event about principals and keys",
			onRecord: "access.contradicted/1",
			inHealth: "rows are not what the events say",
			byFsck:   "it is not what the log makes of it",
		},
	}, {
		act:     "changes the body of an event about a document",
		outcome: "what it says is not believed: the tree holds another",
		do: func(s *site) {
			s.database(s.changeBody(`"document.deposited/1"`, `"series":"default"`, `"series":"another"`))
		},
		noticed: map[observer]string{
			inProofs: "What is stored is not what was recorded",
			byFsck:   "is not the one that the tree holds",
		},
	}, {
		act:     "changes the body of the event that revoked a key",
		outcome: "nothing is served: who may do what cannot be told",
		do:      func(s *site) { s.database(s.changeBody(`"principal.key_revoked/1"`, `"actor":"`, `"actor":"0`)) },
		noticed: map[observer]string{
			atStart: "is not the one that the tree holds",
			byFsck:  "it is not the one that the tree holds",
		},
	}, {
		act: "appends a body beyond the released head that gives a key of his the right to read, with " +
			"tiles, tables and head row, as the program itself would",
		outcome: "nothing of it is believed, shipped or signed",
		do:      func(s *site) { s.appendForged() },
		noticed: map[observer]string{
			atStart: "not authenticated by this journal's shipping key",
			byFsck:  "not authenticated by this journal's shipping key",
		},
	}, {
		act:     "puts an older copy of the whole file back",
		outcome: "the next start catches up from the release bucket; what was revoked since is revoked",
		do:      func(s *site) { s.swap(s.facts.before, node.Folder.Journal) },
		noticed: map[observer]string{byFsck: "the journal ends at "},
	}, {
		act:     "puts another installation's file in its place",
		outcome: "nothing is served, and nothing is written to either store",
		do:      func(s *site) { s.swap(s.facts.other, node.Folder.Journal) },
		noticed: map[observer]string{
			atStart: "it belongs to another installation",
			byFsck:  "it belongs to another installation",
		},
	}, {
		act:     "exchanges the sealed rows of two documents",
		outcome: "neither opens: each is bound to its document",
		do:      func(s *site) { s.database(s.exchangeRows(sealedTable)) },
		noticed: map[observer]string{
			atRead:   "What is stored is not what was recorded",
			onRecord: "object.damaged/1",
			inHealth: "on record as damaged",
			byFsck:   "not the row of this place",
			inProofs: "What is stored is not what was recorded",
		},
	}, {
		act:     "deletes a document's sealed row",
		outcome: "it cannot be read until the journal is restored",
		do: func(s *site) {
			s.database(func(tx journal.Txn) error { return tx.Delete(sealedTable, s.sealedKey(0)) })
		},
		noticed: map[observer]string{
			atRead:   "What is stored is not what was recorded",
			onRecord: "object.damaged/1",
			inHealth: "on record as damaged",
			byFsck:   "it is missing, and no event has erased it",
			inProofs: "What is stored is not what was recorded",
		},
	}, {
		act: "changes the tables that say which event has bound, rewritten and released a sealed row, before all is " +
			"shipped again",
		outcome: "what is shipped follows from the events themselves, and a restore brings all of it back",
		do:      func(s *site) { s.database(s.forgeBindings) },
		reships: true,
		noticed: map[observer]string{byFsck: "it is not what the log makes of it"},
	}, {
		act:     "exchanges the rows of two documents",
		outcome: "neither is served: content is bound to its document",
		do:      func(s *site) { s.database(s.exchangeRows(documentTable)) },
		noticed: map[observer]string{
			atRead:   "What is stored is not what was recorded",
			inProofs: "What is stored is not what was recorded",
			onRecord: "object.damaged/1",
			inHealth: "on record as damaged",
			byFsck:   "it is not what the log makes of it",
		},
	}, {
		act:     "says in a document's row that it is of another series",
		outcome: "it is not served: what is sealed says of which series the document is",
		do:      func(s *site) { s.database(s.refile) },
		noticed: map[observer]string{
			atRead:   "What is stored is not what was recorded",
			inProofs: "What is stored is not what was recorded",
			onRecord: "object.damaged/1",
			inHealth: "on record as damaged",
			byFsck:   "it is not what the log makes of it",
		},
	}, {
		act:     "adds a row for a trim of a tenant's key that was approved and has waited",
		outcome: "it is no trim: nothing is destroyed but what the events of a trim say, each of them proved",
		do:      func(s *site) { s.database(s.addTrim) },
		noticed: map[observer]string{
			onRecord: "access.contradicted/1",
			inHealth: "rows are not what the events say",
			byFsck:   "the log does not explain it",
		},
	}, {
		act:     "puts another journal's wrapped shipping key there",
		outcome: "the release bucket's copy is used, and put back",
		do: func(s *site) {
			var other []byte
			s.databaseOf(s.facts.other, func(tx journal.Txn) (err error) {
				other, err = tx.Get(shippingTable, firstKey())
				other = bytes.Clone(other)
				return err
			})
			s.database(func(tx journal.Txn) error { return tx.Put(shippingTable, firstKey(), other) })
		},
		noticed: map[observer]string{
			inLog:  "a copy of the wrapped shipping key was missing",
			byFsck: "not the wrapped key that the journal's events name",
		},
	}}
	for i := range all {
		all[i].component = "database, while the server is stopped"
	}
	return all
}

func firstKey() []byte { return binary.BigEndian.AppendUint64(nil, 1) }

// databaseOf looks into a copy of a folder's database.
func (s *site) databaseOf(f node.Folder, look func(tx journal.Txn) error) {
	s.t.Helper()
	c := *s
	c.take(f)
	c.database(look)
}

// addKey gives the forged key to the reader.
func (s *site) addKey(tx journal.Txn) error {
	digest := s.facts.forged.Digest()
	row, err := json.Marshal(map[string]any{"digest": digest[:], "principal": s.facts.readerID})
	return errors.Join(err, tx.Put(keyTable, digest[:16], row))
}

// widenGrants makes the reader a key custodian.
func (s *site) widenGrants(tx journal.Txn) error {
	row, err := tx.Get(principalTable, s.facts.readerID[:])
	wider := bytes.Replace(row, []byte(`"auditor"`), []byte(`"key_custodian"`), 1)
	if bytes.Equal(row, wider) {
		err = errors.Join(err, errors.New("nothing was widened"))
	}
	return errors.Join(err, tx.Put(principalTable, s.facts.readerID[:], wider))
}

// addTrim adds a trim that the reader has proposed and the founder has approved, long enough ago. It names events that
// there are, none of which is about a trim.
func (s *site) addTrim(tx journal.Txn) error {
	now := time.Now().UTC()
	row, err := json.Marshal(map[string]any{
		"oldest": 2, "proposer": s.facts.readerID, "proposed": now.AddDate(0, -2, 0), "from": now.AddDate(0, -2, 0),
		"not_before": now.AddDate(0, -1, 0), "lapses": now.AddDate(0, 1, 0), "index": 3,
		"approver": s.facts.intruderID, "approved": now.AddDate(0, 0, -1), "until": now.AddDate(0, 1, 0), "approval": 4,
	})
	key := append(append([]byte(vault.DefaultTenant), 0), s.facts.intruderID[:]...)
	return errors.Join(err, tx.Put(trimTable, key, row))
}

// refile says that the first document is of another series.
func (s *site) refile(tx journal.Txn) error {
	row, err := tx.Get(documentTable, s.documentKey(0))
	changed := bytes.Replace(row, []byte(`"s":"default"`), []byte(`"s":"another"`), 1)
	if bytes.Equal(row, changed) {
		err = errors.Join(err, errors.New("nothing was changed"))
	}
	return errors.Join(err, tx.Put(documentTable, s.documentKey(0), changed))
}

// restoreKey puts the rows of the revoked key and its principal back, as they were.
func (s *site) restoreKey(tx journal.Txn) error {
	digest := s.facts.revoked.Digest()
	var key, principal []byte
	s.databaseOf(s.facts.before, func(old journal.Txn) error {
		k, err := old.Get(keyTable, digest[:16])
		key = bytes.Clone(k)
		p, err2 := old.Get(principalTable, s.facts.revokedID[:])
		principal = bytes.Clone(p)
		return errors.Join(err, err2)
	})
	return errors.Join(tx.Put(keyTable, digest[:16], key), tx.Put(principalTable, s.facts.revokedID[:], principal))
}

// setAuthBack sets the row back to what it was before the revocation.
func (s *site) setAuthBack(tx journal.Txn) error {
	var old []byte
	s.databaseOf(s.facts.before, func(before journal.Txn) error {
		row, err := before.Get(authTable, []byte("last"))
		old = bytes.Clone(row)
		return err
	})
	return tx.Put(authTable, []byte("last"), old)
}

// changeBody changes the first body that has a text, and leaves tree and head as they are.
func (s *site) changeBody(of, from, to string) func(journal.Txn) error {
	return func(tx journal.Txn) error {
		var at, changed []byte
		err := tx.Scan(bodyTable, journal.Range{}, func(key, row []byte) error {
			if !bytes.Contains(row, []byte(of)) || !bytes.Contains(row, []byte(from)) {
				return nil
			}
			at, changed = bytes.Clone(key), bytes.Replace(row, []byte(from), []byte(to), 1)
			return journal.Stop
		})
		if at == nil {
			err = errors.Join(err, errors.New("no such body"))
		}
		return errors.Join(err, tx.Put(bodyTable, at, changed))
	}
}

// appendForged goes on with the database as the program would, under a shipping key of the forger's, and then puts back
// what would give that away: the wrapped shipping key, and how far was shipped.
func (s *site) appendForged() {
	s.t.Helper()
	var wrapped, shipped []byte
	s.database(func(tx journal.Txn) error {
		w, err := tx.Get(shippingTable, firstKey())
		wrapped = bytes.Clone(w)
		n, err2 := tx.Get(shippedTable, []byte("size"))
		shipped = bytes.Clone(n)
		return errors.Join(err, err2)
	})
	s.withDatabase(func(b journal.Backend) { s.goOn(b) })
	s.database(func(tx journal.Txn) error {
		return errors.Join(tx.Put(shippingTable, firstKey(), wrapped), tx.Put(shippedTable, []byte("size"), shipped))
	})
}

// forgeBindings says of the first document's sealed row that its first event has released it and of the second's that
// this has rewritten it, and of the third's that no event has bound it.
func (s *site) forgeBindings(tx journal.Txn) error {
	first := make([]byte, 8)
	table := func(name string) journal.Table { return journal.Table{Kind: journal.Projection, Name: name} }
	return errors.Join(
		tx.Put(table("journal.released"), s.sealedKey(0), first),
		tx.Put(table("journal.rewritten"), s.sealedKey(1), first),
		tx.Delete(table("journal.bound"), s.sealedKey(2)),
		tx.Put(table("journal.bound"), s.sealedKey(3), first))
}

// documentKey is the key of a document's row.
func (s *site) documentKey(n int) []byte {
	id := journaltest.Must(journal.ParseID(s.facts.documents[n].id))
	return id[:]
}

func (s *site) sealedKey(n int) []byte { return append([]byte{'d'}, s.documentKey(n)...) }

// exchangeRows exchanges the rows of two documents in a table.
func (s *site) exchangeRows(t journal.Table) func(journal.Txn) error {
	return func(tx journal.Txn) error {
		a, b := s.documentKey(0), s.documentKey(1)
		if t == sealedTable {
			a, b = s.sealedKey(0), s.sealedKey(1)
		}
		first, err := tx.Get(t, a)
		first = bytes.Clone(first)
		second, err2 := tx.Get(t, b)
		second = bytes.Clone(second)
		return errors.Join(err, err2, tx.Put(t, a, second), tx.Put(t, b, first))
	}
}
