package remote

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"muniment/cmd/muniment/cli"
	"muniment/openapi"
)

// MaxPage is the largest page that the server gives.
const MaxPage = 500

// Filter says which documents to list. Empty fields exclude none.
type Filter struct {
	Series, State, Chain, Transaction string
	After, Before                     *time.Time // of the deposit
	Limit                             int        // 0 for all
}

// List is the documents that a filter passes, in the order of their deposits. It follows the pages to the end, or to
// the limit.
func (r *Client) List(ctx context.Context, f Filter) ([]openapi.Document, error) {
	params := openapi.ListDocumentsParams{
		Series: Optional(f.Series), State: Optional(openapi.DocumentState(f.State)),
		Chain: Optional(f.Chain), Transaction: Optional(f.Transaction),
		DepositedAfter: f.After, DepositedBefore: f.Before,
	}
	docs := []openapi.Document{}
	for {
		limit := MaxPage
		if f.Limit > 0 {
			limit = min(limit, f.Limit-len(docs))
		}
		params.Limit = &limit
		page, err := decode[openapi.DocumentPage](r.body(r.api.ListDocuments(ctx, &params)))
		if err != nil {
			return nil, err
		}
		docs = append(docs, page.Documents...)
		if params.Cursor = page.Next; params.Cursor == nil || f.Limit > 0 && len(docs) >= f.Limit {
			return docs, nil
		}
	}
}

// Find is the id of the document that has an id of the depositor's, in a series or in any that the caller may see.
func (r *Client) Find(ctx context.Context, series, external string) (string, error) {
	var params openapi.GetDocumentByExternalIDParams
	if series != "" {
		params.Series = &series
	}
	d, err := decode[openapi.Document](r.body(r.api.GetDocumentByExternalID(ctx, external, &params)))
	if refused := new(ProblemError); errors.As(err, &refused) && refused.Status == http.StatusConflict {
		err = cli.Hint(err, "name it with --series")
	}
	if err != nil {
		return "", err
	}
	return d.ID, nil
}

// Evidence is a document's evidence file; disclose adds the content's digest and salt to it.
func (r *Client) Evidence(ctx context.Context, id string, disclose bool) ([]byte, error) {
	var params openapi.GetEvidenceParams
	if disclose {
		params.Disclose = &disclose
	}
	return r.body(r.api.GetEvidence(ctx, id, &params))
}

// historyPage is how many events are asked for at a time.
const historyPage = 1000

// History is every event about a document, oldest first; where limit is not 0, at most so many of the newest. Next is
// set if there are older ones.
func (r *Client) History(ctx context.Context, id string, limit int) (*openapi.History, error) {
	story := &openapi.History{Entries: []openapi.Entry{}}
	for {
		most := historyPage
		if limit > 0 {
			most = min(most, limit-len(story.Entries))
		}
		params := openapi.GetHistoryParams{Before: story.Next, Limit: &most}
		page, err := decode[openapi.History](r.body(r.api.GetHistory(ctx, id, &params)))
		if err != nil {
			return nil, err
		}
		story.Entries, story.Next = append(story.Entries, page.Entries...), page.Next
		if page.Next == nil || limit > 0 && len(story.Entries) >= limit {
			slices.Reverse(story.Entries)
			return story, nil
		}
	}
}
