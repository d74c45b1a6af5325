package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestPutInterrupted: whoever stops a deposit learns that it may have been kept, and how to find out.
func TestPutInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	around := surroundings{
		stdin: strings.NewReader("A text."), stdout: &out, stderr: &errs, getenv: func(string) string { return "" },
	}
	if code := run(ctx, around, []string{"put", "-"}); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	for _, want := range []string{"interrupted", "whether it was kept is not known; muniment ls shows it", "safe to repeat"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("stderr does not say %q:\n%s", want, errs.String())
		}
	}
}
