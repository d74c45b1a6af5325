//go:build linux || darwin

package node

import "syscall"

// OpenFiles is how many files this process may have open. The runtime has raised it as far as it goes.
func OpenFiles() (uint64, error) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return limit.Cur, err
}
