package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	"muniment/anchor/journal/journaltest"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/objects"
	"muniment/vault/people"
)

// site is an installation that an attacker is let at: a copy of the one that all attacks share.
type site struct {
	t      *testing.T
	cfg    config.Config
	folder node.Folder
	open   node.Opener
	facts  *siteFacts
}

// siteFacts is what is known of the installation that all attacks share.
type siteFacts struct {
	before node.Folder // a copy from before the second half of its history
	now    node.Folder
	other  node.Folder // another installation

	journal   journal.ID
	origin    string
	documents []acknowledged
	reader    access.APIKey // of a principal who may read
	readerID  journal.ID
	founder   access.APIKey
	// revoked was revoked in the second half; forged is a key that no event knows, whose principal none knows either.
	revoked, forged       access.APIKey
	revokedID, intruderID journal.ID
}

// acknowledged is a document whose deposit was acknowledged.
type acknowledged struct{ id, content string }

// sharedSite makes the installation that all attacks share, once.
var sharedSite = sync.OnceValues(func() (*siteFacts, error) {
	root := filepath.Join(shared, "attacked")
	f := &siteFacts{before: node.Folder(filepath.Join(root, "before")), now: node.Folder(filepath.Join(root, "now")),
		other: node.Folder(filepath.Join(root, "other"))}
	err := errors.Join(os.Mkdir(root, 0o700),
		serveOnce(f.other, func(ctx context.Context, n *node.Server) error {
			who, err := n.Node.Authority().AuthenticateNow(ctx, n.Node.Bootstrap.Reveal())
			if err != nil {
				return err
			}
			return errors.Join(f.depositInto(ctx, n.Node.Vault, who, &[]acknowledged{}),
				anchorNow(ctx, n, n.Node.Bootstrap))
		}),
		serveOnce(f.now, f.firstHalf))
	if err == nil {
		err = os.CopyFS(string(f.before), os.DirFS(string(f.now)))
	}
	if err == nil {
		err = os.Chmod(string(f.before), 0o700)
	}
	if err == nil {
		err = serveOnce(f.now, f.secondHalf)
	}
	return f, err
})

// siteConfig is the configuration of an embedded installation.
func siteConfig(f node.Folder) config.Config {
	cfg := node.Embedded(f)
	cfg.Listen, cfg.AdminListen = "127.0.0.1:0", "127.0.0.1:0"
	return cfg
}

// serveOnce does work while a server serves a folder.
func serveOnce(f node.Folder, work func(context.Context, *node.Server) error) error {
	return serveConfigured(siteConfig(f), work)
}

// serveConfigured does work while a server serves what is configured.
func serveConfigured(cfg config.Config, work func(context.Context, *node.Server) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := node.Listen(ctx, cfg, slog.New(slog.DiscardHandler), node.OpenStorage)
	if err != nil {
		return err
	}
	n.Serve()
	err = n.EndFirstStart()
	if err == nil {
		err = work(ctx, n)
	}
	return errors.Join(err, n.Stop(10*time.Second))
}

// firstHalf founds two readers and deposits until there are batches.
func (f *siteFacts) firstHalf(ctx context.Context, n *node.Server) error {
	f.journal, f.origin = n.Node.Journal.ID(), n.Node.Journal.Origin()
	people, err := foundersOf(ctx, n.Node)
	if err != nil {
		return err
	}
	f.founder = people.key
	for _, one := range []struct {
		id  *journal.ID
		key *access.APIKey
	}{{&f.readerID, &f.reader}, {&f.revokedID, &f.revoked}} {
		who, key, err := people.add(ctx, access.Grant{Role: access.ReaderRole}, access.Grant{Role: access.Auditor})
		if err != nil {
			return err
		}
		*one.id, *one.key = who.Principal, key
	}
	if f.forged, err = access.NewAPIKey(rand.Reader); err != nil {
		return err
	}
	if f.intruderID, err = journal.NewID(time.Now(), rand.Reader); err != nil {
		return err
	}
	depositor, _, err := people.add(ctx, access.Grant{Role: access.Depositor})
	if err != nil {
		return err
	}
	return f.depositInto(ctx, n.Node.Vault, depositor, &f.documents)
}

// secondHalf revokes one of the readers, deposits more, anchors and proves.
func (f *siteFacts) secondHalf(ctx context.Context, n *node.Server) error {
	who, err := n.Node.Authority().AuthenticateNow(ctx, f.founder.Reveal())
	if err != nil {
		return err
	}
	custodian, err := n.Node.People.CreatePrincipal(ctx, who,
		people.NewPrincipal{Grants: []access.Grant{{Role: access.KeyCustodian}}})
	if err != nil {
		return err
	}
	rotates := access.Who{Tenant: who.Tenant, Principal: custodian.Principal.ID}
	if _, err := n.Node.Keys.Rotate(ctx, rotates); err != nil {
		return err
	}
	if err := f.revoke(ctx, n); err != nil {
		return err
	}
	if err := f.depositInto(ctx, n.Node.Vault, who, &f.documents); err != nil {
		return err
	}
	return anchorNow(ctx, n, f.founder)
}

// revoke revokes the keys of one of the readers.
func (f *siteFacts) revoke(ctx context.Context, n *node.Server) error {
	who, err := n.Node.Authority().AuthenticateNow(ctx, f.founder.Reveal())
	if err == nil {
		_, err = n.Node.People.RevokeKeys(ctx, who, f.revokedID)
	}
	return err
}

// anchorNow anchors the journal's newest checkpoint.
func anchorNow(ctx context.Context, n *node.Server, key access.APIKey) error {
	r, err := remote.New(n.URL(), key.Reveal(), remote.NewTransport(1))
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = r.AnchorNow(ctx)
	return err
}

// depositInto deposits documents with so many attributes that each makes a batch, and one without, which the released
// head holds.
func (f *siteFacts) depositInto(ctx context.Context, v *vault.Vault, who access.Who, into *[]acknowledged) error {
	many := map[string]string{}
	for i := range 64 {
		many[fmt.Sprintf("attribute-%d", i)] = strings.Repeat("x", 1024)
	}
	for _, attributes := range []map[string]string{many, many, many, nil} {
		content := fmt.Sprintf("document %d", len(*into))
		out, err := v.Deposit(ctx, who, vault.Deposit{Title: "T", Attributes: attributes, Length: int64(len(content)),
			Content: strings.NewReader(content)})
		if err != nil {
			return err
		}
		*into = append(*into, acknowledged{out.ID.String(), content})
	}
	return nil
}

// newSite is a copy of the shared installation.
func newSite(t *testing.T) *site {
	t.Helper()
	f, err := sharedSite()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, facts: f, open: node.OpenStorage}
	s.take(f.now)
	return s
}

// take makes the site a copy of a folder.
func (s *site) take(from node.Folder) {
	s.t.Helper()
	s.folder = node.Folder(filepath.Join(s.t.TempDir(), "data"))
	s.must(os.CopyFS(string(s.folder), os.DirFS(string(from))))
	s.must(os.Chmod(string(s.folder), 0o700))
	if err := os.Chmod(s.folder.Keys(), 0o600); !errors.Is(err, os.ErrNotExist) {
		s.must(err)
	}
	s.cfg = siteConfig(s.folder)
}

// copy is another installation that is as this one.
func (s *site) copy() *site {
	s.t.Helper()
	c := *s
	c.take(s.folder)
	return &c
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// program runs a command of the program, and returns what it says.
func (s *site) program(args ...string) (said string, code int) {
	var out bytes.Buffer
	p := &cli.Program{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" },
	}
	code = run(s.t.Context(), p, node.OpenStorage, args)
	return out.String(), code
}

// client is a client with an API key.
func (s *site) client(n *node.Server, key access.APIKey) *remote.Client {
	s.t.Helper()
	r, err := remote.New(n.URL(), key.Reveal(), remote.NewTransport(1))
	s.must(err)
	s.t.Cleanup(r.Close)
	return r
}

// swap puts a part of another folder in the place of this one's.
func (s *site) swap(from node.Folder, part func(node.Folder) string) {
	s.t.Helper()
	to := part(s.folder)
	s.must(os.RemoveAll(to))
	info, err := os.Stat(part(from))
	s.must(err)
	if info.IsDir() {
		s.must(os.CopyFS(to, os.DirFS(part(from))))
		return
	}
	raw, err := os.ReadFile(part(from))
	s.must(errors.Join(err, os.WriteFile(to, raw, 0o600)))
}

// bucket is a release bucket in a folder, to do with as the attacker likes.
func (s *site) bucket(f node.Folder, work func(ctx context.Context, b journal.Bucket)) {
	s.t.Helper()
	store, err := node.OpenDir(s.t.Context(), f.Release(), false, false)
	s.must(err)
	work(s.t.Context(), objects.NewBucket(store))
	s.must(store.Close())
}

// documents is the documents' store.
func (s *site) documents(work func(ctx context.Context, store node.Store)) {
	s.t.Helper()
	store, err := node.OpenDir(s.t.Context(), s.folder.Objects(), true, false)
	s.must(err)
	work(s.t.Context(), store)
	s.must(store.Close())
}

// database changes rows of the database's file.
func (s *site) database(change func(tx journal.Txn) error) {
	s.t.Helper()
	s.withDatabase(func(b journal.Backend) { s.must(b.Update(s.t.Context(), change)) })
}

// withDatabase opens the database's file.
func (s *site) withDatabase(work func(b journal.Backend)) {
	s.t.Helper()
	b, err := bolt.Open(bolt.Config{Path: s.folder.Journal()})
	s.must(err)
	work(b)
	s.must(b.Close())
}

// overwrite puts an object into a bucket, whatever is there.
func overwrite(ctx context.Context, t *testing.T, b journal.Bucket, name string, data []byte) {
	t.Helper()
	if err := b.Delete(ctx, name); err != nil {
		t.Fatal(err)
	}
	journaltest.Must(b.Put(ctx, name, data, ""))
}

// putOnTop puts an object on top of what a store has under the key.
func putOnTop(ctx context.Context, t *testing.T, store objects.Store, key string, data []byte) {
	t.Helper()
	_, err := store.Put(ctx, key, bytes.NewReader(data), objects.PutOptions{Length: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
}

// stored reads an object's newest version.
func stored(ctx context.Context, t *testing.T, store objects.Store, key string) []byte {
	t.Helper()
	body, _, err := store.Get(ctx, key, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	return journaltest.Must(io.ReadAll(body))
}

// keysUnder lists the keys of a store under a prefix.
func keysUnder(ctx context.Context, t *testing.T, store objects.Store, prefix string) (all []string) {
	t.Helper()
	for info, err := range store.List(ctx, prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Key)
	}
	return all
}
