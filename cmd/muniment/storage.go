package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	"muniment/anchor/ledger"
	ledgerlocal "muniment/anchor/ledger/local"
	"muniment/vault/keys"
	"muniment/vault/keys/local"
	"muniment/vault/objects"
	"muniment/vault/objects/dir"
)

// storage is an open data folder, as far as it needs no journal.
type storage struct {
	folder  folder
	found   state
	backend journal.Backend
	release store
	objects store
	keys    keyService
}

// store is an object store in a folder, which is let go of at the end.
type store interface {
	objects.Store
	io.Closer
	// Path is the file that holds a version's bytes.
	Path(ctx context.Context, key, version string) (string, error)
}

// keyService is what holds the keys of tenants and signs in the name of the journal and its ledger.
type keyService interface {
	keys.Service
	Signer(name string) (journal.Signer, error)
	io.Closer
}

// keyFile is a keyService in a file.
type keyFile struct{ *local.Service }

// Signer is the signing key of that name.
func (k keyFile) Signer(name string) (journal.Signer, error) { return k.Service.Signer(name) }

// opener opens a data folder: openStorage, but for tests that put faults between.
type opener func(ctx context.Context, f folder, log *slog.Logger) (*storage, error)

// openStorage opens the parts of a data folder, or makes them in one that is fresh.
func openStorage(ctx context.Context, f folder, log *slog.Logger) (s *storage, err error) {
	s = &storage{folder: f}
	defer func() {
		if err != nil {
			locked := errors.Is(err, local.ErrLocked)
			err = errors.Join(fmt.Errorf("opening the data folder: %w", err), s.close())
			if locked {
				err = hint(err, "a muniment process serves or checks this folder; one process at a time: stop it first")
			}
			s = nil
		}
	}()
	if s.found, err = f.inspect(); err != nil {
		return s, err
	}
	makeNew := s.found == fresh
	if makeNew {
		if err = f.begin(); err != nil {
			return s, err
		}
	}
	if s.keys, err = openKeys(f.keys(), makeNew); err != nil {
		return s, err
	}
	if s.release, err = openObjects(ctx, f.release(), false, makeNew); err != nil {
		return s, err
	}
	if s.objects, err = openObjects(ctx, f.objects(), true, makeNew); err != nil {
		return s, err
	}
	backend, err := bolt.Open(bolt.Config{Path: f.journal(), Create: s.found != whole, Log: log})
	if err != nil {
		return s, err
	}
	s.backend = backend
	return s, nil
}

func openKeys(path string, create bool) (keyService, error) {
	open := local.Open
	if create {
		open = local.Create
	}
	s, err := open(path)
	if err != nil {
		return nil, err
	}
	return keyFile{s}, nil
}

func openObjects(ctx context.Context, path string, versioned, create bool) (store, error) {
	s, err := dir.Open(ctx, dir.Config{Dir: path, Versioned: versioned, Create: create, Clock: journal.SystemClock{}, Rand: rand.Reader})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openJournal opens the journal, or creates the one of a fresh folder. One whose file is gone comes back from the release
// bucket. origin may be empty.
func (s *storage) openJournal(ctx context.Context, origin string, log *slog.Logger) (*journal.Journal, error) {
	if s.found == fresh && origin == "" {
		id, err := journal.NewID(journal.SystemClock{}.Now(), rand.Reader)
		if err != nil {
			return nil, err
		}
		origin = "muniment/" + id.String()
	}
	signer, err := s.keys.Signer(local.Checkpoint)
	if err != nil {
		return nil, err
	}
	j, err := journal.Open(ctx, journal.Config{
		Backend: s.backend, Bucket: objects.NewBucket(s.release), Signer: signer,
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log, Definitions: definitions(),
		Origin: origin, Create: s.found == fresh,
	})
	switch {
	case errors.Is(err, journal.ErrContradicts):
		err = hint(err, "journal.db and release/ are not of the same time: put the newer of both back from one backup")
	case errors.Is(err, journal.ErrDamaged):
		err = hint(err, "move journal.db away; the next start restores it from release/")
	}
	return j, err
}

// blocks is the local ledger.
type blocks struct{ *ledgerlocal.Ledger }

func (b blocks) all() []ledger.Ledger { return []ledger.Ledger{b.Ledger} }

// openLedger opens the local ledger. Its name follows from its key, so that there is nothing to lose.
func (s *storage) openLedger() (blocks, error) {
	signer, err := s.keys.Signer(local.Ledger)
	if err != nil {
		return blocks{}, err
	}
	digest := sha256.Sum256(signer.PublicKey())
	l, err := ledgerlocal.Open(ledgerlocal.Config{
		Dir: s.folder.ledger(), ID: "local/" + hex.EncodeToString(digest[:8]), Signer: signer, Clock: journal.SystemClock{},
	})
	return blocks{l}, err
}

// writePolicy says what a verifier must trust to believe this folder's evidence, and puts it into the folder if it is not
// there yet. An auditor keeps a copy elsewhere: one that is read from here proves nothing.
func (s *storage) writePolicy(j *journal.Journal, b blocks) (*evidence.Policy, error) {
	policy := evidence.Policy{
		V:       evidence.Version,
		Origins: []evidence.Origin{{Origin: j.Checkpoint().Origin, Keys: []string{j.VerifierKey()}}},
		Ledgers: []evidence.Pin{{Kind: b.Kind(), ID: b.ID(), Pin: b.VerifierKey()}},
		Require: 1,
	}
	data, err := evidence.MarshalPolicy(policy)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.folder.policy(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return &policy, nil
	}
	if err != nil {
		return nil, fmt.Errorf("writing the policy: %w", err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("writing the policy: %w", err)
	}
	return &policy, nil
}

// readPolicy reads a folder's policy as an auditor would.
func readPolicy(f folder) (*evidence.Policy, error) {
	data, err := os.ReadFile(f.policy())
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	return evidence.ParsePolicy(data)
}

// close lets go of the folder.
func (s *storage) close() error {
	var errs []error
	if s.backend != nil {
		errs = append(errs, s.backend.Close())
	}
	for _, part := range []io.Closer{s.release, s.objects, s.keys} {
		if part != nil {
			errs = append(errs, part.Close())
		}
	}
	return errors.Join(errs...)
}
