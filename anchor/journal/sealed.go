package journal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

var (
	sealedTable = Table{Sealed, "row"}  // key → ciphertext
	tokenTable  = Table{Index, "token"} // token → key of the sealed row
	errUnbound  = errors.New("a sealed row is there and no event binds it, or the other way round")
	// ErrTaken says that a token leads to another sealed row already. decide should have looked it up.
	ErrTaken = errors.New("the token leads to another row already")
)

// SealedRow reads a sealed row; nil when it was erased, or never there.
func SealedRow(r Reader, key []byte) ([]byte, error) { return r.Get(sealedTable, key) }

// ScanSealed calls fn for each sealed row whose key follows after (nil begins with the first), in the order of keys,
// until fn returns an error. Stop ends it without one.
func ScanSealed(r Reader, after []byte, fn func(key, value []byte) error) error {
	var rg Range
	if after != nil {
		rg.From = append(bytes.Clone(after), 0)
	}
	return r.Scan(sealedTable, rg, fn)
}

// BoundBy reads the entry that binds a sealed row; ErrNotFound when none does.
func BoundBy(r Reader, key []byte) (Record, error) {
	row, err := r.Get(boundTable, key)
	if err != nil {
		return Record{}, err
	}
	if row == nil {
		return Record{}, fmt.Errorf("reading the entry that binds a sealed row: %w", ErrNotFound)
	}
	at, err := parseIndex(row)
	if err != nil {
		return Record{}, err
	}
	return readRecord(r, at)
}

// ProvedBinding is BoundBy for those who do not believe the tables: the entry is proved, and names the sealed row
// itself. ErrDamaged when the table leads to none that does.
func (j *Journal) ProvedBinding(p *Prover, key []byte) (Record, error) {
	bound, err := BoundBy(p.r, key)
	if err == nil {
		bound, err = p.Record(bound.Index)
	}
	if err == nil {
		var touched []touch
		touched, err = j.schema.touches(&body{Entry: bound.Entry, Type: bound.Type, Data: bound.Data})
		names := func(one touch) bool { return !one.unbinds && bytes.Equal(one.key, key) }
		if err == nil && slices.ContainsFunc(touched, names) {
			return bound, nil
		}
	}
	if err == nil || errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("no entry binds the sealed row %x, or the table leads to another: %w", key, ErrDamaged)
	}
	return Record{}, err
}

// Lookup reads the key of the sealed row that a token leads to; nil when it leads nowhere.
func Lookup(r Reader, token []byte) ([]byte, error) { return r.Get(tokenTable, token) }

// LookupAll calls fn with the sealed key of each token that starts with the prefix, in the order of tokens.
func LookupAll(r Reader, prefix []byte, fn func(token, sealedKey []byte) error) error {
	return r.Scan(tokenTable, Prefix(prefix), fn)
}

// seal writes a change's sealed rows and tokens after its events, and holds both against what the events have bound.
func (s *step) seal(rows []Row) error {
	if len(rows) > 0 && len(s.entries) == 0 {
		return fmt.Errorf("sealed rows without an event: %w", errUnbound)
	}
	size := 0
	for _, row := range rows {
		if !s.touches(row.Key) {
			return errUntouched
		}
		if err := s.sealRow(row); err != nil {
			return err
		}
		if size += len(row.Key) + len(row.Value); size > maxSealed {
			return fmt.Errorf("a change's sealed rows have more than %d bytes: %w", maxSealed, ErrRow)
		}
	}
	for _, row := range s.touched {
		if err := s.checkBound(row.key); err != nil {
			return err
		}
	}
	if len(s.entries) > 1 {
		s.set(changeTable, indexKey(s.last.Index), indexKey(s.group.edge.size))
	}
	return nil
}

// touches says whether an event of the change binds, rewrites or unbinds a sealed row.
func (s *step) touches(key []byte) bool {
	return slices.ContainsFunc(s.touched, func(row touch) bool { return bytes.Equal(row.key, key) })
}

func (s *step) sealRow(row Row) error {
	if err := checkKey(row.Key); err != nil {
		return fmt.Errorf("writing %s: %w", sealedTable, err)
	}
	if row.Value == nil {
		s.set(unindexedTable, row.Key, nil)
	} else if err := checkValue(row.Value); err != nil {
		return fmt.Errorf("writing %s: %w", sealedTable, err)
	}
	s.set(sealedTable, row.Key, row.Value)
	for _, token := range row.Tokens {
		if err := checkKey(token); err != nil {
			return fmt.Errorf("writing %s: %w", tokenTable, err)
		}
		holder, err := s.Get(tokenTable, token)
		if err != nil {
			return err
		}
		if holder != nil && !bytes.Equal(holder, row.Key) {
			return ErrTaken
		}
		if row.Value == nil {
			s.set(tokenTable, token, nil)
		} else {
			s.set(tokenTable, token, row.Key)
		}
	}
	return s.checkBound(row.Key)
}

// checkBound checks that a sealed row is there if and only if an event binds it.
func (s *step) checkBound(key []byte) error {
	row, err := s.Get(sealedTable, key)
	if err != nil {
		return err
	}
	bound, err := s.Get(boundTable, key)
	if err != nil {
		return err
	}
	if (row == nil) != (bound == nil) {
		return errUnbound
	}
	return nil
}
