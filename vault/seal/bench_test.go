package seal_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"muniment/vault/seal"
)

var benchSizes = []struct {
	name string
	n    int64
}{{"10KiB", 10 << 10}, {"100KiB", 100 << 10}, {"1MiB", 1 << 20}, {"64MiB", 64 << 20}}

// forEachBench runs a benchmark for each suite and size.
func forEachBench(b *testing.B, run func(b *testing.B, s seal.Suite, n int64)) {
	for _, s := range suites {
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("%s/%s", s, size.name), func(b *testing.B) {
				b.SetBytes(size.n)
				b.ReportAllocs()
				run(b, s, size.n)
			})
		}
	}
}

// BenchmarkEncrypt is Tink's writer, with the keyset drawn anew for each document, as a deposit does it.
func BenchmarkEncrypt(b *testing.B) {
	forEachBench(b, func(b *testing.B, s seal.Suite, n int64) {
		content := make([]byte, n)
		for b.Loop() {
			keyset, err := seal.NewKeyset(s)
			if err != nil {
				b.Fatal(err)
			}
			w, err := seal.Encrypt(io.Discard, keyset, testBinding)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(w, bytes.NewReader(content)); err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDecoder is a full read through our decoder, the keyset's parsing included.
func BenchmarkDecoder(b *testing.B) {
	forEachBench(b, func(b *testing.B, s seal.Suite, n int64) {
		sample := newSample(b, s, make([]byte, n))
		for b.Loop() {
			d, err := seal.NewDecoder(sample.keyset, testBinding, int64(len(sample.ciphertext)), sample.source)
			if err != nil {
				b.Fatal(err)
			}
			if err := d.WriteSpan(b.Context(), io.Discard, 0, n); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkTinkReader is the same read through Tink's reader.
func BenchmarkTinkReader(b *testing.B) {
	forEachBench(b, func(b *testing.B, s seal.Suite, n int64) {
		sample := newSample(b, s, make([]byte, n))
		for b.Loop() {
			r, err := tinkPrimitive(b, sample.keyset).NewDecryptingReader(bytes.NewReader(sample.ciphertext),
				testBinding)
			if err != nil {
				b.Fatal(err)
			}
			if got, err := io.Copy(io.Discard, r); err != nil || got != n {
				b.Fatal(got, err)
			}
		}
	})
}

// BenchmarkSpan reads 64 KiB from the end of a document of 64 MiB.
func BenchmarkSpan(b *testing.B) {
	const n, length = 64 << 20, 64 << 10
	for _, s := range suites {
		b.Run(string(s), func(b *testing.B) {
			sample := newSample(b, s, make([]byte, n))
			b.SetBytes(length)
			b.ReportAllocs()
			for b.Loop() {
				d, err := seal.NewDecoder(sample.keyset, testBinding, int64(len(sample.ciphertext)), sample.source)
				if err != nil {
					b.Fatal(err)
				}
				if err := d.WriteSpan(b.Context(), io.Discard, n-length, length); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpenRows opens a page of 100 sealed rows.
func BenchmarkOpenRows(b *testing.B) {
	svc := newKeys(b)
	items := make([]seal.Item, 100)
	for i := range items {
		items[i] = documentItem(b, byte(i))
	}
	rows, err := seal.Seal(b.Context(), svc, testTenant, items)
	if err != nil {
		b.Fatal(err)
	}
	sealed := make([]seal.Sealed, len(rows))
	for i, row := range rows {
		sealed[i] = seal.Sealed{Binding: items[i].Binding, Value: row}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := seal.Open(context.Background(), svc, testTenant, sealed); err != nil {
			b.Fatal(err)
		}
	}
}
