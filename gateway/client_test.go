package gateway_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"testing"

	"muniment/openapi"
	"muniment/openapi/client"
)

// TestGeneratedClient goes through the main job with the Go client that integrators get.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := context.Background()
	c, err := client.NewClientWithResponses(r.url, client.WithAPIKey(r.token), client.WithHTTPClient(r.client))
	if err != nil {
		t.Fatal(err)
	}
	const externalID = "erp/2026/ü%1"
	params := &openapi.PutDocumentByExternalIDParams{
		ContentDigest: ptr(contentDigest([]byte("a deed"))), MunimentFileName: ptr("UTF-8''na%C3%AFve.txt"),
		LedgerRef: &[]string{"eip155:1 0x1", "eip155:1 0x2"},
	}
	put, err := c.PutDocumentByExternalIDWithBodyWithResponse(ctx, externalID, params, "text/plain",
		bytes.NewReader([]byte("a deed")))
	if err != nil || put.JSON201 == nil {
		t.Fatalf("%v %s", err, put.Body)
	}
	d := put.JSON201.Document
	if *d.ExternalID != externalID || *d.FileName != "naïve.txt" || *d.MediaType != "text/plain" ||
		len(*d.LedgerRefs) != 2 {
		t.Errorf("the document is %s", put.Body)
	}
	found, err := c.GetDocumentByExternalIDWithResponse(ctx, externalID, nil)
	if err != nil || found.JSON200 == nil || found.JSON200.ID != d.ID {
		t.Errorf("%v %s", err, found.Body)
	}
	res, err := c.GetContent(ctx, d.ID,
		&openapi.GetContentParams{MunimentPurpose: ptr("audit"), Range: ptr("bytes=2-")})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "deed" ||
		res.StatusCode != http.StatusPartialContent {
		t.Errorf("%d %q %v", res.StatusCode, body, err)
	}
	page, err := c.ListDocumentsWithResponse(ctx, &openapi.ListDocumentsParams{Limit: ptr(10)})
	if err != nil || page.JSON200 == nil || len(page.JSON200.Documents) != 1 {
		t.Errorf("%v %s", err, page.Body)
	}
	tile, err := c.GetTileWithResponse(ctx, "0/000.p/1")
	if err != nil || len(tile.Body) != 32 {
		t.Errorf("%v, %d bytes: %s", err, len(tile.Body), tile.Body)
	}
	refused, err := c.DeleteDocumentWithResponse(ctx, d.ID)
	if err != nil || refused.ApplicationProblemJSON405 == nil ||
		refused.ApplicationProblemJSON405.Type != "/problems/disposition-required" {
		t.Errorf("%v %s", err, refused.Body)
	}
}

// TestGeneratedClientInline deposits with the generated client what is small enough to stand in JSON, and what is in a
// form.
func TestGeneratedClientInline(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := context.Background()
	c, err := client.NewClientWithResponses(r.url, client.WithAPIKey(r.token), client.WithHTTPClient(r.client))
	if err != nil {
		t.Fatal(err)
	}
	body := openapi.InlineDeposit{
		Title: ptr("A deed"), ContentBase64: base64.StdEncoding.EncodeToString([]byte("a deed")),
		IdempotencyKey: ptr("k"),
	}
	first, err := c.DepositDocumentWithApplicationVndMunimentDepositPlusJSONBodyWithResponse(ctx,
		&openapi.DepositDocumentParams{}, body)
	if err != nil || first.JSON201 == nil || *first.JSON201.Document.Title != "A deed" ||
		first.JSON201.Acknowledged != openapi.AcknowledgeReleased {
		t.Fatalf("%v %s", err, first.Body)
	}
	raw, kind := form(t, openapi.DepositMetadata{Title: ptr("A deed"), IdempotencyKey: ptr("f")}, []byte("a deed"))
	second, err := c.DepositDocumentWithBodyWithResponse(ctx, &openapi.DepositDocumentParams{}, kind,
		bytes.NewReader(raw))
	if err != nil || second.JSON201 == nil ||
		*second.JSON201.Document.ContentSHA256 != *first.JSON201.Document.ContentSHA256 {
		t.Fatalf("%v %s", err, second.Body)
	}
	head, err := c.HeadContent(ctx, first.JSON201.ID, &openapi.HeadContentParams{})
	if err != nil {
		t.Fatal(err)
	}
	defer head.Body.Close()
	if head.StatusCode != http.StatusOK || head.ContentLength != int64(len("a deed")) {
		t.Errorf("%d, %d bytes", head.StatusCode, head.ContentLength)
	}
}
