package seal_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"muniment/anchor/journal"
	"muniment/vault/keys/local"
	"muniment/vault/seal"
)

// A document is two ciphertexts: its content, under a keyset of its own, and a row with that keyset and what describes
// the document, under the tenant's key. Both are bound to tenant and document.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	must(err)
	defer os.RemoveAll(dir)
	service, err := local.Create(filepath.Join(dir, "keys.json"))
	must(err)
	defer service.Close()
	must(service.CreateTenant(ctx, "archive"))
	document := journal.ID{15: 1}
	binding := seal.Binding("archive", document)

	// Seal the content, and then the row.
	content := []byte("Minutes of the 14th session.")
	keyset, err := seal.NewKeyset(seal.SuiteFor(int64(len(content)), false))
	must(err)
	var object bytes.Buffer
	w, err := seal.Encrypt(&object, keyset, binding)
	must(err)
	_, err = w.Write(content)
	must(err)
	must(w.Close())
	rows, err := seal.Seal(ctx, service, "archive", []seal.Item{
		{Binding: binding, Keyset: keyset, Text: []byte(`{"title":"Minutes"}`)},
	})
	must(err)

	// Open the row, and with its keyset a span of the content.
	opened, err := seal.Open(ctx, service, "archive", []seal.Sealed{{Binding: binding, Value: rows[0]}})
	must(err)
	must(opened[0].Err)
	fmt.Printf("row: %s\n", opened[0].Text)
	stored := func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(object.Bytes()[offset : offset+length])), nil
	}
	decoder, err := seal.NewDecoder(opened[0].Keyset, binding, int64(object.Len()), stored)
	must(err)
	var span bytes.Buffer
	must(decoder.WriteSpan(ctx, &span, 15, 12))
	fmt.Printf("%d bytes, of which: %s\n", decoder.Size(), &span)

	// In another document's place the row does not open.
	other := seal.Binding("archive", journal.ID{15: 2})
	opened, err = seal.Open(ctx, service, "archive", []seal.Sealed{{Binding: other, Value: rows[0]}})
	must(err)
	fmt.Println(opened[0].Err)
	// Output:
	// row: {"title":"Minutes"}
	// 28 bytes, of which: 14th session
	// the sealed row is damaged, or another row's
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
