package transit_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"muniment/vault/keys"
	"muniment/vault/servertest"
)

// payload is as long as what the vault wraps for a document: keysets, salt and binding.
const payload = 300

// quiet is a kit whose Vault writes no audit log, which costs it a digest of every item.
func quiet(b *testing.B) *kit {
	b.Helper()
	k := newKit(b)
	k.do(b, http.MethodDelete, "sys/audit/file", nil)
	return k
}

// report gives what b.N of the unit took.
func report(b *testing.B, unit string, n int) {
	b.Helper()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), unit+"/s")
}

// compete has clients that do something until it has been done b.N times.
func compete(b *testing.B, clients int, do func() error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}

// BenchmarkWrap has clients that wrap one secret at a time: through a Service, and, to compare, each with requests of
// its own.
func BenchmarkWrap(b *testing.B) {
	const path = "transit/encrypt/muniment-tenant-default"
	for _, clients := range []int{1, 8, 16, 64} {
		k := newKit(b)
		cfg := k.config(b, nil)
		svc := mustOpen(b, cfg)
		if err := svc.CreateTenant(b.Context(), "default"); err != nil {
			b.Fatal(err)
		}
		token := k.vault.Token(b, "bench", k.policy(b, "muniment-gateway"), nil)
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
		secret := make(keys.Secret, payload)
		body := `{"plaintext":"` + base64.StdEncoding.EncodeToString(secret) + `"}`
		for name, do := range map[string]func() error{
			"shared": func() error {
				_, err := svc.Wrap(b.Context(), "default", []keys.Secret{secret})
				return err
			},
			"alone": func() error { return post(b.Context(), client, k.vault.Address+"/v1/"+path, token, body) },
		} {
			b.Run(fmt.Sprintf("%s/clients=%d", name, clients), func(b *testing.B) {
				op := servertest.Operation{Verb: "update", Path: path}
				before := k.vault.Requests(b)[op]
				compete(b, clients, do)
				report(b, "wraps", b.N)
				b.ReportMetric(float64(k.vault.Requests(b)[op]-before)/float64(b.N), "requests/wrap")
			})
		}
	}
}

func post(ctx context.Context, client *http.Client, url, token, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", token)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d, %w", resp.StatusCode, err)
	}
	return nil
}

// BenchmarkWrapBatch has 8 clients that wrap 64 secrets at a time, without an audit log.
func BenchmarkWrapBatch(b *testing.B) {
	k := quiet(b)
	svc := k.gateway(b)
	if err := svc.CreateTenant(b.Context(), "default"); err != nil {
		b.Fatal(err)
	}
	const batch, clients = 64, 8
	secrets := make([]keys.Secret, batch)
	for i := range secrets {
		secrets[i] = make(keys.Secret, payload)
	}
	compete(b, clients, func() error {
		_, err := svc.Wrap(b.Context(), "default", secrets)
		return err
	})
	report(b, "wraps", batch*b.N)
}

// BenchmarkRewrap rewraps 10,000 at a time, with and without an audit log.
func BenchmarkRewrap(b *testing.B) {
	for name, open := range map[string]func(*testing.B) *kit{"audited": func(b *testing.B) *kit { return newKit(b) },
		"quiet": quiet} {
		b.Run(name, func(b *testing.B) {
			k := open(b)
			svc := k.gateway(b)
			if err := svc.CreateTenant(b.Context(), "default"); err != nil {
				b.Fatal(err)
			}
			const batch = 10_000
			secrets := make([]keys.Secret, batch)
			for i := range secrets {
				secrets[i] = make(keys.Secret, payload)
			}
			wrapped, err := svc.Wrap(b.Context(), "default", secrets)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := svc.Rewrap(b.Context(), "default", wrapped); err != nil {
					b.Fatal(err)
				}
			}
			report(b, "rewraps", batch*b.N)
		})
	}
}
