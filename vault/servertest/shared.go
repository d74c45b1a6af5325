package servertest

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// Shared is the servers that the tests of a package share: each is started for the first test that asks for it, and
// ended by Run. The zero value is ready:
//
//	var shared servertest.Shared
//
//	func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }
//
// A test keeps to buckets of its own (S3.BucketName); of a Vault it is given mounts of its own. A shared server cannot
// be stopped, restarted or sealed: a test that does so starts one for itself.
type Shared struct {
	// Parallel is how many tests run at once, where -parallel does not say: tests that wait for servers and for time
	// limits take less time when they are more than the processors. 0 is the usual number.
	Parallel int

	versitygw, minio lazy[S3]
	vault            lazy[Vault]

	mu       sync.Mutex
	cleanups []func()
	tests    int // that were given mounts of their own
}

// lazy is a server that is started when it is first asked for.
type lazy[S any] struct {
	mu     sync.Mutex
	server *S
}

func (l *lazy[S]) get(start func() *S) *S {
	l.mu.Lock()
	defer l.mu.Unlock() // a start that fails or skips ends the test's goroutine
	if l.server == nil {
		l.server = start()
	}
	return l.server
}

// Run runs the tests, ends the servers and returns the exit code.
func (s *Shared) Run(m *testing.M) int {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); s.Parallel > 0 && f.Value.String() == f.DefValue {
		_ = flag.Set(f.Name, strconv.Itoa(s.Parallel)) // a number is what it takes
	}
	code := m.Run()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cleanup := range slices.Backward(s.cleanups) {
		cleanup()
	}
	return code
}

// Versitygw is the versitygw that the tests share.
func (s *Shared) Versitygw(t testing.TB) *S3 {
	t.Helper()
	server := s.versitygw.get(func() *S3 { return Options{shared: true}.Versitygw(&binaryTB{TB: t, shared: s}) })
	server.LogIfFailed(t)
	return server
}

// MinIO is the MinIO that the tests share.
func (s *Shared) MinIO(t testing.TB) *S3 {
	t.Helper()
	server := s.minio.get(func() *S3 { return Options{shared: true}.MinIO(&binaryTB{TB: t, shared: s}) })
	server.LogIfFailed(t)
	return server
}

// Vault is the Vault that the tests share, with a Transit engine and an AppRole method of the test's own. They are
// mounted at Transit and AppRoleMount; but Do, Try and Requests call them transit/ and auth/approle/, as if the server
// were the test's own. The names of policies and AppRoles are the test's own as well.
func (s *Shared) Vault(t testing.TB) *Vault {
	t.Helper()
	server := s.vault.get(func() *Vault { return Options{shared: true}.Vault(&binaryTB{TB: t, shared: s}) })
	server.LogIfFailed(t)
	s.mu.Lock()
	s.tests++
	part := fmt.Sprintf("test-%d/", s.tests)
	s.mu.Unlock()
	own := *server
	own.part = part
	own.Transit, own.AppRoleMount = part+server.Transit, part+server.AppRoleMount
	own.skipAudit(t)
	own.mount(t)
	return &own
}

// binaryTB is a test whose cleanups and folders last until Run has run all tests.
type binaryTB struct {
	testing.TB

	shared *Shared
}

func (b *binaryTB) Cleanup(f func()) {
	b.shared.mu.Lock()
	defer b.shared.mu.Unlock()
	b.shared.cleanups = append(b.shared.cleanups, f)
}

func (b *binaryTB) TempDir() string {
	b.Helper()
	dir, err := os.MkdirTemp("", "servertest-")
	if err != nil {
		b.Fatalf("making a folder for a shared server: %v", err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Failed is false: each test that fails prints the server's output itself (LogIfFailed).
func (b *binaryTB) Failed() bool { return false }
