package vault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"muniment/vault"
	"muniment/vault/invalid"
)

func TestMetadata(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	many := map[string]string{}
	for i := range 65 {
		many[fmt.Sprint(i)] = ""
	}
	long := strings.Repeat("x", 10<<10)
	ref := vault.LedgerRef{Chain: "eip155:1", Transaction: "0xabc"}
	for _, test := range []struct {
		field string
		d     vault.Deposit
		bad   bool
	}{
		{"file_name", vault.Deposit{FileName: "a\r\nX-Evil: 1"}, true},
		{"file_name", vault.Deposit{FileName: "a\x00.pdf"}, true},
		{"file_name", vault.Deposit{FileName: "../../etc/passwd"}, true},
		{"file_name", vault.Deposit{FileName: `..\windows`}, true},
		{"file_name", vault.Deposit{FileName: ".."}, true},
		{"file_name", vault.Deposit{FileName: "invoice\u202efdp.exe"}, true},
		{"file_name", vault.Deposit{FileName: "a\u2066b"}, true},
		{"file_name", vault.Deposit{FileName: long}, true},
		{"file_name", vault.Deposit{FileName: "\xff"}, true},
		{"", vault.Deposit{FileName: "Übergabe (2) – קובץ.pdf"}, false},
		{"title", vault.Deposit{Title: long}, true},
		{"title", vault.Deposit{Title: "a\nb"}, true},
		{"", vault.Deposit{Title: strings.Repeat("x", 1024)}, false},
		{"media_type", vault.Deposit{MediaType: "pdf"}, true},
		{"media_type", vault.Deposit{MediaType: "text/plain\r\nX: y"}, true},
		{"media_type", vault.Deposit{MediaType: "text/plain; charset"}, true},
		{"", vault.Deposit{MediaType: "text/plain; charset=utf-8"}, false},
		{"attributes", vault.Deposit{Attributes: many}, true},
		{"attributes", vault.Deposit{Attributes: map[string]string{"a b": "c"}}, true},
		{"attributes", vault.Deposit{Attributes: map[string]string{"": "c"}}, true},
		{"attributes", vault.Deposit{Attributes: map[string]string{"a": long}}, true},
		{"attributes", vault.Deposit{Attributes: map[string]string{"a": "\x00"}}, true},
		{"", vault.Deposit{Attributes: map[string]string{"a": "two\nlines"}}, false},
		{"external_id", vault.Deposit{ExternalID: strings.Repeat("ä", 257)}, true},
		{"external_id", vault.Deposit{ExternalID: "a b"}, true},
		{"external_id", vault.Deposit{ExternalID: "a\u200bb"}, true},
		{"external_id", vault.Deposit{ExternalID: "a\u3164"}, true}, // Hangul filler
		{"external_id", vault.Deposit{ExternalID: "a\u2800"}, true}, // empty Braille cell
		{"external_id", vault.Deposit{ExternalID: "a\ufe0f"}, true}, // variation selector
		{"external_id", vault.Deposit{ExternalID: "a\u034f"}, true}, // combining grapheme joiner
		{"", vault.Deposit{ExternalID: "Straße/é/ñ/क्षि/한/⠁"}, false},
		{"", vault.Deposit{ExternalID: strings.Repeat("ä", 256)}, false},
		{"idempotency_key", vault.Deposit{IdempotencyKey: strings.Repeat("a", 256)}, true},
		{"idempotency_key", vault.Deposit{IdempotencyKey: "ä"}, true},
		{"idempotency_key", vault.Deposit{IdempotencyKey: "a b"}, true},
		{"ledger_refs", vault.Deposit{LedgerRefs: make([]vault.LedgerRef, 17)}, true},
		{"ledger_refs", vault.Deposit{LedgerRefs: []vault.LedgerRef{{Chain: "ethereum", Transaction: "0xabc"}}}, true},
		{"ledger_refs", vault.Deposit{LedgerRefs: []vault.LedgerRef{{Chain: "eip155:1", Transaction: "a b"}}}, true},
		{"ledger_refs", vault.Deposit{LedgerRefs: []vault.LedgerRef{{Chain: "eip155:1", Transaction: "a",
			Role: "A b"}}}, true},
		{"ledger_refs", vault.Deposit{LedgerRefs: []vault.LedgerRef{ref,
			{Chain: ref.Chain, Transaction: ref.Transaction, Role: "x"}}}, true},
		{"", vault.Deposit{LedgerRefs: []vault.LedgerRef{ref}}, false},
		{"record_date", vault.Deposit{RecordDate: "2026-02-30"}, true},
		{"record_date", vault.Deposit{RecordDate: "2026-1-1"}, true},
		{"record_date", vault.Deposit{RecordDate: "0000-01-01"}, true},
		{"", vault.Deposit{RecordDate: "2024-02-29"}, false},
		{"series", vault.Deposit{Series: "../other"}, true},
		{"digest", vault.Deposit{Digest: []byte{1}}, true},
		{"length", vault.Deposit{Length: -2}, true},
	} {
		before := r.journal.Size()
		test.d.Content = strings.NewReader("")
		_, err := r.vault.Deposit(context.Background(), r.who, test.d)
		if !test.bad {
			if err != nil {
				t.Errorf("%+v: %v", test.d, err)
			}
			continue
		}
		var bad *invalid.Field
		if !errors.As(err, &bad) || !errors.Is(err, invalid.ErrField) || bad.Name != test.field {
			t.Errorf("%s: got error %v", test.field, err)
		} else if strings.ContainsAny(err.Error(), "\r\n\x00\u202e") || strings.Contains(err.Error(), "passwd") ||
			len(err.Error()) > 200 {
			t.Errorf("%s: the error repeats the value: %q", test.field, err)
		}
		if r.journal.Size() != before {
			t.Errorf("%s: something was recorded", test.field)
		}
	}
}
