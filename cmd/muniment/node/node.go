// Package node opens everything that serves one vault: journal, storage, keys, ledgers, and the gateway before them.
package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/ledger"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/gateway"
	"muniment/gateway/authn"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/checkpoints"
	"muniment/vault/people"
	"muniment/vault/rekey"
)

// Node is everything that serves one data folder.
type Node struct {
	Storage   *Storage
	Journal   *journal.Journal
	Vault     *vault.Vault
	People    *people.People
	Keys      *rekey.Keys
	Locked    *checkpoints.Keeper // of the newest checkpoint, in the documents' store
	Created   bool                // the vault was just made
	Bootstrap access.APIKey       // of a vault that was just made on trial, else zero
	// Founding has the one-time codes of founders who have not claimed their keys, while they are not founders yet.
	Founding *people.Founding

	door      *access.Door
	publisher *anchor.Publisher
	gateway   *gateway.Server

	stopAnchors context.CancelFunc
	anchored    chan error // the publisher's end
	stopSweeps  context.CancelFunc
	swept       chan struct{} // closed when no sweep is under way any more
	stopWarning context.CancelFunc
	warned      chan struct{} // closed when nothing is warned of any more
	stopMemory  context.CancelFunc
	remembered  chan struct{} // closed when no checkpoint is written any more
	stopLocking context.CancelFunc
	locked      chan struct{} // closed when no checkpoint is locked any more
}

// sweepEvery is how often the store is searched for the objects of uploads that broke off.
const sweepEvery = time.Hour

// Definitions are the event types of all packages.
func Definitions() []journal.Definition {
	var all []journal.Definition
	for _, some := range [][]journal.Definition{vault.Definitions(), retention.Definitions(), anchor.Definitions()} {
		all = append(all, some...)
	}
	return all
}

// Open opens a data folder, or makes one. When it fails, everything that it has opened is closed again.
func Open(ctx context.Context, cfg config.Config, log *slog.Logger, open Opener) (n *Node, err error) {
	n = &Node{}
	defer func() {
		if err != nil {
			err = advised(errors.Join(err, n.Close()))
		}
	}()
	if n.Storage, err = open(ctx, cfg, log); err != nil {
		return n, err
	}
	if n.Storage.Found == Whole {
		if err = n.Storage.checkOwned(ctx, n.Storage.ID, log); err != nil {
			return n, err
		}
	}
	var newest checkpoints.Kept
	n.Journal, err = n.Storage.OpenJournal(ctx, cfg.Origin, log, func(ctx context.Context) (err error) {
		newest, err = CompareLocked(ctx, n.Storage.Objects, n.Storage.Backend.View, logStrangers(log))
		if newest.Strangers > 0 {
			log.Warn("objects among the locked checkpoints are signed by no key of the journal: somebody else has "+
				"put them there", "objects", newest.Strangers)
		}
		return err
	})
	if err != nil {
		return n, err
	}
	if err = n.checkOwner(); err != nil {
		return n, err
	}
	if err = n.openVault(ctx, cfg, log); err != nil {
		return n, err
	}
	if n.Locked, err = NewKeeper(n.Journal, n.Storage.Objects, newest, Weaker(cfg.Storage, n.Vault), log); err != nil {
		return n, err
	}
	n.door.KeepWith(n.Locked)
	if err = n.openGateway(cfg, log); err != nil {
		return n, err
	}
	n.startWorkers(ctx, log)
	return n, nil
}

// advised is a refusal to start that says what to do: what it was given, or else where to look.
func advised(err error) error {
	if _, has := cli.HintOf(err); has {
		return err
	}
	return cli.Hint(err, "muniment doctor looks at every part that a start depends on, and says what to do")
}

// Authority is who may do what on the node's journal.
func (n *Node) Authority() *access.Authority { return n.door.Authority() }

// checkOwner refuses to go on over a release bucket that is another server's, and to begin where nothing could be
// released: the head in the bucket is what keeps two servers from beginning two histories there.
func (n *Node) checkOwner() error {
	if err := n.Journal.Err(); err != nil {
		err = fmt.Errorf("releasing the journal: %w", err)
		if n.Storage.Found == Fresh {
			return cli.Hint(err, anotherBegan)
		}
		return cli.Hint(err, "another server has gone on with this journal; stop it, and start this one again")
	}
	if n.Storage.Found == Fresh && n.Journal.Checkpoint().Size == 0 {
		return cli.Hint(errors.New("the journal's first checkpoint could not be released"),
			"the log says whether the release bucket or the key service stands in the way; then start again")
	}
	return nil
}

// openVault opens the vault, with its default tenant.
func (n *Node) openVault(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	ahead := 0
	if cfg.Keys.Kind == config.KeysVault { // a key file answers at once
		ahead = cfg.Keys.Vault.Ahead
	}
	n.door = access.NewDoor(access.DoorConfig{
		Journal: n.Journal, Clock: journal.SystemClock{}, ReleaseWait: time.Duration(cfg.Limits.Release), Log: log,
	})
	if err := n.door.Authority().Start(ctx); err != nil {
		return err
	}
	n.Vault, err = vault.Open(ctx, vault.Config{
		Journal: n.Journal, Door: n.door, Keys: n.Storage.Keys, Objects: n.Storage.Objects, Rules: retention.Rules{},
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log,
		MaxSize: int64(cfg.Limits.Document), Memory: n.Storage.Memory,
		LockWait: time.Duration(cfg.Limits.Release), FIPS: cfg.FIPS, Ahead: ahead,
		Store: storeName(cfg.Storage), Attest: Attestor(cfg.Storage, n.Storage.Objects),
	})
	if err != nil {
		return err
	}
	n.People, err = people.New(people.Config{
		Journal: n.Journal, Door: n.door, Keys: n.Storage.Keys, Series: retention.HasSeries,
		Clock: journal.SystemClock{},
		Rand:  rand.Reader, Log: log,
	})
	if err != nil {
		return err
	}
	n.Keys, err = rekey.Open(rekey.Config{
		Journal: n.Journal, Door: n.door, Keys: n.Storage.Keys, Rows: n.Vault.SealedRows(),
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log,
		Custodian: n.Storage.Keys.Custodian, TrimWait: time.Duration(cfg.Keys.TrimAfter),
	})
	if err != nil {
		return err
	}
	return n.openTenant(ctx, cfg)
}

// startWorkers starts what goes on behind the requests.
func (n *Node) startWorkers(ctx context.Context, log *slog.Logger) {
	anchors, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stopAnchors, n.anchored = stop, make(chan error, 1)
	go func() { n.anchored <- n.publisher.Run(anchors) }()
	sweeps, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stopSweeps, n.swept = stop, make(chan struct{})
	go func() {
		defer close(n.swept)
		every(sweeps, sweepEvery, func(ctx context.Context) { n.sweep(ctx, log) })
	}()
	warnings, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stopWarning, n.warned = stop, make(chan struct{})
	go func() {
		defer close(n.warned)
		n.warnOfFoundings(warnings, log)
		every(warnings, warnEvery, func(ctx context.Context) { n.warnOfFoundings(ctx, log) })
	}()
	remembers, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stopMemory, n.remembered = stop, make(chan struct{})
	go func() {
		defer close(n.remembered)
		every(remembers, rememberEvery, func(context.Context) { n.remember(log) })
	}()
	locks, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stopLocking, n.locked = stop, make(chan struct{})
	go func() {
		defer close(n.locked)
		n.Locked.Run(locks)
	}()
}

// rememberEvery is how often the newest checkpoint is written down.
const rememberEvery = time.Second

// remember writes the newest checkpoint down.
func (n *Node) remember(log *slog.Logger) {
	if err := n.Storage.Remember(n.Journal.Checkpoint()); err != nil {
		log.Warn("the newest checkpoint could not be written down; it will be tried again", "error", err)
	}
}

// sweep deletes the objects that no document has.
func (n *Node) sweep(ctx context.Context, log *slog.Logger) {
	deleted, err := n.Vault.Sweep(ctx, vault.DefaultTenant)
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
func (n *Node) openGateway(cfg config.Config, log *slog.Logger) error {
	blocks, err := n.Storage.OpenLedger()
	if err != nil {
		return err
	}
	n.publisher, err = anchor.New(anchor.Config{
		Journal: n.Journal, Ledgers: []ledger.Ledger{blocks}, Interval: time.Duration(cfg.Anchor.Every),
		Asked: time.Duration(cfg.Anchor.Asked),
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log,
		Ask: n.door.For(access.AnchorNow), Show: n.door.For(access.ViewAnchors),
	})
	if err != nil {
		return err
	}
	policy, err := n.Storage.WritePolicy(n.Journal, blocks)
	if err != nil {
		return err
	}
	proxies, err := cfg.Proxies()
	if err != nil {
		return err
	}
	n.gateway, err = gateway.New(gateway.Config{
		Vault: n.Vault, People: n.People, Keys: n.Keys, Journal: n.Journal, Door: n.door, Locked: n.Locked,
		Publisher: n.publisher,
		Authn:     authn.APIKeys{Authority: n.door.Authority()},
		Policy:    policy, Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log,
		Limits: gateway.Limits{
			MaxBody: int64(cfg.Limits.Document), MinSpeed: gateway.MinSpeed{Stall: time.Duration(cfg.Limits.BodyWait)},
			Requests: cfg.Limits.Requests, Uploads: cfg.Limits.Uploads, Public: cfg.Limits.Public,
		},
		Memory:         n.Storage.Memory,
		TrustedProxies: proxies, Version: cli.Version,
	})
	return err
}

// Close ends everything in the order in which nothing is lost: the vault, which still writes the outcome of reads,
// before the journal.
func (n *Node) Close() error {
	var errs []error
	if n.stopSweeps != nil {
		n.stopSweeps()
		<-n.swept
	}
	if n.stopWarning != nil {
		n.stopWarning()
		<-n.warned
	}
	if n.Keys != nil {
		errs = append(errs, n.Keys.Close())
	}
	if n.Vault != nil {
		errs = append(errs, n.Vault.Close())
	}
	if n.stopAnchors != nil {
		n.stopAnchors()
		errs = append(errs, <-n.anchored)
	}
	if n.stopMemory != nil {
		n.stopMemory()
		<-n.remembered
		errs = append(errs, n.Storage.Remember(n.Journal.Checkpoint()))
	}
	if n.stopLocking != nil {
		n.stopLocking()
		<-n.locked
	}
	if n.door != nil {
		errs = append(errs, n.door.Authority().Close(context.Background()))
	}
	if n.Journal != nil {
		errs = append(errs, n.Journal.Close())
	}
	if n.Storage != nil {
		errs = append(errs, n.Storage.Close())
	}
	return errors.Join(errs...)
}
