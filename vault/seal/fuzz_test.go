package seal_test

import (
	"bytes"
	"io"
	"testing"

	"muniment/vault/seal"
)

// FuzzDecoder feeds any ciphertext to the decoder and to Tink. They agree on whether the whole is good; no span gives a
// byte that was not encrypted at that place.
func FuzzDecoder(f *testing.F) {
	seeds := make([]sample, len(suites))
	for i, s := range suites {
		seeds[i] = newSample(f, s, nil)
		sizes := []int64{0, 1, 100}
		if segmentSize(s) < 1<<20 {
			sizes = append(sizes, firstPlain(s), firstPlain(s)+1, firstPlain(s)+restPlain(s)+50)
		}
		for _, n := range sizes {
			c := encrypt(f, seeds[i].keyset, text(n))
			f.Add(uint8(i), c, int64(0), n)
			f.Add(uint8(i), c[:len(c)-1], n/2, n/2)
			f.Add(uint8(i), append(bytes.Clone(c), c[40:]...), n-1, int64(1))
		}
	}
	f.Fuzz(func(t *testing.T, suite uint8, ciphertext []byte, offset, length int64) {
		s := seeds[int(suite)%len(seeds)].damaged(ciphertext)
		byTink, tinkErr := s.tinkDecode(t)
		whole, err := s.decodeAll(t)
		if (err == nil) != (tinkErr == nil) {
			t.Errorf("the decoder says %v, Tink says %v", err, tinkErr)
		}
		if err == nil && !bytes.Equal(whole, byTink) {
			t.Error("the decoder and Tink read different contents")
		}
		if !bytes.Equal(whole, text(int64(len(whole)))) {
			t.Error("wrong bytes left")
		}
		span, err := s.decode(t, testBinding, offset, length)
		if err == nil && int64(len(span)) != length {
			t.Errorf("a span of %d bytes has %d", length, len(span))
		}
		for i, b := range span {
			if b != textAt(offset+int64(i)) {
				t.Fatalf("byte %d of the span from %d on is wrong", i, offset)
			}
		}
	})
}

// FuzzKeyset feeds any keyset to what reads keysets.
func FuzzKeyset(f *testing.F) {
	for _, s := range suites {
		f.Add([]byte(mustKeyset(f, s)))
	}
	f.Fuzz(func(t *testing.T, keyset []byte) {
		s, err := seal.SuiteOf(keyset)
		if err != nil {
			return
		}
		w, err := seal.Encrypt(io.Discard, keyset, testBinding)
		if err != nil {
			t.Fatalf("a keyset of %s does not encrypt: %v", s, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
