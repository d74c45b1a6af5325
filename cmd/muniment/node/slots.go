package node

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// quiet is how long a connection without a credential may be idle before it is the first to go.
const quiet = 2 * time.Second

// limitedListener has so many connections open at a time, of one address so many, and of callers that have not shown a
// credential so many: it takes none to open a connection, so without a bound one client could use up the process's open
// files, and with one bound for all it could use that up.
type limitedListener struct {
	net.Listener
	limits connectionLimits
	now    func() time.Time

	ended chan struct{} // closed by Close
	end   sync.Once

	mu        sync.Mutex
	addresses map[netip.Prefix]int // open connections by address
	open      int
	strangers int           // of these, without a credential
	lists     [3]list.List  // of *limitedConn, by standing, those first whose standing is the oldest
	freed     chan struct{} // has an element when a connection was closed or fell idle
}

// connectionLimits are how many connections may be open.
type connectionLimits struct {
	most       int
	strangers  int          // of callers that have not shown a credential
	perAddress int          // of one IPv4 address or IPv6 /64
	exempt     []*net.IPNet // proxies, which have many clients, from perAddress
}

// standing is what a connection is closed by, when there is no room.
type standing int

// The standings; a connection at work for a known caller is never closed for another one, and in no list.
const (
	idleStranger standing = iota // new, or between requests
	busyStranger                 // sends a request or takes an answer
	idleKnown
	busyKnown
)

// limitListener makes a listener of l with limits. A connection that is one too many of its address is closed at once.
// Where there are too many in all, or without a credential, the new one takes the place of another (victim), and waits
// only while there is none.
func limitListener(l net.Listener, limits connectionLimits) *limitedListener {
	return &limitedListener{
		Listener: l, limits: limits, now: time.Now, ended: make(chan struct{}),
		addresses: map[netip.Prefix]int{}, freed: make(chan struct{}, 1),
	}
}

// Accept implements [net.Listener].
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &limitedConn{Conn: conn, listener: l, from: l.counted(conn.RemoteAddr())}
		admitted, err := l.admit(c)
		if admitted {
			return c, nil
		}
		_ = conn.Close() // nothing was promised to it
		if err != nil {
			return nil, err
		}
	}
}

// admit makes room for a connection, and says whether it may stay.
func (l *limitedListener) admit(c *limitedConn) (bool, error) {
	for {
		l.mu.Lock()
		if c.from.IsValid() && l.addresses[c.from] >= l.limits.perAddress {
			l.mu.Unlock()
			return false, nil
		}
		if l.open < l.limits.most && l.strangers < l.limits.strangers {
			l.addresses[c.from]++
			l.open++
			l.strangers++
			l.place(c, idleStranger)
			l.mu.Unlock()
			return true, nil
		}
		victim := l.victim()
		if victim != nil {
			l.drop(victim)
		}
		l.mu.Unlock()
		if victim != nil {
			_ = victim.Conn.Close()
			continue
		}
		select {
		case <-l.freed:
		case <-l.ended:
			return false, net.ErrClosed
		}
	}
}

// victim is the connection that makes room. Of callers without a credential it is the one that has been idle for the
// longest, or, when all of those have only just come, whichever has stood as it does for the longest: who holds
// connections has held them for longer than who has just come. Of known callers it is the one that has been idle for
// the longest; and nil when all of theirs are at work.
func (l *limitedListener) victim() *limitedConn {
	idle, busy := l.first(idleStranger), l.first(busyStranger)
	switch {
	case idle != nil && (busy == nil || l.now().Sub(idle.since) >= quiet || idle.since.Before(busy.since)):
		return idle
	case busy != nil:
		return busy
	}
	return l.first(idleKnown)
}

// first is the connection whose standing is the oldest of its kind; nil for none.
func (l *limitedListener) first(s standing) *limitedConn {
	if first := l.lists[s].Front(); first != nil {
		return first.Value.(*limitedConn)
	}
	return nil
}

// place gives a connection its standing, from now on.
func (l *limitedListener) place(c *limitedConn, s standing) {
	if c.element != nil {
		l.lists[c.standing].Remove(c.element)
		c.element = nil
	}
	c.standing, c.since = s, l.now()
	if s != busyKnown {
		c.element = l.lists[s].PushBack(c)
	}
}

// drop takes a connection out of all counts, once.
func (l *limitedListener) drop(c *limitedConn) {
	if c.dropped {
		return
	}
	c.dropped = true
	if c.element != nil {
		l.lists[c.standing].Remove(c.element)
		c.element = nil
	}
	l.open--
	if c.standing == idleStranger || c.standing == busyStranger {
		l.strangers--
	}
	if l.addresses[c.from]--; l.addresses[c.from] == 0 {
		delete(l.addresses, c.from)
	}
	l.wake()
}

// wake lets a connection that waits look again.
func (l *limitedListener) wake() {
	select {
	case l.freed <- struct{}{}:
	default:
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
	for _, network := range l.limits.exempt {
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

// limitedConn is a connection that has a place in its listener. Its fields belong to the listener's mu.
type limitedConn struct {
	net.Conn
	listener *limitedListener
	from     netip.Prefix

	standing standing
	since    time.Time
	element  *list.Element // in the list of its standing
	dropped  bool
}

// Close implements [net.Conn].
func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	c.listener.drop(c)
	return err
}

// Authenticated says that a credential was shown on the connection: it is a known caller's from now on. It is called
// while a request is served.
func (c *limitedConn) Authenticated() {
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.dropped || c.standing == busyKnown {
		return
	}
	if c.standing != idleKnown {
		l.strangers--
	}
	l.place(c, busyKnown)
	l.wake()
}

// changed notes whether a request is under way on the connection.
func (c *limitedConn) changed(state http.ConnState) {
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	known := c.standing == idleKnown || c.standing == busyKnown
	switch {
	case c.dropped:
	case state == http.StateActive && known:
		l.place(c, busyKnown)
	case state == http.StateActive:
		l.place(c, busyStranger)
	case state == http.StateIdle && known:
		l.place(c, idleKnown)
		l.wake()
	case state == http.StateIdle:
		l.place(c, idleStranger)
	}
}

// connState is for [http.Server.ConnState].
func connState(conn net.Conn, state http.ConnState) {
	if c, ok := conn.(*limitedConn); ok {
		c.changed(state)
	}
}
