package main

import (
	"bytes"
	"context"
	"os"
	"strings"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/node"
	"muniment/vault/objects"
)

// releaseAttacks are those of somebody who can write to the release bucket.
func releaseAttacks() []attack {
	all := []attack{{
		act: "puts an older copy of the whole bucket back",
		outcome: "nothing is served, and no second history is signed; the newer copy, or `restore " +
			"--accept-loss`, on record",
		do: func(s *site) { s.swap(s.facts.before, node.Folder.Release) },
		noticed: map[observer]string{
			atStart:   "the journal contradicts the released head",
			byFsck:    "the release bucket has fewer",
			byRestore: "beyond the end: what followed is missing",
		},
	}, {
		act:     "deletes the head",
		outcome: "nothing is served until it is put back",
		do: func(s *site) {
			s.inBucket(func(ctx context.Context, b journal.Bucket) { s.must(b.Delete(ctx, "head")) })
		},
		noticed: map[observer]string{
			atStart:   "has lost its head object",
			byFsck:    "the release bucket has fewer",
			byRestore: "is missing from a release bucket",
		},
	}, {
		act: "deletes every batch",
		outcome: "the server ships all of it again from the database; without the database the history is " +
			"lost, and a backup is needed",
		do: func(s *site) {
			s.inBucket(func(ctx context.Context, b journal.Bucket) {
				for _, name := range s.batches(ctx, b) {
					s.must(b.Delete(ctx, name))
				}
			})
		},
		noticed: map[observer]string{
			onRecord:  "journal.batches_lost/1",
			inHealth:  "shipped again",
			byFsck:    "could not restore the journal",
			byRestore: "cannot be restored from here",
		},
	}, {
		act:     "exchanges the contents of two batches",
		outcome: "neither is believed; the server ships both again from the database",
		do: func(s *site) {
			s.inBucket(func(ctx context.Context, b journal.Bucket) {
				names := s.batches(ctx, b)
				first, _, err := b.Get(ctx, names[0])
				s.must(err)
				second, _, err := b.Get(ctx, names[1])
				s.must(err)
				overwrite(ctx, s.t, b, names[0], second)
				overwrite(ctx, s.t, b, names[1], first)
			})
		},
		noticed: map[observer]string{
			onRecord:  "journal.batches_lost/1",
			inHealth:  "shipped again",
			byFsck:    "could not restore the journal",
			byRestore: "cannot be restored from here",
		},
	}, {
		act:     "deletes the wrapped shipping key",
		outcome: "the next start puts the database's copy there",
		do: func(s *site) {
			s.inBucket(func(ctx context.Context, b journal.Bucket) { s.must(b.Delete(ctx, "key/1")) })
		},
		noticed: map[observer]string{
			inLog:     "a copy of the wrapped shipping key was missing",
			byFsck:    "the release bucket lacks it",
			byRestore: "not authenticated by this journal's shipping key",
		},
	}, {
		act:     "puts another journal's wrapped shipping key there",
		outcome: "it opens nothing; the next start puts the database's copy back",
		do: func(s *site) {
			var raw []byte
			s.bucket(s.facts.other, func(ctx context.Context, b journal.Bucket) {
				var err error
				raw, _, err = b.Get(ctx, "key/1")
				s.must(err)
			})
			s.inBucket(func(ctx context.Context, b journal.Bucket) { overwrite(ctx, s.t, b, "key/1", raw) })
		},
		noticed: map[observer]string{
			inLog:     "a copy of the wrapped shipping key was missing",
			byFsck:    "not the wrapped key that the journal's events name",
			byRestore: "not authenticated by this journal's shipping key",
		},
	}, {
		act:     "deletes the owner object",
		outcome: "the next start, which finds its own history there, writes it again",
		do: func(s *site) {
			s.inBucket(func(ctx context.Context, b journal.Bucket) { s.must(b.Delete(ctx, objects.ReleaseOwner)) })
		},
		noticed: map[observer]string{inLog: "a store has lost its owner object"},
	}, {
		act:     "deletes the lease",
		outcome: "the next start waits for a term, 30 s, in which nobody else writes; two servers never serve at once",
		slow:    "it waits for a whole term",
		do: func(s *site) {
			s.inBucket(func(ctx context.Context, b journal.Bucket) { s.must(b.Delete(ctx, "lease")) })
		},
	}, {
		act:     "puts another journal's bucket in its place",
		outcome: "nothing is served, and nothing is written there",
		do:      func(s *site) { s.swap(s.facts.other, node.Folder.Release) },
		noticed: map[observer]string{
			atStart:   "it belongs to another installation",
			byFsck:    "it belongs to another installation",
			byRestore: "it belongs to another installation",
		},
	}, {
		act: "forges a history of his own in which a key of his may read, authenticated by a key of " +
			"his own",
		outcome: "nothing of it is believed, signed or served",
		do: func(s *site) {
			forged := s.forgeBucket()
			s.inBucket(func(ctx context.Context, b journal.Bucket) {
				for _, name := range append(s.batches(ctx, b), "head") {
					s.must(b.Delete(ctx, name))
				}
				for name, raw := range forged {
					if name != "key/1" {
						overwrite(ctx, s.t, b, name, raw)
					}
				}
			})
		},
		noticed: map[observer]string{
			atStart:   "not authenticated by this journal's shipping key",
			byFsck:    "not authenticated by this journal's shipping key",
			byRestore: "not authenticated by this journal's shipping key",
		},
	}, {
		act:     "forges such a history, and puts his wrapped key beside it",
		outcome: "nothing of it is believed, signed or served",
		do: func(s *site) {
			forged := s.forgeBucket()
			s.must(os.RemoveAll(s.folder.Release() + "/data"))
			s.must(os.Mkdir(s.folder.Release()+"/data", 0o700))
			s.inBucket(func(ctx context.Context, b journal.Bucket) {
				for name, raw := range forged {
					overwrite(ctx, s.t, b, name, raw)
				}
			})
		},
		noticed: map[observer]string{
			atStart:   "not authenticated by this journal's shipping key",
			byFsck:    "not authenticated by this journal's shipping key",
			byRestore: "not authenticated by this journal's shipping key",
		},
	}, {
		act:     "changes a sealed row in a batch, and names the batch after what it is now",
		outcome: "it is not believed; the server ships the batch again from the database",
		do: func(s *site) {
			s.inBucket(func(ctx context.Context, b journal.Bucket) {
				name := s.batches(ctx, b)[0]
				raw, _, err := b.Get(ctx, name)
				s.must(err)
				changed := bytes.Clone(raw)
				changed[len(changed)-40]++
				s.must(b.Delete(ctx, name))
				overwrite(ctx, s.t, b, renamed(name, changed), changed)
			})
		},
		noticed: map[observer]string{
			onRecord:  "journal.batches_lost/1",
			inHealth:  "shipped again",
			byFsck:    "could not restore the journal",
			byRestore: "cannot be restored from here",
		},
	}, {
		act:     "puts old authentic batches back beside the new ones",
		outcome: "they are part of the same history, and change nothing",
		do: func(s *site) {
			s.bucket(s.facts.before, func(ctx context.Context, old journal.Bucket) {
				s.inBucket(func(ctx context.Context, b journal.Bucket) {
					for _, name := range s.batches(ctx, old) {
						raw, _, err := old.Get(ctx, name)
						s.must(err)
						overwrite(ctx, s.t, b, name, raw)
					}
				})
			})
		},
	}}
	for i := range all {
		all[i].survives, all[i].component = all[i].slow == "", "release bucket"
	}
	return all
}

// inBucket is bucket, of the site itself.
func (s *site) inBucket(work func(ctx context.Context, b journal.Bucket)) {
	s.t.Helper()
	s.bucket(s.folder, work)
}

// batches are the names of the batches in a bucket.
func (s *site) batches(ctx context.Context, b journal.Bucket) []string {
	s.t.Helper()
	names, err := b.List(ctx, "batch/")
	s.must(err)
	if len(names) < 3 {
		s.t.Fatalf("there are %d batches", len(names))
	}
	return names
}

// renamed is the name of a batch whose content is another now.
func renamed(name string, raw []byte) string {
	place := name[:strings.LastIndexByte(name, '-')+1]
	return place + digestOf(raw)
}
