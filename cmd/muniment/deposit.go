package main

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

// deposit is what a client sends of one document.
type deposit struct {
	series, externalID, fileName, title, recordDate, mediaType string
	idempotencyKey                                             string
	attributes                                                 map[string]string
	ledgerRefs                                                 []string // "chain transaction role"
	length                                                     int64    // -1: not known
	digest                                                     []byte   // SHA-256, or nil
	content                                                    io.Reader
}

// deposit sends a document and returns its receipt. It compares the digest that the server has computed with that of
// the bytes that it has sent.
func (r *remote) deposit(ctx context.Context, d deposit) (*openapi.Deposit, error) {
	sent := sha256.New()
	if d.digest == nil {
		d.content = io.TeeReader(d.content, sent)
	}
	out, err := r.send(ctx, d)
	if err != nil {
		return nil, err
	}
	if d.digest == nil {
		d.digest = sent.Sum(nil)
	}
	if got := out.Document.ContentSHA256; got != nil && *got != hex.EncodeToString(d.digest) {
		return nil, fmt.Errorf("depositing: document %s does not have the SHA-256 of what was sent", out.ID)
	}
	return out, nil
}

// send sends a document and returns its receipt.
func (r *remote) send(ctx context.Context, d deposit) (*openapi.Deposit, error) {
	req, err := r.depositRequest(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("preparing a deposit: %w", err)
	}
	return decode[openapi.Deposit](r.body(r.http.Do(req)))
}

func (r *remote) depositRequest(ctx context.Context, d deposit) (*http.Request, error) {
	method, target := http.MethodPost, r.base+"/v1/documents"
	if d.externalID != "" {
		method, target = http.MethodPut, r.base+"/v1/documents/by-external-id/"+url.PathEscape(d.externalID)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, d.content)
	if err != nil {
		return nil, err
	}
	if req.ContentLength = d.length; d.length == 0 {
		req.Body = http.NoBody
	}
	if d.mediaType == "" {
		d.mediaType = "application/octet-stream"
	}
	req.Header.Set("Content-Type", d.mediaType)
	for name, value := range map[string]string{
		"Muniment-Series": d.series, "Muniment-File-Name": d.fileName, "Muniment-Title": d.title,
		"Muniment-Record-Date": d.recordDate,
	} {
		if value != "" {
			req.Header.Set(name, headerValue(value, false))
		}
	}
	for name, value := range d.attributes {
		req.Header.Add("Muniment-Attribute", name+"="+headerValue(value, true))
	}
	for _, ref := range d.ledgerRefs {
		req.Header.Add("Muniment-Ledger-Ref", ref)
	}
	if d.idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", d.idempotencyKey)
	}
	if d.digest != nil {
		req.Header.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(d.digest)+":")
	}
	return req, nil
}
