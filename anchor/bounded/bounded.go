// Package bounded reads files, objects and answers whole, up to a length that is more than any of them has. A file that
// somebody has made longer is refused by name, and does not take the memory.
package bounded

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// Bounds in bytes for what is read whole in many places.
const (
	// Small is more than a key, a token, a policy, a configuration, a certificate or a checkpoint has.
	Small = 1 << 20
	// Large is more than a file that grows with what it lists has.
	Large = 64 << 20
)

// ErrTooLong says that something is longer than it can be.
var ErrTooLong = errors.New("it is longer than it can be")

// ReadAll reads to the end, which must come within so many bytes.
func ReadAll(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, tooLong(most)
	}
	return data, err
}

// ReadFile reads a file of at most so many bytes.
func ReadFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	data, err := ReadAll(f, most)
	if errors.Is(err, ErrTooLong) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return data, err
}

func tooLong(most int64) error {
	return fmt.Errorf("%w: at most %d bytes are read of it", ErrTooLong, most)
}

// Body makes the reading of a body fail after so many bytes.
func Body(body io.ReadCloser, most int64) io.ReadCloser { return &limited{body, most, most} }

type limited struct {
	io.ReadCloser
	left, most int64
}

// Read implements [io.Reader].
func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, tooLong(l.most)
	}
	return n, err
}

// Transport bounds the body of each answer, for clients that read answers whole.
type Transport struct {
	Next http.RoundTripper
	Most int64
}

// RoundTrip implements [http.RoundTripper].
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.Next.RoundTrip(r)
	if err == nil {
		answer.Body = Body(answer.Body, t.Most)
	}
	return answer, err
}

// CloseIdleConnections passes on what [http.Client] asks its transport.
func (t Transport) CloseIdleConnections() {
	if c, ok := t.Next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
