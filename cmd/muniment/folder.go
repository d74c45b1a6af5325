package main

import (
	"errors"
	"fmt"
	"io/fs"
	"muniment/cmd/muniment/cli"
	"os"
	"path/filepath"
)

// folder is the data folder. With the storage on S3 it has no release/ and objects/, with the keys in Vault no
// keys.json.
type folder string

// The parts of the folder. README.md explains to operators what each is, and which must be backed up.
func (f folder) journal() string    { return filepath.Join(string(f), "journal.db") }
func (f folder) release() string    { return filepath.Join(string(f), "release") }
func (f folder) objects() string    { return filepath.Join(string(f), "objects") }
func (f folder) keys() string       { return filepath.Join(string(f), "keys.json") }
func (f folder) ledger() string     { return filepath.Join(string(f), "ledger") }
func (f folder) policy() string     { return filepath.Join(string(f), "policy.json") }
func (f folder) publicKeys() string { return filepath.Join(string(f), "public-keys.json") }
func (f folder) checkpoint() string { return filepath.Join(string(f), "checkpoint") }
func (f folder) starting() string   { return filepath.Join(string(f), "first-start") }

// state is what a folder was found to be.
type state int

const (
	fresh   state = iota // nothing of ours in it: everything is to be made
	whole                // everything is there
	restore              // all but the journal's file, which comes back from the release bucket
)

// inventory says which parts there are.
type inventory struct{ journal, release, objects, keys, starting bool }

// inventory looks into the folder, and refuses one that others may write to.
func (f folder) inventory() (inventory, error) {
	var have inventory
	if err := f.ownersAlone(); err != nil {
		return have, err
	}
	for path, there := range map[string]*bool{
		f.journal(): &have.journal, f.release(): &have.release, f.objects(): &have.objects, f.keys(): &have.keys,
		f.starting(): &have.starting,
	} {
		_, err := os.Lstat(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return have, fmt.Errorf("looking into the data folder: %w", err)
		}
		*there = err == nil
	}
	return have, nil
}

// judge says what the parts come to, and refuses a vault that has lost what cannot be made anew. Nothing is created
// silently in the place of something that was there. What is kept by a service instead of the folder counts as being
// there.
func (f folder) judge(have inventory) (state, error) {
	lost := func(what, next string) (state, error) {
		return 0, cli.Hint(fmt.Errorf("%s holds a vault that has lost %s", f, what), next)
	}
	switch {
	case have.starting:
		return 0, cli.Hint(fmt.Errorf("the first start in %s was broken off before it could serve", f),
			"nothing has been deposited in it: remove the folder and start again; if the storage is on S3, no other server uses the release "+
				"bucket, and it holds what the broken start has left there, empty it too")
	case !have.journal && !have.release && !have.objects && !have.keys:
		return fresh, nil
	case !have.keys:
		return lost("its key file, "+f.keys(),
			"put the key file back from its backup: without it no document can ever be read")
	case !have.journal && !have.release:
		return lost("both its journal and the release bucket",
			"put release/ back from its backup; the journal comes back from it by itself")
	case !have.release:
		return lost("its release bucket, "+f.release(),
			"put the folder back from its backup: the journal may not go on without it")
	case !have.objects:
		return lost("its objects, "+f.objects(), "put the folder back from its backup: the documents' content is in it")
	case !have.journal:
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
		return cli.Hint(fmt.Errorf("others than its owner may write to %s (mode %04o)", f, info.Mode().Perm()),
			"chmod 700 "+string(f))
	}
	return nil
}

// make makes the folder if it is not there.
func (f folder) make() error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	return nil
}

// begin marks that the first start is under way, until settled is called.
func (f folder) begin() error {
	if err := f.make(); err != nil {
		return err
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
