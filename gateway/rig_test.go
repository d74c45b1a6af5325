package gateway_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor"
	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/anchor/ledger"
	ledgerlocal "muniment/anchor/ledger/local"
	"muniment/gateway"
	"muniment/gateway/authn"
	"muniment/openapi"
	"muniment/openapi/openapitest"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/checkpoints/checkpointstest"
	"muniment/vault/keys"
	keyslocal "muniment/vault/keys/local"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/objectstest"
	"muniment/vault/people"
	"muniment/vault/rekey"
)

// notShort leaves a test out of a short run, and says why.
func notShort(t *testing.T, why string) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: " + why)
	}
}

// rig is a gateway on loopback before a real vault: a journal in memory, objects in a folder, keys in a file, a local
// ledger.
type rig struct {
	t       testing.TB
	url     string
	addr    string
	server  *gateway.Server
	http    *http.Server
	vault   *vault.Vault
	people  *people.People
	journal *journal.Journal
	backend *memory.Store       // the journal's
	bucket  *journaltest.Bucket // what the journal is released to
	signer  *signer
	locked  *objectstest.Faulty // where the checkpoints are kept under their lock
	folder  string              // of the objects
	objects *countedStore
	door    *access.Door
	token   string // of the first principal, who may do nearly everything; see newFoundedRig
	who     access.Who
	// administrator and approver are the tokens of the founders; "" while the tenant is on trial.
	administrator, approver string
	contract                *openapitest.Contract
	client                  *http.Client
	log                     *logs
	keys                    *faultyKeys
	policy                  *evidence.Policy

	clock       steppedClock  // of everything but the gateway, where a test gives it another
	releaseWait time.Duration // of the door
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

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// faultyKeys is a key service that can be made to fail, or to be slow.
type faultyKeys struct {
	keys.Service
	mu     sync.Mutex
	err    error
	slow   time.Duration
	called func() // by every call; may be nil
}

// watch has every call reported from now on.
func (f *faultyKeys) watch(called func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.called = called
}

func (f *faultyKeys) delay(by time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow = by
}

func (f *faultyKeys) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *faultyKeys) failure(ctx context.Context) error {
	f.mu.Lock()
	err, slow, called := f.err, f.slow, f.called
	f.mu.Unlock()
	if called != nil {
		called()
	}
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (f *faultyKeys) Wrap(ctx context.Context, tenant string, secrets []keys.Secret) ([]string, error) {
	if err := f.failure(ctx); err != nil {
		return nil, err
	}
	return f.Service.Wrap(ctx, tenant, secrets)
}

func (f *faultyKeys) Unwrap(ctx context.Context, tenant string, wrapped []string) ([]keys.Unwrapped, error) {
	if err := f.failure(ctx); err != nil {
		return nil, err
	}
	return f.Service.Unwrap(ctx, tenant, wrapped)
}

func (f *faultyKeys) Check(ctx context.Context) error {
	if err := f.failure(ctx); err != nil {
		return err
	}
	return f.Service.Check(ctx)
}

// newRig starts a gateway. Change may alter its configuration.
func newRig(t testing.TB, change ...func(*gateway.Config)) *rig {
	t.Helper()
	return newRigWaiting(t, access.DefaultReleaseWait, change...)
}

// newRigWaiting starts a gateway that waits so long for what is released, signed and locked.
func newRigWaiting(t testing.TB, wait time.Duration, change ...func(*gateway.Config)) *rig {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r := &rig{t: t, log: &logs{}, backend: memory.New(memory.Config{}), bucket: journaltest.NewBucket(t),
		folder: filepath.Join(t.TempDir(), "objects"), signer: &signer{Signer: journaltest.Signer()}, releaseWait: wait}
	log := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	clock := &r.clock
	service, err := keyslocal.Create(filepath.Join(t.TempDir(), "keys.json"))
	must(err)
	r.keys = &faultyKeys{Service: service}
	store, err := dir.Open(ctx, dir.Config{Dir: r.folder, Versioned: true, Create: true, Clock: clock,
		Rand: rand.Reader})
	must(err)
	r.objects = &countedStore{Store: store}
	definitions := append(vault.Definitions(), retention.Definitions()...)
	r.journal, err = journal.Open(ctx, journal.Config{
		Backend: r.backend, Bucket: r.bucket, Signer: r.signer, Clock: clock,
		Rand: rand.Reader, Log: log, Definitions: append(definitions, anchor.Definitions()...),
		Origin: "muniment/test", Create: true,
		ID: journaltest.ID, ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
	})
	must(err)
	door := access.NewDoor(access.DoorConfig{Journal: r.journal, Clock: clock, ReleaseWait: r.releaseWait})
	keeper, locked := checkpointstest.Keeper(t, r.journal, clock)
	door.KeepWith(keeper)
	r.locked, r.door = locked, door
	r.vault, err = vault.Open(ctx, vault.Config{
		Journal: r.journal, Door: door, Keys: r.keys, Objects: r.objects, Rules: retention.Rules{}, Clock: clock,
		Rand: rand.Reader,
		Log:  log,
	})
	must(err)
	r.people, err = people.New(people.Config{
		Journal: r.journal, Door: door, Keys: r.keys, Series: retention.HasSeries, Clock: clock, Rand: rand.Reader,
		Log: log,
	})
	must(err)
	life, err := rekey.Open(rekey.Config{
		Journal: r.journal, Door: door, Keys: r.keys, Rows: r.vault.SealedRows(), Clock: clock, Rand: rand.Reader,
		Log: log, Custodian: service, TrimWait: time.Nanosecond,
	})
	must(err)
	key, err := r.vault.Bootstrap(ctx)
	must(err)
	r.token = key.Reveal()
	r.who, err = door.Authority().AuthenticateNow(ctx, r.token)
	must(err)
	chain, err := ledgerlocal.Open(ledgerlocal.Config{
		Dir: filepath.Join(t.TempDir(), "chain"), ID: "local/test", Signer: journaltest.Signer(), Clock: clock,
	})
	must(err)
	publisher, err := anchor.New(anchor.Config{
		Journal: r.journal, Ledgers: []ledger.Ledger{chain}, Interval: time.Hour, Clock: clock, Rand: rand.Reader,
		Log: log,
		Ask: door.For(access.AnchorNow), Show: door.For(access.ViewAnchors),
	})
	must(err)
	vkey, err := note.NewEd25519VerifierKey("muniment/test", journaltest.Signer().PublicKey())
	must(err)
	r.policy = &evidence.Policy{V: 1, Require: 1,
		Origins: []evidence.Origin{{Origin: "muniment/test", Keys: []string{vkey}}},
		Ledgers: []evidence.Pin{{Kind: "local", ID: "local/test", Pin: chain.VerifierKey()}},
	}
	cfg := gateway.Config{
		Vault: r.vault, People: r.people, Keys: life, Journal: r.journal, Door: door, Locked: keeper,
		Publisher: publisher,
		Authn:     authn.APIKeys{Authority: door.Authority()},
		Policy:    r.policy,
		Clock:     clock, Rand: rand.Reader, Log: log, Version: "test",
	}
	for _, f := range change {
		f(&cfg)
	}
	r.server, err = gateway.New(cfg)
	must(err)
	r.contract, err = openapitest.Load()
	must(err)
	r.listen()
	t.Cleanup(func() {
		must(r.http.Close())
		must(life.Close())
		must(r.vault.Close())
		must(r.journal.Close())
	})
	return r
}

// listen serves on loopback, with every timeout as in production but for what change does.
func (r *rig) listen(change ...func(*http.Server)) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	server := r.server.HTTP()
	for _, f := range change {
		f(server)
	}
	r.http = server
	r.addr, r.url = l.Addr().String(), "http://"+l.Addr().String()
	r.client = &http.Client{Transport: &http.Transport{DisableCompression: true, ExpectContinueTimeout: time.Minute}}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			r.t.Errorf("serving: %v", err)
		}
	}()
	r.t.Cleanup(r.client.CloseIdleConnections)
}

// answer is a response that was read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// json decodes the body, or fails the test.
func (a answer) json(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("status %d: %v: %s", a.status, err, a.body)
	}
}

// problem is the last element of the problem's type; "" when the answer is none.
func (a answer) problem() string {
	var p openapi.Problem
	if a.header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(a.body, &p) != nil {
		return ""
	}
	return strings.TrimPrefix(p.Type, "/problems/")
}

// with sets a header of a request; an empty value removes it.
func with(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		if value == "" {
			r.Header.Del(name)
			return
		}
		r.Header.Add(name, value)
	}
}

// do sends a request as the rig's principal, reads the answer whole, and holds it against the contract.
func (r *rig) do(method, target string, body io.Reader, change ...func(*http.Request)) answer {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+target, body)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	for _, f := range change {
		f(req)
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	out := answer{status: res.StatusCode, header: res.Header}
	if out.body, err = io.ReadAll(res.Body); err != nil {
		r.t.Fatal(err)
	}
	r.check(method, req.URL.EscapedPath(), out)
	return out
}

// check holds an answer against the contract.
func (r *rig) check(method, path string, a answer) {
	r.t.Helper()
	if id := a.header.Get("Muniment-Request-Id"); len(id) != 36 {
		r.t.Errorf("%s %s: no request id", method, path)
	}
	op, ok := r.contract.Match(method, path)
	if !ok {
		if err := r.contract.Validate(map[string]any{"$ref": "#/components/schemas/Problem"},
			decoded(a.body)); err != nil {
			r.t.Errorf("%s %s: outside of the contract, and not a problem: %v", method, path, err)
		}
		return
	}
	if err := r.contract.CheckResponse(op, a.status, a.header, a.body); err != nil {
		r.t.Errorf("%s %s: %v: %s", method, path, err, a.body)
	}
}

func decoded(body []byte) any {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return err.Error()
	}
	return v
}

// deposit makes a deposit, which must succeed.
func (r *rig) deposit(content []byte, change ...func(*http.Request)) openapi.Deposit {
	r.t.Helper()
	a := r.do(http.MethodPost, "/v1/documents", bytes.NewReader(content), change...)
	if a.status != http.StatusCreated {
		r.t.Fatalf("depositing: %d %s", a.status, a.body)
	}
	var out openapi.Deposit
	a.json(r.t, &out)
	return out
}

// principal makes a principal of the default tenant and returns its token.
func (r *rig) principal(grants ...access.Grant) string {
	r.t.Helper()
	if r.administrator != "" {
		_, token := r.person("A person of the test", grants...)
		return token
	}
	created, err := r.people.CreatePrincipal(context.Background(), r.who, people.NewPrincipal{Grants: grants})
	if err != nil && !errors.Is(err, access.ErrUnreleased) { // which leaves it in force
		r.t.Fatal(err)
	}
	return created.Key.Reveal()
}

// stored are the paths of all files that hold objects.
func (r *rig) stored() []string {
	r.t.Helper()
	var out []string
	err := filepath.WalkDir(r.folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// last is the tenant's last number, the event of the feed's session included.
func (r *rig) last() uint64 {
	r.t.Helper()
	var page openapi.EntryPage
	for after := uint64(0); ; after = page.Next {
		r.do(http.MethodGet, fmt.Sprintf("/v1/journal/entries?limit=1000&after=%d", after), nil).json(r.t, &page)
		if len(page.Entries) == 0 {
			return after
		}
	}
}

// awaitInFlight returns when the metrics show a request being served.
func (r *rig) awaitInFlight() {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(r.admin("/metrics").Body.String(),
		"\nmuniment_http_requests_in_flight 1\n"); {
		if time.Now().After(deadline) {
			r.t.Fatal("no request is served")
		}
		<-time.After(time.Millisecond)
	}
}

// admin asks the operator's port.
func (r *rig) admin(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.server.AdminHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}
