package gateway

import (
	"context"
	"net"
	"net/http"
)

// Connection is a connection whose listener wants to know that a credential was shown on it.
type Connection interface {
	net.Conn
	// Authenticated may be called more than once.
	Authenticated()
}

// connectionKey is where a request's context has its connection.
type connectionKey struct{}

// withConnection is for [http.Server.ConnContext].
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	if known, ok := conn.(Connection); ok {
		return context.WithValue(ctx, connectionKey{}, known)
	}
	return ctx
}

// authenticated tells the listener that the connection of a request is a known caller's.
func authenticated(r *http.Request) {
	if conn, ok := r.Context().Value(connectionKey{}).(Connection); ok {
		conn.Authenticated()
	}
}
