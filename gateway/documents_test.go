package gateway_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/openapi"
	"muniment/vault/access"
)

func contentDigest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func TestDepositGivesReceipt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	content := []byte("a deed")
	a := r.do(http.MethodPost, "/v1/documents", bytes.NewReader(content),
		with("Content-Type", "text/plain; charset=utf-8"),
		with("Content-Digest", contentDigest(content)),
		with("Muniment-File-Name", "UTF-8''na%C3%AFve.txt"),
		with("Muniment-Title", "A deed"),
		with("Muniment-External-Id", "erp/1"),
		with("Muniment-Record-Date", "2026-11-20"),
		with("Muniment-Attribute", "form=B-12, office=UTF-8''Z%C3%BCrich%2C%20Nord"),
		with("Muniment-Attribute", "page=1"),
		with("Muniment-Ledger-Ref", "eip155:1 0xabc invoice"),
	)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var out openapi.Deposit
	a.json(t, &out)
	sum := sha256.Sum256(content)
	role := "invoice"
	want := openapi.Document{
		ID: out.ID, Series: out.Document.Series, State: "kept", Size: int64(len(content)), Index: out.Receipt.Index,
		RecordDate: ptr("2026-11-20"), FileName: ptr("naïve.txt"), Title: ptr("A deed"), ExternalID: ptr("erp/1"),
		MediaType: ptr("text/plain; charset=utf-8"), ContentSHA256: ptr(hex.EncodeToString(sum[:])),
		Attributes: &map[string]string{"form": "B-12", "office": "Zürich, Nord", "page": "1"},
		LedgerRefs: &[]openapi.LedgerRef{{Chain: "eip155:1", Transaction: "0xabc", Role: &role}},
		// Not chosen by the client:
		DepositedAt: out.Document.DepositedAt, Depositor: r.who.Principal.String(), Commitment: out.Document.Commitment,
		CiphertextSHA256: out.Document.CiphertextSHA256,
	}
	if diff := cmp.Diff(want, out.Document); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"Location": "/v1/documents/" + out.ID, "Muniment-Document-Id": out.ID,
		"Muniment-Index": strconv.FormatUint(out.Receipt.Index, 10),
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	leaf := sha256.Sum256(append(bytes.Clone(out.Receipt.Nonce), out.Receipt.Body...))
	if base64.StdEncoding.EncodeToString(leaf[:]) != out.Receipt.Leaf || out.Receipt.Proof == nil ||
		out.Receipt.Checkpoint == nil {
		t.Errorf("the receipt does not add up: %+v", out.Receipt)
	}

	for _, path := range []string{"/v1/documents/" + out.ID, "/v1/documents/by-external-id/erp/1",
		"/v1/documents/by-external-id/erp%2F1"} {
		var described openapi.Document
		r.do(http.MethodGet, path, nil).json(t, &described)
		if diff := cmp.Diff(want, described); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// TestMetadataInQuery says the same with parameters as with headers.
func TestMetadataInQuery(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	q := url.Values{"file_name": {"naïve.txt"}, "title": {"A, b; \"c\""}, "external_id": {"x"},
		"record_date": {"2026-01-31"},
		"attribute":   {"a=b=c", "d=ü, x"}, "ledger_ref": {"eip155:1 0x1", "eip155:1 0x2 invoice"}}
	a := r.do(http.MethodPost, "/v1/documents?"+q.Encode(), strings.NewReader("x"))
	var out openapi.Deposit
	a.json(t, &out)
	d := out.Document
	if *d.FileName != "naïve.txt" || *d.Title != `A, b; "c"` || *d.ExternalID != "x" ||
		*d.RecordDate != "2026-01-31" ||
		!cmp.Equal(*d.Attributes, map[string]string{"a": "b=c", "d": "ü, x"}) || len(*d.LedgerRefs) != 2 {
		t.Errorf("the document is %s", a.body)
	}
}

func TestRepeatedDeposits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := with("Idempotency-Key", `"nightly 1"`)
	if a := r.do(http.MethodPost, "/v1/documents", strings.NewReader("x"), key); a.problem() != "bad-metadata" {
		t.Errorf("a key with a space: %d %s", a.status, a.body)
	}
	key = with("Idempotency-Key", `"nightly-1"`)
	first := r.deposit([]byte("one"), key)
	for _, again := range []func(*http.Request){key, with("Idempotency-Key", "nightly-1")} {
		var second openapi.Deposit
		a := r.do(http.MethodPost, "/v1/documents", strings.NewReader("one"), again)
		a.json(t, &second)
		if a.status != http.StatusOK || second.ID != first.ID || second.Created ||
			second.Receipt.Index != first.Receipt.Index {
			t.Errorf("repeated: %d %s", a.status, a.body)
		}
	}
	if a := r.do(http.MethodPost, "/v1/documents", strings.NewReader("two"),
		key); a.problem() != "idempotency-key-reused" {
		t.Errorf("other content under the key: %d %s", a.status, a.body)
	}

	const path = "/v1/documents/by-external-id/a/b%20c"
	if a := r.do(http.MethodPut, path, strings.NewReader("x")); a.problem() != "bad-metadata" {
		t.Errorf("an external id with a space: %d %s", a.status, a.body)
	}
	const put = "/v1/documents/by-external-id/a/b%25c"
	for i, want := range []int{http.StatusCreated, http.StatusOK} {
		a := r.do(http.MethodPut, put, strings.NewReader("three"))
		var out openapi.Deposit
		a.json(t, &out)
		if a.status != want || *out.Document.ExternalID != "a/b%c" {
			t.Errorf("PUT %d: %d %s", i, a.status, a.body)
		}
	}
	if a := r.do(http.MethodPut, put, strings.NewReader("four")); a.problem() != "conflict" ||
		a.status != http.StatusConflict {
		t.Errorf("other content under the external id: %d %s", a.status, a.body)
	}
}

// TestProblems walks through what can be wrong with a request. Nothing of it may change anything.
func TestProblems(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	kept := r.deposit([]byte("0123456789"), with("Muniment-External-Id", "known"))
	path := "/v1/documents/" + kept.ID
	const unknown = "0190b5a0-7c1e-7000-8000-000000000001"
	depositor := r.principal(access.Grant{Role: access.Depositor})
	deposit := func(change ...func(*http.Request)) func() answer {
		return func() answer { return r.do(http.MethodPost, "/v1/documents", strings.NewReader("x"), change...) }
	}
	query := func(q string) func() answer {
		return func() answer { return r.do(http.MethodPost, "/v1/documents?"+q, strings.NewReader("x")) }
	}
	get := func(target string, change ...func(*http.Request)) func() answer {
		return func() answer { return r.do(http.MethodGet, target, nil, change...) }
	}
	verify := func(body string, change ...func(*http.Request)) func() answer {
		return func() answer {
			return r.do(http.MethodPost, "/v1/verify", strings.NewReader(body), append([]func(*http.Request){
				with("Content-Type", "application/json")}, change...)...)
		}
	}
	as := func(token string) func(*http.Request) {
		return func(req *http.Request) { req.Header.Set("Authorization", "Bearer "+token) }
	}
	before := len(r.stored())
	for name, c := range map[string]struct {
		send   func() answer
		status int
		code   string
	}{
		"no credential": {get(path, with("Authorization", "")), 401, "unauthenticated"},
		"basic": {get(path, with("Authorization", ""), with("Authorization", "Basic bXVuOm11bg==")), 401,
			"unauthenticated"},
		"forged key":         {get(path, as("mun_"+strings.Repeat("a", 52))), 401, "unauthenticated"},
		"two credentials":    {get(path, with("Authorization", "Bearer x")), 401, "unauthenticated"},
		"endless credential": {get(path, as(strings.Repeat("a", 10_000))), 401, "unauthenticated"},
		"deposit unknown":    {deposit(with("Authorization", "")), 401, "unauthenticated"},
		"denied":             {get("/v1/journal/entries", as(depositor)), 403, "denied"},
		"denied anchors":     {get("/v1/anchors", as(depositor)), 403, "denied"},
		"denied anchoring": {func() answer { return r.do(http.MethodPost, "/v1/anchors", nil, as(depositor)) }, 403,
			"denied"},
		"unknown document":    {get("/v1/documents/" + unknown), 404, "not-found"},
		"unknown content":     {get("/v1/documents/" + unknown + "/content?purpose=audit"), 404, "not-found"},
		"unknown evidence":    {get("/v1/documents/" + unknown + "/evidence"), 404, "not-found"},
		"unknown history":     {get("/v1/documents/" + unknown + "/history"), 404, "not-found"},
		"unknown external id": {get("/v1/documents/by-external-id/none"), 404, "not-found"},
		"no external id":      {get("/v1/documents/by-external-id/"), 400, "bad-request"},
		"malformed id":        {get("/v1/documents/42"), 400, "bad-id"},
		"upper-case id":       {get("/v1/documents/" + strings.ToUpper(kept.ID)), 400, "bad-id"},
		"id with NUL":         {get("/v1/documents/" + kept.ID + "%00"), 400, "bad-id"},
		"id with dots":        {get("/v1/documents/..%2f" + kept.ID), 400, "bad-id"},
		"escaped id":          {get("/v1/documents/%30" + kept.ID[1:]), 400, "bad-id"},
		"no such call":        {get("/v1/secrets"), 404, "no-such-route"},
		"root":                {get("/"), 404, "no-such-route"},
		"dots":                {get("/v1/documents/../../etc/passwd"), 404, "no-such-route"},
		"wrong method":        {func() answer { return r.do(http.MethodPatch, path, nil) }, 405, "method-not-allowed"},
		"delete": {func() answer { return r.do(http.MethodDelete, path, nil) }, 405,
			"disposition-required"},
		"no purpose":  {get(path + "/content"), 400, "purpose-missing"},
		"bad purpose": {get(path + "/content?purpose=A%20b"), 400, "bad-purpose"},
		"two purposes": {get(path+"/content?purpose=a", with("Muniment-Purpose", "a")), 400,
			"unknown-parameter"},
		"bad range":     {get(path+"/content?purpose=a", with("Range", "bytes=x")), 416, "bad-range"},
		"range outside": {get(path+"/content?purpose=a", with("Range", "bytes=10-")), 416, "bad-range"},
		"a million ranges": {get(path+"/content?purpose=a",
			with("Range", "bytes="+strings.Repeat("0-0,", 5000)+"0-0")), 416, "bad-range"},
		"unknown parameter": {query("serie=permits"), 400, "unknown-parameter"},
		"malformed query":   {query("title=%zz"), 400, "bad-request"},
		"unknown header":    {deposit(with("Muniment-Serie", "permits")), 400, "unknown-parameter"},
		"twice":             {query("title=a&title=b"), 400, "unknown-parameter"},
		"header and query": {func() answer {
			return r.do(http.MethodPost, "/v1/documents?title=a", strings.NewReader("x"), with("Muniment-Title", "a"))
		}, 400, "unknown-parameter"},
		"unknown series":        {query("series=none"), 422, "unknown-series"},
		"bad series":            {query("series=%00"), 422, "bad-metadata"},
		"file name with folder": {query("file_name=..%2fpasswd"), 422, "bad-metadata"},
		"file name with CRLF":   {query("file_name=a%0d%0ab"), 422, "bad-metadata"},
		"file name with NUL":    {query("file_name=a%00b"), 422, "bad-metadata"},
		"file name reversed":    {query("file_name=a%E2%80%AEfdp.exe"), 422, "bad-metadata"},
		"file name of 10 KB":    {query("file_name=" + strings.Repeat("a", 10_000)), 422, "bad-metadata"},
		"raw Latin-1":           {deposit(with("Muniment-Title", "na\xefve")), 422, "bad-metadata"},
		"raw UTF-8":             {deposit(with("Muniment-Title", "naïve")), 422, "bad-metadata"},
		"other charset":         {deposit(with("Muniment-Title", "ISO-8859-1'en'%A3")), 422, "bad-metadata"},
		"bad extended value":    {deposit(with("Muniment-Title", "UTF-8''%zz")), 422, "bad-metadata"},
		"not UTF-8":             {deposit(with("Muniment-Title", "UTF-8''%ff")), 422, "bad-metadata"},
		"attribute":             {deposit(with("Muniment-Attribute", "novalue")), 422, "bad-metadata"},
		"attribute twice":       {deposit(with("Muniment-Attribute", "a=1, a=2")), 422, "bad-metadata"},
		"ledger reference":      {deposit(with("Muniment-Ledger-Ref", "eip155:1")), 422, "bad-metadata"},
		"bad date":              {query("record_date=2026-02-30"), 422, "bad-metadata"},
		"bad media type":        {deposit(with("Content-Type", "text")), 422, "bad-metadata"},
		"empty key":             {deposit(with("Idempotency-Key", `""`)), 422, "bad-metadata"},
		"digest of another":     {deposit(with("Content-Digest", contentDigest([]byte("y")))), 422, "content-mismatch"},
		"digest malformed":      {deposit(with("Content-Digest", "sha-256=abc")), 400, "bad-digest"},
		"digest of other kind":  {deposit(with("Content-Digest", "sha-512=:AAAA:")), 400, "bad-digest"},
		"digest of the whole":   {deposit(with("Repr-Digest", contentDigest([]byte("x")))), 400, "bad-digest"},
		"digest of old":         {deposit(with("Digest", "sha-256=abc")), 400, "bad-digest"},
		"MD5":                   {deposit(with("Content-MD5", "abc")), 400, "bad-digest"},
		"compressed":            {deposit(with("Content-Encoding", "gzip")), 415, "unsupported-encoding"},
		"another multipart": {deposit(with("Content-Type", "multipart/mixed; boundary=x")), 415,
			"unsupported-encoding"},
		"acknowledge": {deposit(with("Muniment-Acknowledge", "at once")), 422, "bad-metadata"},
		"other content": {func() answer {
			return r.do(http.MethodPut, "/v1/documents/by-external-id/known", strings.NewReader("x"))
		}, 409, "conflict"},
		"list bad series":     {get("/v1/documents?series=%00"), 422, "bad-metadata"},
		"list unknown series": {get("/v1/documents?series=none"), 422, "unknown-series"},
		"list bad chain":      {get("/v1/documents?chain=x&transaction=1"), 422, "bad-metadata"},
		"raw purpose note": {get(path+"/content?purpose=a", with("Muniment-Purpose-Note", "naïve")), 422,
			"bad-metadata"},
		"endless purpose note": {get(path+"/content?purpose=a",
			with("Muniment-Purpose-Note", strings.Repeat("x", 5000))), 400, "bad-purpose"},
		"bad limit":      {get("/v1/documents?limit=0"), 400, "bad-request"},
		"bad state":      {get("/v1/documents?state=lost"), 400, "bad-request"},
		"chain alone":    {get("/v1/documents?chain=eip155:1"), 400, "bad-request"},
		"bad time":       {get("/v1/documents?deposited_after=yesterday"), 400, "bad-request"},
		"forged cursor":  {get("/v1/documents?cursor=AAAA"), 400, "bad-cursor"},
		"bad flag":       {get(path + "/evidence?disclose=yes"), 400, "bad-request"},
		"bad after":      {get("/v1/journal/entries?after=-1"), 400, "bad-request"},
		"endless after":  {get("/v1/journal/entries?after=9223372036854775807"), 400, "bad-request"},
		"endless before": {get("/v1/anchors?before=9007199254740992"), 400, "bad-request"},
		"endless wait":   {get("/v1/journal/entries?wait=3600"), 400, "bad-request"},
		"tile outside":   {get("/v1/journal/tile/0/x999/999"), 404, "not-found"},
		"tile malformed": {get("/v1/journal/tile/0/1"), 404, "not-found"},
		"tile with dots": {get("/v1/journal/tile/..%2f..%2fhead"), 404, "not-found"},
		"verify no JSON": {verify("not JSON"), 400, "bad-request"},
		"verify other type": {verify("{}", with("Content-Type", ""), with("Content-Type", "text/plain")), 415,
			"not-json"},
		"verify compressed":   {verify("{}", with("Content-Encoding", "gzip")), 415, "unsupported-encoding"},
		"verify nothing":      {verify("{}"), 400, "bad-request"},
		"verify malformed id": {verify(`{"document":"1","digest":"00"}`), 400, "bad-id"},
		"verify short digest": {verify(`{"document":"` + kept.ID + `","digest":"00"}`), 400, "bad-request"},
		"verify unknown": {verify(`{"document":"` + unknown + `","digest":"` + strings.Repeat("0", 64) + `"}`),
			404, "not-found"},
		"verify with a canary": {verify(`{"document":"` + kept.ID + `","digest":"` + strings.Repeat("0",
			64) + `","x":1}`), 400, "bad-request"},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.send()
			if a.status != c.status || a.problem() != c.code {
				t.Fatalf("%d %s; want %d %s", a.status, a.body, c.status, c.code)
			}
			var p openapi.Problem
			a.json(t, &p)
			if p.Status != c.status || p.Title == "" || p.Detail == nil ||
				p.RequestID != a.header.Get("Muniment-Request-Id") {
				t.Errorf("the problem is not whole: %s", a.body)
			}
			if (c.status == 401) != (a.header.Get("WWW-Authenticate") != "") {
				t.Errorf("WWW-Authenticate is %q", a.header.Get("WWW-Authenticate"))
			}
			if (c.status == 405) != (a.header.Get("Allow") != "") {
				t.Errorf("Allow is %q", a.header.Get("Allow"))
			}
			if want := "bytes */10"; c.status == 416 && a.header.Get("Content-Range") != want {
				t.Errorf("Content-Range is %q", a.header.Get("Content-Range"))
			}
		})
	}
	var page openapi.DocumentPage
	r.do(http.MethodGet, "/v1/documents", nil).json(t, &page)
	if len(page.Documents) != 1 || len(r.stored()) != before {
		t.Errorf("%d documents and %d objects are left of one deposit", len(page.Documents), len(r.stored())-before+1)
	}
}

func TestListing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var want, got []string
	for i := range 5 {
		want = append(want, r.deposit([]byte{byte(i)}, with("Muniment-Ledger-Ref", "eip155:1 0x"+strconv.Itoa(i%2))).ID)
	}
	for cursor, pages := "", 0; ; pages++ {
		var page openapi.DocumentPage
		r.do(http.MethodGet, "/v1/documents?limit=2&state=kept&cursor="+url.QueryEscape(cursor), nil).json(t, &page)
		for _, d := range page.Documents {
			got = append(got, d.ID)
		}
		if page.Next == nil {
			if pages != 2 {
				t.Errorf("%d pages", pages+1)
			}
			break
		}
		cursor = *page.Next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
	var page openapi.DocumentPage
	r.do(http.MethodGet, "/v1/documents?chain=eip155:1&transaction=0x1", nil).json(t, &page)
	if len(page.Documents) != 2 {
		t.Errorf("%d documents support the transaction", len(page.Documents))
	}
	r.do(http.MethodGet, "/v1/documents?deposited_after=2100-01-01T00:00:00Z", nil).json(t, &page)
	if len(page.Documents) != 0 {
		t.Errorf("%d documents are of the next century", len(page.Documents))
	}
}

// TestUnknownLength streams a body whose length nobody knows beforehand.
func TestUnknownLength(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	content := bytes.Repeat([]byte("0123456789"), 300_000)
	in, out := io.Pipe()
	go func() {
		_, err := out.Write(content)
		out.CloseWithError(err)
	}()
	a := r.do(http.MethodPost, "/v1/documents", in, with("Content-Digest", contentDigest(content)))
	var d openapi.Deposit
	a.json(t, &d)
	if a.status != http.StatusCreated || d.Document.Size != int64(len(content)) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestMediaTypes shows what becomes of content types that say nothing, or too much.
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for sent, want := range map[string]string{
		"":                                  "application/octet-stream",
		"application/x-www-form-urlencoded": "application/octet-stream",
		"text/html":                         "text/html",
		"text/plain; charset=utf-8":         "text/plain; charset=utf-8",
	} {
		d := r.deposit([]byte("x"), with("Content-Type", sent))
		a := r.do(http.MethodGet, "/v1/documents/"+d.ID+"/content?purpose=audit", nil)
		if got := a.header.Get("Content-Type"); got != want {
			t.Errorf("%q comes back as %q, not %q", sent, got, want)
		}
	}
}
