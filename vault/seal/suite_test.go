package seal_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"muniment/vault/seal"
)

func TestSuiteFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		length int64
		fips   bool
		want   seal.Suite
	}{
		{0, false, seal.GCMSmall}, {1 << 20, false, seal.GCMSmall}, {1<<20 + 1, false, seal.GCMLarge},
		{-1, false, seal.GCMLarge}, {5 << 40, false, seal.GCMLarge},
		{0, true, seal.CTRSmall}, {1 << 20, true, seal.CTRSmall}, {1<<20 + 1, true, seal.CTRLarge},
		{-1, true, seal.CTRLarge},
	} {
		if got := seal.SuiteFor(test.length, test.fips); got != test.want {
			t.Errorf("SuiteFor(%d, %v) = %s, want %s", test.length, test.fips, got, test.want)
		}
	}
}

// borderSizes are content lengths around the first segments' borders.
func borderSizes(s seal.Suite) []int64 {
	first, rest := firstPlain(s), restPlain(s)
	sizes := []int64{0, 1, 2, 100}
	for _, border := range []int64{first, first + rest, first + 2*rest} {
		sizes = append(sizes, border-1, border, border+1)
	}
	return sizes
}

func TestSizesAreTinks(t *testing.T) {
	t.Parallel()
	for _, s := range suites {
		for _, n := range borderSizes(s) {
			got := int64(len(newSample(t, s, make([]byte, n)).ciphertext))
			if want := s.CiphertextSize(n); got != want {
				t.Errorf("%s: CiphertextSize(%d) = %d, Tink writes %d", s, n, want, got)
			}
		}
	}
}

func TestSizesAreInverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(suites).Draw(t, "suite")
		n := rapid.Int64Range(0, 5<<40).Draw(t, "n")
		c := s.CiphertextSize(n)
		if got, err := s.PlaintextSize(c); err != nil || got != n {
			t.Fatalf("PlaintextSize(CiphertextSize(%d) = %d) = %d, %v", n, c, got, err)
		}
		if next := s.CiphertextSize(n + 1); next <= c {
			t.Fatalf("CiphertextSize(%d) = %d, CiphertextSize(%d) = %d: it must grow", n, c, n+1, next)
		}
	})
}

// TestSizesThatNoWriterMakes takes every size up to the third segment: the ones that CiphertextSize gives, and no
// others, have a plaintext size.
func TestSizesThatNoWriterMakes(t *testing.T) {
	t.Parallel()
	for _, s := range []seal.Suite{seal.GCMSmall, seal.CTRSmall} {
		n := int64(0)
		for c := range 3 * segmentSize(s) {
			got, err := s.PlaintextSize(c)
			if s.CiphertextSize(n) == c {
				if err != nil || got != n {
					t.Fatalf("%s: PlaintextSize(%d) = %d, %v; want %d", s, c, got, err, n)
				}
				n++
			} else if !errors.Is(err, seal.ErrCiphertext) {
				t.Fatalf("%s: PlaintextSize(%d) = %d, %v; no content has that size", s, c, got, err)
			}
		}
	}
}

func TestOddSizes(t *testing.T) {
	t.Parallel()
	for _, s := range suites {
		if got := s.CiphertextSize(-1); got != -1 {
			t.Errorf("%s: an unknown length gives %d, want -1", s, got)
		}
		for _, c := range []int64{math.MinInt64, -1, 0, 1, 40, math.MaxInt64} {
			if got, err := s.PlaintextSize(c); !errors.Is(err, seal.ErrCiphertext) {
				t.Errorf("%s: PlaintextSize(%d) = %d, %v; want ErrCiphertext", s, c, got, err)
			}
		}
	}
	if _, err := seal.Suite("rot13").PlaintextSize(100); !errors.Is(err, seal.ErrKeyset) {
		t.Errorf("an unknown suite: %v, want ErrKeyset", err)
	}
	if _, err := seal.NewKeyset("rot13"); !errors.Is(err, seal.ErrKeyset) {
		t.Errorf("a keyset of an unknown suite: %v, want ErrKeyset", err)
	}
}
