package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"muniment/cmd/muniment/cli"
)

// Folder is the data folder. With the storage on S3 it has no release/ and objects/, with the keys in Vault no
// keys.json.
type Folder string

// The parts of the folder. README.md explains to operators what each is, and which must be backed up.

// Journal is the journal's database file.
func (f Folder) Journal() string { return f.part("journal.db") }

// Release is the release bucket, where that is in the folder.
func (f Folder) Release() string { return f.part("release") }

// Objects is the documents' store, where that is in the folder.
func (f Folder) Objects() string { return f.part("objects") }

// Keys is the key file.
func (f Folder) Keys() string { return f.part("keys.json") }

// Ledger has the blocks of the embedded ledger.
func (f Folder) Ledger() string { return f.part("ledger") }

// Policy is the policy by which the folder's evidence is verified.
func (f Folder) Policy() string { return f.part("policy.json") }

// PublicKeys is what is remembered of the signing keys in Vault.
func (f Folder) PublicKeys() string { return f.part("public-keys.json") }

// Checkpoint is the newest signed checkpoint that was written down.
func (f Folder) Checkpoint() string { return f.part("checkpoint") }

// starting marks a first start that is under way.
func (f Folder) starting() string { return f.part("first-start") }

// drill marks a folder that was restored for looking at only.
func (f Folder) drill() string { return f.part("drill") }

// IsDrill says whether the folder was restored for looking at only.
func (f Folder) IsDrill() (bool, error) {
	_, err := os.Lstat(f.drill())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// MarkDrill marks the folder as one that was restored for looking at only.
func (f Folder) MarkDrill() error {
	if err := os.WriteFile(f.drill(), []byte("restored with --drill: not to be served\n"), 0o600); err != nil {
		return fmt.Errorf("marking the drill: %w", err)
	}
	return nil
}

func (f Folder) part(name string) string { return filepath.Join(string(f), name) }

// State is what a folder was found to be.
type State int

// The states of a data folder.
const (
	Fresh      State = iota // nothing of ours in it: everything is to be made
	Whole                   // everything is there
	Unrestored              // all but the journal's file, which comes back from the release bucket
)

// Inventory says which parts there are.
type Inventory struct{ Journal, Release, Objects, Keys, starting bool }

// Inventory looks into the folder, and refuses one that others may write to.
func (f Folder) Inventory() (Inventory, error) {
	var have Inventory
	if err := f.CheckMode(); err != nil {
		return have, err
	}
	for path, there := range map[string]*bool{
		f.Journal(): &have.Journal, f.Release(): &have.Release, f.Objects(): &have.Objects, f.Keys(): &have.Keys,
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

// State says what the parts come to, and refuses a vault that has lost a part which cannot be made anew: nothing is
// created silently in the place of something that was there. Parts that a service keeps instead of the folder must be
// given as being there.
func (f Folder) State(have Inventory) (State, error) {
	lost := func(what, next string) (State, error) {
		return 0, cli.Hint(fmt.Errorf("%s holds a vault that has lost %s", f, what), next)
	}
	switch {
	case have.starting: // nobody was told of what it has begun: see clearBeginning
		return Fresh, nil
	case !have.Journal && !have.Release && !have.Objects && !have.Keys:
		return Fresh, nil
	case !have.Keys:
		return lost("its key file, "+f.Keys(),
			"put the key file back from its backup: without it no document can ever be read")
	case !have.Journal && !have.Release:
		return lost("both its journal and the release bucket",
			"put release/ back from its backup, then run muniment restore: the journal comes back from it")
	case !have.Release:
		return lost("its release bucket, "+f.Release(),
			"put the folder back from its backup: the journal may not go on without it")
	case !have.Objects:
		return lost("its objects, "+f.Objects(), "put the folder back from its backup: the documents' content is in it")
	case !have.Journal:
		return Unrestored, nil
	}
	return Whole, nil
}

// CheckMode refuses a folder that others may write to: they could put files of theirs in the place of ours.
func (f Folder) CheckMode() error {
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

// Make makes the folder if it is not there. Its parent must be: a disk that is not mounted would get a new, empty
// vault.
func (f Folder) Make() error {
	err := os.Mkdir(string(f), 0o700)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return f.CheckMode()
	case errors.Is(err, fs.ErrNotExist):
		return cli.Hint(fmt.Errorf("making the data folder: %w", err),
			"the folder that it is to be in is not there: mount its disk, or make "+filepath.Dir(string(f)))
	}
	return cli.Hint(fmt.Errorf("making the data folder: %w", err), "make "+string(f)+" and give it to this user")
}

// strangers are the files of a folder that is to become a data folder and are not ours.
func (f Folder) strangers() ([]string, error) {
	entries, err := os.ReadDir(string(f))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Hint(fmt.Errorf("looking into the data folder: %w", err), "give "+string(f)+" to this user")
	}
	var all []string
	for _, e := range entries {
		// A mounted disk has lost+found; the public keys may come before the rest.
		if e.Name() != "lost+found" && e.Name() != filepath.Base(f.PublicKeys()) {
			all = append(all, e.Name())
		}
	}
	return all, nil
}

// refuseStrangers refuses to make a vault in a folder that has something else in it.
func (f Folder) refuseStrangers() error {
	all, err := f.strangers()
	if err != nil || len(all) == 0 {
		return err
	}
	return cli.Hint(fmt.Errorf("%s is to become a data folder, and has something else in it, such as %s", f, all[0]),
		"name a folder that is empty or not there yet; if a vault was here, put back from a backup what it has lost, "+
			"or run muniment restore")
}

// EndFirstStart says that the first start is done and its API key has been shown. The marker does not come back with a
// crash of the machine: a start that found it would take what was served since for what a broken start has left.
func (f Folder) EndFirstStart() error {
	err := os.Remove(f.starting())
	if err == nil {
		err = syncFolder(string(f))
	}
	if err != nil {
		return fmt.Errorf("ending the first start: %w", err)
	}
	return nil
}
