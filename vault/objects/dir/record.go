package dir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"muniment/anchor/bounded"
	"muniment/vault/objects"
)

// recordFormat is the newest format of records that this program knows.
const recordFormat = 1

// record is what is known of one key.
type record struct {
	V        int       `json:"v"`
	Key      string    `json:"key"`
	Versions []version `json:"versions"` // oldest first
	// Replaced is the version whose content a store without versions removes next: a crash may have kept it from doing
	// so.
	Replaced string `json:"replaced,omitzero"`
}

// version is one version of an object.
type version struct {
	ID          string    `json:"id"`
	Size        int64     `json:"size"`
	Modified    time.Time `json:"modified"`
	RetainUntil time.Time `json:"retain_until,omitzero"`
	Held        bool      `json:"held,omitzero"`
}

// readRecord returns the key's record and its exact bytes, or an empty one and nil when there is none.
func readRecord(p location) (record, []byte, error) {
	raw, err := bounded.ReadFile(p.record(), bounded.Large)
	if errors.Is(err, fs.ErrNotExist) {
		return record{V: recordFormat, Key: p.key}, nil, nil
	}
	if err != nil {
		return record{}, nil, err
	}
	rec, err := parseRecord(raw)
	if err == nil && rec.Key != p.key {
		err = fmt.Errorf("%w: the record is that of another key", objects.ErrDamaged)
	}
	return rec, raw, err
}

func parseRecord(raw []byte) (record, error) {
	var rec record
	if err := json.Unmarshal(raw, &rec); err != nil {
		return record{}, fmt.Errorf("%w: reading the record: %w", objects.ErrDamaged, err)
	}
	if rec.V > recordFormat {
		return record{}, fmt.Errorf("the record needs format %d, this program knows %d", rec.V, recordFormat)
	}
	sound := rec.V == recordFormat && objects.CheckKey(rec.Key) == nil &&
		(rec.Replaced == "" || isVersion(rec.Replaced))
	for _, v := range rec.Versions {
		sound = sound && isVersion(v.ID) && v.Size >= 0
	}
	if !sound {
		return record{}, fmt.Errorf("%w: the record makes no sense", objects.ErrDamaged)
	}
	return rec, nil
}

func (r record) encode() ([]byte, error) {
	raw, err := json.Marshal(r)
	return append(raw, '\n'), err
}

// find returns the index of a version in r.Versions (of the newest when id is empty), or -1.
func (r record) find(id string) int {
	if id == "" {
		return len(r.Versions) - 1
	}
	return slices.IndexFunc(r.Versions, func(v version) bool { return v.ID == id })
}

// with is the record after a Put of v.
func (r record) with(v version, versioned bool) record {
	next := record{V: recordFormat, Key: r.Key}
	if versioned {
		next.Versions = append(slices.Clone(r.Versions), v)
		return next
	}
	next.Versions = []version{v}
	if len(r.Versions) > 0 {
		next.Replaced = r.Versions[0].ID
	}
	return next
}

// allows says whether a Put's condition holds.
func (r record) allows(c objects.Condition) error {
	newest := r.find("")
	if c.Absent && newest >= 0 {
		return objects.ErrExists
	}
	if c.Tag != "" && (newest < 0 || r.Versions[newest].ID != c.Tag) {
		return objects.ErrExists
	}
	return nil
}

func (v version) locked(now time.Time) bool { return v.Held || v.RetainUntil.After(now) }

func (s *Store) info(key string, v version) objects.Info {
	info := objects.Info{
		Key: key, Version: v.ID, Size: v.Size, Tag: v.ID, Modified: v.Modified, RetainUntil: v.RetainUntil,
		Held: v.Held,
	}
	if !s.versioned {
		info.Version = ""
	}
	return info
}

// lockRecord locks the folder of a key, which it makes where there is none, and reads the key's record, parsed and raw.
// Nobody changes the record until the folder is closed.
func (s *Store) lockRecord(p location) (f folder, rec record, raw []byte, err error) {
	if f, err = s.enter(p.folder); err != nil {
		return folder{}, record{}, nil, err
	}
	if err = f.lock(); err == nil {
		rec, raw, err = readRecord(p)
	}
	if err != nil {
		f.Close()
		return folder{}, record{}, nil, err
	}
	return f, rec, raw, nil
}

// replaceRecord puts the record in the place of the one that is there, or removes that if no version is left. The
// caller holds the folder's lock and syncs the folder.
func (s *Store) replaceRecord(p location, rec record) error {
	if len(rec.Versions) == 0 {
		return os.Remove(p.record())
	}
	raw, err := rec.encode()
	if err != nil {
		return err
	}
	id, err := s.draw()
	if err != nil {
		return err
	}
	staged := s.session.path(id + ".update")
	if err := writeSynced(staged, raw); err != nil {
		return err
	}
	if err := os.Rename(staged, p.record()); err != nil {
		os.Remove(staged)
		return err
	}
	return nil
}

// wholeSecond rounds a lock's end up: a store must never lock for less than it was asked to.
func wholeSecond(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	floor := t.UTC().Truncate(time.Second)
	if floor.Before(t) {
		floor = floor.Add(time.Second)
	}
	return floor
}
