package objects

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"muniment/anchor/bounded"
)

const (
	// ProbePrefix begins the keys of the objects by which a store is tried. They belong to no document.
	ProbePrefix = "muniment-probe/"
	// AttestLock is how long the object of an attestation is locked unless told otherwise: longer than clocks may
	// differ.
	AttestLock = 10 * time.Minute
	// probeAge is how old a probe must be before TidyProbes deletes it: a process may be busy with a younger one.
	probeAge = time.Hour
)

// Attestation is what a store was seen to enforce when somebody tried to break a retention lock. Stores exist that
// accept locks and do not keep them.
type Attestation struct {
	Key      string    `json:"key"`                // of the object that was locked
	Version  string    `json:"version"`            // the locked one
	SHA256   []byte    `json:"sha256"`             // of its bytes
	Until    time.Time `json:"until"`              // the end of its lock; it stays until then
	Replaced string    `json:"replaced,omitempty"` // the version put over it, deleted since

	Locks          bool `json:"locks"`           // the lock that came with the upload stood afterwards, no shorter
	RefusesDelete  bool `json:"refuses_delete"`  // the version could not be deleted
	RefusesShorter bool `json:"refuses_shorter"` // the lock could not be shortened
	KeepsVersions  bool `json:"keeps_versions"`  // putting another object over it left the version as it was
}

// Immutable says whether the store enforced all of it.
func (a Attestation) Immutable() bool {
	return a.Locks && a.RefusesDelete && a.RefusesShorter && a.KeepsVersions
}

// AttestConfig is what Attest needs.
type AttestConfig struct {
	Clock interface{ Now() time.Time }
	Rand  io.Reader
	Lock  time.Duration // 0 means AttestLock
}

// Attest tries to break a retention lock of a store, by every means that a Store has, and says what the store enforced:
// it puts a small object under a lock, tries to delete it and to shorten its lock, puts another object over it, and
// after each step looks at the version, whatever the store has said. An error says that it could not find out, and
// nothing about the store's locks; errors.ErrUnsupported that the store has no versions. The locked object stays until
// its lock ends; TidyProbes deletes it then.
func Attest(ctx context.Context, store Store, cfg AttestConfig) (Attestation, error) {
	a, err := attest(ctx, store, cfg)
	if err != nil {
		return Attestation{}, fmt.Errorf("attesting what the object store enforces: %w", err)
	}
	return a, nil
}

func attest(ctx context.Context, store Store, cfg AttestConfig) (Attestation, error) {
	if cfg.Lock == 0 {
		cfg.Lock = AttestLock
	}
	var raw [48]byte
	if _, err := io.ReadFull(cfg.Rand, raw[:]); err != nil {
		return Attestation{}, fmt.Errorf("drawing an object: %w", err)
	}
	now := cfg.Clock.Now()
	content, until := raw[16:], now.Add(cfg.Lock)
	digest := sha256.Sum256(content)
	a := Attestation{Key: ProbePrefix + "attest-" + hex.EncodeToString(raw[:16]), SHA256: digest[:]}
	info, err := store.Put(ctx, a.Key, bytes.NewReader(content), PutOptions{
		Length: int64(len(content)), Condition: Condition{Absent: true}, RetainUntil: until,
	})
	if err != nil {
		return Attestation{}, err
	}
	a.Version = info.Version
	probe := prober{store: store, a: &a, content: content, until: until, shorter: now.Add(cfg.Lock * 9 / 10)}
	for _, step := range []func(context.Context) error{probe.locks, probe.deletes, probe.shortens, probe.replaces} {
		if err := step(ctx); err != nil {
			return Attestation{}, err
		}
	}
	return a, nil
}

// prober does the steps of one attestation.
type prober struct {
	store   Store
	a       *Attestation
	content []byte
	until   time.Time
	shorter time.Time // an end of the lock before that one, and still to come
}

// stands says whether the version is there, with its lock.
func (p prober) stands(ctx context.Context) (bool, error) {
	info, err := p.store.Stat(ctx, p.a.Key, p.a.Version)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	p.a.Until = info.RetainUntil
	return err == nil && !info.RetainUntil.Before(p.until), err
}

func (p prober) locks(ctx context.Context) (err error) {
	p.a.Locks, err = p.stands(ctx)
	return err
}

func (p prober) deletes(ctx context.Context) error {
	err := p.store.Delete(ctx, p.a.Key, p.a.Version)
	if err != nil && !errors.Is(err, ErrLocked) {
		return err
	}
	refused := err != nil
	_, err = p.store.Stat(ctx, p.a.Key, p.a.Version)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	p.a.RefusesDelete = refused && err == nil
	return nil
}

func (p prober) shortens(ctx context.Context) error {
	if !p.a.Locks || !p.a.RefusesDelete {
		return nil // there is no lock, or no object, to shorten
	}
	err := p.store.Retain(ctx, p.a.Key, p.a.Version, p.shorter)
	if err != nil && !errors.Is(err, ErrLocked) {
		return err
	}
	refused := err != nil
	stands, err := p.stands(ctx)
	p.a.RefusesShorter = refused && stands
	return err
}

func (p prober) replaces(ctx context.Context) error {
	other := bytes.Repeat([]byte{'x'}, len(p.content))
	info, err := p.store.Put(ctx, p.a.Key, bytes.NewReader(other), PutOptions{Length: int64(len(other))})
	if errors.Is(err, ErrLocked) { // some stores refuse that altogether
		p.a.KeepsVersions = true
		return nil
	}
	if err != nil {
		return err
	}
	p.a.Replaced = info.Version
	kept, err := p.reads(ctx)
	if err != nil {
		return err
	}
	p.a.KeepsVersions = kept && info.Version != p.a.Version
	if p.a.KeepsVersions {
		return p.store.Delete(ctx, p.a.Key, info.Version)
	}
	return nil
}

// reads says whether the locked version has its bytes.
func (p prober) reads(ctx context.Context) (bool, error) {
	body, _, err := p.store.Get(ctx, p.a.Key, p.a.Version, nil)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer body.Close()
	got, err := bounded.ReadAll(body, int64(len(p.content)))
	return bytes.Equal(got, p.content), err
}

// TidyProbes deletes what attestations and checks have left behind whose lock has ended.
func TidyProbes(ctx context.Context, store Store, now time.Time) error {
	for info, err := range store.List(ctx, ProbePrefix, "") {
		if err == nil && now.Sub(info.Modified) > probeAge && !now.Before(info.RetainUntil) {
			err = store.Delete(ctx, info.Key, info.Version)
		}
		if err != nil && !errors.Is(err, ErrLocked) {
			return fmt.Errorf("tidying up probes of the object store: %w", err)
		}
	}
	return nil
}
