// Package servertest starts real S3 servers and HashiCorp Vaults for tests, each on a free port of the loopback
// interface with a folder of its own, and ends them with the test. How their programs are found, and what a test does
// where there are none, says package processtest.
//
// Each call starts a fresh server; Shared keeps one for all tests of a package.
package servertest

// Options say how a server is to differ from the usual; the zero value is the usual.
type Options struct {
	TLS          bool   // with a certificate of its own for 127.0.0.1 and localhost, whose CA is in CAFile
	Region       string // of an S3 server; "" is us-east-1
	NoVersioning bool   // Versitygw: buckets cannot be versioned, but can have Object Lock all the same
	NoKMS        bool   // MinIO: a request for SSE-S3 is refused

	shared bool // among the tests of a package
}
