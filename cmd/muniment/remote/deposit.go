package remote

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"muniment/openapi"
)

// Deposit is what a client sends of one document.
type Deposit struct {
	Series, ExternalID, FileName, Title, RecordDate, MediaType string
	IdempotencyKey                                             string
	Attributes                                                 map[string]string
	LedgerRefs                                                 []string // "chain transaction role"
	Length                                                     int64    // -1: not known
	Digest                                                     []byte   // SHA-256, or nil
	Content                                                    io.Reader
}

// Deposit sends a document and returns its receipt. It compares the digest that the server has computed with that of
// the bytes that it has sent.
func (r *Client) Deposit(ctx context.Context, d Deposit) (*openapi.Deposit, error) {
	sent := sha256.New()
	if d.Digest == nil {
		d.Content = io.TeeReader(d.Content, sent)
	}
	out, err := r.Send(ctx, d)
	if err != nil {
		return nil, err
	}
	if d.Digest == nil {
		d.Digest = sent.Sum(nil)
	}
	if got := out.Document.ContentSHA256; got != nil && *got != hex.EncodeToString(d.Digest) {
		return nil, fmt.Errorf("depositing: document %s does not have the SHA-256 of what was sent", out.ID)
	}
	return out, nil
}

// Send sends a document and returns its receipt.
func (r *Client) Send(ctx context.Context, d Deposit) (*openapi.Deposit, error) {
	req, err := r.depositRequest(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("preparing a deposit: %w", err)
	}
	return decode[openapi.Deposit](r.body(r.http.Do(req)))
}

func (r *Client) depositRequest(ctx context.Context, d Deposit) (*http.Request, error) {
	method, target := http.MethodPost, r.Base+"/v1/documents"
	if d.ExternalID != "" {
		method, target = http.MethodPut, r.Base+"/v1/documents/by-external-id/"+url.PathEscape(d.ExternalID)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, d.Content)
	if err != nil {
		return nil, err
	}
	if req.ContentLength = d.Length; d.Length == 0 {
		req.Body = http.NoBody
	}
	if d.MediaType == "" {
		d.MediaType = "application/octet-stream"
	}
	req.Header.Set("Content-Type", d.MediaType)
	for name, value := range map[string]string{
		"Muniment-Series": d.Series, "Muniment-File-Name": d.FileName, "Muniment-Title": d.Title,
		"Muniment-Record-Date": d.RecordDate,
	} {
		if value != "" {
			req.Header.Set(name, headerValue(value, false))
		}
	}
	for name, value := range d.Attributes {
		req.Header.Add("Muniment-Attribute", name+"="+headerValue(value, true))
	}
	for _, ref := range d.LedgerRefs {
		req.Header.Add("Muniment-Ledger-Ref", ref)
	}
	if d.IdempotencyKey != "" {
		req.Header.Set("Idempotency-Key", d.IdempotencyKey)
	}
	if d.Digest != nil {
		req.Header.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(d.Digest)+":")
	}
	return req, nil
}
