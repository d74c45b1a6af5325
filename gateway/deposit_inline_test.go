package gateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/gateway"
	"muniment/gateway/problem"
	"muniment/openapi"
	"muniment/vault"
)

func (r *rig) inline(body string) answer {
	return r.do(http.MethodPost, "/v1/documents", strings.NewReader(body), with("Content-Type", gateway.InlineType))
}

// TestJSONIsADocument: only the media type of its own makes an inline deposit.
func TestJSONIsADocument(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const body = `{"content_base64":"eA=="}`
	d := r.deposit([]byte(body), with("Content-Type", "application/json"))
	if got := r.do(http.MethodGet, "/v1/documents/"+d.ID+"/content?purpose=a", nil).body; string(got) != body {
		t.Errorf("it is kept as %s", got)
	}
	var out openapi.Deposit
	r.inline(body).json(t, &out)
	if got := r.do(http.MethodGet, "/v1/documents/"+out.ID+"/content?purpose=a", nil).body; string(got) != "x" {
		t.Errorf("inline, it is kept as %s", got)
	}
}

func TestInlineLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *gateway.Config) { c.Limits.MaxInline = 1000 })
	for size, want := range map[int]int{0: 201, 999: 201, 1000: 201, 1001: 413, 1002: 413, 100_000: 413} {
		for name, escape := range map[string]string{"plain": "/", "escaped": `\/`} {
			content := bytes.Repeat([]byte{0xff}, size)
			encoded := strings.ReplaceAll(base64.StdEncoding.EncodeToString(content), "/", escape)
			for _, body := range []io.Reader{
				strings.NewReader(`{"content_base64":"` + encoded + `"}`),
				io.MultiReader(strings.NewReader(`{"content_base64":"` + encoded + `"}`)),
			} {
				a := r.do(http.MethodPost, "/v1/documents", body, with("Content-Type", gateway.InlineType))
				if a.status != want {
					t.Errorf("%d bytes, %s: %d %s", size, name, a.status, a.body)
				}
			}
		}
	}
	r = newRig(t, func(c *gateway.Config) { c.Limits.MaxBody = 10 })
	if a := r.inline(`{"content_base64":"` + base64.StdEncoding.EncodeToString(make([]byte, 11)) +
		`"}`); a.status != 413 {
		t.Errorf("more than a document may have: %d %s", a.status, a.body)
	}
}

// TestBadInline walks through what can be wrong with metadata in JSON. Nothing of it is kept, and nothing of it is
// repeated.
func TestBadInline(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := len(r.stored())
	const canary = "canary-55c1"
	body := func(more string) string { return `{"content_base64":"eA==",` + more + `}` }
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"nothing":             {``, 400, "bad-body"},
		"no object":           {`["` + canary + `"]`, 400, "bad-body"},
		"no JSON":             {canary, 400, "bad-body"},
		"two values":          {`{"content_base64":"eA=="}{}`, 400, "bad-body"},
		"trailing comma":      {`{"content_base64":"eA==",}`, 400, "bad-body"},
		"comment":             {`{"content_base64":"eA=="} // ` + canary, 400, "bad-body"},
		"no content":          {`{"title":"` + canary + `"}`, 400, "bad-body"},
		"null content":        {`{"content_base64":null}`, 400, "bad-body"},
		"content a number":    {`{"content_base64":1}`, 422, "bad-metadata"},
		"content twice":       {body(`"content_base64":"eQ=="`), 400, "bad-body"},
		"title twice":         {body(`"title":"a","title":"` + canary + `"`), 400, "bad-body"},
		"title twice, hidden": {body(`"title":"a","\u0074itle":"` + canary + `"`), 400, "bad-body"},
		"unknown name":        {body(`"` + canary + `":1`), 400, "bad-body"},
		"other case":          {body(`"Title":"` + canary + `"`), 400, "bad-body"},
		"title an object":     {body(`"title":{"a":"` + canary + `"}`), 422, "bad-metadata"},
		"deep": {body(`"title":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000)), 422,
			"bad-metadata"},
		"too deep": {body(`"title":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000)), 400,
			"bad-body"},
		"not UTF-8":          {body("\"title\":\"\xff" + canary + `"`), 400, "bad-body"},
		"half a character":   {body(`"title":"\ud800` + canary + `"`), 400, "bad-body"},
		"attributes a list":  {body(`"attributes":["` + canary + `"]`), 422, "bad-metadata"},
		"attribute a number": {body(`"attributes":{"a":1}`), 422, "bad-metadata"},
		"attribute twice":    {body(`"attributes":{"a":"1","a":"2"}`), 400, "bad-body"},
		"attribute nested":   {body(`"attributes":{"a":{"b":"` + canary + `"}}`), 422, "bad-metadata"},
		"refs an object":     {body(`"ledger_refs":{}`), 422, "bad-metadata"},
		"ref a string":       {body(`"ledger_refs":["eip155:1 ` + canary + `"]`), 422, "bad-metadata"},
		"ref unknown name":   {body(`"ledger_refs":[{"` + canary + `":1}]`), 400, "bad-body"},
		"ref twice":          {body(`"ledger_refs":[{"chain":"eip155:1","chain":"eip155:2"}]`), 400, "bad-body"},
		"ref without":        {body(`"ledger_refs":[{"chain":"eip155:1"}]`), 422, "bad-metadata"},
		"digest":             {body(`"content_sha256":"` + canary + `"`), 422, "bad-metadata"},
		"other digest":       {body(`"content_sha256":"` + strings.Repeat("0", 64) + `"`), 422, "content-mismatch"},
		"size a string":      {body(`"size":"1"`), 422, "bad-metadata"},
		"size a fraction":    {body(`"size":1.5`), 422, "bad-metadata"},
		"negative size":      {body(`"size":-1`), 422, "bad-metadata"},
		"endless size":       {body(`"size":1e400`), 422, "bad-metadata"},
		"other size":         {body(`"size":2`), 422, "content-mismatch"},
		"acknowledge":        {body(`"acknowledge":"` + canary + `"`), 422, "bad-metadata"},
		"bad file name":      {body(`"file_name":"../` + canary + `"`), 422, "bad-metadata"},
		"unknown series":     {body(`"series":"` + canary + `"`), 422, "unknown-series"},
		"no padding":         {`{"content_base64":"eA"}`, 400, "bad-body"},
		"line break":         {`{"content_base64":"eA\n=="}`, 400, "bad-body"},
		"URL alphabet":       {`{"content_base64":"_-A="}`, 400, "bad-body"},
		"loose bits":         {`{"content_base64":"eB=="}`, 400, "bad-body"},
	} {
		t.Run(name, func(t *testing.T) {
			a := r.inline(c.body)
			if a.status != c.status || a.problem() != c.code {
				t.Errorf("%d %s; want %d %s", a.status, a.body, c.status, c.code)
			}
			if bytes.Contains(a.body, []byte(canary)) {
				t.Errorf("the problem repeats what was sent: %s", a.body)
			}
		})
	}
	if a := r.do(http.MethodPut, "/v1/documents/by-external-id/a", strings.NewReader(body(`"external_id":"a"`)),
		with("Content-Type", gateway.InlineType)); a.problem() != "unknown-parameter" {
		t.Errorf("the external id twice: %d %s", a.status, a.body)
	}
	if a := r.do(http.MethodPost, "/v1/documents", strings.NewReader(body(`"attributes":{"a":"1"}`)),
		with("Content-Type", gateway.InlineType), with("Muniment-Attribute", "a=2")); a.problem() != "bad-metadata" {
		t.Errorf("an attribute in two places: %d %s", a.status, a.body)
	}
	if n := r.documents(); n != 0 || len(r.stored()) != before {
		t.Errorf("%d documents and %d objects are kept", n, len(r.stored())-before)
	}
	if log := r.log.String(); strings.Contains(log, canary) {
		t.Errorf("the log repeats what was sent: %s", log)
	}
}

// FuzzInline reads arbitrary bytes as an inline deposit. A deposit that is taken is the one that encoding/json
// reads, which is laxer, and is the same again when it is written anew.
func FuzzInline(f *testing.F) {
	f.Add([]byte(`{"content_base64":"eA==","title":"a","attributes":{"b":"\ud83d\ude00"},` +
		`"ledger_refs":[{"chain":"eip155:1","transaction":"1"}]}`))
	f.Add([]byte(`{"content_base64":"eA==","title":"a","title":"b","size":1}`))
	f.Add([]byte(`{"title":"\\ud800","content_base64":""}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, content, err := gateway.ParseInline(body)
		if err != nil {
			if p := problem.Of(err); p.Code == problem.Internal.Code {
				t.Fatalf("%v is %s", err, p.Code)
			}
			return
		}
		var model openapi.InlineDeposit
		lax := json.NewDecoder(bytes.NewReader(body))
		lax.DisallowUnknownFields()
		if err := lax.Decode(&model); err != nil {
			t.Fatalf("%s was taken, and is not JSON of the contract: %v", body, err)
		}
		same(t, d, content, model)
		again, err := json.Marshal(model)
		if err != nil {
			t.Fatal(err)
		}
		d2, content2, err := gateway.ParseInline(again)
		if err != nil || !bytes.Equal(content, content2) {
			t.Fatalf("written anew as %s it is refused: %v", again, err)
		}
		same(t, d2, content2, model)
	})
}

func same(t *testing.T, d vault.Deposit, content []byte, model openapi.InlineDeposit) {
	t.Helper()
	got := []string{d.Title, d.FileName, d.Series, d.ExternalID, d.IdempotencyKey, d.MediaType, d.RecordDate,
		base64.StdEncoding.EncodeToString(content)}
	want := []string{text(model.Title), text(model.FileName), text(model.Series), text(model.ExternalID),
		text(model.IdempotencyKey),
		text(model.MediaType), text(model.RecordDate), model.ContentBase64}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if model.Attributes != nil {
		if diff := cmp.Diff(*model.Attributes, d.Attributes); diff != "" &&
			len(d.Attributes)+len(*model.Attributes) > 0 {
			t.Fatal(diff)
		}
	}
}

func TestLoneSurrogates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`"\ud83d\ude00"`: false, `"\ud83d"`: true, `"\ude00"`: true, `"\ude00\ud83d"`: true, `"\\ud83d"`: false,
		`"\\\ud83d"`:      true,
		`"\ud83d\\ude00"`: true, `"\ud83d\u0041"`: true, `"\u0041"`: false, `"a\n\"\/b"`: false,
		`"\ud83d\ud83d\ude00"`: true,
	} {
		_, _, err := gateway.ParseInline([]byte(`{"content_base64":"","title":` + text + `}`))
		if got := err != nil && problem.Of(err).Code == problem.BadBody.Code; got != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestInlineLists: what a million empty elements would take in memory is not taken.
func TestInlineLists(t *testing.T) {
	notShort(t, "it reads a million elements")
	var attributes strings.Builder
	attributes.WriteString(`{"attributes":{"a":""`)
	for i := range 200_000 {
		attributes.WriteString(`,"` + strconv.Itoa(i) + `":""`)
	}
	for name, body := range map[string]string{
		"ledger_refs": `{"ledger_refs":[` + strings.Repeat(`{},`, 900_000) + `{}],"content_base64":""}`,
		"attributes":  attributes.String() + `},"content_base64":""}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d, _, err := gateway.ParseInline([]byte(body))
		runtime.ReadMemStats(&after)
		if err == nil || len(d.LedgerRefs)+len(d.Attributes) > 0 {
			t.Errorf("%s: %d references, %d attributes, error %v", name, len(d.LedgerRefs), len(d.Attributes), err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 8*uint64(len(body)) {
			t.Errorf("%s: %d bytes took %d", name, len(body), took)
		}
	}
}
