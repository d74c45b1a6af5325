package node

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func TestConnectionsWithin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		files            uint64
		LoadConfig, want int // want 0: refused
	}{
		{200, 0, 68}, {1024, 0, 480}, {1 << 20, 0, mostConnections}, {^uint64(0), 0, mostConnections},
		{1 << 20, 10_000, 10_000}, {1024, 480, 480}, {1024, 481, 0}, {65, 0, 0}, {0, 0, 0},
	} {
		if got, err := ConnectionsWithin(test.files, test.LoadConfig); got != test.want ||
			(err == nil) != (test.want > 0) {
			t.Errorf("%d files, %d configured: %d, %v; want %d", test.files, test.LoadConfig, got, err, test.want)
		}
	}
}

// pipe is a listener whose connections come from addresses of the test's choice.
type pipe struct{ conns chan net.Conn }

func (p pipe) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipe) Close() error { close(p.conns); return nil }

func (p pipe) Addr() net.Addr { return nil }

type from struct {
	net.Conn
	address net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.address }

// dial makes a connection from an address and gives the client's end.
func (p pipe) dial(address string) net.Conn {
	client, server := net.Pipe()
	p.conns <- from{server, &net.TCPAddr{IP: net.ParseIP(address), Port: 1}}
	return client
}

// refused says that the connection is closed, not that it is silent.
func refused(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection gives %v, want it closed", err)
	}
}

func TestOneAddressHasSoManyConnections(t *testing.T) {
	t.Parallel()
	_, proxies, err := net.ParseCIDR("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	p := pipe{make(chan net.Conn, 2)}
	l := limitListener(p, 100, 2, []*net.IPNet{proxies})
	accept := func(address string) net.Conn {
		t.Helper()
		p.dial(address)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.RemoteAddr().(*net.TCPAddr).IP.String(); got != net.ParseIP(address).String() {
			t.Fatalf("a connection from %s, want one from %s", got, address)
		}
		return c
	}
	first := accept("192.0.2.1")
	accept("192.0.2.1")
	accept("2001:db8::1")
	accept("2001:db8::2:1")
	for _, address := range []string{"192.0.2.1", "::ffff:192.0.2.1", "2001:db8::3"} {
		over := p.dial(address)
		ended := make(chan struct{})
		go func() { defer close(ended); accept("192.0.2.2").Close() }()
		refused(t, over)
		<-ended
	}
	for range 5 {
		accept("10.1.2.3")
	}
	first.Close()
	first.Close() // gives its slot back once
	accept("192.0.2.1")
	over := p.dial("192.0.2.1")
	go func() { refused(t, over); l.Close() }()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed listener gives %v", err)
	}
}

func TestTooManyConnectionsWait(t *testing.T) {
	t.Parallel()
	p := pipe{make(chan net.Conn, 2)}
	l := limitListener(p, 1, 1, nil)
	p.dial("192.0.2.1")
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p.dial("192.0.2.2")
	next := make(chan net.Conn)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		next <- c
	}()
	select {
	case <-next:
		t.Fatal("two connections are open")
	case <-time.After(20 * time.Millisecond):
	}
	c.Close()
	<-next
	go l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed listener with no room gives %v", err)
	}
}
