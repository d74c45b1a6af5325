package doctor

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
	"muniment/vault/objects"
)

const locksAdvice = "have the store enforce Object Lock (versioning on, a bucket made with Object Lock, no right to " +
	"bypass it), or use another"

// attestation tries what the documents' store enforces: through the server, which puts it on record, where one was
// named, or else from here.
func (d *doctor) attestation(ctx context.Context, r *report) {
	// The flag alone: a variable is set for other commands too, with whatever token they need.
	if d.Connection.URL != "" {
		d.attestByServer(ctx, r)
		return
	}
	if d.cfg.Storage.Kind != config.StorageS3 {
		r.warn("", "keep records in an S3 store with Object Lock (storage.kind: s3), where that matters",
			"a folder enforces no locks: who may write to it can delete documents")
		return
	}
	s, err := node.OpenS3(ctx, d.cfg.Storage.S3, d.cfg.Storage.S3.Bucket, true, slog.New(slog.DiscardHandler))
	if err != nil {
		r.warn("", "see the line about the documents' store", "it could not be tried")
		return
	}
	defer func() { _ = s.Close() }() // idle connections alone
	a, err := node.Attestor(d.cfg.Storage, s)(ctx)
	if err != nil {
		r.refused("", err, "permit what the guide lists for the documents' bucket")
		return
	}
	trial := trialOf(a)
	d.judgeTrial(r, &trial, "not on record: give --url and --token for that")
}

func (d *doctor) attestByServer(ctx context.Context, r *report) {
	server, err := remote.Connect(d.Program)
	if err != nil {
		r.refused("", err, "check --url and --token")
		return
	}
	defer server.Close()
	found, err := server.Attest(ctx)
	switch {
	case err != nil:
		r.refused("", err, "a records officer's or an administrator's token is needed")
	case found.Trial == nil:
		r.warn("", "keep records in an S3 store with Object Lock, where that matters",
			"the server's store is a folder, which enforces no locks (on record at %d)", found.Index)
	default:
		d.judgeTrial(r, found.Trial, "on record at %d", found.Index)
	}
}

// judgeTrial says what a store did with each attempt.
func (d *doctor) judgeTrial(r *report, t *openapi.StorageTrial, record string, args ...any) {
	var broken []string
	for _, act := range []struct {
		Object bool
		what   string
	}{
		{t.Locks, "the lock that came with the upload did not stand"},
		{t.RefusesDelete, "a locked version could be deleted"},
		{t.RefusesShorter, "a lock could be shortened"}, {t.KeepsVersions, "a locked version could be overwritten"},
	} {
		if !act.Object {
			broken = append(broken, act.what)
		}
	}
	probe := "probe: " + t.Key + ", locked until " + t.Until.UTC().Format(time.DateTime)
	if len(broken) > 0 {
		r.fail("", locksAdvice, "%s (%s); "+record, append([]any{strings.Join(broken, "; "), probe}, args...)...)
		return
	}
	r.ok("", "a locked version can be neither deleted, shortened nor overwritten (%s); "+record,
		append([]any{probe}, args...)...)
}

func trialOf(a objects.Attestation) openapi.StorageTrial {
	return openapi.StorageTrial{
		Key: a.Key, Version: a.Version, Until: a.Until, Locks: a.Locks, RefusesDelete: a.RefusesDelete,
		RefusesShorter: a.RefusesShorter, KeepsVersions: a.KeepsVersions,
	}
}
