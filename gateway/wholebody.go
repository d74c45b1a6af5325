package gateway

import (
	"bytes"
	"errors"
	"io"

	"muniment/vault/budget"
)

// uncounted is how much of a body that is read whole is read before memory is asked for, in bytes: most are shorter.
const uncounted = 8 << 10

// whole reads a body that is needed whole. Once more than a little of it has come in, the memory for the rest is asked
// for: copies times its length, as many as there are of it until the caller calls free.
func (s *Server) whole(r *request, body *body, copies int64) (data []byte, free func(), err error) {
	var out bytes.Buffer
	if _, err = io.CopyN(&out, body, uncounted); errors.Is(err, io.EOF) {
		return out.Bytes(), func() {}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	length := r.Request().ContentLength
	if length < 0 || length > body.limit {
		length = body.limit
	}
	memory, err := s.cfg.Memory.Take(r.Request().Context(), r.who.Principal.String(), budget.Bodies, copies*length)
	if err != nil {
		return nil, nil, err
	}
	if _, err = io.Copy(&out, dueReader{body, memory}); err != nil {
		memory.Free()
		return nil, nil, err
	}
	memory.Filled()
	return out.Bytes(), memory.Free, nil
}

// dueReader reads for as long as nobody else is due the memory that is read into.
type dueReader struct {
	io.Reader
	memory *budget.Grant
}

// Read implements [io.Reader].
func (r dueReader) Read(p []byte) (int, error) {
	if err := r.memory.Due(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
