package transit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/anchor/proxytest"
	"muniment/vault/keys"
	"muniment/vault/keys/transit"
)

const canary = "canary-5d20c7"

// behind is a service that reaches a Vault through a proxy and has short times.
type behind struct {
	*kit
	cfg     transit.Config
	tenant  string
	proxy   *proxytest.Proxy
	svc     *transit.Service
	wrapped string
}

// behind makes one with a tenant of its own.
func (k *kit) behind(t *testing.T, tenant string) *behind {
	t.Helper()
	return k.behindBy(t, k.config(t, nil), tenant)
}

// behindBy does so with the configuration of a gateway, which many may share.
func (k *kit) behindBy(t *testing.T, cfg transit.Config, tenant string) *behind {
	t.Helper()
	b := &behind{kit: k, tenant: tenant, proxy: proxytest.New(t, k.vault.Address)}
	cfg.Address, cfg.RequestTimeout, cfg.RetryTime = b.proxy.URL(), 2*time.Second, 3*time.Second
	b.cfg, b.svc = cfg, mustOpen(t, cfg)
	if err := b.svc.CreateTenant(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	b.wrapped = mustWrap(t, b.svc, tenant, canary)
	return b
}

// call is one method of the service, and the part of the path that its request has.
type call struct {
	name, path string
	do         func(ctx context.Context, b *behind) error
}

// calls are those that may be repeated as one likes. Each says whether what it got is right.
func calls() []call {
	return []call{
		{"CreateTenant", "/transit/keys/", func(ctx context.Context, b *behind) error {
			return b.svc.CreateTenant(ctx, b.tenant+"-new")
		}},
		{"Wrap", "/transit/encrypt/", func(ctx context.Context, b *behind) error {
			wrapped, err := b.svc.Wrap(ctx, b.tenant, []keys.Secret{keys.Secret(canary)})
			if err == nil && len(wrapped) != 1 {
				return fmt.Errorf("%d wraps", len(wrapped))
			}
			return err
		}},
		{"Unwrap", "/transit/decrypt/", func(ctx context.Context, b *behind) error {
			got, err := b.svc.Unwrap(ctx, b.tenant, []string{b.wrapped})
			if err == nil && (got[0].Err != nil || string(got[0].Secret) != canary) {
				return fmt.Errorf("unwrapped to %d bytes, %w", len(got[0].Secret), got[0].Err)
			}
			return err
		}},
		{"Rewrap", "/transit/rewrap/", func(ctx context.Context, b *behind) error {
			got, err := b.svc.Rewrap(ctx, b.tenant, []string{b.wrapped})
			if err == nil && got[0].Err != nil {
				return fmt.Errorf("rewrapped to %.10s, %w", got[0].Wrapped, got[0].Err)
			}
			return err
		}},
		{"Versions", "/transit/keys/muniment-tenant-", func(ctx context.Context, b *behind) error {
			_, err := b.svc.Versions(ctx, b.tenant)
			return err
		}},
		{"Sign", "/transit/sign/", func(ctx context.Context, b *behind) error {
			signer, err := b.svc.Signer(transit.Checkpoint)
			if err != nil {
				return err
			}
			signature, err := signer.Sign(ctx, []byte(canary))
			if err == nil && !ed25519.Verify(signer.PublicKey(), []byte(canary), signature) {
				return errors.New("a false signature")
			}
			return err
		}},
		{"Check", "/sys/capabilities-self", func(ctx context.Context, b *behind) error { return b.svc.Check(ctx) }},
	}
}

// faults are those on the way, each in both kinds: what was asked for was not done; it was done and the answer lost.
func faults() map[string]proxytest.Fault {
	return map[string]proxytest.Fault{
		"503":              {Kind: proxytest.Answer},
		"503 afterwards":   {Kind: proxytest.AnswerAfter},
		"500":              {Kind: proxytest.Answer, Status: 500, Body: "<html>" + canary},
		"500 afterwards":   {Kind: proxytest.AnswerAfter, Status: 500},
		"502":              {Kind: proxytest.Answer, Status: 502, Body: canary},
		"412":              {Kind: proxytest.Answer, Status: 412, Body: `{"errors":["` + canary + `"]}`},
		"412 afterwards":   {Kind: proxytest.AnswerAfter, Status: 412},
		"429":              {Kind: proxytest.Answer, Status: 429, Header: http.Header{"Retry-After": {"0"}}},
		"429 afterwards":   {Kind: proxytest.AnswerAfter, Status: 429},
		"472":              {Kind: proxytest.Answer, Status: 472},
		"473":              {Kind: proxytest.Answer, Status: 473},
		"reset":            {Kind: proxytest.Reset},
		"reset afterwards": {Kind: proxytest.ResetAfter},
		"hang":             {Kind: proxytest.Hang},
		"hang afterwards":  {Kind: proxytest.HangAfter},
		"cut request":      {Kind: proxytest.CutRequest, Bytes: 1},
		"cut answer":       {Kind: proxytest.CutAnswer, Bytes: 30},
		"stalled answer":   {Kind: proxytest.StallAnswer, Bytes: 30},
		"not JSON":         {Kind: proxytest.Answer, Status: 200, Body: canary},
		"another's JSON":   {Kind: proxytest.AnswerAfter, Status: 200, Body: `{"data":{"` + canary + `":1}}`},
		"an empty answer":  {Kind: proxytest.Answer, Status: 200, Body: `{}`},
		"nothing at all":   {Kind: proxytest.AnswerAfter, Status: 200},
		"null":             {Kind: proxytest.AnswerAfter, Status: 200, Body: `{"data":null}`},
		"a fault in Vault": {Kind: proxytest.Answer, Status: 500,
			Body: `{"errors":["internal error ` + canary + `"]}`},
		"a fault in a part": {Kind: proxytest.AnswerAfter, Status: 500,
			Body: `{"data":{"batch_results":[{"error":"` + canary + `"}]}}`},
	}
}

// understood says whether a fault is one that a second try gets over.
func understood(name string) bool {
	switch name {
	case "not JSON", "another's JSON", "an empty answer", "nothing at all", "null", "a fault in a part":
		return false
	default:
		return true
	}
}

// TestFaultsOnTheWay has each call meet each fault once, which it gets over, and then again and again, which it
// reports.
func TestFaultsOnTheWay(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	cfg, n := k.config(t, nil), 0
	for _, c := range calls() {
		for name, fault := range faults() {
			if fault.Kind == proxytest.CutRequest && c.name == "Versions" {
				continue // it sends nothing that could be cut
			}
			n++
			b := k.behindBy(t, cfg, fmt.Sprintf("t%d", n))
			fault.Match = proxytest.On("", c.path)
			wg.Go(func() { b.meet(t, c, name, fault) })
		}
	}
}

func (b *behind) meet(t *testing.T, c call, name string, fault proxytest.Fault) {
	if understood(name) {
		fault.Times = 1
		b.proxy.Inject(fault)
		if err := c.do(t.Context(), b); err != nil {
			t.Errorf("%s with one %s: %v", c.name, name, err)
		}
	}
	fault.Times = -1
	always := b.proxy.Inject(fault)
	for range 2 { // the second time it is known that Vault is in trouble
		b.checkReported(t, c.name+" with nothing but "+name, c.path, c.do(t.Context(), b))
	}
	always.Remove()
	if err := c.do(t.Context(), b); err != nil {
		t.Errorf("%s after %s: %v", c.name, name, err)
	}
}

// checkReported fails the test unless the error is one that a person can act upon.
func (b *behind) checkReported(t *testing.T, what, path string, err error) {
	t.Helper()
	if !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("%s: %v, want ErrUnavailable", what, err)
		return
	}
	for _, part := range []string{b.proxy.Address, strings.TrimPrefix(path, "/")} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %s in it", what, err, part)
		}
	}
	checkQuiet(t, what, err)
}

func checkQuiet(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
		t.Errorf("%s: the error repeats what went over the line: %v", what, err)
	}
}

// TestAnswersThatLie has Vault, or a proxy before it, give what was not asked for.
func TestAnswersThatLie(t *testing.T) {
	t.Parallel()
	b := newKit(t).behind(t, "default")
	good := mustWrap(t, b.svc, "default", "another")
	results := func(items string) string { return `{"data":{"batch_results":[` + items + `]}}` }
	for _, lie := range []struct{ path, body string }{
		{"decrypt", results(``)},
		{"decrypt", results(`{"plaintext":"AAAA"},{"plaintext":"AAAA"}`)},
		{"decrypt", results(`{}`)},
		{"decrypt", results(`null`)},
		{"decrypt", results(`{"plaintext":null}`)},
		{"decrypt", results(`{"plaintext":""}`)},
		{"decrypt", results(`{"plaintext":7}`)},
		{"decrypt", results(`{"plaintext":"!!!!"}`)},
		{"decrypt", results(`{"ciphertext":"` + good + `"}`)},
		{"encrypt", results(`{}`)},
		{"encrypt", results(`{"ciphertext":""}`)},
		{"encrypt", results(`{"ciphertext":null}`)},
		{"encrypt", results(`{"ciphertext":"AAAA"}`)},
		{"encrypt", results(`{"ciphertext":"vault:v1:!"}`)},
		{"encrypt", results(`{"plaintext":"AAAA"}`)},
		{"encrypt", results(`{"ciphertext":"` + good + `"},{"ciphertext":"` + good + `"}`)},
		{"rewrap", results(`{"plaintext":"AAAA"}`)},
		{"rewrap", results(``)},
	} {
		always := b.proxy.Inject(proxytest.Fault{
			Kind: proxytest.AnswerAfter, Match: proxytest.On("", "/transit/"+lie.path+"/"), Times: -1,
			Status: http.StatusOK, Body: lie.body,
		})
		for _, c := range calls() {
			if c.path == "/transit/"+lie.path+"/" {
				b.checkReported(t, c.name+" answered with "+lie.body, c.path, c.do(t.Context(), b))
			}
		}
		always.Remove()
	}
	for _, c := range calls() {
		if err := c.do(t.Context(), b); err != nil {
			t.Errorf("%s afterwards: %v", c.name, err)
		}
	}
}

// An error of one of a batch is that one's.
func TestItemsFailAlone(t *testing.T) {
	t.Parallel()
	b := newKit(t).behind(t, "default")
	other := mustWrap(t, b.svc, "default", "other")
	answers := map[string]error{
		"ciphertext or signature version is disallowed by policy (too old)": keys.ErrNoKey,
		"invalid ciphertext: unable to decrypt":                             keys.ErrWrapped,
	}
	for text, want := range answers {
		b.proxy.Inject(proxytest.Fault{Kind: proxytest.Answer, Match: proxytest.On("", "/decrypt/"),
			Status: http.StatusBadRequest,
			Body:   `{"data":{"batch_results":[{"plaintext":"","error":"` + text + `"},{"plaintext":"b3RoZXI="}]}}`})
		got, err := b.svc.Unwrap(t.Context(), b.tenant, []string{b.wrapped, other})
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(got[0].Err, want) || got[1].Err != nil || !bytes.Equal(got[1].Secret, []byte("other")) {
			t.Errorf("%q: %v, %v; want %v beside a secret", text, got[0].Err, got[1].Err, want)
		}
	}
}

// A custodian's acts are not repeated blindly: one that took effect although its answer was lost is a success.
func TestCustodianFaults(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	cfg, n := k.config(t, nil), 0
	for name, fault := range faults() {
		n++
		b := k.behindBy(t, cfg, fmt.Sprintf("t%d", n))
		custodian := k.custodianBy(t, b.cfg)
		wg.Go(func() { b.meetCustodian(t, custodian, name, fault) })
	}
}

// tookEffect says whether Vault has done what was asked for in spite of the fault.
func tookEffect(kind proxytest.Kind) bool {
	switch kind {
	case proxytest.AnswerAfter, proxytest.HangAfter, proxytest.ResetAfter, proxytest.CutAnswer,
		proxytest.StallAnswer:
		return true
	default:
		return false
	}
}

func (b *behind) meetCustodian(t *testing.T, custodian *transit.Custodian, name string, fault proxytest.Fault) {
	ctx := t.Context()
	trim := func(tenant string) error { return custodian.Trim(ctx, tenant, 2) }
	rotate := func(tenant string) error {
		newest, err := custodian.Rotate(ctx, tenant, 1)
		if err == nil && newest != 2 {
			return fmt.Errorf("rotated to %d", newest)
		}
		return err
	}
	fault.Times = -1
	for step, do := range map[string]func(string) error{"rotate": rotate, "config": trim, "trim": trim} {
		tenant := b.tenant + "-" + step
		if err := b.svc.CreateTenant(ctx, tenant); err != nil {
			t.Error(err)
			return
		}
		if step != "rotate" {
			if err := rotate(tenant); err != nil {
				t.Errorf("rotating: %v", err)
			}
		}
		fault.Match = proxytest.On("", "/"+step)
		always := b.proxy.Inject(fault)
		err := do(tenant)
		always.Remove()
		switch {
		case tookEffect(fault.Kind) && err != nil:
			t.Errorf("%s with %s: it took effect, but %v", step, name, err)
		case !tookEffect(fault.Kind) && !errors.Is(err, keys.ErrUnavailable):
			t.Errorf("%s with %s: it took no effect, but %v", step, name, err)
		}
		checkQuiet(t, step, err)
		if err := errors.Join(do(tenant), rotate(tenant), trim(tenant)); err != nil {
			t.Errorf("%s again, after %s: %v", step, name, err)
		}
		if v, err := b.svc.Versions(ctx, tenant); err != nil || v != (keys.Versions{Newest: 2, Oldest: 2, Kept: 2}) {
			t.Errorf("%s with %s: in the end the versions are %+v, %v", step, name, v, err)
		}
	}
}
