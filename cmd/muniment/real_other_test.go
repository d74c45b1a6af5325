package main

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"muniment/cmd/muniment/node"
	"muniment/vault/objects"
)

// TestRealOthersDocuments: a vault does not begin over the documents of another, which its sweep would take for
// leavings.
func TestRealOthersDocuments(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	path := r.configure("first")
	c := r.config("first").Storage.S3
	store, err := node.OpenS3(t.Context(), c, c.Bucket, true, slog.New(slog.DiscardHandler))
	if err == nil {
		_, err = store.Put(t.Context(), "default/1", strings.NewReader("x"), objects.PutOptions{Length: 1})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	said := started(t, path)
	for _, want := range []string{"of another vault already", "name its release bucket"} {
		if !strings.Contains(said, want) {
			t.Errorf("serve says:\n%swant in it: %s", said, want)
		}
	}
	if have, err := node.Folder(filepath.Join(r.dir, "first")).Inventory(); err != nil || have != (node.Inventory{}) {
		t.Errorf("the start has left %+v, %v", have, err)
	}
}
