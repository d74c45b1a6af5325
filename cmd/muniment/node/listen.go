package node

import (
	"fmt"
	"net"
	"net/netip"
	"sync"

	"muniment/cmd/muniment/cli"
)

const (
	// adminConnections is how many connections the admin port serves at a time.
	adminConnections = 16
	// reservedFiles are the open files kept for everything but connections and what they read and write.
	reservedFiles = 64
	// filesPerConnection: the connection itself, and an object that is written or read for it.
	filesPerConnection = 2
	// mostConnections is the default where the limit of open files allows more: each takes some 50 KB.
	mostConnections = 4096
)

// maxConnections is how many connections may be served at a time: as configured or, with 0, what the limit of open
// files allows. More than it allows is refused: a client without a credential could then use up the files that deposits
// need.
func maxConnections(configured int) (int, error) {
	files, err := OpenFiles()
	if err != nil {
		return 0, fmt.Errorf("reading the limit of open files: %w", err)
	}
	return ConnectionsWithin(files, configured)
}

// ConnectionsWithin is how many connections may be served at a time where so many files may be open.
func ConnectionsWithin(files uint64, configured int) (int, error) {
	room := 0
	if files > reservedFiles {
		room = int(min((files-reservedFiles)/filesPerConnection, 1<<20))
	}
	switch {
	case room == 0 || configured > room:
		return 0, cli.Hint(fmt.Errorf("%d open files are allowed, which is room for %d connections", files, room),
			"raise the limit (ulimit -n), or lower limits.connections")
	case configured > 0:
		return configured, nil
	}
	return min(room, mostConnections), nil
}

// limitedListener accepts so many connections at a time, and of one address so many. It needs no credential to open a
// connection, so without a bound one client could use up the process's open files, and nothing could be deposited any
// more.
type limitedListener struct {
	net.Listener
	slots      chan struct{} // holds an element for each open connection
	perAddress int
	exempt     []*net.IPNet // proxies, which have many clients

	ended chan struct{} // closed by Close
	end   sync.Once
	mu    sync.Mutex
	open  map[netip.Prefix]int // connections by address
}

// limitListener makes a listener of l that has at most so many connections open, and at most perAddress of one IPv4
// address or IPv6 /64 that is not exempt. Beyond the first, connections wait in the system's queue; beyond the second
// they are closed.
func limitListener(l net.Listener, most, perAddress int, exempt []*net.IPNet) *limitedListener {
	return &limitedListener{Listener: l, slots: make(chan struct{}, most), perAddress: perAddress, exempt: exempt,
		ended: make(chan struct{}), open: map[netip.Prefix]int{}}
}

// Accept implements [net.Listener].
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.ended:
			return nil, net.ErrClosed
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.slots
			return nil, err
		}
		from := l.counted(conn.RemoteAddr())
		if l.admit(from) {
			return &limitedConn{Conn: conn, leave: func() { l.release(from) }}, nil
		}
		_ = conn.Close() // nothing was promised to it
		<-l.slots
	}
}

// Close implements [net.Listener]. Connections that are open stay open.
func (l *limitedListener) Close() error {
	l.end.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

// counted is what connections are counted by; the zero prefix is not counted.
func (l *limitedListener) counted(address net.Addr) netip.Prefix {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	for _, network := range l.exempt {
		if network.Contains(tcp.IP) {
			return netip.Prefix{}
		}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64 // what one customer has
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

func (l *limitedListener) admit(from netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from.IsValid() && l.open[from] >= l.perAddress {
		return false
	}
	l.open[from]++
	return true
}

func (l *limitedListener) release(from netip.Prefix) {
	l.mu.Lock()
	if l.open[from]--; l.open[from] == 0 {
		delete(l.open, from)
	}
	l.mu.Unlock()
	<-l.slots
}

// limitedConn gives its slot back when it is closed.
type limitedConn struct {
	net.Conn
	once  sync.Once
	leave func()
}

// Close implements [net.Conn].
func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.leave)
	return err
}
