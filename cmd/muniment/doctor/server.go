package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// readiness is what /readyz of a running server answers.
type readiness struct {
	answered bool

	Ready        bool   `json:"ready"`
	Version      string `json:"version"`
	Origin       string `json:"origin"`
	Dependencies []struct {
		Name   string    `json:"name"`
		OK     bool      `json:"ok"`
		Detail string    `json:"detail"`
		Fix    string    `json:"fix"`
		Since  time.Time `json:"since"`
		Needed bool      `json:"needed"`
	} `json:"dependencies"`
	Cautions []struct {
		Name   string `json:"name"`
		Detail string `json:"detail"`
		Fix    string `json:"fix"`
	} `json:"cautions"`
}

// server asks a running server how its dependencies are. That none runs is no fault.
func (d *doctor) server(ctx context.Context, r *report) {
	url := "http://" + reachable(d.cfg.AdminListen) + "/readyz"
	got, err := askReady(ctx, url)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		r.ok("", "none answers at %s: what only a running one knows is not told", url)
		return
	case err != nil:
		r.warn("", "is another program at admin_listen, or a proxy before it?", "asking %s: %v", url, err)
		return
	case !d.believe(got, url, r):
		return
	}
	d.ready = got
	state := "ready"
	if !d.ready.Ready {
		state = "not ready"
	}
	r.ok("", "%s answers at %s: %s", d.ready.Version, url, state)
	for _, one := range d.ready.Dependencies {
		switch {
		case one.OK:
			r.ok(one.Name, "%s", orElse(one.Detail, "well"))
		case one.Needed:
			r.fail(one.Name, one.Fix, "since %s: %s", one.Since.Format(time.DateTime), one.Detail)
		default:
			r.warn(one.Name, one.Fix, "since %s: %s", one.Since.Format(time.DateTime), one.Detail)
		}
	}
}

func askReady(ctx context.Context, url string) (got readiness, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return got, err
	}
	// No proxy of the environment's: it is this machine.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return got, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return got, err
	}
	if err := json.Unmarshal(body, &got); err != nil || len(got.Dependencies) == 0 {
		return readiness{}, fmt.Errorf("it answers %d, and not as a server of this version does", res.StatusCode)
	}
	got.answered = true
	return got, nil
}

// reachable is where a server that listens at an address is reached from its own machine.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// addresses looks at who can reach what the server listens on.
func (d *doctor) addresses(_ context.Context, r *report) {
	switch host, where := networkOf(d.cfg.AdminListen); where {
	case thisMachine:
		r.ok("admin_listen", "%s: this machine alone", host)
	case privateNetwork:
		r.ok("admin_listen", "%s: a private network; it asks for no credential", host)
	default:
		r.warn("admin_listen", "listen on 127.0.0.1 or a private address: health and metrics are told without a "+
			"credential",
			"%s may be reached from anywhere", host)
	}
	host, where := networkOf(d.cfg.Listen)
	switch {
	case where == thisMachine:
		r.ok("listen", "%s: this machine alone, for a proxy that ends TLS", host)
	case len(d.cfg.TrustedProxies) > 0:
		r.ok("listen", "%s, in plain HTTP behind %s", host, strings.Join(d.cfg.TrustedProxies, ", "))
	default:
		r.warn("listen", "put a proxy that ends TLS before it and name it in trusted_proxies; API keys go over "+
			"this connection",
			"%s is reached from other machines in plain HTTP", host)
	}
}

// place of an address.
type network int

const (
	anyNetwork     network = iota
	privateNetwork         // a private network
	thisMachine            // this machine
)

func networkOf(address string) (host string, where network) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address, anyNetwork
	}
	if host == "localhost" {
		return host, thisMachine
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil || host == "":
		return orElse(host, "every interface"), anyNetwork
	case ip.IsLoopback():
		return host, thisMachine
	case ip.IsPrivate() || ip.IsLinkLocalUnicast():
		return host, privateNetwork
	}
	return host, anyNetwork
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
