package checkpoints_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"muniment/anchor/journal/journaltest"
	"muniment/vault/objects"
)

// memoryStore is a versioned store with locks that keeps no contents, for tests of what years leave behind. Methods
// that a keeper does not call are those of no store.
type memoryStore struct {
	objects.Store
	clock *journaltest.Clock

	mu  sync.Mutex
	all []objects.Info // in the order of a listing
	n   int
}

func (m *memoryStore) Put(_ context.Context, key string, body io.Reader, opt objects.PutOptions) (objects.Info, error) {
	size, err := io.Copy(io.Discard, body)
	if err != nil {
		return objects.Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	info := objects.Info{Key: key, Version: fmt.Sprint(m.n), Size: size, Modified: m.clock.Now(),
		RetainUntil: opt.RetainUntil}
	at, _ := slices.BinarySearchFunc(m.all, key, func(i objects.Info, key string) int {
		return cmp.Compare(i.Key,
			key)
	})
	m.all = slices.Insert(m.all, at, info)
	return info, nil
}

// find calls fn with the version's place. The newest is meant by an empty version.
func (m *memoryStore) find(key, version string, fn func(at int) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := slices.IndexFunc(m.all, func(i objects.Info) bool {
		return i.Key == key && (version == "" || i.Version == version)
	})
	if at < 0 {
		return objects.ErrNotFound
	}
	return fn(at)
}

func (m *memoryStore) Stat(_ context.Context, key, version string) (info objects.Info, err error) {
	err = m.find(key, version, func(at int) error {
		info = m.all[at]
		return nil
	})
	return info, err
}

func (m *memoryStore) Retain(_ context.Context, key, version string, until time.Time) error {
	return m.find(key, version, func(at int) error {
		m.all[at].RetainUntil = until
		return nil
	})
}

func (m *memoryStore) Delete(_ context.Context, key, version string) error {
	return m.find(key, version, func(at int) error {
		if m.clock.Now().Before(m.all[at].RetainUntil) {
			return objects.ErrLocked
		}
		m.all = slices.Delete(m.all, at, at+1)
		return nil
	})
}

func (m *memoryStore) List(_ context.Context, prefix, after string) iter.Seq2[objects.Info, error] {
	m.mu.Lock()
	all := slices.Clone(m.all)
	m.mu.Unlock()
	return func(yield func(objects.Info, error) bool) {
		for _, info := range all {
			if strings.HasPrefix(info.Key, prefix) && info.Key > after && !yield(info, nil) {
				return
			}
		}
	}
}
