package node

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/bounded"
	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	ledgerlocal "muniment/anchor/ledger/local"
	"muniment/cmd/muniment/cli"
	"muniment/vault/keys/local"
)

// LedgerAdvice is what to do about damaged blocks of the local ledger.
const LedgerAdvice = "move the folder ledger in the data folder away, and keep it: the next start writes the blocks " +
	"anew from the journal, which holds each"

// OpenLedger opens the local ledger. Its name follows from its key, so that there is nothing to lose.
func (s *Storage) OpenLedger() (*ledgerlocal.Ledger, error) {
	signer, err := s.Keys.Signer(local.Ledger)
	if err != nil {
		return nil, err
	}
	l, err := ledgerlocal.Open(ledgerlocal.Config{
		Dir: s.Folder.Ledger(), ID: ledgerID(signer), Signer: signer, Clock: journal.SystemClock{},
	})
	if err != nil {
		return nil, cli.Hint(err, LedgerAdvice)
	}
	return l, nil
}

// CheckLedger reads the local ledger's blocks, and changes nothing. It returns how many there are.
func (s *Storage) CheckLedger() (blocks uint64, err error) {
	signer, err := s.Keys.Signer(local.Ledger)
	if err != nil {
		return 0, err
	}
	key, err := note.NewEd25519VerifierKey(ledgerID(signer), signer.PublicKey())
	if err != nil {
		return 0, fmt.Errorf("naming the local ledger's key: %w", err)
	}
	return ledgerlocal.Check(s.Folder.Ledger(), key)
}

func ledgerID(signer journal.Signer) string {
	digest := sha256.Sum256(signer.PublicKey())
	return "local/" + hex.EncodeToString(digest[:8])
}

// WritePolicy says what a verifier must trust to believe this folder's evidence, and puts it into the folder if it is
// not there yet. An auditor keeps a copy elsewhere: one that is read from here proves nothing.
func (s *Storage) WritePolicy(j *journal.Journal, b *ledgerlocal.Ledger) (*evidence.Policy, error) {
	policy := evidence.Policy{
		V:       evidence.Version,
		Ledgers: []evidence.Pin{{Kind: b.Kind(), ID: b.ID(), Pin: b.VerifierKey()}},
		Require: 1,
	}
	eras := j.Eras()
	for i, era := range eras { // more than one where a loss was accepted: each but the last ended where the next began
		origin := evidence.Origin{Origin: era.Origin, Keys: []string{era.Key}}
		if i+1 < len(eras) {
			origin.Until = &eras[i+1].From
		}
		policy.Origins = append(policy.Origins, origin)
	}
	data, err := evidence.MarshalPolicy(policy)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.Folder.Policy(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
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

// ConfiguredPolicy trusts the keys of the key service that is configured.
func (s *Storage) ConfiguredPolicy(origin string) (*evidence.Policy, error) {
	signer, err := s.Keys.Signer(local.Checkpoint)
	if err != nil {
		return nil, err
	}
	key, err := note.NewEd25519VerifierKey(origin, signer.PublicKey())
	if err != nil {
		return nil, fmt.Errorf("naming the checkpoints' key: %w", err)
	}
	b, err := s.OpenLedger()
	if err != nil {
		return nil, err
	}
	return &evidence.Policy{
		V:       evidence.Version,
		Origins: []evidence.Origin{{Origin: origin, Keys: []string{key}}},
		Ledgers: []evidence.Pin{{Kind: b.Kind(), ID: b.ID(), Pin: b.VerifierKey()}},
		Require: 1,
	}, nil
}

// ReadPolicy reads a folder's policy as an auditor would.
func ReadPolicy(f Folder) (*evidence.Policy, error) {
	data, err := bounded.ReadFile(f.Policy(), bounded.Small)
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	return evidence.ParsePolicy(data)
}
