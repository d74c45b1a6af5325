package node

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
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

// doorway is a listener whose connections the test has at both ends.
type doorway struct {
	*testing.T
	pipe
	*limitedListener
}

func newDoorway(t *testing.T, limits connectionLimits) doorway {
	p := pipe{make(chan net.Conn, 2)}
	return doorway{t, p, limitListener(p, limits)}
}

// open opens a connection from an address. client is its other end.
func (a doorway) open(address string) (client net.Conn, server *limitedConn) {
	a.Helper()
	client = a.dial(address)
	c, err := a.limitedListener.Accept()
	if err != nil {
		a.Fatal(err)
	}
	if got := c.RemoteAddr().(*net.TCPAddr).IP.String(); got != net.ParseIP(address).String() {
		a.Fatalf("a connection from %s, want one from %s", got, address)
	}
	return client, c.(*limitedConn)
}

func TestOneAddressHasSoManyConnections(t *testing.T) {
	t.Parallel()
	_, proxies, err := net.ParseCIDR("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	a := newDoorway(t, connectionLimits{most: 100, strangers: 100, perAddress: 2, exempt: []*net.IPNet{proxies}})
	_, first := a.open("192.0.2.1")
	a.open("192.0.2.1")
	a.open("2001:db8::1")
	a.open("2001:db8::2:1")
	for _, address := range []string{"192.0.2.1", "::ffff:192.0.2.1", "2001:db8::3"} {
		over := a.dial(address)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, c := a.open("192.0.2.2")
			c.Close()
		}()
		refused(t, over)
		<-ended
	}
	for range 5 {
		a.open("10.1.2.3")
	}
	first.Close()
	first.Close() // gives its place back once
	a.open("192.0.2.1")
	over := a.dial("192.0.2.1")
	go func() { refused(t, over); a.limitedListener.Close() }()
	if _, err := a.limitedListener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed listener gives %v", err)
	}
}

// alive says that a connection is open.
func alive(t *testing.T, name string, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s was closed: %v", name, err)
	}
}

// TestLongestIdleMakesRoom: the connection that makes room is that of the caller without a credential that has been
// idle for the longest, then one that is busy, then one of a known caller that is idle; never one that is at work for
// a known caller.
func TestLongestIdleMakesRoom(t *testing.T) {
	t.Parallel()
	a := newDoorway(t, connectionLimits{most: 4, strangers: 4, perAddress: 10})
	now := time.Now()
	a.now = func() time.Time { now = now.Add(3 * time.Second); return now }
	working, w := a.open("192.0.2.1")
	w.Authenticated()
	resting, r := a.open("192.0.2.1")
	r.changed(http.StateActive)
	r.Authenticated()
	r.changed(http.StateIdle)
	busy, b := a.open("192.0.2.1")
	b.changed(http.StateActive)
	idle, i := a.open("192.0.2.1")
	i.changed(http.StateActive)
	i.changed(http.StateIdle)
	for _, next := range []struct {
		name  string
		conn  net.Conn
		alive []net.Conn
	}{
		{"the idle one", idle, []net.Conn{busy, resting, working}},
		{"the busy one", busy, []net.Conn{resting, working}},
		{"the idle one of a known caller", resting, []net.Conn{working}},
	} {
		_, c := a.open("192.0.2.2")
		refused(t, next.conn)
		for _, other := range next.alive {
			alive(t, "another one than "+next.name, other)
		}
		c.Authenticated() // and is at work
	}
	a.dial("192.0.2.3")
	waiting := make(chan error)
	go func() {
		_, err := a.limitedListener.Accept()
		waiting <- err
	}()
	select {
	case err := <-waiting:
		t.Fatalf("there was room although all connections are at work: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	w.changed(http.StateIdle)
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	refused(t, working)
}

// TestStrangersLeaveAShare: callers without a credential push one another out, and not those with one.
func TestStrangersLeaveAShare(t *testing.T) {
	t.Parallel()
	a := newDoorway(t, connectionLimits{most: 8, strangers: 2, perAddress: 100})
	known, k := a.open("192.0.2.1")
	k.Authenticated()
	k.changed(http.StateIdle)
	var last net.Conn
	for range 20 {
		last, _ = a.open("192.0.2.2")
	}
	alive(t, "the known caller's connection", known)
	alive(t, "the newest connection", last)
	if a.limitedListener.open != 3 || a.strangers != 2 {
		t.Errorf("%d connections are open, %d of them without a credential", a.limitedListener.open, a.strangers)
	}
}

// TestNewcomerIsNotTheVictim: among connections that have all only just come, the oldest makes room, busy or not, so
// that a flood of either kind does not push out who has come last and has not got to send its request.
func TestNewcomerIsNotTheVictim(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]bool{"half-sent requests": true, "silence": false} {
		a := newDoorway(t, connectionLimits{most: 3, strangers: 3, perAddress: 100})
		now := time.Now()
		a.now = func() time.Time { now = now.Add(time.Millisecond); return now }
		for range 3 {
			_, c := a.open("192.0.2.2")
			if busy {
				c.changed(http.StateActive)
			}
		}
		newcomer, c := a.open("192.0.2.1")
		for i := range 2 {
			if i == 1 {
				c.changed(http.StateActive)
			}
			_, c := a.open("192.0.2.2")
			if busy {
				c.changed(http.StateActive)
			}
			alive(t, "under "+name+", the newcomer", newcomer)
		}
	}
}
