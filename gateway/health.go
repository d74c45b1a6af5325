package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/objects"
)

const (
	// checkTime is how long a dependency may take to say that it is well.
	checkTime = 3 * time.Second
	// checkAgain is how old an answer may be: load balancers probe often, and each probe of ours is a call of Vault and
	// S3.
	checkAgain = 5 * time.Second
	// releaseTime is how long entries may wait for their release before the release bucket, or what signs, is called
	// down.
	releaseTime = 15 * time.Second
)

// dependency is a service or part that this process needs, or whose failure an operator has to know.
type dependency struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // its state, or its failure
	Fix    string `json:"fix,omitempty"`    // what to do about it
	// Since is when OK was first seen as it is now.
	Since time.Time `json:"since"`
	// Needed says that nothing can be deposited or read while it is down.
	Needed bool `json:"needed"`
}

// caution is a setting that works but that an operator should change.
type caution struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

// health asks the dependencies how they are, and remembers the answers for a while.
type health struct {
	cfg Config

	mu    sync.Mutex
	at    time.Time
	known []dependency
}

// look gives the state of each dependency, at most checkAgain old.
func (h *health) look(ctx context.Context) []dependency {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.cfg.Clock.Now()
	if age := now.Sub(h.at); h.known != nil && age >= 0 && age < checkAgain {
		return slices.Clone(h.known)
	}
	// The first caller may hang up while others wait for the same answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTime)
	defer cancel()
	fresh := h.ask(ctx, now)
	for i := range fresh {
		fresh[i].Since = now.UTC()
		for _, old := range h.known {
			if old.Name == fresh[i].Name && old.OK == fresh[i].OK {
				fresh[i].Since = old.Since
			}
		}
	}
	h.known, h.at = fresh, h.cfg.Clock.Now()
	return slices.Clone(fresh)
}

// ask asks them all at once.
func (h *health) ask(ctx context.Context, now time.Time) []dependency {
	out := []dependency{
		{Name: "journal", Needed: true}, {Name: "release", Needed: true}, {Name: "keys", Needed: true},
		{Name: "objects", Needed: true},
	}
	checks := []func(context.Context) (string, error){
		h.journal, func(ctx context.Context) (string, error) { return h.release(ctx, now) },
		well(h.cfg.Vault.CheckKeys), well(h.cfg.Vault.CheckObjects),
	}
	var asked sync.WaitGroup
	for i, check := range checks {
		asked.Go(func() {
			detail, err := check(ctx)
			out[i].OK, out[i].Detail = err == nil, detail
			if err != nil {
				out[i].Detail, out[i].Fix = err.Error(), fixOf(out[i].Name, err)
			}
		})
	}
	asked.Wait()
	return slices.Concat(out, h.promise(ctx, now), h.ledgers())
}

func well(check func(context.Context) error) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return "", check(ctx) }
}

func (h *health) journal(context.Context) (string, error) {
	err := errors.Join(h.cfg.Journal.Err(), met(h.cfg.Journal.Damage()))
	return fmt.Sprintf("%d entries", h.cfg.Journal.Size()), err
}

// errUnreleased says that entries have waited too long.
var errUnreleased = errors.New("entries wait for their release")

// release says whether entries get released. It goes by the age of the oldest unreleased entry and keeps no state, so
// that the first probe answers as well as any later one.
func (h *health) release(ctx context.Context, now time.Time) (string, error) {
	released := h.cfg.Journal.Checkpoint().Size // first: the other grows
	size := h.cfg.Journal.Size()
	if released < size {
		oldest, err := h.cfg.Journal.Record(ctx, released)
		if err != nil {
			return "", err
		}
		if ageOf(now, oldest.Wall) >= releaseTime {
			return "", fmt.Errorf("%w, %d in all, since %s",
				errUnreleased, size-released, oldest.Wall.UTC().Format(time.RFC3339))
		}
	}
	return fmt.Sprintf("%d of %d entries are released", released, size), nil
}

// clockSkew is by how much the clocks of gateways may differ.
const clockSkew = 5 * time.Minute

// ageOf is how old by the clock is what was written at a time by the clock. If that time is yet to come, it was written
// while the clock was ahead: nobody knows how old it is, so it is as old as can be.
func ageOf(now, at time.Time) time.Duration {
	if age := now.Sub(at); age >= -clockSkew {
		return age
	}
	return math.MaxInt64
}

// ledgers gives the state of each ledger. No request waits for a ledger, so none is needed.
func (h *health) ledgers() []dependency {
	var out []dependency
	for _, s := range h.cfg.Publisher.Status() {
		d := dependency{Name: "ledger " + s.ID, OK: s.Failing.IsZero() && !s.Alarm}
		d.Detail = fmt.Sprintf("%d entries are anchored, %d are not yet", s.Anchored, s.Behind)
		if s.Lag > 0 {
			d.Detail += ", the first of them for " + s.Lag.Round(time.Second).String()
		}
		if !d.OK {
			d.Detail += ": " + s.Failure
			d.Fix = "nothing is lost: waiting entries are anchored when the ledger is back; see that it can be reached"
		}
		out = append(out, d)
	}
	return out
}

// cautions are read from the journal; there are none while it cannot be read.
func (h *health) cautions(ctx context.Context) []caution {
	out := []caution{}
	if rows := h.cfg.Door.Authority().Contradicted(); rows > 0 {
		out = append(out, caution{
			Name: "tables of principals and keys",
			Detail: fmt.Sprintf("%d rows are not what the events say: somebody has written to the database; "+
				"they grant nothing", rows),
			Fix: "find out who can write to the database; the events access.contradicted name the rows, and muniment " +
				"fsck, with the server stopped, tells all that differs",
		})
	}
	// A journal that cannot be read is told of as a dependency.
	if status, err := h.cfg.Journal.Time(ctx); err == nil && len(status.Gaps) > 0 && len(status.Waits) > 0 {
		out = append(out, caution{
			Name: "settled time",
			Detail: fmt.Sprintf("nobody has acknowledged %s that only the clock has measured, and what waits (%d in "+
				"all) does not count it, or has begun anew", status.Behind(), len(status.Waits)),
			Fix: "find out whether the server was stopped for so long, or its machine slept; if so, have an approver " +
				"who has begun nothing that waits acknowledge it: muniment journal time",
		})
	}
	if at, err := h.cfg.Keys.TrimRefused(ctx, vault.DefaultTenant); err == nil && !at.IsZero() {
		out = append(out, caution{
			Name: "trim",
			Detail: fmt.Sprintf("a trim was refused on %s, and nothing was destroyed: a row of the tenant does not "+
				"open "+
				"with the key that was to be trimmed", at.UTC().Format(time.RFC3339)),
			Fix: "find out whose key the key service has under the tenant's name, or which key service the custodian " +
				"named; the caution ends with the next trim that is carried out",
		})
	}
	_ = h.cfg.Journal.View(ctx, func(r journal.Reader) error {
		tenancies, err := h.cfg.Door.Authority().Tenancies(r)
		for _, one := range tenancies {
			if name, detail, fix := TenancyCaution(one); name != "" {
				out = append(out, caution{Name: name, Detail: detail, Fix: fix})
			}
		}
		return err
	})
	return out
}

// TenancyCaution says what an operator should know, and do, of how a tenant is founded; nothing of one that two people
// have founded.
func TenancyCaution(t access.Tenancy) (name, detail, fix string) {
	switch {
	case t.Recovery():
		return "recovery", fmt.Sprintf("the operator puts two other people in the place of the administrator and the "+
				"approver of tenant %s, from %s on: %s and %s", t.Tenant,
				t.Founding.NotBefore.UTC().Format(time.RFC3339), t.Founding.Administrator, t.Founding.Approver),
			"make sure that this is wanted: any administrator or approver who is still there can stop it: muniment " +
				"principal found --stop"
	case t.Founding != nil:
		return "founding", "tenant " + t.Tenant + " is being founded, and not both of its founders have claimed " +
				"their keys", "each of the two runs muniment principal claim with their code; codes that were lost " +
				"are made anew by muniment principal found on trial, else by starting the server again"
	case t.Trial:
		return "trial", "tenant " + t.Tenant + " is on trial: one API key may nearly everything, one person gives " +
				"out roles, and nothing that takes two people can be done",
			"before records are kept here, have two people found it: muniment principal found"
	}
	return "", "", ""
}

// fixOf is the advice about a dependency that fails: the error's own, or the one for its kind.
func fixOf(name string, err error) string {
	var fixed interface{ Fix() string }
	switch {
	case errors.As(err, &fixed):
		return fixed.Fix()
	case errors.Is(err, journal.ErrDamaged):
		return "stop the server, keep a copy of the data folder and run muniment fsck: where one row is damaged " +
			"others may be missing. Then move journal.db away and run muniment restore"
	case name == "journal":
		return "start the process again, which reads what was really written; if that does not " +
			"help, look at the disk"
	case errors.Is(err, errUnreleased):
		return "see that the release bucket and the key service, which signs checkpoints, can be reached; the log " +
			"says which fails"
	case errors.Is(err, keys.ErrDenied):
		return "give this gateway a valid credential with the gateway's policy; muniment doctor says what is missing"
	case errors.Is(err, keys.ErrNoKey):
		return "the key service has lost a key that it had: restore it from its own backup"
	case errors.Is(err, objects.ErrFull) || errors.Is(err, journal.ErrFull):
		return "make room; nothing needs a restart"
	case name == "keys":
		return "see that the key service runs, is unsealed and can be reached; muniment doctor says more"
	case name == "objects":
		return "see that the object store runs and can be reached; muniment doctor says more"
	}
	return "muniment doctor says more"
}

// Describe implements prometheus.Collector.
func (h *health) Describe(out chan<- *prometheus.Desc) { out <- dependencyUp() }

// Collect implements prometheus.Collector.
func (h *health) Collect(out chan<- prometheus.Metric) {
	for _, d := range h.look(context.Background()) {
		up := 0.0
		if d.OK {
			up = 1
		}
		out <- prometheus.MustNewConstMetric(dependencyUp(), prometheus.GaugeValue, up, d.Name)
	}
}

func dependencyUp() *prometheus.Desc {
	return prometheus.NewDesc("muniment_dependency_up",
		"1 while the dependency is well, as in /readyz.", []string{"dependency"}, nil)
}
