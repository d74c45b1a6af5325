package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
		do: func(s *site) {
			s.documents(func(ctx context.Context, store node.Store) {
				genuine := stored(ctx, s.t, store, keysUnder(ctx, s.t, store, checkpoints.Prefix)[0])
				text, signature, _ := bytes.Cut(genuine, []byte("\n\n"))
				lines := strings.Split(string(text), "\n")
				larger := fmt.Sprintf("%s\n%d\n%s\n\n%s", lines[0], 9001, lines[2], signature)
				foreign := strings.Replace(larger, lines[0], "muniment/another", 2)
				var others []byte
				other := *s
				other.take(s.facts.other)
				other.documents(func(ctx context.Context, store node.Store) {
					others = stored(ctx, s.t, store, keysUnder(ctx, s.t, store, checkpoints.Prefix)[0])
				})
				for i, junk := range []string{"junk", larger, foreign, string(others), string(genuine)} {
					putOnTop(ctx, s.t, store, checkpoints.Key(s.facts.journal, uint64(9000+i)), []byte(junk))
				}
			})
		},
	}, {
		act:     "fills a page with forged checkpoints, so that none of ours is found",
		outcome: "nothing is served until they are deleted: no answer is not taken for a good one",
		slow:    "it writes and reads a thousand objects",
		do:      func(s *site) { s.aPageOfJunk() },
		noticed: map[observer]string{
			atStart:   "too many objects among the kept checkpoints",
			byFsck:    "too many objects among the kept checkpoints",
			byRestore: "too many objects among the kept checkpoints",
		},
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

// aPageOfJunk puts a thousand objects before the newest checkpoint: by copies of files, which takes no time.
func (s *site) aPageOfJunk() {
	s.t.Helper()
	first := checkpoints.Key(s.facts.journal, 1<<40)
	s.documents(func(ctx context.Context, store node.Store) { putOnTop(ctx, s.t, store, first, []byte("junk")) })
	folder := filepath.Join(s.folder.Objects(), "data", filepath.Dir(first), filepath.Base(first)[:2]+"+")
	for _, file := range journaltest.Must(os.ReadDir(folder)) {
		if !strings.HasPrefix(file.Name(), filepath.Base(first)) {
			continue
		}
		raw := journaltest.Must(os.ReadFile(filepath.Join(folder, file.Name())))
		for i := range 1000 {
			key := checkpoints.Key(s.facts.journal, uint64(1<<40+i+1))
			name := strings.Replace(file.Name(), filepath.Base(first), filepath.Base(key), 1)
			s.must(os.WriteFile(filepath.Join(folder, name), bytes.Replace(raw, []byte(first), []byte(key), 1), 0o600))
		}
	}
}
