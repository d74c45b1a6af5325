package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"muniment/anchor/evidence"
	"muniment/openapi"
	"muniment/vault/access"
)

// TestLogForStrangers reads checkpoint and tiles without a credential and rebuilds the root from the entries.
func TestLogForStrangers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 300 {
		if i%100 == 0 {
			r.deposit([]byte{byte(i)})
			continue
		}
		r.principal(access.Grant{Role: access.ReaderRole})
	}
	anonymous := with("Authorization", "")
	a := r.do(http.MethodGet, "/v1/journal/checkpoint", nil, anonymous)
	verifier, err := note.NewVerifier(r.policy.Origins[0].Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Open(a.body, note.VerifierList(verifier))
	if err != nil || a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Fatalf("%v, %s", err, a.header.Get("Content-Type"))
	}
	var origin, root string
	var size int64
	if _, err := fmt.Sscanf(signed.Text, "%s\n%d\n%s\n", &origin, &size, &root); err != nil || size < 300 {
		t.Fatal(err, size)
	}
	var hashes []tlog.Hash
	for n := int64(0); n*256 < size; n++ {
		path := fmt.Sprintf("%03d", n)
		if width := size - n*256; width < 256 {
			path += fmt.Sprintf(".p/%d", width)
		}
		tile := r.do(http.MethodGet, "/v1/journal/tile/0/"+path, nil, anonymous)
		bundle := r.do(http.MethodGet, "/v1/journal/tile/entries/"+path, nil, anonymous)
		if !strings.Contains(tile.header.Get("Cache-Control"), "immutable") ||
			tile.header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("a tile comes with %v", tile.header)
		}
		for i := 0; i*34 < len(bundle.body); i++ {
			leaf := tlog.RecordHash(bundle.body[i*34+2 : i*34+34])
			if !bytes.Equal(leaf[:], tile.body[i*32:i*32+32]) {
				t.Fatalf("entry %d is not its leaf", n*256+int64(i))
			}
			stored, err := tlog.StoredHashesForRecordHash(int64(len(indexes(hashes))), leaf, reader(hashes))
			if err != nil {
				t.Fatal(err)
			}
			hashes = append(hashes, stored...)
		}
	}
	got, err := tlog.TreeHash(size, reader(hashes))
	if err != nil || got.String() != root {
		t.Errorf("the root is %v, not %s: %v", got, root, err)
	}
}

// reader serves stored hashes.
func reader(hashes []tlog.Hash) tlog.HashReaderFunc {
	return func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, n := range at {
			out[i] = hashes[n]
		}
		return out, nil
	}
}

// indexes are the leaves among stored hashes.
func indexes(hashes []tlog.Hash) []int {
	var out []int
	for n := int64(0); tlog.StoredHashIndex(0, n) < int64(len(hashes)); n++ {
		out = append(out, int(n))
	}
	return out
}

// TestFeed follows the tenant's events without a gap, and finds each in the log by its bytes.
func TestFeed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.deposit([]byte("x"))
	var seq uint64
	found := false
	for {
		var page openapi.EntryPage
		r.do(http.MethodGet, fmt.Sprintf("/v1/journal/entries?limit=2&after=%d", seq), nil).json(t, &page)
		if len(page.Entries) == 0 {
			break
		}
		for _, e := range page.Entries {
			if seq++; e.Seq != seq {
				t.Fatalf("entry %d comes after %d", e.Seq, seq-1)
			}
			leaf := sha256.Sum256(append(bytes.Clone(e.Nonce), e.Body...))
			record, err := r.journal.Record(context.Background(), e.Index)
			if err != nil || sha256.Sum256(append(record.Nonce[:], record.Body...)) != leaf {
				t.Errorf("entry %d is not leaf %d: %v", e.Seq, e.Index, err)
			}
			found = found || e.Document != nil && *e.Document == d.ID && e.Body == d.Receipt.Body
		}
		if page.Next != seq {
			t.Errorf("next is %d after %d", page.Next, seq)
		}
	}
	if !found {
		t.Error("the deposit is not in the feed")
	}
}

// TestFeedWaits holds a call open until something happens, and ends it empty when nothing does.
func TestFeedWaits(t *testing.T) {
	t.Parallel()
	notShort(t, "it waits for a feed to end")
	r := newRig(t)
	next := r.last()
	got := make(chan openapi.EntryPage, 1)
	go func() {
		var page openapi.EntryPage
		r.do(http.MethodGet, fmt.Sprintf("/v1/journal/entries?wait=60&after=%d", next), nil).json(t, &page)
		got <- page
	}()
	r.awaitInFlight()
	d := r.deposit([]byte("news"))
	select {
	case page := <-got:
		if len(page.Entries) != 1 || page.Entries[0].Body != d.Receipt.Body || page.Next != next+1 {
			t.Errorf("the news are %+v", page)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the feed sleeps")
	}
	var page openapi.EntryPage
	a := r.do(http.MethodGet, fmt.Sprintf("/v1/journal/entries?wait=1&after=%d", next+1), nil)
	a.json(t, &page)
	if len(page.Entries) != 0 || page.Next != next+1 || !strings.Contains(string(a.body), `"entries":[]`) {
		t.Errorf("nothing happened, and it says %s", a.body)
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.deposit([]byte("x"))
	r.do(http.MethodGet, "/v1/documents/"+d.ID+"/content?purpose=audit", nil)
	var story openapi.History
	path := "/v1/documents/" + d.ID + "/history"
	r.do(http.MethodGet, path, nil).json(t, &story)
	slices.Reverse(story.Entries)
	if len(story.Entries) < 2 || story.Entries[0].Body != d.Receipt.Body || story.Next != nil ||
		story.Entries[1].Type != "document.read/1" ||
		!strings.Contains(story.Entries[1].Body, `"audit"`) {
		t.Errorf("the story is %+v", story)
	}
	read := story.Entries[1].Index
	r.do(http.MethodGet, path+"?limit=1&before="+fmt.Sprint(read), nil).json(t, &story)
	if len(story.Entries) != 1 || story.Entries[0].Body != d.Receipt.Body {
		t.Errorf("before the read there is %+v", story)
	}
	for query, want := range map[string]string{"?before=1": "bad-cursor", "?before=x": "bad-request",
		"?limit=0": "bad-request", "?limit=1001": "bad-request"} {
		if a := r.do(http.MethodGet, path+query, nil); a.problem() != want {
			t.Errorf("%s: %d %s, want %s", query, a.status, a.body, want)
		}
	}
}

// TestAnchorAndVerify goes the whole way: deposit, anchor, evidence, verdict.
func TestAnchorAndVerify(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	content := []byte("a deed")
	d := r.deposit(content)
	post := func(body []byte) evidence.Report {
		t.Helper()
		var report evidence.Report
		a := r.do(http.MethodPost, "/v1/verify", bytes.NewReader(body), with("Content-Type", "application/json"))
		a.json(t, &report)
		return report
	}
	file := r.do(http.MethodGet, "/v1/documents/"+d.ID+"/evidence", nil).body
	if report := post(file); report.Verdict != evidence.CannotTell {
		t.Errorf("not anchored yet: %+v", report)
	}

	var anchors openapi.AnchorList
	r.do(http.MethodPost, "/v1/anchors", nil).json(t, &anchors)
	if len(anchors.Anchors) != 1 || anchors.Anchors[0].State != openapi.Final ||
		anchors.Anchors[0].Size <= d.Receipt.Index {
		t.Fatalf("the anchors are %+v", anchors)
	}
	var listed openapi.AnchorList
	r.do(http.MethodGet, "/v1/anchors?limit=1", nil).json(t, &listed)
	if len(listed.Anchors) != 1 || listed.Anchors[0] != anchors.Anchors[0] {
		t.Errorf("listed: %+v", listed)
	}
	r.do(http.MethodGet, fmt.Sprintf("/v1/anchors?before=%d", listed.Anchors[0].Index), nil).json(t, &listed)
	if len(listed.Anchors) != 0 {
		t.Errorf("before the first: %+v", listed)
	}

	file = r.do(http.MethodGet, "/v1/documents/"+d.ID+"/evidence?disclose=true", nil).body
	if report := post(file); report.Verdict != evidence.Verified {
		t.Errorf("anchored: %+v", report)
	}
	sum := sha256.Sum256(content)
	direct := evidence.Verify(evidence.Input{Evidence: file, Digest: sum[:], Policy: r.policy})
	if direct.Verdict != evidence.Verified {
		t.Errorf("by the auditor's own code: %+v", direct)
	}
	if report := post(bytes.Replace(file, []byte(`\"tenant\":\"default\"`), []byte(`\"tenant\":\"defaulu\"`),
		1)); report.Verdict != evidence.DoesNotMatch {
		t.Errorf("tampered: %+v", report)
	}
	ask := func(digest [32]byte) evidence.Report {
		body, err := json.Marshal(map[string]string{"document": d.ID, "digest": fmt.Sprintf("%x", digest)})
		if err != nil {
			t.Fatal(err)
		}
		return post(body)
	}
	if report := ask(sum); report.Verdict != evidence.Verified {
		t.Errorf("asked by digest: %+v", report)
	}
	if report := ask(sha256.Sum256([]byte("another deed"))); report.Verdict != evidence.DoesNotMatch {
		t.Errorf("asked by another digest: %+v", report)
	}
}

// TestFloodOfRefusals refuses a hundred anchors and finds the first on record, and no event for each.
func TestFloodOfRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nobody := r.principal()
	before := r.journal.Size()
	for range 100 {
		a := r.do(http.MethodPost, "/v1/anchors", nil, with("Authorization", ""),
			with("Authorization", "Bearer "+nobody))
		if a.status != http.StatusForbidden {
			t.Fatalf("status %d", a.status)
		}
	}
	if n := r.journal.Size() - before; n < 16 || n > 2*16+1 { // a minute may end in between
		t.Errorf("%d events for a hundred refusals", n)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var v openapi.Version
	r.do(http.MethodGet, "/v1/version", nil, with("Authorization", "")).json(t, &v)
	if v.Version != "test" || v.Origin != "muniment/test" ||
		!strings.Contains(openapi.Contract(), "\n  version: \""+v.API+"\"\n") {
		t.Errorf("the version is %+v", v)
	}
}
