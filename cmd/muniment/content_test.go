package main

import (
	"context"
	"crypto/rand"
	"io"
	"io/fs"
	"os"
	"testing"

	"muniment/cmd/muniment/remote"
)

// callers is how many clients call a server at once where a test says no other number.
const callers = 8

// content gives documents of any size from one random block: they are encrypted, so repeating it makes nothing cheaper.
type content struct{ block []byte }

func newContent() (content, error) {
	c := content{make([]byte, 1<<20)}
	_, err := rand.Read(c.block)
	return c, err
}

// reader gives n bytes.
func (c content) reader(n int64) io.Reader { return io.LimitReader(&endless{block: c.block}, n) }

// endless gives its block again and again.
type endless struct {
	block []byte
	at    int
}

// Read implements [io.Reader].
func (r *endless) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// upload deposits n bytes.
func upload(ctx context.Context, r *remote.Client, c content, n int64) (id string, err error) {
	out, err := r.Send(ctx, remote.Deposit{FileName: "test.bin", Title: "A test", Length: n, Content: c.reader(n)})
	if err != nil {
		return "", err
	}
	return out.ID, nil
}

// flipBit flips a bit in the middle of a file.
func flipBit(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	raw[len(raw)/2] ^= 0x10
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// copyFile copies a file to one that is not there yet.
func copyFile(t *testing.T, to, from string, mode fs.FileMode) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, raw, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}
