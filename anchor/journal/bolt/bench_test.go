package bolt_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"muniment/anchor/journal"
)

// An event about a document writes its body, a projection's row under a time-ordered key, and a lookup token.
var (
	bodies    = journal.Table{Kind: journal.Log, Name: "body"}
	documents = journal.Table{Kind: journal.Projection, Name: "documents"}
	tokens    = journal.Table{Kind: journal.Index, Name: "token"}
)

// BenchmarkUpdate writes groups of events, syncs on. It reports rows per second, and the bytes that the file uses for
// each byte that was put.
func BenchmarkUpdate(b *testing.B) {
	for _, events := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "journal.db")
			s := open(b, path)
			w := &eventWriter{random: rand.New(rand.NewPCG(1, 2)), body: rowValue(1)}
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Update(context.Background(),
					func(x journal.Txn) error { return w.write(x, events) }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(w.rows)/b.Elapsed().Seconds(), "rows/s")
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			file, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(usedBytes(file))/float64(w.bytes), "file-B/B")
		})
	}
}

type eventWriter struct {
	random      *rand.Rand
	body        []byte
	next        uint64
	rows, bytes int
}

func (w *eventWriter) write(x journal.Txn, events int) error {
	for range events {
		w.next++
		index := binary.BigEndian.AppendUint64(nil, w.next)
		document := append(make([]byte, 0, 40), "tenant-of-16-byt"...)
		document = binary.BigEndian.AppendUint64(document, w.next)
		document = binary.BigEndian.AppendUint64(document, w.random.Uint64())
		document = binary.BigEndian.AppendUint64(document, w.random.Uint64())
		token := binary.BigEndian.AppendUint64(nil, w.random.Uint64())
		token = binary.BigEndian.AppendUint64(token, w.random.Uint64())
		for _, row := range []struct {
			table      journal.Table
			key, value []byte
		}{{bodies, index, w.body}, {documents, document, index}, {tokens, token, index}} {
			if err := x.Put(row.table, row.key, row.value); err != nil {
				return err
			}
			w.rows++
			w.bytes += len(row.key) + len(row.value)
		}
	}
	return nil
}

// BenchmarkView reads one row of a file of 100,000.
func BenchmarkView(b *testing.B) {
	const n = 100_000
	s := open(b, filepath.Join(b.TempDir(), "journal.db"))
	put(b, s, 0, n)
	random := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		err := s.View(context.Background(), func(r journal.Reader) error {
			value, err := r.Get(table, rowKey(random.IntN(n)))
			if err == nil && len(value) == 0 {
				return fmt.Errorf("a row is missing")
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
