package vault_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
)

// traces are the forms in which a text could show.
func traces(text string) map[string][]byte {
	out := map[string][]byte{"raw": []byte(text)}
	for shift := range 3 { // base64 of the text within a longer one, without the digits that its neighbours share
		for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding,
			"base64url": base64.RawURLEncoding} {
			coded := enc.EncodeToString([]byte(strings.Repeat("x", shift) + text))
			out[fmt.Sprint(name, " shifted by ", shift)] = []byte(coded[(shift*8+5)/6 : len(coded)-1])
		}
	}
	out["hex"] = []byte(hex.EncodeToString([]byte(text)))
	out["HEX"] = bytes.ToUpper(out["hex"])
	var le, be []byte
	for _, c := range utf16.Encode([]rune(text)) {
		le, be = append(le, byte(c), byte(c>>8)), append(be, byte(c>>8), byte(c))
	}
	out["UTF-16LE"], out["UTF-16BE"] = le, be
	sum := sha256.Sum256([]byte(text))
	out["SHA-256"] = sum[:]
	out["SHA-256 in hex"] = []byte(hex.EncodeToString(sum[:]))
	out["SHA-256 in base64"] = []byte(base64.RawStdEncoding.EncodeToString(sum[:]))
	return out
}

// everything is all that the rig has written, by the place where it stands.
func (r *rig) everything() map[string][]byte {
	r.t.Helper()
	ctx := context.Background()
	out := map[string][]byte{"log": r.log.Bytes()}
	tables, err := r.backend.Tables(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	err = r.backend.View(ctx, func(rd journal.Reader) error {
		for _, table := range tables {
			err := rd.Scan(table, journal.Range{}, func(key, value []byte) error {
				out[fmt.Sprintf("table %s, row %x", table, key)] = bytes.Join([][]byte{key, value}, []byte("|"))
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	names, err := r.bucket.List(ctx, "")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range names {
		raw, _, err := r.bucket.Get(ctx, name)
		if err != nil {
			r.t.Fatal(err)
		}
		out["shipped "+name] = append([]byte(name), raw...)
	}
	for info, err := range r.objects.List(ctx, "", "") {
		if err != nil {
			r.t.Fatal(err)
		}
		body, _, err := r.objects.Get(ctx, info.Key, info.Version, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		raw, err := io.ReadAll(body)
		if err = errors.Join(err, body.Close()); err != nil {
			r.t.Fatal(err)
		}
		out["object "+info.Key] = append([]byte(info.Key+info.Tag), raw...)
	}
	return out
}

// Nothing that was deposited, and no secret, shows anywhere but in ciphertext.
func TestCanary(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	canaries := map[string]string{
		"content": "CANARY-content-930-12-0001", "file name": "CANARY-file-930-12-0002.txt",
		"title":       "CANARY title 930-12-0003",
		"external id": "CANARY-ext-930-12-0004", "attribute": "CANARY-attr-930-12-0005",
		"note":            "CANARY note 930-12-0006",
		"idempotency key": "CANARY-key-930-12-0007", "API key": r.key.Reveal(),
	}
	ctx := context.Background()
	d := vault.Deposit{
		FileName: canaries["file name"], Title: canaries["title"], ExternalID: canaries["external id"],
		IdempotencyKey: canaries["idempotency key"], Attributes: map[string]string{"a": canaries["attribute"]},
	}
	content := []byte(canaries["content"])
	id := r.deposit(d, content).ID
	big := bytes.Repeat(content, 1<<16)
	other := r.deposit(vault.Deposit{Title: d.Title}, big).ID
	var failures []error
	note := func(err error) {
		if err == nil {
			t.Error("something succeeded that should not")
		}
		failures = append(failures, err)
	}
	c, err := r.vault.Read(ctx, r.who, id, vault.ReadRequest{Purpose: "test", Note: canaries["note"]})
	if err = errors.Join(err, c.WriteSpan(ctx, io.Discard, 0), c.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.read(other); err != nil {
		t.Fatal(err)
	}
	if _, err := r.vault.List(ctx, r.who, vault.Query{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.vault.Find(ctx, r.who, "", d.ExternalID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.vault.Evidence(ctx, r.who, id, true); err != nil {
		t.Fatal(err)
	}
	again := d
	again.Length, again.Content = -1, strings.NewReader("other content")
	_, err = r.vault.Deposit(ctx, r.who, again)
	note(err)
	again.IdempotencyKey, again.Content = "", strings.NewReader("other content")
	_, err = r.vault.Deposit(ctx, r.who, again)
	note(err)
	sum := sha256.Sum256(content)
	again = vault.Deposit{FileName: d.FileName, Length: 3, Digest: sum[:], Content: bytes.NewReader(content)}
	_, err = r.vault.Deposit(ctx, r.who, again)
	note(err)
	again = vault.Deposit{FileName: d.FileName + "/", Length: 3, Content: bytes.NewReader(content)}
	_, err = r.vault.Deposit(ctx, r.who, again)
	note(err)
	_, err = r.vault.Find(ctx, r.principal(access.Grant{Role: access.Depositor}), "", d.ExternalID)
	note(err)
	for info := range r.objects.List(ctx, "", "") {
		note(r.objects.Delete(ctx, info.Key, info.Version))
	}
	if err := r.vault.Close(); err != nil {
		t.Fatal(err)
	}
	places := r.everything()
	for i, err := range failures {
		places[fmt.Sprint("error ", i)] = []byte(err.Error())
	}
	for what, canary := range canaries {
		for form, trace := range traces(canary) {
			for place, raw := range places {
				if what == "API key" && strings.HasPrefix(form, "SHA-256") {
					continue // the digest is what is stored: the key has 256 random bits
				}
				if bytes.Contains(raw, trace) {
					t.Errorf("%s: the %s shows, %s", place, what, form)
				}
			}
		}
	}
}

// The search of the canary test finds what it looks for.
func TestCanaryIsFound(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-1"
	sum := sha256.Sum256([]byte(canary))
	for i, text := range []string{
		"a" + canary, base64.StdEncoding.EncodeToString([]byte("a" + canary + "b")),
		base64.StdEncoding.EncodeToString([]byte("ab" + canary)),
		hex.EncodeToString([]byte(canary)), string(sum[:]), base64.StdEncoding.EncodeToString(sum[:]),
	} {
		found := false
		for _, trace := range traces(canary) {
			found = found || bytes.Contains([]byte(text), trace)
		}
		if !found {
			t.Errorf("text %d: the canary is not found", i)
		}
	}
}
