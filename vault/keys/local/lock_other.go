//go:build !unix || aix || solaris

package local

import (
	"errors"
	"io"
)

// lockFile refuses: without a lock, two processes could each drop the tenants that the other made.
func lockFile(string) (io.Closer, error) {
	return nil, errors.New("a local key file needs a system with flock")
}
