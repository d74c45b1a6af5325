//go:build !linux

package processtest

import (
	"net"
	"testing"
)

// Reserve finds a port of 127.0.0.1 that is free now. Another process may take it before the server does; then the
// server does not start and the test fails.
func Reserve(t testing.TB) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("finding a free port: %v", err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
