package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// folder is the data folder of the embedded default.
type folder string

// The parts of the folder. README.md explains to operators what each is, and which must be backed up.
func (f folder) journal() string  { return filepath.Join(string(f), "journal.db") }
func (f folder) release() string  { return filepath.Join(string(f), "release") }
func (f folder) objects() string  { return filepath.Join(string(f), "objects") }
func (f folder) keys() string     { return filepath.Join(string(f), "keys.json") }
func (f folder) ledger() string   { return filepath.Join(string(f), "ledger") }
func (f folder) policy() string   { return filepath.Join(string(f), "policy.json") }
func (f folder) starting() string { return filepath.Join(string(f), "first-start") }

// state is what a folder was found to be.
type state int

const (
	fresh   state = iota // nothing of ours in it: everything is to be made
	whole                // everything is there
	restore              // all but the journal's file, which comes back from the release bucket
)

// inspect says what is in the folder, and refuses one that has lost what cannot be made anew. Nothing is created silently
// in the place of something that was there.
func (f folder) inspect() (state, error) {
	if err := f.ownersAlone(); err != nil {
		return 0, err
	}
	have := map[string]bool{}
	for _, part := range []string{f.journal(), f.release(), f.objects(), f.keys(), f.starting()} {
		_, err := os.Lstat(part)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("looking into the data folder: %w", err)
		}
		have[part] = err == nil
	}
	lost := func(what, next string) (state, error) {
		return 0, hint(fmt.Errorf("%s holds a vault that has lost %s", f, what), next)
	}
	switch {
	case have[f.starting()]:
		return 0, hint(fmt.Errorf("the first start in %s was broken off before it could serve", f),
			"nothing has been deposited in it: remove the folder, and start again")
	case !have[f.journal()] && !have[f.release()] && !have[f.objects()] && !have[f.keys()]:
		return fresh, nil
	case !have[f.keys()]:
		return lost("its key file, "+f.keys(), "put the key file back from its backup: without it no document can ever be read")
	case !have[f.journal()] && !have[f.release()]:
		return lost("both its journal and the release bucket", "put release/ back from its backup; the journal comes back from it by itself")
	case !have[f.release()]:
		return lost("its release bucket, "+f.release(), "put the folder back from its backup: the journal may not go on without it")
	case !have[f.objects()]:
		return lost("its objects, "+f.objects(), "put the folder back from its backup: the documents' content is in it")
	case !have[f.journal()]:
		return restore, nil
	}
	return whole, nil
}

// ownersAlone refuses a folder that others may write to: they could put files of theirs in the place of ours.
func (f folder) ownersAlone() error {
	info, err := os.Stat(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the data folder: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return hint(fmt.Errorf("others than its owner may write to %s (mode %04o)", f, info.Mode().Perm()), "chmod 700 "+string(f))
	}
	return nil
}

// begin marks that the first start is under way, until settled is called.
func (f folder) begin() error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	mark, err := os.OpenFile(f.starting(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("marking the first start: %w", err)
	}
	return mark.Close()
}

// settled says that the first start is done and its API key has been shown.
func (f folder) settled() error {
	if err := os.Remove(f.starting()); err != nil {
		return fmt.Errorf("ending the first start: %w", err)
	}
	return nil
}
