package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"muniment/cmd/muniment/bench/measure"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/vault/servertest"
)

// The figures take minutes, so they are made only when they are asked for.
var (
	figures       = flag.Bool("figures", false, "measure against real servers: see BENCHMARKS.md")
	figuresRounds = flag.Int("figures.rounds", 3, "how often each measurement is repeated, the ways taking turns")
	figuresSize   = flag.String("figures.size", "", "measure this size alone: 10 KiB, 100 KiB or 64 MiB")
	figuresTime   = flag.Duration("figures.time", 3*time.Second, "how long a round of small documents lasts")
	figuresLarge  = flag.Int64("figures.large",
		1<<30, "the size of the uploads whose memory is measured, in bytes; 0: none")
	figuresProfile = flag.String("figures.profile", "", "write the gateway's CPU profile to this file")
	figuresJSON    = flag.String("figures.json", "", "write the figures to this file too, as JSON")
)

// way is something that keeps documents: a store, asked directly, or the gateway.
type way struct {
	name string
	put  func(ctx context.Context, n int64) (id string, err error)
	get  func(ctx context.Context, id string, again int) error
}

// documentSize is a size of documents, and how long a round lasts.
type documentSize struct {
	name  string
	bytes int64
	limit measure.Limit
}

// realFigure is the sum of all rounds of one way and one size.
type realFigure struct {
	Size string  `json:"size"`
	Way  string  `json:"way"`
	Put  float64 `json:"put"` // a second
	Get  float64 `json:"get"` // a second
	// PutToDirect and GetToDirect are the ratios to versitygw, asked directly.
	PutToDirect float64 `json:"put_to_direct"`
	GetToDirect float64 `json:"get_to_direct"`
	// VaultPerDeposit is how many requests Vault's audit log has for each deposit; of the gateway only.
	VaultPerDeposit float64 `json:"vault_per_deposit,omitempty"`
	// CPU is the processor time of each process for one PUT, in milliseconds.
	CPU map[string]float64 `json:"cpu_ms"`
}

// TestRealFigures measures, side by side in one run with 8 connections each: PUT and GET of versitygw, of MinIO with
// SSE-S3, and of the gateway on versitygw and Vault; how many requests a deposit costs Vault; and the gateway's peak
// memory.
func TestRealFigures(t *testing.T) {
	if !*figures {
		t.Skip("-figures measures against real servers, which takes minutes")
	}
	r := newReal(t)
	r.direct()
	v := r.victim()
	if *figuresProfile != "" {
		v.program = r.program("profiled-muniment")
	}
	if !v.start(nil, "MUNIMENT_LOG_LEVEL=error", profileFile+"="+*figuresProfile) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	s, err := newContent()
	if err != nil {
		t.Fatal(err)
	}
	c := r.remote(v)
	ways := []way{
		directly(t, "versitygw", r.s3, s, nil),
		{"gateway", func(ctx context.Context, n int64) (string, error) { return upload(ctx, c, s, n) },
			func(ctx context.Context, id string, again int) error {
				return c.Read(ctx, id, remote.ReadOptions{Purpose: fmt.Sprintf("bench-%d", again)}, io.Discard)
			}},
		directly(t, "MinIO with SSE", servertest.MinIO(t), s, encrypt.NewSSE()),
	}
	all := []documentSize{
		{"10 KiB", 10 << 10, measure.For(*figuresTime)}, {"100 KiB", 100 << 10, measure.For(*figuresTime)},
		{"64 MiB", 64 << 20, measure.Times(16)},
	}
	var found []realFigure
	for _, size := range all {
		if strings.Contains(size.name, *figuresSize) {
			found = append(found, r.compare(ways, size)...)
		}
	}
	r.report(found)
	r.crowd(v, s)
	if *figuresLarge > 0 {
		r.memory(v, c, s)
	}
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Errorf("it ends with %v\n%s", err, v.stderr)
	}
}

// direct takes the fault proxies out of the gateway's way, and the tests' short waits.
func (r *real) direct() {
	r.t.Helper()
	path := r.configure("data")
	raw, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	text := strings.NewReplacer(r.s3Proxy.URL(), r.s3.URL(), r.proxy.URL(), r.vault.Address).Replace(string(raw))
	var kept []string
	for line := range strings.Lines(text) {
		switch key, _, _ := strings.Cut(strings.TrimSpace(line), ":"); key {
		case "part_size", "stream_size", "timeout", "patience", "release", "ahead":
		default:
			kept = append(kept, line)
		}
	}
	r.write("data.yaml", strings.Join(kept, ""))
}

// directly asks a store itself: one PUT for a document, with a checksum, over as many connections as there are clients.
func directly(t *testing.T, name string, server *servertest.S3, s content, sse encrypt.ServerSide) way {
	t.Helper()
	client, err := minio.New(server.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(server.AccessKey, server.SecretKey, ""), Region: server.Region,
		Transport: &http.Transport{MaxIdleConnsPerHost: callers, DisableCompression: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	const bucket = "direct"
	if err := client.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{Region: server.Region}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	made := 0
	return way{name, func(ctx context.Context, n int64) (string, error) {
		mu.Lock()
		made++
		key := fmt.Sprintf("%08x", made)
		mu.Unlock()
		_, err := client.PutObject(ctx, bucket, key, s.reader(n), n, minio.PutObjectOptions{
			DisableMultipart: true, DisableContentSha256: true, ServerSideEncryption: sse,
		})
		return key, err
	}, func(ctx context.Context, id string, _ int) error {
		body, err := client.GetObject(ctx, bucket, id, minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = io.Copy(io.Discard, body)
		return err
	}}
}

// compare measures all ways with one size, the ways taking turns in every round.
func (r *real) compare(ways []way, size documentSize) []realFigure {
	r.t.Helper()
	puts, gets := make([]measure.Rate, len(ways)), make([]measure.Rate, len(ways))
	ids := make([][]string, len(ways))
	asked, deposits := 0, 0
	cpu := make([]map[string]time.Duration, len(ways))
	for round := range *figuresRounds {
		for turn := range ways {
			i := (turn + round) % len(ways)
			before, worked := r.vaultRequests(), r.cpu(nil)
			put, made := r.puts(ways[i], size)
			cpu[i] = r.cpu(worked, cpu[i])
			if ways[i].name == "gateway" {
				asked, deposits = asked+r.vaultRequests()-before, deposits+len(made)
			}
			puts[i], ids[i] = plus(puts[i], put), append(ids[i], made...)
		}
		for turn := range ways {
			i := (turn + round) % len(ways)
			gets[i] = plus(gets[i], r.gets(ways[i], ids[i], size.limit, round))
		}
	}
	out := make([]realFigure, len(ways))
	for i, w := range ways {
		out[i] = realFigure{Size: size.name, Way: w.name, Put: perSecond(puts[i]), Get: perSecond(gets[i])}
		out[i].PutToDirect, out[i].GetToDirect = out[i].Put/out[0].Put, out[i].Get/out[0].Get
		out[i].CPU = map[string]float64{}
		for name, worked := range cpu[i] {
			if each := measure.Milliseconds(worked) / float64(len(puts[i].Took)); each >= 0.01 {
				out[i].CPU[name] = each
			}
		}
		if w.name == "gateway" {
			out[i].VaultPerDeposit = float64(asked) / float64(deposits)
		}
	}
	return out
}

// cpu is the processor time by process, less what there was before, and more of what there is already.
func (r *real) cpu(before map[string]time.Duration, more ...map[string]time.Duration) map[string]time.Duration {
	r.t.Helper()
	out, err := cpuTimes()
	if err != nil {
		r.t.Fatal(err)
	}
	for name := range out {
		out[name] -= before[name]
		for _, m := range more {
			out[name] += m[name]
		}
	}
	return out
}

func (r *real) vaultRequests() int {
	r.t.Helper()
	n := 0
	for _, times := range r.vault.Requests(r.t) {
		n += times
	}
	return n
}

func (r *real) puts(w way, size documentSize) (measure.Rate, []string) {
	r.t.Helper()
	var mu sync.Mutex
	var ids []string
	out, err := measure.Repeat(r.t.Context(), callers, size.limit, func(ctx context.Context, _ int) error {
		id, err := w.put(ctx, size.bytes)
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, id)
		return err
	})
	if err != nil {
		r.t.Fatalf("putting %s to %s: %v", size.name, w.name, err)
	}
	return out, ids
}

// gets reads in turn what was put. A reader that comes back to a document does so with another purpose, so that each of
// its reads is put on record.
func (r *real) gets(w way, ids []string, until measure.Limit, round int) measure.Rate {
	r.t.Helper()
	out, err := measure.Repeat(r.t.Context(), callers, until, func(ctx context.Context, i int) error {
		return w.get(ctx, ids[i%len(ids)], round<<20+i/len(ids))
	})
	if err != nil {
		r.t.Fatalf("getting from %s: %v", w.name, err)
	}
	return out
}

func plus(r, more measure.Rate) measure.Rate {
	return measure.Rate{Took: append(r.Took, more.Took...), Elapsed: r.Elapsed + more.Elapsed}
}

func perSecond(r measure.Rate) float64 { return float64(len(r.Took)) / r.Elapsed.Seconds() }

// report prints the figures.
func (r *real) report(all []realFigure) {
	r.t.Helper()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SIZE\tWAY\tPUT/s\tOF DIRECT\tGET/s\tOF DIRECT\tVAULT REQUESTS A DEPOSIT\tCPU A PUT, ms")
	for _, f := range all {
		vault := ""
		if f.VaultPerDeposit > 0 {
			vault = fmt.Sprintf("%.3f", f.VaultPerDeposit)
		}
		var cpu []string
		for _, name := range slices.Sorted(maps.Keys(f.CPU)) {
			cpu = append(cpu, name+" "+measure.Digits(f.CPU[name]))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.2f\t%s\t%.2f\t%s\t%s\n", f.Size, f.Way, measure.Digits(f.Put), f.PutToDirect,
			measure.Digits(f.Get), f.GetToDirect,
			vault, strings.Join(cpu, ", "))
	}
	if err := w.Flush(); err != nil {
		r.t.Error(err)
	}
	if *figuresJSON == "" {
		return
	}
	out, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = os.WriteFile(*figuresJSON, append(out, '\n'), 0o644)
	}
	if err != nil {
		r.t.Error(err)
	}
}

// crowd measures how many requests a deposit costs Vault when 64 clients deposit at once.
func (r *real) crowd(v *victim, s content) {
	r.t.Helper()
	const crowd = 64
	remote, err := remote.New(v.url, v.token, &http.Transport{MaxIdleConnsPerHost: crowd, DisableCompression: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer remote.Close()
	before := r.vaultRequests()
	put, err := measure.Repeat(r.t.Context(), crowd, measure.For(*figuresTime), func(ctx context.Context, _ int) error {
		_, err := upload(ctx, remote, s, 10<<10)
		return err
	})
	if err != nil {
		r.t.Fatalf("depositing: %v", err)
	}
	fmt.Printf("deposits of 10 KiB, %d clients: %s/s, %.3f Vault requests a deposit\n",
		crowd, measure.Digits(perSecond(put)),
		float64(r.vaultRequests()-before)/float64(len(put.Took)))
}

// memory measures the gateway's peak anonymous memory with 8 large uploads at once.
func (r *real) memory(v *victim, c *remote.Client, s content) {
	r.t.Helper()
	v.end(syscall.SIGTERM)
	if !v.start(nil, "MUNIMENT_LOG_LEVEL=error") { // with nothing left over from what was measured before
		r.t.Fatalf("the server did not start again\n%s", v.stderr)
	}
	c = r.remote(v)
	what := fmt.Sprintf("%d uploads of %s", callers, cli.Size(*figuresLarge))
	var took measure.Rate
	most, err := measure.PeakMemory(v.cmd.Process.Pid, func() (err error) {
		times := measure.Times(callers)
		took, err = measure.Repeat(r.t.Context(), callers, times, func(ctx context.Context, _ int) error {
			_, err := upload(ctx, c, s, *figuresLarge)
			return err
		})
		return err
	})
	if err != nil {
		r.t.Errorf("uploading: %v\n%s", err, v.stderr)
	}
	fmt.Printf("%s: %s MB/s\n", what,
		measure.Digits(float64(callers)*float64(*figuresLarge)/took.Elapsed.Seconds()/1e6))
	fmt.Printf("%s, peak RssAnon of the server: %s MiB\n", what, measure.Digits(most/(1<<20)))
}
