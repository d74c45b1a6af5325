package gateway_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"muniment/gateway"
)

// TestPublicRequestsArePaced: an address that sends too many without a credential is refused, and no other; nor is it
// itself, with a credential. An entry bundle counts as four.
func TestPublicRequestsArePaced(t *testing.T) {
	t.Parallel()
	clock := &handClock{now: time.Now()}
	_, proxy, err := net.ParseCIDR("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *gateway.Config) {
		c.Limits.Public, c.Clock, c.TrustedProxies = 2, clock, []*net.IPNet{proxy}
	})
	r.deposit([]byte("x"))
	ask := func(path, address string) answer {
		return r.do(http.MethodGet, path, nil, with("Authorization", ""), with("X-Forwarded-For", address))
	}
	const bundle, checkpoint = "/v1/journal/tile/entries/000.p/1", "/v1/journal/checkpoint"
	for i, path := range []string{bundle, checkpoint, "/v1/version", bundle} {
		if a := ask(path, "192.0.2.1"); a.status != http.StatusOK {
			t.Fatalf("request %d of the burst: %d %s", i, a.status, a.body)
		}
	}
	for range 20 { // who goes on trying waits no longer for it
		a := ask(checkpoint, "192.0.2.1")
		if a.problem() != "too-many-requests" || a.header.Get("Retry-After") != "1" {
			t.Fatalf("beyond the burst: %d %v %s", a.status, a.header, a.body)
		}
	}
	if a := ask(checkpoint, "192.0.2.2"); a.status != http.StatusOK {
		t.Errorf("another address: %d %s", a.status, a.body)
	}
	for range 10 { // one customer has a /64
		ask(checkpoint, "2001:db8::1")
	}
	if a := ask(checkpoint, "2001:db8::2"); a.problem() != "too-many-requests" {
		t.Errorf("another address of the same /64: %d %s", a.status, a.body)
	}
	if a := r.do(http.MethodGet, "/v1/anchors", nil, with("X-Forwarded-For", "192.0.2.1")); a.status != http.StatusOK {
		t.Errorf("the same address with a credential: %d %s", a.status, a.body)
	}
	clock.advance(2 * time.Second)
	if a := ask(bundle, "192.0.2.1"); a.status != http.StatusOK {
		t.Errorf("two seconds later: %d %s", a.status, a.body)
	}
	for i, want := range []string{"code-not-open", "too-many-requests"} { // an attempt at a code counts as ten requests
		a := r.do(http.MethodPost, "/v1/claims", strings.NewReader(`{"code":"mun_once_x"}`), with("Authorization", ""),
			with("X-Forwarded-For", "192.0.2.4"), with("Content-Type", "application/json"))
		if a.problem() != want {
			t.Errorf("attempt %d at a code: %d %s", i, a.status, a.body)
		}
	}
	for _, path := range []string{"/v1/version", "/problems/too-many-uploads"} {
		if a := ask(path, "192.0.2.3"); a.header.Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("%s may be kept: %q", path, a.header.Get("Cache-Control"))
		}
	}
}

// TestAllAddressesTogether: many addresses together are held to sixteen times what one may send.
func TestAllAddressesTogether(t *testing.T) {
	t.Parallel()
	clock := &handClock{now: time.Now()}
	admit := gateway.NewPublic(2, clock)
	served := 0
	for i := range 10_000 {
		if admit(fmt.Sprintf("10.1.%d.%d", i/250, i%250), 1) == nil {
			served++
		}
	}
	if served != 16*2*5 {
		t.Errorf("%d requests were served at once, want %d", served, 16*2*5)
	}
	for range 10 {
		if admit("192.0.2.1", 1) == nil {
			t.Error("one more was served")
		}
	}
	clock.advance(time.Second)
	for i := range 10 { // the burst of one address is whole: it was refused for the others' sake
		if err := admit("192.0.2.1", 1); err != nil {
			t.Errorf("request %d of an address, a second later: %v", i, err)
		}
	}
	if err := admit("192.0.2.1", 1); err == nil {
		t.Error("one address has more than its burst")
	}
}

// TestADearRequestIsLetIn: where so few requests are allowed that an attempt at a code counts as more than a burst, it
// is let in once in a while all the same.
func TestADearRequestIsLetIn(t *testing.T) {
	t.Parallel()
	clock := &handClock{now: time.Now()}
	admit := gateway.NewPublic(1, clock)
	for i, want := range []bool{true, false, true} {
		if i == 2 {
			clock.advance(5 * time.Second)
		}
		if err := admit("192.0.2.1", 10); (err == nil) != want {
			t.Errorf("attempt %d: %v", i, err)
		}
	}
}
