package processtest

import (
	"fmt"
	"syscall"
	"testing"
)

// Reserve takes a free port of 127.0.0.1 until the end of the test. It is bound, and nobody listens: the kernel gives
// it to nobody else who asks for any port, refuses connections to it while the server is down, and lets a server bind
// it by SO_REUSEADDR, which Go's set. So tests of many packages at once do not meet, and a server that was stopped
// finds its port free.
func Reserve(t testing.TB) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("reserving a port: opening a socket: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatalf("reserving a port: %v", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatalf("reserving a port: binding: %v", err)
	}
	address, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatalf("reserving a port: %v", err)
	}
	return fmt.Sprintf("127.0.0.1:%d", address.(*syscall.SockaddrInet4).Port)
}
