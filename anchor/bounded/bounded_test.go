package bounded_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muniment/anchor/bounded"
)

// TestNothingIsReadBeyondItsBound: what has the length that it may have is read whole; what has a byte more is refused.
func TestNothingIsReadBeyondItsBound(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", len(r.URL.Query().Get("n"))))
	}))
	defer server.Close()
	client := &http.Client{Transport: bounded.Transport{Next: http.DefaultTransport, Most: 5}}
	path := filepath.Join(t.TempDir(), "a-file")
	for text, fits := range map[string]bool{"": true, "12345": true, "123456": false, strings.Repeat("x", 99): false} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		fromReader, err := bounded.ReadAll(strings.NewReader(text), 5)
		fromFile, fileErr := bounded.ReadFile(path, 5)
		answer, getErr := client.Get(server.URL + "?n=" + text)
		if getErr != nil {
			t.Fatal(getErr)
		}
		fromBody, bodyErr := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if fits && (err != nil || fileErr != nil || bodyErr != nil || string(fromReader) != text ||
			string(fromFile) != text || len(fromBody) != len(text)) {
			t.Errorf("%q: %q, %v; %q, %v; %q, %v", text, fromReader, err, fromFile, fileErr, fromBody, bodyErr)
		}
		if !fits && (!errors.Is(err, bounded.ErrTooLong) || !errors.Is(fileErr, bounded.ErrTooLong) ||
			!errors.Is(bodyErr, bounded.ErrTooLong) || !strings.Contains(fileErr.Error(), "a-file")) {
			t.Errorf("%q: %v; %v; %v", text, err, fileErr, bodyErr)
		}
	}
	if _, err := bounded.ReadFile(path+"-2", 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
