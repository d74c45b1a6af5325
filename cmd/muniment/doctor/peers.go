package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"muniment/anchor/bounded"
	"muniment/cmd/muniment/config"
)

const (
	// skewNoted is from which difference of clocks on it is mentioned.
	skewNoted = 10 * time.Second
	// skewRefused is from which on serve refuses a store. S3 itself refuses requests from 15 minutes on.
	skewRefused = 5 * time.Minute
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 64 << 10
	// certificateSoon is when a certificate's end is mentioned.
	certificateSoon = 14 * 24 * time.Hour
)

// peer is a service that is reached over the network.
type peer struct {
	name   string // as a person would say
	key    string // of its configuration
	base   string
	probe  string // a path that answers without credentials
	ca     string // a file, or ""
	server string // the name that its certificate must have, or ""
}

// peers are the services that a configuration names.
func peers(cfg config.Config) []peer {
	var out []peer
	if cfg.Storage.Kind == config.StorageS3 {
		s := cfg.Storage.S3
		out = append(out, peer{name: "S3", key: "storage.s3", base: s.Endpoint, probe: "/", ca: s.CA})
	}
	if cfg.Keys.Kind == config.KeysVault {
		v := cfg.Keys.Vault
		out = append(out, peer{name: "Vault", key: "keys.vault", base: v.Address, probe: vaultHealth, ca: v.CA,
			server: v.ServerName})
	}
	return out
}

// vaultHealth answers without a credential, whatever state Vault is in.
const vaultHealth = "/v1/sys/health"

// answer is what a peer said to a probe.
type peerAnswer struct {
	status int
	date   time.Time // zero when it said none
	sent   time.Time // when, by this machine's clock, halfway between question and answer
	leaf   *x509.Certificate
	body   []byte
}

// ask sends a peer its probe.
func (p peer) ask(ctx context.Context) (peerAnswer, error) { return p.get(ctx, p.probe, nil) }

// get reads a path of a peer's.
func (p peer) get(ctx context.Context, path string, header http.Header) (peerAnswer, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: p.server}
	if p.ca != "" {
		text, err := bounded.ReadFile(p.ca, bounded.Small)
		if err != nil {
			return peerAnswer{}, fmt.Errorf("reading %s.ca: %w", p.key, err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(text) {
			return peerAnswer{}, fmt.Errorf("%s.ca: %s holds no certificate in PEM", p.key, p.ca)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(p.base, "/")+path, nil)
	if err != nil {
		return peerAnswer{}, err
	}
	maps.Copy(req.Header, header)
	client := &http.Client{
		Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true,
			Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	began := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return peerAnswer{}, err
	}
	defer res.Body.Close()
	out := peerAnswer{status: res.StatusCode, sent: began.Add(time.Since(began) / 2)}
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		out.date = date
	}
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		out.leaf = res.TLS.PeerCertificates[0]
	}
	out.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return out, err
}

// clock compares this machine's clock with those of the services.
func (d *doctor) clock(ctx context.Context, r *report) {
	all := peers(d.cfg)
	if len(all) == 0 {
		r.ok("", "%s; there is no service to compare it with", time.Now().UTC().Format(time.RFC3339))
	}
	for _, p := range all {
		got, err := p.ask(ctx)
		switch {
		case err != nil:
			r.warn(p.name, "see the line about it", "it cannot be asked: %v", err)
			continue
		case got.date.IsZero():
			r.warn(p.name, "compare the clocks by other means", "it does not say what time it is")
			continue
		}
		skew := got.date.Sub(got.sent).Round(time.Second) // a Date has whole seconds
		const fix = "set both clocks by the same time service (NTP)"
		switch {
		case skew.Abs() >= skewRefused:
			r.fail(p.name, fix, "its clock differs from this machine's by %v; S3 refuses requests from 15m on", skew)
		case skew.Abs() >= skewNoted:
			r.warn(p.name, fix, "its clock differs from this machine's by %v", skew)
		default:
			r.ok(p.name, "the clocks agree to %v", max(skew.Abs(), time.Second))
		}
	}
}

// tls looks at the certificates of the services.
func (d *doctor) tls(ctx context.Context, r *report) {
	all := peers(d.cfg)
	if len(all) == 0 {
		r.ok("", "there is no service to be reached over a network")
	}
	for _, p := range all {
		u, err := url.Parse(p.base)
		if err != nil {
			r.fail(p.name, "mend "+p.key+" in the configuration", "its address is none")
			continue
		}
		if u.Scheme != "https" {
			if _, where := networkOf(net.JoinHostPort(u.Hostname(), "0")); where == thisMachine {
				r.ok(p.name, "%s is on this machine, and reached in plain HTTP", p.base)
			} else {
				r.fail(p.name, "use https: credentials go over this connection", "%s is reached in plain HTTP", p.base)
			}
			continue
		}
		got, err := p.ask(ctx)
		if err != nil {
			r.fail(p.name, p.advise(err), "%v", err)
			continue
		}
		left := time.Until(got.leaf.NotAfter)
		found := fmt.Sprintf("its certificate is trusted, and good until %s",
			got.leaf.NotAfter.UTC().Format(time.DateOnly))
		if left < certificateSoon {
			r.warn(p.name, "renew it", "%s", found)
			continue
		}
		r.ok(p.name, "%s", found)
	}
}

// advise is what to do about a connection that cannot be made.
func (p peer) advise(err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		invalid  x509.CertificateInvalidError
		verified *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &host):
		return "name the server in " + p.key + " as its certificate does"
	case errors.As(err, &unknown):
		return "name the file with its authority's certificate in " + p.key + ".ca"
	case errors.As(err, &invalid), errors.As(err, &verified):
		return "have a valid certificate issued for it"
	}
	return "see that it runs, and that address, port and the network between are right"
}

// vaultServer is what Vault's health call tells without a credential.
type vaultServer struct {
	Initialized bool   `json:"initialized"`
	Sealed      bool   `json:"sealed"`
	Standby     bool   `json:"standby"`
	Version     string `json:"version"`
}

func parseVaultServer(body []byte) (vaultServer, bool) {
	var v vaultServer
	err := json.Unmarshal(body, &v)
	return v, err == nil && v.Version != ""
}
