//go:build unix

package bolt

import (
	"os"
	"syscall"
)

// unlock lets go of a file whose mapping stays: closing it alone would not, for the mapping keeps it open.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
