package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/vault/objects"
)

// The crashing program is this program with a saboteur between it and its parts: at the n-th time that it comes past a
// point, the process kills itself as kill -9 would.
const (
	crashPoint = "MUNIMENT_TEST_CRASH_POINT"
	crashCount = "MUNIMENT_TEST_CRASH_COUNT"
)

// crashPoints are the steps of a deposit, each before and after it took effect. In upload the process dies with the
// object half written.
var crashPoints = []string{
	"upload", "uploaded", "commit", "committed", "ship", "shipped", "swap", "swapped", "sign", "signed",
}

// crashingMain is main, sabotaged.
func crashingMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	count, err := strconv.Atoi(os.Getenv(crashCount))
	if err != nil {
		count = -1
	}
	s := &saboteur{point: os.Getenv(crashPoint)}
	s.left.Store(int64(count))
	around := &cli.Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}
	code := run(ctx, around, s.open, os.Args[1:])
	stop()
	os.Exit(code)
}

type saboteur struct {
	point string
	left  atomic.Int64
}

// pass kills the process if it is time.
func (s *saboteur) pass(point string) {
	if point == s.point && s.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // nothing runs on while the signal is on its way
	}
}

func (s *saboteur) open(ctx context.Context, cfg config.Config, log *slog.Logger) (*node.Storage, error) {
	parts, err := node.OpenStorage(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	parts.Backend = crashingBackend{parts.Backend, s}
	parts.Objects = crashingStore{parts.Objects, s}
	parts.Release = crashingRelease{parts.Release, s}
	signer := parts.Keys.Signer
	parts.Keys.Signer = func(name string) (journal.Signer, error) {
		own, err := signer(name)
		if err != nil || name != "checkpoint" {
			return own, err
		}
		return crashingSigner{own, s}, nil
	}
	return parts, nil
}

type crashingBackend struct {
	journal.Backend
	*saboteur
}

// Update dies before and after the commit.
func (b crashingBackend) Update(ctx context.Context, fn func(journal.Txn) error) error {
	err := b.Backend.Update(ctx, func(tx journal.Txn) error {
		if err := fn(tx); err != nil {
			return err
		}
		b.pass("commit")
		return nil
	})
	if err == nil {
		b.pass("committed")
	}
	return err
}

type crashingStore struct {
	node.Store
	*saboteur
}

// Put dies in the middle of a body and after it.
func (c crashingStore) Put(ctx context.Context, key string, body io.Reader, opt objects.PutOptions) (objects.Info,
	error) {
	info, err := c.Store.Put(ctx, key, crashingBody{body, c.saboteur}, opt)
	if err == nil {
		c.pass("uploaded")
	}
	return info, err
}

type crashingBody struct {
	io.Reader
	*saboteur
}

// Read dies when some of the body has been handed over.
func (b crashingBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p[:min(len(p), 4096)])
	if err == nil && n > 0 {
		b.pass("upload")
	}
	return n, err
}

type crashingRelease struct {
	node.Store
	*saboteur
}

// Put dies before and after a batch is shipped, and before and after the head is swapped.
func (c crashingRelease) Put(ctx context.Context, key string, body io.Reader, opt objects.PutOptions) (objects.Info,
	error) {
	before, after := "ship", "shipped"
	if !strings.HasPrefix(key, "batch/") {
		before, after = "swap", "swapped"
	}
	c.pass(before)
	info, err := c.Store.Put(ctx, key, body, opt)
	if err == nil {
		c.pass(after)
	}
	return info, err
}

type crashingSigner struct {
	journal.Signer
	*saboteur
}

// Sign dies before and after the signature is made.
func (c crashingSigner) Sign(ctx context.Context, message []byte) ([]byte, error) {
	c.pass("sign")
	signature, err := c.Signer.Sign(ctx, message)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	c.pass("signed")
	return signature, nil
}
