package transit

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// body is the body of a request. It can be sent again, and overwritten while a reader that the HTTP client has not let
// go of still reads: that reader then fails. Buffers of the HTTP client and of the
// system are out of reach.
type body struct {
	mu    sync.Mutex
	bytes []byte
	wiped bool
	n     int
}

func newBody(b []byte) *body { return &body{bytes: b, n: len(b)} }

func (b *body) size() int64 { return int64(b.n) }

func (b *body) reader() io.ReadCloser { return &bodyReader{body: b} }

func (b *body) wipe() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.bytes)
	b.bytes, b.wiped = nil, true
}

var errWiped = errors.New("the request is over")

type bodyReader struct {
	body *body
	at   int
}

// Read is part of io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	if r.body.wiped {
		return 0, errWiped
	}
	if r.at == len(r.body.bytes) {
		return 0, io.EOF
	}
	n := copy(p, r.body.bytes[r.at:])
	r.at += n
	return n, nil
}

// Close is part of io.Closer.
func (r *bodyReader) Close() error { return nil }

// maxAnswer is far above the largest answer to the largest request of ours.
const maxAnswer = 64 << 20

var errLong = errors.New("the answer is too long")

// readAnswer reads a response whole, and leaves no copy of it elsewhere.
func readAnswer(resp *http.Response) ([]byte, error) {
	size := resp.ContentLength
	if size < 0 {
		size = 8 << 10
	}
	if size > maxAnswer {
		return nil, errLong
	}
	buf := make([]byte, 0, size+1) // one more, so that the end is seen without growing
	for {
		n, err := resp.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case err == io.EOF:
			return buf, nil
		case err != nil:
			clear(buf)
			return nil, err
		case len(buf) > maxAnswer:
			clear(buf)
			return nil, errLong
		case len(buf) == cap(buf):
			larger := make([]byte, len(buf), 2*cap(buf))
			copy(larger, buf)
			clear(buf)
			buf = larger
		}
	}
}
