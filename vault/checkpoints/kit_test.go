package checkpoints_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/objectstest"
)

const origin = "muniment/test"

// signed is a journal of which only the checkpoints are there.
type signed struct {
	mu     sync.Mutex
	newest journal.Checkpoint
	more   chan struct{} // closed at the next one
}

func newSigned() *signed { return &signed{more: make(chan struct{})} }

// sign signs a head of that size.
func (s *signed) sign(t testing.TB, size uint64) journal.Checkpoint {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = checkpoint(t, origin, size)
	close(s.more)
	s.more = make(chan struct{})
	return s.newest
}

func (s *signed) Checkpoint() journal.Checkpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

func (s *signed) AwaitCheckpoint(ctx context.Context, size uint64) (journal.Checkpoint, error) {
	for {
		s.mu.Lock()
		c, more := s.newest, s.more
		s.mu.Unlock()
		if c.Size >= size {
			return c, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return c, ctx.Err()
		}
	}
}

// checkpoint is a head that the test's signer has signed.
func checkpoint(t testing.TB, origin string, size uint64) journal.Checkpoint {
	t.Helper()
	root := journal.Hash(sha256.Sum256(fmt.Appendf(nil, "%s %d", origin, size)))
	return journal.Checkpoint{Origin: origin, Size: size, Root: root,
		Note: signNote(t, origin, size, root, journaltest.Signer())}
}

func signNote(t testing.TB, origin string, size uint64, root journal.Hash, s journal.Signer) []byte {
	t.Helper()
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)
	signature := journaltest.Must(s.Sign(t.Context(), []byte(text)))
	verifier := journaltest.Must(note.NewVerifier(vkey(origin, s)))
	var line bytes.Buffer
	hash := verifier.KeyHash()
	line.Write([]byte{byte(hash >> 24), byte(hash >> 16), byte(hash >> 8), byte(hash)})
	line.Write(signature)
	return []byte(text + "\n— " + origin + " " + base64.StdEncoding.EncodeToString(line.Bytes()) + "\n")
}

// vkey is a signer's verifier key for an origin.
func vkey(origin string, s journal.Signer) string {
	return journaltest.Must(note.NewEd25519VerifierKey(origin, ed25519.PublicKey(s.PublicKey())))
}

// stranger signs with a key that nobody trusts.
type stranger struct{ ed25519.PrivateKey }

func newStranger() stranger { return stranger{ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))} }

func (s stranger) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(s.PrivateKey, message), nil
}
func (s stranger) PublicKey() []byte { return s.Public().(ed25519.PublicKey) }

// rig is a keeper over a folder.
type rig struct {
	*signed
	t      testing.TB
	clock  *journaltest.Clock
	store  objects.Store
	faulty *objectstest.Faulty
	keeper *checkpoints.Keeper
	locked []string // what else stays locked
	log    bytes.Buffer
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{signed: newSigned(), t: t, clock: journaltest.NewClock()}
	store, err := dir.Open(t.Context(), dir.Config{Dir: filepath.Join(t.TempDir(), "objects"), Versioned: true,
		Create: true, Clock: r.clock, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	r.store, r.faulty = store, objectstest.NewFaulty(t, store)
	r.open(checkpoints.Kept{})
	return r
}

// open makes the keeper, which knows what was kept before.
func (r *rig) open(newest checkpoints.Kept) {
	r.t.Helper()
	var err error
	r.keeper, err = checkpoints.New(checkpoints.Config{
		Journal: r.signed, ID: journaltest.ID, Keys: r.keys(), Store: r.faulty, Clock: r.clock, Newest: newest,
		Log: slog.New(slog.NewTextHandler(&r.log, nil)), Locked: r.locked,
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) keys() []string { return []string{vkey(origin, journaltest.Signer())} }

// keyOf is the key of a checkpoint.
func keyOf(t testing.TB, c journal.Checkpoint) string {
	t.Helper()
	return journaltest.Must(checkpoints.Key(journaltest.ID, c))
}

// keep puts a checkpoint where a keeper would put it.
func (r *rig) keep(c journal.Checkpoint) {
	r.t.Helper()
	r.put(keyOf(r.t, c), c.Note)
}

// newest is what a start would find.
func (r *rig) newest(keys ...string) (checkpoints.Kept, error) {
	return checkpoints.Newest(r.t.Context(), checkpoints.Search{
		Store: r.store, Journal: journaltest.ID, Origin: origin, Keys: append(keys, r.keys()...),
	})
}

// put puts an object there that no keeper has written.
func (r *rig) put(key string, content []byte) {
	r.t.Helper()
	if _, err := r.store.Put(r.t.Context(), key, bytes.NewReader(content),
		objects.PutOptions{Length: int64(len(content))}); err != nil {
		r.t.Fatal(err)
	}
}

// stored are the versions that the store has.
func (r *rig) stored() (all []objects.Info) {
	r.t.Helper()
	for info, err := range r.store.List(r.t.Context(), "", "") {
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, info)
	}
	return all
}
