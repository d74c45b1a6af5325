package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"

	"muniment/anchor/journal/journaltest"
	"muniment/cmd/muniment/node"
)

// keysAttacks are those of somebody who can write to the key service's storage: the key file of the embedded default.
func keysAttacks() []attack {
	all := []attack{{
		act: "puts another tenant's key in the place of a tenant's",
		outcome: "nothing of the tenant opens until the right one is put back; what is deposited meanwhile " +
			"is lost then",
		do: func(s *site) {
			s.keyFile(func(own, other keyFile) {
				for _, theirs := range other.Tenants {
					for name := range own.Tenants {
						own.Tenants[name] = theirs
					}
				}
			})
		},
		noticed: map[observer]string{
			atRead:    "What is stored is not what was recorded",
			onRecord:  "object.damaged/1",
			inHealth:  "on record as damaged",
			byFsck:    "it cannot be unwrapped",
			inProofs:  "What is stored is not what was recorded",
			byRestore: "not every sealed row can be unwrapped",
		},
	}, {
		act: "puts an older copy back, from before the tenant's key was rotated",
		outcome: "what was deposited since the rotation does not open until the newer copy is put back. A " +
			"copy from before a trim opens what was erased: see the limits below",
		do: func(s *site) { s.swap(s.facts.before, node.Folder.Keys) },
		noticed: map[observer]string{
			atRead:    "The key cannot open this",
			inProofs:  "The key cannot open this",
			byFsck:    "no version of the key any more",
			byRestore: "not every sealed row can be unwrapped",
		},
	}, {
		act:     "puts another installation's journals' key in the place of this one's",
		outcome: "nothing is served until the right one is put back",
		do:      func(s *site) { s.keyFile(func(own, other keyFile) { own.Rest["journal"] = other.Rest["journal"] }) },
		noticed: map[observer]string{
			atStart:   "not authenticated by this journal's shipping key",
			byFsck:    "not authenticated by this journal's shipping key",
			byRestore: "not authenticated by this journal's shipping key",
		},
	}, {
		act:     "puts another installation's signing keys in the place of this one's",
		outcome: "nothing is served, and nothing is signed with it",
		do:      func(s *site) { s.keyFile(func(own, other keyFile) { own.Rest["signers"] = other.Rest["signers"] }) },
		noticed: map[observer]string{
			atStart:   "the signing key is not the one",
			byFsck:    "the local ledger is damaged",
			byRestore: "the local ledger is damaged",
		},
	}, {
		act:     "deletes it",
		outcome: "nothing is served until it is put back; without a copy no document can ever be read",
		do:      func(s *site) { s.must(os.Remove(s.folder.Keys())) },
		noticed: map[observer]string{
			atStart:   "has lost its key file",
			byFsck:    "has lost its key file",
			byRestore: "has lost its key file",
		},
	}}
	for i := range all {
		all[i].survives, all[i].component = true, "key service's storage"
	}
	return all
}

// keyFile is the key file, as far as an attacker exchanges parts of it.
type keyFile struct {
	Tenants map[string]json.RawMessage
	Rest    map[string]json.RawMessage
}

// keyFile lets change do with the key file as it likes; other is another installation's.
func (s *site) keyFile(change func(own, other keyFile)) {
	s.t.Helper()
	read := func(path string) (f keyFile) {
		s.must(json.Unmarshal(journaltest.Must(os.ReadFile(path)), &f.Rest))
		s.must(json.Unmarshal(f.Rest["tenants"], &f.Tenants))
		return f
	}
	own, other := read(s.folder.Keys()), read(s.facts.other.Keys())
	change(own, other)
	own.Rest["tenants"] = journaltest.Must(json.Marshal(own.Tenants))
	var out bytes.Buffer
	out.WriteString("{\n")
	for i, member := range []string{"version", "signers", "tenants", "journal"} {
		if i > 0 {
			out.WriteString(",\n")
		}
		out.WriteString(`"` + member + `": `)
		out.Write(own.Rest[member])
	}
	out.WriteString("\n}\n")
	var indented bytes.Buffer
	s.must(json.Indent(&indented, out.Bytes(), "", "  "))
	s.must(os.WriteFile(s.folder.Keys(), indented.Bytes(), 0o600))
}

// ledgerAttacks are those of somebody who can write to the embedded ledger.
func ledgerAttacks() []attack {
	all := []attack{{
		act: "changes a block",
		outcome: "nothing is served until the folder is moved away; the journal, which holds every block, " +
			"writes them anew",
		do: func(s *site) {
			path := s.blocks()[0]
			raw := journaltest.Must(os.ReadFile(path))
			raw[len(raw)/2] ^= 1
			s.must(os.WriteFile(path, raw, 0o600))
		},
		noticed: map[observer]string{atStart: "the local ledger is damaged", byFsck: "the local ledger is damaged"},
	}, {
		act:     "deletes the blocks",
		outcome: "the journal, which holds every block, writes them anew",
		do: func(s *site) {
			for _, path := range s.blocks() {
				s.must(os.Remove(path))
			}
		},
	}, {
		act:     "puts another ledger's blocks in their place",
		outcome: "nothing is served until the folder is moved away",
		do:      func(s *site) { s.swap(s.facts.other, node.Folder.Ledger) },
		noticed: map[observer]string{atStart: "the local ledger is damaged", byFsck: "the local ledger is damaged"},
	}}
	for i := range all {
		all[i].component = "ledger"
	}
	return all
}

// blocks are the files of the ledger's blocks.
func (s *site) blocks() []string {
	s.t.Helper()
	all := journaltest.Must(filepath.Glob(filepath.Join(s.folder.Ledger(), "*.block")))
	if len(all) == 0 {
		s.t.Fatal("there is no block")
	}
	return all
}

// configurationAttacks are those of somebody who can write to the configuration.
func configurationAttacks() []attack {
	all := []attack{{
		act:     "names another origin",
		outcome: "nothing is served",
		do:      func(s *site) { s.cfg.Origin = "muniment/another" },
		noticed: map[observer]string{atStart: "the origin never changes"},
	}}
	for i := range all {
		all[i].component = "configuration"
	}
	return all
}
