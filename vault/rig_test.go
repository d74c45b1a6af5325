package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/checkpoints/checkpointstest"
	"muniment/vault/keys"
	"muniment/vault/keys/local"
	"muniment/vault/objects"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/objectstest"
	"muniment/vault/people"
	"muniment/vault/people/peopletest"
	"muniment/vault/rekey"
)

// rig is a vault on a journal in memory, with objects in a folder and keys in a file.
type rig struct {
	t        testing.TB
	clock    *journaltest.Clock
	backend  journal.Backend
	bucket   *journaltest.Bucket
	journal  *journal.Journal
	keys     keys.Service
	objects  objects.Store
	locked   *objectstest.Faulty // where the checkpoints are kept under their lock
	signer   *signer
	vault    *vault.Vault
	life     *rekey.Keys
	log      *logs
	tenant   string
	people   *people.People
	founders *peopletest.People // of the tenant; nil while it is on trial
	who      access.Who         // the bootstrap principal, as long as the tenant is on trial
	key      access.APIKey
	cfg      vault.Config

	releaseWait time.Duration // of the door
	lifeConfig  rekey.Config  // of life; what is not set follows from the rest
}

// config is the configuration of a further vault on the same journal, or on one that change names.
func (r *rig) config(change func(*vault.Config)) vault.Config {
	cfg := r.cfg
	change(&cfg)
	if cfg.Journal != r.cfg.Journal && cfg.Journal != nil {
		cfg.Door = r.door(cfg.Journal)
	}
	return cfg
}

// keyLife opens what leads the tenants' keys through their life.
func (r *rig) keyLife(change func(*rekey.Config)) *rekey.Keys {
	r.t.Helper()
	cfg := r.lifeConfig
	cfg.Journal, cfg.Door, cfg.Keys, cfg.Rows = r.journal, r.cfg.Door, r.cfg.Keys, r.vault.SealedRows()
	cfg.Clock, cfg.Rand, cfg.Log = r.cfg.Clock, r.cfg.Rand, r.cfg.Log
	change(&cfg)
	life, err := rekey.Open(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := life.Close(); err != nil {
			r.t.Errorf("closing the tenants' keys: %v", err)
		}
	})
	return life
}

// keeps opens what keeps the principals.
func (r *rig) keeps() *people.People {
	r.t.Helper()
	p, err := people.New(people.Config{
		Journal: r.journal, Door: r.cfg.Door, Keys: r.cfg.Keys, Clock: r.cfg.Clock, Rand: r.cfg.Rand, Log: r.cfg.Log,
		Series: func(read journal.Reader, tenant, code string) error {
			_, err := r.cfg.Rules.File(read, tenant, code)
			return err
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// door is a door of a journal, whose checkpoints are kept in r.locked.
func (r *rig) door(j *journal.Journal) *access.Door {
	r.t.Helper()
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: r.clock, ReleaseWait: r.releaseWait})
	keeper, store := checkpointstest.Keeper(r.t, j, r.clock)
	door.KeepWith(keeper)
	if j == r.journal {
		r.locked = store
	}
	return door
}

// must ends the test unless a call succeeded.
func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// wants fails the test unless err is the one wanted.
func (r *rig) wants(what string, err, want error) {
	r.t.Helper()
	if !errors.Is(err, want) {
		r.t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// principal makes a principal of the default tenant.
func (r *rig) principal(grants ...access.Grant) access.Who {
	r.t.Helper()
	if r.founders != nil {
		return r.founders.Principal(r.t, "somebody", grants...).Who
	}
	out, err := r.people.CreatePrincipal(context.Background(), r.who, people.NewPrincipal{Grants: grants})
	if err != nil && !errors.Is(err, access.ErrUnreleased) { // which leaves it in force
		r.t.Fatal(err)
	}
	return access.Who{Tenant: r.tenant, Principal: out.Principal.ID}
}

// found ends the trial of the default tenant. r.who is a principal from then on that may do what the bootstrap
// principal could, but for making others.
func (r *rig) found() {
	r.t.Helper()
	r.founders = peopletest.Found(r.t, r.people, r.who)
	worker := r.founders.Principal(r.t, "Wim Worker", access.Grant{Role: access.Depositor},
		access.Grant{Role: access.ReaderRole}, access.Grant{Role: access.RecordsOfficer},
		access.Grant{Role: access.Auditor})
	r.who, r.key = worker.Who, worker.Key
}

// series adds a series to the default tenant's file plan.
func (r *rig) series(code string) {
	r.t.Helper()
	if _, err := retention.CreateSeries(context.Background(), r.cfg.Door, r.who,
		retention.NewSeries{Code: code}); err != nil {
		r.t.Fatal(err)
	}
}

// logs keeps all that is logged, at debug level.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf.Bytes())
}

// signer signs unless it is down.
type signer struct {
	journal.Signer
	down atomic.Bool
}

func (s *signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	if s.down.Load() {
		return nil, errors.New("the signer is down")
	}
	return s.Signer.Sign(ctx, message)
}

// option changes what a rig is made of.
type option func(*rig, *vault.Config)

// newRig opens a vault and creates its default tenant. The backend runs every third transaction twice.
func newRig(t testing.TB, options ...option) *rig {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	r := &rig{t: t, clock: journaltest.NewClock(), bucket: journaltest.NewBucket(t), log: &logs{},
		tenant: vault.DefaultTenant, signer: &signer{Signer: journaltest.Signer()}}
	runs := 0
	r.backend = memory.New(memory.Config{Abort: func(run int) bool {
		runs++
		return run == 1 && runs%3 == 0
	}})
	var err error
	r.keys, err = local.Create(filepath.Join(t.TempDir(), "keys.json"))
	must(err)
	r.objects, err = dir.Open(ctx, dir.Config{
		Dir: filepath.Join(t.TempDir(), "objects"), Versioned: true, Create: true, Clock: r.clock, Rand: rand.Reader,
	})
	must(err)
	cfg := vault.Config{
		Keys: r.keys, Objects: r.objects, Rules: retention.Rules{}, Clock: r.clock, Rand: rand.Reader,
		Log: slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, o := range options {
		o(r, &cfg)
	}
	r.journal, err = journal.Open(ctx, journal.Config{
		Backend: r.backend, Bucket: r.bucket, Signer: r.signer, Clock: r.clock, Rand: rand.Reader,
		Log: cfg.Log, Definitions: slices.Concat(vault.Definitions(), retention.Definitions(), anchor.Definitions()),
		Origin: "muniment/test", Create: true,
		ID: journaltest.ID, ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
	})
	must(err)
	cfg.Journal, cfg.Door = r.journal, r.door(r.journal)
	r.cfg = cfg
	r.vault, err = vault.Open(ctx, cfg)
	must(err)
	r.life = r.keyLife(func(*rekey.Config) {})
	r.people = r.keeps()
	t.Cleanup(func() {
		if err := r.vault.Close(); err != nil {
			t.Errorf("closing the vault: %v", err)
		}
		if err := r.journal.Close(); err != nil {
			t.Errorf("closing the journal: %v", err)
		}
	})
	r.key, err = r.vault.Bootstrap(ctx)
	must(err)
	r.who, err = cfg.Door.Authority().AuthenticateNow(ctx, r.key.Reveal())
	must(err)
	return r
}

// deposit makes a deposit of the content, which must succeed.
func (r *rig) deposit(d vault.Deposit, content []byte) vault.Deposited {
	r.t.Helper()
	d.Length, d.Content = int64(len(content)), bytes.NewReader(content)
	out, err := r.vault.Deposit(context.Background(), r.who, d)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// read reads a document whole.
func (r *rig) read(id journal.ID) ([]byte, error) {
	c, err := r.vault.Read(context.Background(), r.who, id, vault.ReadRequest{Purpose: "test"})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var out bytes.Buffer
	for i := range c.Spans {
		if err := c.WriteSpan(context.Background(), &out, i); err != nil {
			return out.Bytes(), err
		}
	}
	return out.Bytes(), nil
}

// records are all events of the tenant.
func (r *rig) records() []journal.Record {
	r.t.Helper()
	records, err := r.journal.Records(context.Background(), r.tenant, 0, 1<<20)
	if err != nil {
		r.t.Fatal(err)
	}
	return records
}

// count is how many events of a type there are.
func (r *rig) count(kind string) int {
	n := 0
	for _, rec := range r.records() {
		if rec.Type == kind {
			n++
		}
	}
	return n
}

// everyRole is what the bootstrap principal holds.
var everyRole = []access.Grant{
	{Role: access.Depositor}, {Role: access.ReaderRole}, {Role: access.RecordsOfficer}, {Role: access.Auditor},
	{Role: access.Administrator},
}
