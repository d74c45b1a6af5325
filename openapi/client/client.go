// Package client is the Go client of the HTTP API, generated from openapi.yaml.
//
// A deposit streams its body ([Client.DepositDocumentWithBody] takes a reader), and so does a read ([Client.GetContent]
// returns the response with its body open). [ClientWithResponses] reads answers into memory and decodes them; use it
// for everything but content.
package client

import (
	"context"
	"net/http"
)

// WithAPIKey sends an API key, "mun_…", with every request.
func WithAPIKey(key string) ClientOption {
	return WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	})
}
