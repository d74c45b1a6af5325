package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"muniment/anchor/evidence"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// clients is how many calls the demonstration has under way at once.
const clients = 8

// each runs work for every document, several at once, with a progress bar.
func (d *demo) each(ctx context.Context, what string, work func(context.Context, int) error,
	summary func(time.Duration) string) error {
	began := time.Now()
	bar := cli.StartProgress(d.out, what, len(d.documents))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(clients)
	for i := range d.documents {
		g.Go(func() error {
			if err := work(ctx, i); err != nil {
				return fmt.Errorf("%s: %w", d.documents[i].title, err)
			}
			bar.Step()
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		bar.End("failed")
		return err
	}
	bar.End(summary(time.Since(began)))
	return nil
}

// deposit sends each document and keeps the digest of what it has sent.
func (d *demo) deposit(ctx context.Context) error {
	d.documents = make([]*document, len(d.sources))
	for i, s := range d.sources {
		d.documents[i] = &document{source: s}
	}
	var total, again atomic.Int64
	return d.each(ctx, "deposit", func(ctx context.Context, i int) error {
		p := d.documents[i]
		content, length, err := p.open()
		if err != nil {
			return err
		}
		defer content.Close()
		sent := sha256.New()
		out, err := d.remote.Deposit(ctx, remote.Deposit{
			FileName: p.name, Title: p.title, MediaType: p.mediaType, RecordDate: p.recordDate,
			Attributes:     p.attributes,
			IdempotencyKey: fmt.Sprintf("demo-%d-%s", i, nameDigest(p.title)), Length: length,
			Content: io.TeeReader(content, sent),
		})
		if err != nil {
			return err
		}
		if !out.Created {
			again.Add(1)
		}
		p.id, p.digest = out.ID, sent.Sum(nil)
		total.Add(length)
		return nil
	}, func(took time.Duration) string {
		text := fmt.Sprintf("%d documents, %s, encrypted and on record, in %.2f s",
			len(d.documents), cli.Size(total.Load()), took.Seconds())
		if n := again.Load(); n > 0 {
			text += fmt.Sprintf(" (%d were there already)", n)
		}
		return text
	})
}

func nameDigest(s string) string {
	digest := sha256.Sum256([]byte(s))
	return hex.EncodeToString(digest[:12])
}

func (d *demo) anchor(ctx context.Context) error {
	list, err := d.remote.AnchorNow(ctx)
	if err != nil {
		return err
	}
	for _, a := range list.Anchors {
		d.line("anchor", fmt.Sprintf("the log's first %d entries are on ledger %s (%s)", a.Size, a.ID, a.State))
		if a.State != openapi.Final {
			return fmt.Errorf("the anchor is %s, and the embedded ledger's are final at once", a.State)
		}
	}
	return nil
}

// read compares what comes back with the source, byte by byte.
func (d *demo) read(ctx context.Context) error {
	err := d.each(ctx, "read", func(ctx context.Context, i int) error {
		p := d.documents[i]
		back := sha256.New()
		if err := d.remote.Read(ctx, p.id, remote.ReadOptions{Purpose: "demo"}, back); err != nil {
			return err
		}
		if !bytes.Equal(back.Sum(nil), p.digest) {
			return fmt.Errorf("reads back otherwise than it was deposited")
		}
		return nil
	}, func(took time.Duration) string {
		return fmt.Sprintf("%d read back identical, each read on record, in %.2f s", len(d.documents), took.Seconds())
	})
	if err != nil {
		return err
	}
	return d.readBy(ctx)
}

// verify gets each document's evidence and judges it with the verifier's own code, which asks no server.
func (d *demo) verify(ctx context.Context) error {
	var err error
	if d.policy, err = node.ReadPolicy(node.Folder(d.data())); err != nil {
		return err
	}
	if err := os.MkdirAll(d.proofs(), 0o700); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	var report evidence.Report
	err = d.each(ctx, "verify", func(ctx context.Context, i int) (err error) {
		p := d.documents[i]
		if p.evidence, err = d.remote.Evidence(ctx, p.id, true); err != nil {
			return err
		}
		if err := os.WriteFile(p.proofFile(d), p.evidence, 0o600); err != nil {
			return fmt.Errorf("keeping the evidence: %w", err)
		}
		r := evidence.Verify(evidence.Input{Evidence: p.evidence, Digest: p.digest, Policy: d.policy})
		if r.Verdict != evidence.Verified {
			return fmt.Errorf("the verifier says: %s: %s", r.Verdict, r.Summary)
		}
		if i == 0 {
			report = r
		}
		return nil
	}, func(took time.Duration) string {
		return fmt.Sprintf("%d of %d verified by their evidence alone, in %.2f s",
			len(d.documents), len(d.documents), took.Seconds())
	})
	if err != nil {
		return err
	}
	var steps []string
	for _, s := range report.Steps {
		steps = append(steps, s.Name)
	}
	d.line("", strings.Join(steps, " → "))
	return nil
}

// proofFile is where the document's evidence is kept.
func (p *document) proofFile(d *demo) string { return filepath.Join(d.proofs(), p.id+".json") }
