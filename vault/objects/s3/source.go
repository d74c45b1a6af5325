package s3

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"

	"muniment/vault/budget"
	"muniment/vault/objects"
)

// source reads a body once and holds it against its announced length. minio-go never sees it: it takes a bare
// io.ErrUnexpectedEOF for the end of a body.
type source struct {
	ctx    context.Context
	body   io.Reader
	length int64 // announced, or -1
	most   int64
	n      int64  // read so far
	crc    uint32 // of what was read so far
	ahead  []byte // one byte read ahead of its part, or none
	one    [1]byte
	ended  bool
	memory *budget.Grant // of the part that is being filled; may be nil
}

// fill reads bytes into p until it has size of them or the body ends, and says whether it has ended.
func (s *source) fill(p *part, size int64) (last bool, err error) {
	if len(s.ahead) > 0 {
		copy(p.room(1), s.ahead)
		p.add(s.ahead)
		s.ahead = nil
	}
	for p.size < size && !s.ended {
		room := p.room(size - p.size)
		n, err := s.read(room)
		if err != nil {
			return false, err
		}
		p.add(room[:n])
	}
	if !s.ended {
		n, err := s.read(s.one[:])
		if err != nil {
			return false, err
		}
		s.ahead = s.one[:n]
	}
	return s.ended && len(s.ahead) == 0, nil
}

// read reads at least a byte, unless the body ends. Only a plain io.EOF ends it; any other error, io.ErrUnexpectedEOF
// too, is the body's failure.
func (s *source) read(into []byte) (n int, err error) {
	for idle := 0; n == 0 && !s.ended; idle++ {
		if err := s.ctx.Err(); err != nil {
			return 0, err
		}
		if err := s.memory.Due(); err != nil {
			return 0, bodyError{err}
		}
		if idle > 100 {
			return 0, bodyError{io.ErrNoProgress}
		}
		n, err = s.body.Read(into)
		s.n += int64(n)
		s.crc = crc32.Update(s.crc, castagnoli, into[:n])
		switch {
		case s.length >= 0 && s.n > s.length:
			return 0, fmt.Errorf("%w: it goes on after %d bytes", objects.ErrShort, s.length)
		case s.n > s.most:
			return 0, fmt.Errorf("%w: more than %d bytes", objects.ErrTooLarge, s.most)
		case err == io.EOF:
			s.ended = true
		case err != nil:
			return 0, bodyError{err}
		}
	}
	if !s.ended {
		return n, nil
	}
	if s.length >= 0 && s.n != s.length {
		return 0, fmt.Errorf("%w: %d bytes of %d", objects.ErrShort, s.n, s.length)
	}
	return n, s.ctx.Err()
}

// left is how many bytes are still to come into a part, or -1 when the length of the body is not known.
func (s *source) left() int64 {
	if s.length < 0 {
		return -1
	}
	return s.length - s.n + int64(len(s.ahead))
}
