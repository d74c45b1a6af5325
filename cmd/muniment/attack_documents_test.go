package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"muniment/anchor/journal/journaltest"
	"muniment/cmd/muniment/node"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
	"muniment/vault/objects/dir"
)

// documentsAttacks are those of somebody who can write to the documents' store. In a folder nothing is locked.
func documentsAttacks() []attack {
	all := []attack{{
		act:     "puts the ciphertext of another document on top of one",
		outcome: "it is not served: the record names the version that was deposited",
		do: func(s *site) {
			s.documents(func(ctx context.Context, store node.Store) {
				keys := keysUnder(ctx, s.t, store, "default/")
				putOnTop(ctx, s.t, store, keys[0], stored(ctx, s.t, store, keys[1]))
			})
		},
	}, {
		act:     "exchanges the files of two documents' versions",
		outcome: "neither is served",
		do: func(s *site) {
			s.objectFiles(func(paths []string) {
				a, b := journaltest.Must(os.ReadFile(paths[0])), journaltest.Must(os.ReadFile(paths[1]))
				s.must(os.WriteFile(paths[0], b, 0o600))
				s.must(os.WriteFile(paths[1], a, 0o600))
			})
		},
		noticed: map[observer]string{
			atRead:   "What is stored is not what was recorded",
			onRecord: "object.damaged/1",
			inHealth: "on record as damaged",
			byFsck:   "does not have the SHA-256",
		},
	}, {
		act:     "changes a byte of a document's file",
		outcome: "it is not served",
		do: func(s *site) {
			s.objectFiles(func(paths []string) {
				raw := journaltest.Must(os.ReadFile(paths[0]))
				raw[len(raw)-1] ^= 1
				s.must(os.WriteFile(paths[0], raw, 0o600))
			})
		},
		noticed: map[observer]string{
			atRead:   "What is stored is not what was recorded",
			onRecord: "object.damaged/1",
			inHealth: "on record as damaged",
			byFsck:   "does not have the SHA-256",
		},
	}, {
		act:     "deletes a document's file",
		outcome: "it is lost until it is put back; a store that keeps its locks refuses",
		do:      func(s *site) { s.objectFiles(func(paths []string) { s.must(os.Remove(paths[0])) }) },
		noticed: map[observer]string{
			atRead:   "What is stored is not what was recorded",
			onRecord: "object.damaged/1",
			inHealth: "on record as damaged",
			byFsck:   "is missing",
		},
	}, {
		act:     "puts an older copy of the whole store back",
		outcome: "what was deposited since is lost; a store that keeps its locks refuses",
		do:      func(s *site) { s.swap(s.facts.before, node.Folder.Objects) },
		noticed: map[observer]string{
			atRead:   "What is stored is not what was recorded",
			onRecord: "object.damaged/1",
			inHealth: "on record as damaged",
			byFsck:   "is missing",
		},
	}, {
		act:     "puts another installation's store in its place",
		outcome: "nothing is served, and nothing is written there",
		do:      func(s *site) { s.swap(s.facts.other, node.Folder.Objects) },
		noticed: map[observer]string{
			atStart:   "it belongs to another installation",
			byFsck:    "it belongs to another installation",
			byRestore: "it belongs to another installation",
		},
	}, {
		act: "forges locked checkpoints of larger sizes: junk, unsigned ones, and ones of another " +
			"origin or key",
		outcome: "they count for nothing: no key of the journal has signed them",
		do:      func(s *site) { s.forgeCheckpoints() },
		noticed: strangers,
	}, {
		act: "puts more than a thousand objects before the newest locked checkpoint, under locks that nobody can " +
			"lift for years",
		outcome: "each is passed over by its name, which no key of the journal has signed: a start takes the time " +
			"of listing them",
		do:      func(s *site) { s.fillWithJunk() },
		noticed: strangers,
	}, {
		act: "deletes all locked checkpoints",
		outcome: "freshness cannot be shown until the next one is locked, a minute after the next news; a " +
			"store that keeps its locks refuses",
		do: func(s *site) {
			s.must(os.RemoveAll(filepath.Join(s.folder.Objects(), "data", strings.TrimSuffix(checkpoints.Prefix, "/"))))
		},
		noticed: map[observer]string{byRestore: "nothing from outside says"},
	}, {
		act:     "puts another installation's owner object there",
		outcome: "nothing is served until it is put back",
		do: func(s *site) {
			s.documents(func(ctx context.Context, store node.Store) {
				raw := journaltest.Must(json.Marshal(objects.Owner{V: 1, Journal: journaltest.ID}))
				putOnTop(ctx, s.t, store, objects.DocumentsOwner, raw)
			})
		},
		noticed: map[observer]string{
			atStart:   "it belongs to another installation",
			byFsck:    "it belongs to another installation",
			byRestore: "it belongs to another installation",
		},
	}}
	for i := range all {
		all[i].survives, all[i].component = true, "documents' bucket"
	}
	return all
}

// objectFiles are the files of the documents' contents, in the order of their keys.
func (s *site) objectFiles(work func(paths []string)) {
	s.t.Helper()
	var paths []string
	s.documents(func(ctx context.Context, store node.Store) {
		for info, err := range store.List(ctx, "default/", "") {
			s.must(err)
			path, err := store.(*dir.Store).Path(ctx, info.Key, info.Version)
			s.must(err)
			paths = append(paths, path)
		}
	})
	work(paths)
}

// strangers is how objects among the locked checkpoints are noticed that no key of the journal has signed.
var strangers = map[observer]string{
	inLog:    "objects among the locked checkpoints are signed by no key of the journal",
	inHealth: "objects beside it that no key of the journal has signed",
}

// checkpointAt is a key among the locked checkpoints that claims a size, with what follows the size.
func (s *site) checkpointAt(size uint64, rest string) string {
	return fmt.Sprintf("%s%s/%020d%s", checkpoints.Prefix, s.facts.journal, math.MaxUint64-size, rest)
}

// forgeCheckpoints puts objects before the newest locked checkpoint: junk, the newest itself under a larger size, under
// another journal's name, and under another origin.
func (s *site) forgeCheckpoints() {
	s.t.Helper()
	other := *s
	other.take(s.facts.other)
	var foreign []string
	other.documents(func(ctx context.Context, store node.Store) {
		foreign = keysUnder(ctx, s.t, store, checkpoints.Prefix)
	})
	s.documents(func(ctx context.Context, store node.Store) {
		newest := keysUnder(ctx, s.t, store, checkpoints.Prefix)[0]
		note := stored(ctx, s.t, store, newest)
		_, rest, _ := strings.Cut(newest, ".")
		_, theirs, _ := strings.Cut(foreign[0], ".")
		signed, _, _ := strings.Cut(rest, ".")
		for i, rest := range []string{"", ".junk", "." + rest, "." + theirs, "." + signed + ".muniment_sanother"} {
			putOnTop(ctx, s.t, store, s.checkpointAt(uint64(9000+i), rest), note)
		}
		putOnTop(ctx, s.t, store, newest, []byte("junk"))
	})
}

// fillWithJunk puts objects before the newest checkpoint, by copies of files, which takes no time: their locks end in
// ten years.
func (s *site) fillWithJunk() {
	s.t.Helper()
	first := s.checkpointAt(1<<40, "")
	s.documents(func(ctx context.Context, store node.Store) {
		_, err := store.Put(ctx, first, strings.NewReader("junk"), objects.PutOptions{Length: 4,
			RetainUntil: time.Now().AddDate(10, 0, 0)})
		s.must(err)
	})
	folder := filepath.Join(s.folder.Objects(), "data", filepath.Dir(first), filepath.Base(first)[:2]+"+")
	for _, file := range journaltest.Must(os.ReadDir(folder)) {
		if !strings.HasPrefix(file.Name(), filepath.Base(first)) {
			continue
		}
		raw := journaltest.Must(os.ReadFile(filepath.Join(folder, file.Name())))
		for i := range 1200 {
			key := s.checkpointAt(uint64(1<<40+i+1), "")
			name := strings.Replace(file.Name(), filepath.Base(first), filepath.Base(key), 1)
			s.must(os.WriteFile(filepath.Join(folder, name), bytes.Replace(raw, []byte(first), []byte(key), 1), 0o600))
		}
	}
}
