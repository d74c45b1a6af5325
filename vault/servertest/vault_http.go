package servertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// callTimeout is how long one call to Vault may take.
const callTimeout = 30 * time.Second

// Do calls Vault's HTTP API and returns the answer's object; nil when there is no body. The path is what follows /v1/;
// transit/ and auth/approle/ in it are the mounts of the test's own where the Vault is shared. An answer other than 2xx
// fails the test.
func (v *Vault) Do(t testing.TB, method, path, token string, body any) map[string]any {
	t.Helper()
	status, answer := v.Try(t, method, path, token, body)
	if status/100 != 2 {
		t.Fatalf("vault: %s %s: status %d: %v", method, path, status, answer["errors"])
	}
	return answer
}

// Try is Do for calls that may be refused: it returns the status with the answer. Vault not answering at all fails the
// test.
func (v *Vault) Try(t testing.TB, method, path, token string, body any) (status int, answer map[string]any) {
	t.Helper()
	// The context is not the test's own, which has ended when cleanups run.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), callTimeout)
	defer cancel()
	status, answer, err := v.call(ctx, method, path, token, body)
	if err != nil {
		t.Fatalf("vault: %s %s: %v", method, path, err)
	}
	return status, answer
}

func (v *Vault) call(ctx context.Context, method, path, token string, body any) (int, map[string]any, error) {
	var content io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return 0, nil, fmt.Errorf("encoding the request: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, v.Address+"/v1/"+v.mounted(path), content)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-Vault-Request", "true")
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(text) == 0 {
		return resp.StatusCode, nil, nil
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		return 0, nil, fmt.Errorf("reading the answer, status %d: %w", resp.StatusCode, err)
	}
	return resp.StatusCode, answer, nil
}

// mounted puts the mounts of the Vault into a path that begins with transit/ or auth/approle/.
func (v *Vault) mounted(path string) string {
	path = strings.TrimPrefix(path, "/")
	if rest, ok := strings.CutPrefix(path, "transit/"); ok {
		return v.Transit + "/" + rest
	}
	if rest, ok := strings.CutPrefix(path, "auth/approle/"); ok {
		return "auth/" + v.AppRoleMount + "/" + rest
	}
	return path
}
