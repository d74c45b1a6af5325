package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/cmd/muniment/config"
	"muniment/gateway"
	"muniment/gateway/authn"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
)

// node is everything that serves one data folder.
type node struct {
	store     *storage
	journal   *journal.Journal
	vault     *vault.Vault
	publisher *anchor.Publisher
	gateway   *gateway.Server
	bootstrap access.APIKey // of a folder that was just made, else zero

	stopAnchors context.CancelFunc
	anchored    chan error // the publisher's end
	stopSweeps  context.CancelFunc
	swept       chan struct{} // closed when no sweep is under way any more
}

// sweepEvery is how often the store is searched for objects that uploads have left which broke off.
const sweepEvery = time.Hour

// definitions are the event types of all packages.
func definitions() []journal.Definition {
	var all []journal.Definition
	for _, some := range [][]journal.Definition{vault.Definitions(), retention.Definitions(), anchor.Definitions()} {
		all = append(all, some...)
	}
	return all
}

// openNode opens a data folder, or makes one. Whatever it has opened is closed again when it fails.
func openNode(ctx context.Context, cfg config.Config, log *slog.Logger, open opener) (n *node, err error) {
	n = &node{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if n.store, err = open(ctx, folder(cfg.Data), log); err != nil {
		return n, err
	}
	if n.journal, err = n.store.openJournal(ctx, cfg.Origin, log); err != nil {
		return n, err
	}
	n.vault, err = vault.Open(ctx, vault.Config{
		Journal: n.journal, Keys: n.store.keys, Objects: n.store.objects, Rules: retention.Rules{},
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log,
		MaxSize: int64(cfg.Limits.Document), Patience: time.Duration(cfg.Limits.Release), FIPS: cfg.FIPS,
	})
	if err != nil {
		return n, err
	}
	if n.store.found == fresh {
		if n.bootstrap, err = n.vault.Bootstrap(ctx); err != nil {
			return n, fmt.Errorf("creating the default tenant: %w", err)
		}
	}
	if err = n.openGateway(cfg, log); err != nil {
		return n, err
	}
	anchors, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stopAnchors, n.anchored = stop, make(chan error, 1)
	go func() { n.anchored <- n.publisher.Run(anchors) }()
	sweeps, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stopSweeps, n.swept = stop, make(chan struct{})
	go func() {
		defer close(n.swept)
		every(sweeps, sweepEvery, func(ctx context.Context) { n.sweep(ctx, log) })
	}()
	return n, nil
}

// sweep deletes the objects that no document has.
func (n *node) sweep(ctx context.Context, log *slog.Logger) {
	deleted, err := n.vault.Sweep(ctx, vault.DefaultTenant)
	if err != nil && ctx.Err() == nil {
		log.Warn("the sweep for abandoned objects failed; it will be tried again", "error", err)
	}
	if deleted > 0 {
		log.Info("abandoned objects were deleted", "objects", deleted)
	}
}

// every does work once in each interval, until ctx ends.
func every(ctx context.Context, interval time.Duration, work func(context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ctx.Err() == nil { // a tick may have come together with the end
		select {
		case <-ctx.Done():
		case <-tick.C:
			work(ctx)
		}
	}
}

// openGateway wires what the journal and vault are reached through.
func (n *node) openGateway(cfg config.Config, log *slog.Logger) error {
	blocks, err := n.store.openLedger()
	if err != nil {
		return err
	}
	n.publisher, err = anchor.New(anchor.Config{
		Journal: n.journal, Ledgers: blocks.all(), Interval: time.Duration(cfg.Anchor.Every), Asked: time.Duration(cfg.Anchor.Asked),
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log, Permit: access.Permit(access.AnchorNow),
	})
	if err != nil {
		return err
	}
	policy, err := n.store.writePolicy(n.journal, blocks)
	if err != nil {
		return err
	}
	proxies, err := cfg.Proxies()
	if err != nil {
		return err
	}
	n.gateway, err = gateway.New(gateway.Config{
		Vault: n.vault, Journal: n.journal, Publisher: n.publisher, Authn: authn.APIKeys{Journal: n.journal},
		Policy: policy, Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log,
		Limits: gateway.Limits{
			MaxBody: int64(cfg.Limits.Document), Pace: gateway.Pace{Patience: time.Duration(cfg.Limits.Patience)},
			Requests: cfg.Limits.Requests,
		},
		TrustedProxies: proxies, Version: version,
	})
	return err
}

// close ends everything in the order in which nothing is lost: the vault, which still writes the outcome of reads, before
// the journal.
func (n *node) close() error {
	var errs []error
	if n.stopSweeps != nil {
		n.stopSweeps()
		<-n.swept
	}
	if n.vault != nil {
		errs = append(errs, n.vault.Close())
	}
	if n.stopAnchors != nil {
		n.stopAnchors()
		errs = append(errs, <-n.anchored)
	}
	if n.journal != nil {
		errs = append(errs, n.journal.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.close())
	}
	return errors.Join(errs...)
}
