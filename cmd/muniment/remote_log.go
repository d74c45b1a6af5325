package main

import (
	"context"

	"muniment/openapi"
)

// checkpoint is the newest signed checkpoint of the log (C2SP tlog-checkpoint).
func (r *remote) checkpoint(ctx context.Context) ([]byte, error) {
	return r.body(r.api.GetCheckpoint(ctx))
}

// entries is a page of the tenant's events after a number. wait is how long to wait for the first, in seconds.
func (r *remote) entries(ctx context.Context, after uint64, limit, wait int) (*openapi.EntryPage, error) {
	return decode[openapi.EntryPage](r.body(r.api.ListEntries(ctx,
		&openapi.ListEntriesParams{After: &after, Limit: &limit, Wait: &wait})))
}

// anchorNow anchors the newest checkpoint on every ledger.
func (r *remote) anchorNow(ctx context.Context) (*openapi.AnchorList, error) {
	return decode[openapi.AnchorList](r.body(r.api.AnchorNow(ctx)))
}

// anchors are the anchors, newest first.
func (r *remote) anchors(ctx context.Context) (*openapi.AnchorList, error) {
	return decode[openapi.AnchorList](r.body(r.api.ListAnchors(ctx, &openapi.ListAnchorsParams{})))
}

// recordBackup puts a verified backup on record.
func (r *remote) recordBackup(ctx context.Context, b openapi.NewBackup) error {
	_, err := r.body(r.api.RecordBackup(ctx, b))
	return err
}

// attest has the server try what its documents' store enforces, and put the result on record.
func (r *remote) attest(ctx context.Context) (*openapi.Attestation, error) {
	return decode[openapi.Attestation](r.body(r.api.AttestStorage(ctx)))
}
