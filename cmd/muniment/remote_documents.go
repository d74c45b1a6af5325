package main

import (
	"context"
	"time"

	"muniment/openapi"
)

// maxPage is the largest page that the server gives.
const maxPage = 500

// filter says which documents to list. Empty fields exclude none.
type filter struct {
	series, state, chain, transaction string
	after, before                     *time.Time // of the deposit
	limit                             int        // 0 for all
}

// list is the documents that a filter passes, in the order of their deposits. It follows the pages to the end, or to
// the limit.
func (r *remote) list(ctx context.Context, f filter) ([]openapi.Document, error) {
	params := openapi.ListDocumentsParams{
		Series: optional(f.series), State: optional(openapi.DocumentState(f.state)),
		Chain: optional(f.chain), Transaction: optional(f.transaction),
		DepositedAfter: f.after, DepositedBefore: f.before,
	}
	docs := []openapi.Document{}
	for {
		limit := maxPage
		if f.limit > 0 {
			limit = min(limit, f.limit-len(docs))
		}
		params.Limit = &limit
		page, err := decode[openapi.DocumentPage](r.body(r.api.ListDocuments(ctx, &params)))
		if err != nil {
			return nil, err
		}
		docs = append(docs, page.Documents...)
		if params.Cursor = page.Next; params.Cursor == nil || f.limit > 0 && len(docs) >= f.limit {
			return docs, nil
		}
	}
}

// find is the id of the document that has an id of the depositor's.
func (r *remote) find(ctx context.Context, external string) (string, error) {
	d, err := decode[openapi.Document](r.body(r.api.GetDocumentByExternalID(ctx, external)))
	if err != nil {
		return "", err
	}
	return d.ID, nil
}

// evidence is a document's evidence file; disclose adds the content's digest and salt to it.
func (r *remote) evidence(ctx context.Context, id string, disclose bool) ([]byte, error) {
	var params openapi.GetEvidenceParams
	if disclose {
		params.Disclose = &disclose
	}
	return r.body(r.api.GetEvidence(ctx, id, &params))
}

// history is every event about a document, oldest first.
func (r *remote) history(ctx context.Context, id string) (*openapi.History, error) {
	return decode[openapi.History](r.body(r.api.GetHistory(ctx, id)))
}
