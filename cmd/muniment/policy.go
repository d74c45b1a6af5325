package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/anchor/ledger"
	ledgerlocal "muniment/anchor/ledger/local"
	"muniment/vault/keys/local"
)

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
		Dir: s.folder.ledger(), ID: "local/" + hex.EncodeToString(digest[:8]), Signer: signer,
		Clock: journal.SystemClock{},
	})
	return blocks{l}, err
}

// writePolicy says what a verifier must trust to believe this folder's evidence, and puts it into the folder if it is
// not there yet. An auditor keeps a copy elsewhere: one that is read from here proves nothing.
func (s *storage) writePolicy(j *journal.Journal, b blocks) (*evidence.Policy, error) {
	policy := evidence.Policy{
		V:       evidence.Version,
		Ledgers: []evidence.Pin{{Kind: b.Kind(), ID: b.ID(), Pin: b.VerifierKey()}},
		Require: 1,
	}
	for _, era := range j.Eras() { // more than one where a loss was accepted
		policy.Origins = append(policy.Origins, evidence.Origin{Origin: era.Origin, Keys: []string{era.Key}})
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
