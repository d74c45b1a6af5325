// Package ledgertest is the conformance suite for implementations of ledger.Ledger, and a ledger driven by hand for
// tests of those who use one.
package ledgertest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/ledger"
)

// maxAdvances is how many times the suite calls Env.Advance before it gives an attempt up.
const maxAdvances = 100

// Env is one ledger under test. Ledger, Reopen and Verify are required.
type Env struct {
	Ledger ledger.Ledger
	// Reopen returns a new handle on the same ledger, as another process has it after a crash. It may or may not close
	// the handle before; the suite does not use that one again.
	Reopen func(t *testing.T) ledger.Ledger
	// Verify checks a proof as an auditor does who trusts the ledger and nothing of ours: it returns nil only if the
	// proof shows that the ledger holds this origin, size and root for good.
	Verify func(c ledger.Checkpoint, proof json.RawMessage) error
	// Advance lets the ledger get on: mines a block, or waits for one. Nil for a ledger that needs no help.
	Advance func(t *testing.T)
	// Origin is set where a ledger must be told of an origin first. Otherwise the suite makes one up.
	Origin string
	// Break makes the next Submit through any handle fail as a network would: before the ledger heard of it, or (late)
	// after it took effect. Nil where that cannot be arranged.
	Break func(t *testing.T, late bool)
}

// Run runs the suite. open makes a fresh ledger, or at least one that has never heard of the Env's origin.
func Run(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(s *suite)
	}{
		{"Identity", testIdentity},
		{"HeadUnknown", testHeadUnknown},
		{"PrepareDoesNotSend", testPrepareDoesNotSend},
		{"Lifecycle", testLifecycle},
		{"SubmitIsIdempotent", testSubmitIsIdempotent},
		{"EveryAnchorStaysProvable", testEveryAnchorStaysProvable},
		{"Concurrent", testConcurrent},
		{"SameCheckpointTwice", testSameCheckpointTwice},
		{"SameCheckpointWhileOpen", testSameCheckpointWhileOpen},
		{"SmallerIsRefused", testSmallerIsRefused},
		{"OtherRootIsRefused", testOtherRootIsRefused},
		{"OvertakenAttempt", testOvertakenAttempt},
		{"OriginsAreApart", testOriginsAreApart},
		{"CrashAfterPersisting", testCrashAfterPersisting},
		{"CrashBeforePersisting", testCrashBeforePersisting},
		{"CrashAfterSubmitting", testCrashAfterSubmitting},
		{"SubmitFails", testSubmitFails},
		{"SubmitFailsButTookEffect", testSubmitFailsLate},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := open(t)
			if env.Origin == "" {
				var id [16]byte
				rand.Read(id[:])
				env.Origin = "muniment/" + hex.EncodeToString(id[:])
			}
			c.test(&suite{T: t, Env: env})
		})
	}
}

// Checkpoint makes up a head of the origin: the root follows from origin and size, the note is signed with a key that
// everybody knows.
func Checkpoint(origin string, size uint64) ledger.Checkpoint {
	root := sha256.Sum256(fmt.Appendf(nil, "the root of %s at %d", origin, size))
	return CheckpointAt(origin, size, root[:])
}

// CheckpointAt makes up a head with this root.
func CheckpointAt(origin string, size uint64, root []byte) ledger.Checkpoint {
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root))
	signed, err := note.Sign(&note.Note{Text: text}, newKnownSigner(origin))
	if err != nil {
		panic(fmt.Sprintf("ledgertest: an origin that cannot sign: %v", err))
	}
	return ledger.Checkpoint{Origin: origin, Size: size, Root: root, Note: signed}
}

// knownSigner is a note.Signer whose secret is public.
type knownSigner struct {
	note.Verifier
	private ed25519.PrivateKey
}

func newKnownSigner(origin string) knownSigner {
	private := ed25519.NewKeyFromSeed([]byte("a test key, known to everybody!!"))
	key, err := note.NewEd25519VerifierKey(origin, private.Public().(ed25519.PublicKey))
	if err != nil {
		panic(fmt.Sprintf("ledgertest: a key that is none: %v", err))
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		panic(fmt.Sprintf("ledgertest: an origin that is no key name: %v", err))
	}
	return knownSigner{Verifier: v, private: private}
}

// Sign is part of note.Signer.
func (s knownSigner) Sign(message []byte) ([]byte, error) {
	return ed25519.Sign(s.private, message), nil
}

// suite is one test of Run, with the steps that they share.
type suite struct {
	*testing.T
	Env
}

func (s *suite) ctx() context.Context { return s.Context() }

func (s *suite) advance() {
	if s.Advance != nil {
		s.Advance(s.T)
	}
}

func (s *suite) checkpoint(size uint64) ledger.Checkpoint { return Checkpoint(s.Origin, size) }

// prepare makes an attempt and passes it through JSON, as every attempt of the publisher goes.
func (s *suite) prepare(size uint64, open ...ledger.Attempt) ledger.Attempt {
	s.Helper()
	a, err := s.Ledger.Prepare(s.ctx(), s.checkpoint(size), open)
	if err != nil {
		s.Fatalf("preparing size %d: %v", size, err)
	}
	return s.persisted(a)
}

func (s *suite) persisted(a ledger.Attempt) ledger.Attempt {
	s.Helper()
	if a.ID == "" || len(a.State) > ledger.MaxState {
		s.Fatalf("the attempt has the id %q and %d bytes of state", a.ID, len(a.State))
	}
	data, err := json.Marshal(a)
	if err != nil {
		s.Fatalf("writing the attempt as JSON: %v", err)
	}
	var back ledger.Attempt
	if err := json.Unmarshal(data, &back); err != nil {
		s.Fatalf("reading the attempt from JSON: %v", err)
	}
	return back
}

func (s *suite) submit(a ledger.Attempt) {
	s.Helper()
	if err := s.Ledger.Submit(s.ctx(), a); err != nil {
		s.Fatalf("submitting size %d: %v", a.Checkpoint.Size, err)
	}
}

func (s *suite) status(a ledger.Attempt) ledger.Status {
	s.Helper()
	status, err := s.Ledger.Status(s.ctx(), a)
	if err != nil {
		s.Fatalf("asking for the status of size %d: %v", a.Checkpoint.Size, err)
	}
	switch status {
	case ledger.Pending, ledger.Included, ledger.Final, ledger.Lost, ledger.Superseded:
	default:
		s.Fatalf("the ledger made up a status: %q", status)
	}
	return status
}

// settle advances until the attempt is final, lost or superseded.
func (s *suite) settle(a ledger.Attempt) ledger.Status {
	s.Helper()
	for range maxAdvances {
		if status := s.status(a); status != ledger.Pending && status != ledger.Included {
			return status
		}
		s.advance()
	}
	s.Fatalf("size %d did not settle in %d steps", a.Checkpoint.Size, maxAdvances)
	return ""
}

// finish advances until the attempt is final, and checks its proof.
func (s *suite) finish(a ledger.Attempt) {
	s.Helper()
	if status := s.settle(a); status != ledger.Final {
		s.Fatalf("size %d became %s, want final", a.Checkpoint.Size, status)
	}
	s.prove(a)
}

// prove checks the proof of a final attempt, and that the auditor's check of it can fail.
func (s *suite) prove(a ledger.Attempt) {
	s.Helper()
	proof, err := s.Ledger.Prove(s.ctx(), a)
	if err != nil {
		s.Fatalf("proving size %d: %v", a.Checkpoint.Size, err)
	}
	if !json.Valid(proof) || len(proof) > ledger.MaxProof {
		s.Fatalf("the proof is not JSON, or too long: %d bytes", len(proof))
	}
	if err := s.Verify(a.Checkpoint, proof); err != nil {
		s.Errorf("the proof of size %d does not verify: %v", a.Checkpoint.Size, err)
	}
	other := a.Checkpoint
	other.Size++
	if s.Verify(other, proof) == nil {
		s.Errorf("the proof of size %d verifies for another size", a.Checkpoint.Size)
	}
	other = a.Checkpoint
	other.Root = append([]byte{other.Root[0] ^ 1}, other.Root[1:]...)
	if s.Verify(other, proof) == nil {
		s.Errorf("the proof of size %d verifies for another root", a.Checkpoint.Size)
	}
}

// head checks what the ledger says is its newest checkpoint; size 0 is none.
func (s *suite) head(size uint64) {
	s.Helper()
	got, err := s.Ledger.Head(s.ctx(), s.Origin)
	if size == 0 {
		if !isUnknown(err) {
			s.Errorf("Head gave size %d and the error %v, want ErrUnknown", got.Size, err)
		}
		return
	}
	want := s.checkpoint(size)
	if err != nil || got.Origin != want.Origin || got.Size != want.Size || string(got.Root) != string(want.Root) {
		s.Errorf("Head gave origin %q, size %d, root %x and the error %v, want size %d",
			got.Origin, got.Size, got.Root, err, size)
	}
}

func (s *suite) reopen() {
	s.Helper()
	s.Ledger = s.Reopen(s.T)
}
