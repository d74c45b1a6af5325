package objectstest

import (
	"bytes"
	"hash"
	"io"
	"time"

	"muniment/vault/objects"
)

// sighting is what is known of a version for good.
type sighting struct {
	info    objects.Info
	digest  []byte    // SHA-256 of its bytes; nil until they were put or read whole
	locked  time.Time // the latest end of a lock that a call has set
	deleted bool
}

// sighting is what is known of a version. In a store without versions the tag tells states apart. The caller holds
// f.mu.
func (f *Faulty) sighting(key, version string) *sighting {
	id := key + "\x00" + version
	if f.seen[id] == nil {
		f.seen[id] = &sighting{}
	}
	return f.seen[id]
}

// watch compares a sighting of a version with earlier ones.
func (f *Faulty) watch(info objects.Info, digest []byte) {
	version := info.Version
	if version == "" {
		version = "tag " + info.Tag
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.sighting(info.Key, version)
	if known.info.Tag != "" && (info.Size != known.info.Size || info.Tag != known.info.Tag) {
		f.t.Errorf("an immutable version changed: %+v, and later %+v", known.info, info)
	}
	if known.digest != nil && digest != nil && !bytes.Equal(digest, known.digest) {
		f.t.Errorf("the bytes of an immutable version changed: %+v", info)
	}
	known.info = info
	if digest != nil {
		known.digest = digest
	}
}

// locked notes a lock that a call has set.
func (f *Faulty) locked(key, version string, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.sighting(key, version); until.After(known.locked) {
		known.locked = until
	}
}

// expect notes, before a call, what that call must see: only what had been done by then. The caller hands the result
// what the call saw.
func (f *Faulty) expect(key, version string) func(objects.Info) {
	if version == "" {
		return func(objects.Info) {}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	before := *f.sighting(key, version)
	return func(info objects.Info) {
		if before.deleted {
			f.t.Errorf("a deleted version came back: %+v", info)
		}
		if info.RetainUntil.Before(before.locked) {
			f.t.Errorf("a lock until %v was shortened: %+v", before.locked, info)
		}
	}
}

// watchedBody hashes what is read and reports it at the end.
type watchedBody struct {
	io.ReadCloser
	sum   hash.Hash
	whole func(sum []byte)
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sum.Write(p[:n])
	if err == io.EOF {
		b.whole(b.sum.Sum(nil))
	}
	return n, err
}
