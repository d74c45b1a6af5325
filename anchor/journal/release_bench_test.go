package journal_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

// BenchmarkRelease measures a commit of one event of 600 bytes with a sealed row of 700, and its release, without any
// disk: backend and bucket are in memory.
func BenchmarkRelease(b *testing.B) {
	k := newKit(b)
	cfg := k.config(b)
	cfg.Bucket, cfg.Tail = newPlainBucket(), 0
	j := journaltest.Must(journal.Open(b.Context(), cfg))
	value, text := []byte(strings.Repeat("s", 700)), strings.Repeat("t", 450)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		key := fmt.Appendf(nil, "key-%09d", i)
		r, err := j.Commit(b.Context(), alice, func(journal.View) (journal.Change, error) {
			return journal.Change{
				Events: []journal.Event{looked.New(docID(i+1), noteData{Text: text}),
					kept.New(docID(i+1), secret{string(key)})},
				Sealed: []journal.Row{{Key: key, Value: value}},
			}, nil
		})
		if err == nil {
			_, err = j.Released(b.Context(), r)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}

// plainBucket is a bucket in memory that looks at nothing, so that it costs next to nothing.
type plainBucket struct {
	mu      sync.Mutex
	objects map[string]plainObject
	writes  uint64
}

type plainObject struct {
	data []byte
	tag  string
}

func newPlainBucket() *plainBucket { return &plainBucket{objects: map[string]plainObject{}} }

func (b *plainBucket) Get(_ context.Context, name string) ([]byte, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, ok := b.objects[name]
	if !ok {
		return nil, "", journal.ErrNoObject
	}
	return o.data, o.tag, nil
}

func (b *plainBucket) Put(_ context.Context, name string, data []byte, tag string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.objects[name].tag != tag {
		return "", journal.ErrConflict
	}
	b.writes++
	next := string(binary.BigEndian.AppendUint64(nil, b.writes))
	b.objects[name] = plainObject{data, next}
	return next, nil
}

func (b *plainBucket) List(_ context.Context, prefix string) (names []string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.objects {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (b *plainBucket) Delete(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, name)
	return nil
}
