package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
)

// vectors are the formats that stand beside the events: other programs, and later versions of this one, must compute
// the same.
type vectors struct {
	IndexKey    string          `json:"index_key"`
	Document    journal.ID      `json:"document"`
	Principal   journal.ID      `json:"principal"`
	Text        json.RawMessage `json:"text"` // of the sealed row
	External    string          `json:"external_id_token"`
	Idempotency string          `json:"idempotency_token"`
	Content     string          `json:"content_token"`
	SealedKey   string          `json:"sealed_key"`
	ObjectPlace string          `json:"object_place"`
	Cursor      string          `json:"cursor"`
}

func TestVectors(t *testing.T) {
	t.Parallel()
	index := keys.Secret(bytes.Repeat([]byte{7}, indexKeySize))
	doc := journal.ID{0x01, 0x90, 0xb5, 0xa0, 0x7c, 0x1e, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}
	who := access.Who{Tenant: "default",
		Principal: journal.ID{0x01, 0x90, 0xb5, 0xa0, 0x7c, 0x1e, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 2}}
	d := &Deposit{
		Series: "default", ExternalID: "EXT-1", IdempotencyKey: "key-1", FileName: "a.txt", Title: "A",
		MediaType:  "text/plain",
		Attributes: map[string]string{"b": "2", "a": "1"},
		LedgerRefs: []LedgerRef{{Chain: "eip155:1", Transaction: "0xabc"}},
		RecordDate: "2026-01-31",
	}
	text, err := newText(who.Principal.String(), d, sha256.Sum256([]byte("content")))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := text.marshal()
	if err != nil {
		t.Fatal(err)
	}
	cursor, err := newCursor(index, who, &Query{Series: "default"}, placeOf(1767366245000006, 7))
	if err != nil {
		t.Fatal(err)
	}
	got := vectors{
		IndexKey: hex.EncodeToString(index), Document: doc, Principal: who.Principal, Text: raw,
		External:    hex.EncodeToString(externalIDToken(index, d.Series, d.ExternalID)),
		Idempotency: hex.EncodeToString(idempotencyToken(index, who.Principal.String(), d.IdempotencyKey)),
		Content:     hex.EncodeToString(contentToken(index, text.ContentSHA256, doc)),
		SealedKey:   hex.EncodeToString(sealedKey(sealedDocument, doc)),
		ObjectPlace: hex.EncodeToString(objectPlace("default/00112233445566778899019b7f3a4b5c")),
		Cursor:      cursor,
	}
	want, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	written, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(written)+"\n"); diff != "" {
		t.Errorf("formats have changed (-golden +written):\n%s", diff)
	}
	back, err := parseText(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, back); diff != "" {
		t.Errorf("the text is read otherwise (-written +read):\n%s", diff)
	}
	newer, err := json.Marshal(sealedText{V: textVersion + 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseText(newer); err == nil {
		t.Error("a newer format is read")
	}
}

// Parts cannot be shifted into each other.
func TestKeyedIsInjective(t *testing.T) {
	t.Parallel()
	key := keys.Secret("k")
	seen := map[string]bool{}
	for _, parts := range [][][]byte{{}, {{}}, {{}, {}}, {[]byte("ab")}, {[]byte("a"), []byte("b")},
		{[]byte("b"), []byte("a")}} {
		seen[string(keyed(key, "l", parts...))] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d values of 6", len(seen))
	}
}

// A cursor of any bytes is refused unless it was made for this principal and query.
func FuzzReadCursor(f *testing.F) {
	key := keys.Secret("index key")
	who := access.Who{Tenant: "default"}
	good, err := newCursor(key, who, &Query{}, placeOf(1, 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add(good + "=")
	f.Fuzz(func(t *testing.T, cursor string) {
		place, err := readCursor(key, who, &Query{Cursor: cursor})
		if err == nil && (cursor != good || !bytes.Equal(place, placeOf(1, 2))) {
			t.Errorf("%q is taken for a cursor", cursor)
		}
		if err != nil && !errors.Is(err, ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
	})
}
