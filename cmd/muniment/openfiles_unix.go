//go:build linux || darwin

package main

import "syscall"

// openFiles is how many files this process may have open. The runtime has raised it as far as it goes.
func openFiles() (uint64, error) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return limit.Cur, err
}
