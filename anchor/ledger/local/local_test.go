package local_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/ledger"
	"muniment/anchor/ledger/ledgertest"
	"muniment/anchor/ledger/local"
)

const id = "local/0190b5a0-7c1e-7000-8000-000000000000"

// clock is a clock that a test sets.
type clock struct{ now atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.now.Store(time.Date(2026, 1, 31, 23, 59, 58, 0, time.UTC).Unix())
	return c
}

func (c *clock) Now() time.Time { return time.Unix(c.now.Load(), 999) }

// signer signs with a key that everybody knows.
type signer struct{ key ed25519.PrivateKey }

func newSigner(seed byte) signer {
	return signer{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (s signer) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(s.key, message), nil
}

func (s signer) PublicKey() []byte { return s.key.Public().(ed25519.PublicKey) }

func config(dir string) local.Config {
	return local.Config{Dir: dir, ID: id, Signer: newSigner(1), Clock: newClock()}
}

func mustOpen(t *testing.T, cfg local.Config) *local.Ledger {
	t.Helper()
	l, err := local.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func verifier(t testing.TB, l *local.Ledger) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(l.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// verify checks a proof with nothing but the pinned key.
func verify(v note.Verifier, c ledger.Checkpoint, proof json.RawMessage) error {
	var p struct{ Block string }
	if err := json.Unmarshal(proof, &p); err != nil {
		return err
	}
	b, err := local.ParseBlock([]byte(p.Block), v)
	if err != nil {
		return err
	}
	if b.Origin != c.Origin || b.Size != c.Size || !bytes.Equal(b.Root[:], c.Root) {
		return errors.New("the block holds another checkpoint")
	}
	return nil
}

func TestConforms(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t *testing.T) ledgertest.Env {
		cfg := config(t.TempDir())
		var failure atomic.Int32 // 1: link fails; 2: the sync after it does
		linked := false
		l, err := local.OpenFaulty(cfg, func(f *os.File) error {
			if linked && failure.CompareAndSwap(2, 0) {
				return errors.New("input/output error")
			}
			return f.Sync()
		}, func(from, to string) error {
			if failure.CompareAndSwap(1, 0) {
				return errors.New("input/output error")
			}
			linked = true
			return os.Link(from, to)
		})
		if err != nil {
			t.Fatal(err)
		}
		return ledgertest.Env{
			Ledger: l,
			Reopen: func(t *testing.T) ledger.Ledger { return mustOpen(t, cfg) },
			Verify: func(c ledger.Checkpoint, proof json.RawMessage) error { return verify(verifier(t, l), c, proof) },
			Break: func(_ *testing.T, late bool) {
				if failure.Store(1); late {
					failure.Store(2)
				}
			},
		}
	})
}

// anchor puts a size on the chain.
func anchor(t *testing.T, l *local.Ledger, origin string, size uint64) ledger.Attempt {
	t.Helper()
	a, err := l.Prepare(t.Context(), ledgertest.Checkpoint(origin, size), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Submit(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a
}

func blockFile(dir string, height int) string {
	return filepath.Join(dir, fmt.Sprintf("%012d.block", height))
}

func TestSameCheckpointIsTheSameBlock(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	l := mustOpen(t, cfg)
	c := ledgertest.Checkpoint("muniment/a", 5)
	first, err := l.Prepare(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Clock.(*clock).now.Add(100)
	waiting, err := l.Prepare(t.Context(), c, []ledger.Attempt{first})
	if err != nil || waiting.ID != first.ID {
		t.Errorf("prepared again while open: block %s, error %v; want %s", waiting.ID, err, first.ID)
	}
	if err := l.Submit(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	again := anchor(t, l, "muniment/a", 5)
	if again.ID != first.ID {
		t.Errorf("anchored again: block %s, want %s", again.ID, first.ID)
	}
	if _, err := os.Stat(blockFile(cfg.Dir, 2)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the same checkpoint made a second block: %v", err)
	}
}

func TestTwoHandlesWriteOneChain(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	one, two := mustOpen(t, cfg), mustOpen(t, cfg)
	a, err := one.Prepare(t.Context(), ledgertest.Checkpoint("muniment/a", 5), nil)
	if err != nil {
		t.Fatal(err)
	}
	anchor(t, two, "muniment/b", 9)
	if err := one.Submit(t.Context(), a); !errors.Is(err, ledger.ErrRefused) {
		t.Errorf("a block whose place was taken: %v, want ErrRefused", err)
	}
	if got, err := one.Status(t.Context(), a); got != ledger.Lost || err != nil {
		t.Errorf("a block whose place was taken is %q (%v), want lost", got, err)
	}
	anchor(t, one, "muniment/a", 5)
	for origin, size := range map[string]uint64{"muniment/a": 5, "muniment/b": 9} {
		if head, err := two.Head(t.Context(), origin); err != nil || head.Size != size {
			t.Errorf("the head of %s is %d (%v), want %d", origin, head.Size, err, size)
		}
	}
	mustOpen(t, cfg)
}

func TestTimeNeverGoesBack(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	l := mustOpen(t, cfg)
	anchor(t, l, "muniment/a", 5)
	cfg.Clock.(*clock).now.Add(-3600)
	anchor(t, l, "muniment/a", 6)
	mustOpen(t, cfg)
}

func TestUnfinishedBlockIsForgotten(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	anchor(t, mustOpen(t, cfg), "muniment/a", 5)
	torn := filepath.Join(cfg.Dir, "unfinished-123")
	if err := os.WriteFile(torn, []byte("muniment-local-block/1\n2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := mustOpen(t, cfg)
	if _, err := os.Stat(torn); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unfinished block is still there: %v", err)
	}
	anchor(t, l, "muniment/a", 6)
}

// follow writes a block 4 after block 3, signed with the chain's key, in which one line is another than Ledger would
// write.
func follow(t *testing.T, dir string, line int, text string) error {
	t.Helper()
	last, err := os.ReadFile(blockFile(dir, 3))
	if err != nil {
		return err
	}
	hash := sha256.Sum256(last)
	lines := strings.SplitAfter(string(last), "\n")[:7]
	lines[1], lines[2], lines[5] = "4\n", base64.StdEncoding.EncodeToString(hash[:])+"\n", "4\n"
	lines[line] = text
	return os.WriteFile(blockFile(dir, 4), []byte(resign(t, strings.Join(lines, ""))), 0o600)
}

func TestFollowingBlockIsAccepted(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	l := mustOpen(t, cfg)
	for _, size := range []uint64{1, 2, 3} {
		anchor(t, l, "muniment/a", size)
	}
	if err := follow(t, cfg.Dir, 5, "4\n"); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, cfg) // so that what TestBrokenChainIsRefused writes is refused for its one line
}

func TestBrokenChainIsRefused(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, dir string) error{
		"a bit flipped": func(t *testing.T, dir string) error {
			data, err := os.ReadFile(blockFile(dir, 2))
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(blockFile(dir, 2), data, 0o600)
		},
		"cut":            func(t *testing.T, dir string) error { return os.Truncate(blockFile(dir, 3), 40) },
		"empty":          func(t *testing.T, dir string) error { return os.Truncate(blockFile(dir, 3), 0) },
		"one is missing": func(t *testing.T, dir string) error { return os.Remove(blockFile(dir, 2)) },
		"swapped": func(t *testing.T, dir string) error {
			return os.Rename(blockFile(dir, 1), blockFile(dir, 3))
		},
		"rewritten with the key, but not to the end": func(t *testing.T, dir string) error {
			other := config(t.TempDir())
			l := mustOpen(t, other)
			anchor(t, l, "muniment/a", 1)
			c := ledgertest.CheckpointAt("muniment/a", 2, bytes.Repeat([]byte{7}, 32))
			a, err := l.Prepare(t.Context(), c, nil)
			if err != nil {
				return err
			}
			if err := l.Submit(t.Context(), a); err != nil {
				return err
			}
			data, err := os.ReadFile(blockFile(other.Dir, 2))
			if err != nil {
				return err
			}
			return os.WriteFile(blockFile(dir, 2), data, 0o600)
		},
		"shrinking, with the key": func(t *testing.T, dir string) error { return follow(t, dir, 5, "2\n") },
		"going back in time, with the key": func(t *testing.T, dir string) error {
			return follow(t, dir, 3, "2025-12-31T00:00:00Z\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t.TempDir())
			l := mustOpen(t, cfg)
			for _, size := range []uint64{1, 2, 3} {
				anchor(t, l, "muniment/a", size)
			}
			if err := damage(t, cfg.Dir); err != nil {
				t.Fatal(err)
			}
			if _, err := local.Open(cfg); !errors.Is(err, local.ErrDamaged) {
				t.Errorf("opening gave %v, want ErrDamaged", err)
			}
		})
	}
}

func TestOtherKeyOrIDIsRefused(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	anchor(t, mustOpen(t, cfg), "muniment/a", 1)
	other := cfg
	other.Signer = newSigner(2)
	if _, err := local.Open(other); !errors.Is(err, local.ErrDamaged) {
		t.Errorf("opening with another key gave %v, want ErrDamaged", err)
	}
	other = cfg
	other.ID = "local/another"
	if _, err := local.Open(other); !errors.Is(err, local.ErrDamaged) {
		t.Errorf("opening with another id gave %v, want ErrDamaged", err)
	}
	other.ID = "no key name"
	if _, err := local.Open(other); err == nil {
		t.Error("an id with spaces was accepted")
	}
}

// movedSigner signs with another key than it names, as a key service does after a rotation.
type movedSigner struct{ signer }

func (s movedSigner) PublicKey() []byte { return newSigner(9).PublicKey() }

func TestSignatureOfAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	cfg.Signer = movedSigner{newSigner(1)}
	if _, err := mustOpen(t, cfg).Prepare(t.Context(), ledgertest.Checkpoint("muniment/a", 1), nil); err == nil {
		t.Error("a block was prepared whose signature nobody would believe")
	}
}

func TestRebuildGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	l := mustOpen(t, cfg)
	var finals []ledger.Attempt
	for _, size := range []uint64{3, 5, 8} {
		finals = append(finals, anchor(t, l, "muniment/a", size))
		cfg.Clock.(*clock).now.Add(60)
	}
	lost := cfg
	lost.Dir = t.TempDir()
	rebuilt := mustOpen(t, lost)
	if err := rebuilt.Rebuild(t.Context(), finals[1]); !errors.Is(err, ledger.ErrRefused) {
		t.Errorf("rebuilding from the middle gave %v, want ErrRefused", err)
	}
	for range 2 {
		for _, a := range finals {
			if err := rebuilt.Rebuild(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
	}
	for height := 1; height <= 3; height++ {
		want, err := os.ReadFile(blockFile(cfg.Dir, height))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(blockFile(lost.Dir, height)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("block %d came back as %q (%v), want %q", height, got, err, want)
		}
	}
}
