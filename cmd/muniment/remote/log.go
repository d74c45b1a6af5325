package remote

import (
	"context"

	"muniment/openapi"
)

// Checkpoint is the newest signed checkpoint of the log (C2SP tlog-checkpoint).
func (r *Client) Checkpoint(ctx context.Context) ([]byte, error) {
	return r.body(r.api.GetCheckpoint(ctx))
}

// Entries is a page of the tenant's events after a number. wait is how long to wait for the first, in seconds.
func (r *Client) Entries(ctx context.Context, after uint64, limit, wait int) (*openapi.EntryPage, error) {
	return decode[openapi.EntryPage](r.body(r.api.ListEntries(ctx,
		&openapi.ListEntriesParams{After: &after, Limit: &limit, Wait: &wait})))
}

// AnchorNow anchors the newest checkpoint on every ledger.
func (r *Client) AnchorNow(ctx context.Context) (*openapi.AnchorList, error) {
	return decode[openapi.AnchorList](r.body(r.api.AnchorNow(ctx)))
}

// Anchors are the anchors, newest first.
func (r *Client) Anchors(ctx context.Context) (*openapi.AnchorList, error) {
	return decode[openapi.AnchorList](r.body(r.api.ListAnchors(ctx, &openapi.ListAnchorsParams{})))
}

// RecordBackup puts a verified backup on record.
func (r *Client) RecordBackup(ctx context.Context, b openapi.NewBackup) error {
	_, err := r.body(r.api.RecordBackup(ctx, b))
	return err
}

// Attest has the server try what its documents' store enforces, and put the result on record.
func (r *Client) Attest(ctx context.Context) (*openapi.Attestation, error) {
	return decode[openapi.Attestation](r.body(r.api.AttestStorage(ctx)))
}
