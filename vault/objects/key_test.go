package objects_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"muniment/vault/objects"
)

func TestSpanCheck(t *testing.T) {
	for _, c := range []struct {
		span objects.Span
		size int64
		ok   bool
	}{
		{objects.Span{Offset: 0, Length: 10}, 10, true},
		{objects.Span{Offset: 9, Length: 1}, 10, true},
		{objects.Span{Offset: 10, Length: 1}, 10, false},
		{objects.Span{Offset: 0, Length: 0}, 10, false},
		{objects.Span{Offset: -1, Length: 1}, 10, false},
		{objects.Span{Offset: 1<<63 - 1, Length: 1<<63 - 1}, 10, false},
		{objects.Span{Offset: 1, Length: 1<<63 - 1}, 1<<63 - 1, false},
		{objects.Span{Offset: 0, Length: 1<<63 - 1}, 1<<63 - 1, true},
	} {
		if err := c.span.Check(c.size); (err == nil) != c.ok || err != nil && !errors.Is(err, objects.ErrSpan) {
			t.Errorf("%+v of %d bytes: %v", c.span, c.size, err)
		}
	}
}

// FuzzCheckKey shows that a key that passes stays below the folder it is joined to, and names one place there.
func FuzzCheckKey(f *testing.F) {
	for _, seed := range []string{"a", "a/b", "../a", "a/../../b", "a//b", "/a", "a\x00", ".", "a/.", "ten-1/0af3",
		strings.Repeat("a/", 256)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		err := objects.CheckKey(key)
		if err != nil {
			if !errors.Is(err, objects.ErrKey) {
				t.Errorf("%v does not wrap ErrKey", err)
			}
			if len(key) > 8 && strings.Contains(err.Error(), key) {
				t.Error("the error carries the key")
			}
			return
		}
		if path := filepath.Join("/root", key); path != "/root/"+key || !filepath.IsLocal(key) {
			t.Errorf("key %q leads to %q", key, path)
		}
	})
}
