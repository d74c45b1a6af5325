package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/vault/checkpoints"
)

// realAttacks are those that an installation on S3 and Vault alone shows. They are done one after the other; those
// whose act is not undone stand at the end.
func realAttacks() []attack {
	const other = "it belongs to another installation"
	refused := func(why string) map[observer]string { return map[observer]string{atStart: why, byFsck: why} }
	return []attack{{
		component: "configuration, with S3 and Vault",
		act:       "names another installation's pair of buckets",
		outcome:   "nothing is served, and nothing is written there",
		real: func(_ *realSite, cfg *config.Config) {
			cfg.Storage.S3.Bucket, cfg.Storage.S3.ReleaseBucket = otherDocuments, otherRelease
		},
		noticed: refused(other),
	}, {
		component: "configuration, with S3 and Vault",
		act:       "names another installation's release bucket",
		outcome:   "nothing is served, and nothing is written there",
		real:      func(_ *realSite, cfg *config.Config) { cfg.Storage.S3.ReleaseBucket = otherRelease },
		noticed:   refused(other),
	}, {
		component: "configuration, with S3 and Vault",
		act:       "names another installation's prefix of keys, and a login that may use them",
		outcome:   "nothing is served: the shipping key is not wrapped under it",
		real: func(r *realSite, cfg *config.Config) {
			r.write("root-token", r.vault.RootToken)
			cfg.Keys.Vault.Prefix, cfg.Keys.Vault.Auth = "other", config.AuthToken
			cfg.Keys.Vault.TokenFile = filepath.Join(r.dir, "root-token")
		},
		noticed: refused("not authenticated by this journal's shipping key"),
	}, {
		component: "configuration, with S3 and Vault",
		act:       "lowers the locks' mode to governance",
		outcome: "what was locked in compliance mode stays so; locks set from then on can be shortened or lifted by " +
			"whoever has the store's right to bypass them",
		real:    func(_ *realSite, cfg *config.Config) { cfg.Storage.S3.Lock = config.LockGovernance },
		noticed: map[observer]string{inHealth: "storage.s3.lock is governance"},
	}, {
		component: "documents' bucket, on S3",
		act:       "deletes the locked checkpoints",
		outcome:   "the store refuses, as long as its own operator does not lend a hand",
		real: func(r *realSite, cfg *config.Config) {
			r.documents(cfg, func(ctx context.Context, store node.Store) {
				n := 0
				for info, err := range store.List(ctx, checkpoints.Prefix, "") {
					if err == nil {
						n++
						err = store.Delete(ctx, info.Key, info.Version)
					}
					if err == nil {
						r.t.Errorf("%s was deleted", info.Key)
					}
				}
				if n == 0 {
					r.t.Error("no checkpoint is locked")
				}
			})
		},
	}, {
		component: "documents' bucket, on S3",
		act:       "puts something else on top of a document", outcome: "the version that the record names is served",
		real: func(r *realSite, cfg *config.Config) {
			r.documents(cfg, func(ctx context.Context, store node.Store) {
				putOnTop(ctx, r.t, store, keysUnder(ctx, r.t, store, "default/")[0], []byte("something else"))
			})
		},
	}, {
		component: "key service, Vault",
		act:       "deletes the tenant's key, and makes another of its name",
		outcome:   "nothing of the tenant opens, for good: Vault's own backups have the key",
		real: func(r *realSite, _ *config.Config) {
			r.anew("muniment-tenant-" + r.facts.journal.String() + "-default")
		},
		noticed: map[observer]string{
			atRead: "What is stored is not what was recorded",
			byFsck: "it cannot be unwrapped",
		},
	}, {
		component: "key service, Vault",
		act:       "deletes the journals' key, and makes another of its name",
		outcome:   "nothing is served: Vault's own backups have the key",
		real:      func(r *realSite, _ *config.Config) { r.anew("muniment-journal") },
		noticed:   refused("not authenticated by this journal's shipping key"),
	}}
}

// The other installation's buckets.
const otherDocuments, otherRelease = "other-documents", "other-release"

// realSite is an installation on S3 and Vault.
type realSite struct {
	*real
	*site
	t *testing.T
}

// TestRealAttackerInOneComponent does on S3 and Vault what a data folder does not show.
func TestRealAttackerInOneComponent(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	for bucket, versioned := range map[string]bool{otherDocuments: true, otherRelease: false} {
		r.bucket(bucket, versioned)
	}
	for key, kind := range map[string]string{"checkpoint": "ed25519", "ledger": "ed25519", "journal": "aes256-gcm96"} {
		r.vault.Do(t, "POST", "transit/keys/other-"+key, r.vault.RootToken, map[string]any{"type": kind})
	}
	s := &realSite{real: r, site: &site{t: t, facts: &siteFacts{}, open: node.OpenStorage}, t: t}
	own, other := r.config("data"), r.config("data")
	other.Data = filepath.Join(r.dir, "other")
	other.Storage.S3.Bucket, other.Storage.S3.ReleaseBucket = otherDocuments, otherRelease
	begin := func(cfg config.Config, facts *siteFacts) {
		cfg.Listen, cfg.AdminListen = "127.0.0.1:0", "127.0.0.1:0"
		s.must(serveConfigured(cfg, func(ctx context.Context, n *node.Server) error {
			return errors.Join(facts.firstHalf(ctx, n), facts.revoke(ctx, n))
		}))
	}
	begin(other, &siteFacts{})
	begin(own, s.facts)
	s.folder, s.facts.now = node.Folder(own.Data), node.Folder(own.Data)
	for _, a := range realAttacks() {
		t.Run(a.act, func(t *testing.T) {
			cfg := own
			cfg.Listen, cfg.AdminListen = "127.0.0.1:0", "127.0.0.1:0"
			s.t, s.site.t, s.real.t = t, t, t
			a.real(s, &cfg)
			s.cfg = cfg
			a.says(t, byFsck, s.fsck())
			n, err := s.start(io.Discard)
			if err != nil {
				a.says(t, atStart, err.Error())
				return
			}
			a.says(t, atStart, "")
			a.says(t, atRead, s.checkServed(n))
			a.checkHealth(t, n)
			s.stop(n)
		})
	}
}

// documents is the documents' store, by the server's own credentials.
func (r *realSite) documents(cfg *config.Config, work func(ctx context.Context, store node.Store)) {
	r.t.Helper()
	c := cfg.Storage.S3
	store, err := node.OpenS3(r.t.Context(), c, c.Bucket, true, slog.New(slog.DiscardHandler))
	r.must(err)
	work(r.t.Context(), store)
	r.must(store.Close())
}

// anew deletes a key in Vault for good, and makes another.
func (r *realSite) anew(name string) {
	r.t.Helper()
	path, token := "transit/keys/"+name, r.vault.RootToken
	r.vault.Do(r.t, "POST", path+"/config", token, map[string]any{"deletion_allowed": true})
	r.vault.Do(r.t, "DELETE", path, token, nil)
	r.vault.Do(r.t, "POST", path, token, map[string]any{"type": "aes256-gcm96"})
}
