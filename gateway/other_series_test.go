package gateway_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/gateway"
	"muniment/retention"
	"muniment/vault/access"
	"muniment/vault/objects"
)

// countedStore counts the calls of a store that touch an object.
type countedStore struct {
	objects.Store
	calls atomic.Int64
}

func (s *countedStore) Put(ctx context.Context, key string, body io.Reader, o objects.PutOptions) (objects.Info,
	error) {
	s.calls.Add(1)
	return s.Store.Put(ctx, key, body, o)
}

func (s *countedStore) Get(ctx context.Context, key, version string, span *objects.Span) (io.ReadCloser, objects.Info,
	error) {
	s.calls.Add(1)
	return s.Store.Get(ctx, key, version, span)
}

func (s *countedStore) Stat(ctx context.Context, key, version string) (objects.Info, error) {
	s.calls.Add(1)
	return s.Store.Stat(ctx, key, version)
}

// subject is a document that somebody asks for: one of another series, or one that there is not.
type subject struct {
	id, external, key, transaction string
	content                        string
	index                          uint64 // of an event that is about no document of the caller's
	// shared is a transaction that two documents of the caller's series support, and where the subject is of another
	// series, two of that too.
	shared string
}

func (s subject) digest() [sha256.Size]byte { return sha256.Sum256([]byte(s.content)) }

// attempt is one request about a subject.
type attempt struct {
	name  string
	route string // method and path of the route
	body  func(subject) string
	path  func(subject) string
	with  map[string]func(subject) string // headers
}

func fixed(s string) func(subject) string { return func(subject) string { return s } }

// attempts are the requests that could tell a document of another series from none, on every route that takes a
// document, an external id, an idempotency key, a transaction, a series or an index.
func attempts() []attempt {
	const (
		list, describe = "GET /v1/documents", "GET /v1/documents/:id"
		byExternal     = "/v1/documents/by-external-id/*"
		content        = "/v1/documents/:id/content"
		evidence       = "GET /v1/documents/:id/evidence"
		history        = "GET /v1/documents/:id/history"
	)
	document := func(rest string) func(subject) string {
		return func(s subject) string { return "/v1/documents/" + s.id + rest }
	}
	external := func(rest string) func(subject) string {
		return func(s subject) string { return "/v1/documents/by-external-id/" + s.external + rest }
	}
	right := func(s subject) string { return s.content }
	rightDigest := func(s subject) string {
		sum := s.digest()
		return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	}
	wrongDigest := fixed("sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")
	type headers = map[string]func(subject) string
	in := func(series string) headers { return headers{"Muniment-Series": fixed(series)} }
	purpose := headers{"Muniment-Purpose": fixed("audit")}
	key := func(s subject) string { return s.key }
	out := []attempt{
		{"deposit under an external id", "POST /v1/documents", right,
			func(s subject) string { return "/v1/documents?series=mine&external_id=" + s.external }, nil},
		{"deposit under an external id, in the other series", "POST /v1/documents", right,
			func(s subject) string { return "/v1/documents?series=theirs&external_id=" + s.external }, nil},
		{"deposit with an idempotency key", "POST /v1/documents", right, fixed("/v1/documents?series=mine"),
			headers{"Idempotency-Key": key}},
		{"inline deposit under an external id", "POST /v1/documents", func(s subject) string {
			return fmt.Sprintf(`{"external_id":%q,"series":"mine","content_base64":"eA=="}`, s.external)
		}, fixed("/v1/documents"), headers{"Content-Type": fixed(gateway.InlineType)}},
		{"put", "PUT " + byExternal, right, external(""), in("mine")},
		{"put other content", "PUT " + byExternal, fixed("other"), external(""), in("mine")},
		{"put with a digest that cannot match", "PUT " + byExternal, fixed("x"), external(""),
			headers{"Muniment-Series": fixed("mine"), "Content-Digest": wrongDigest}},
		{"put with the right digest", "PUT " + byExternal, right, external(""),
			headers{"Muniment-Series": fixed("mine"), "Content-Digest": rightDigest}},
		{"put with an idempotency key", "PUT " + byExternal, right, external(""),
			headers{"Muniment-Series": fixed("mine"), "Idempotency-Key": key}},
		{"put into the other series", "PUT " + byExternal, right, external(""), in("theirs")},
		{"put into the default series", "PUT " + byExternal, right, external(""), nil},
		{"find", "GET " + byExternal, nil, external(""), nil},
		{"find in the own series", "GET " + byExternal, nil, external("?series=mine"), nil},
		{"find in the other series", "GET " + byExternal, nil, external("?series=theirs"), nil},
		{"list by transaction", list, nil,
			func(s subject) string { return "/v1/documents?chain=eip155:1&transaction=" + s.transaction }, nil},
		{"list the other series by transaction", list, nil, func(s subject) string {
			return "/v1/documents?series=theirs&chain=eip155:1&transaction=" + s.transaction
		}, nil},
		{"describe", describe, nil, document(""), nil},
		{"delete", "DELETE /v1/documents/:id", nil, document(""), nil},
		{"read", "GET " + content, nil, document("/content"), purpose},
		{"read for no purpose", "GET " + content, nil, document("/content"), nil},
		{"read a range", "GET " + content, nil, document("/content?purpose=audit"),
			headers{"Range": fixed("bytes=1000-")}},
		{"head", "HEAD " + content, nil, document("/content"), nil},
		{"evidence", evidence, nil, document("/evidence"), nil},
		{"evidence with disclosure", evidence, nil, document("/evidence?disclose=true"), nil},
		{"history", history, nil, document("/history"), nil},
		{"history from an event", history, nil,
			func(s subject) string { return fmt.Sprintf("/v1/documents/%s/history?before=%d", s.id, s.index) }, nil},
		{"verify", "POST /v1/verify", func(s subject) string {
			sum := s.digest()
			return fmt.Sprintf(`{"document":%q,"digest":%q}`, s.id, hex.EncodeToString(sum[:]))
		}, fixed("/v1/verify"), headers{"Content-Type": fixed("application/json")}},
		{"create the other series", "POST /v1/series", func(s subject) string {
			code := "theirs"
			if strings.HasPrefix(s.external, "free") {
				code = "nobodys"
			}
			return fmt.Sprintf(`{"code":%q}`, code)
		}, fixed("/v1/series"), headers{"Content-Type": fixed("application/json")}},
	}
	for limit := range 3 { // the own series has two such documents
		out = append(out, attempt{fmt.Sprintf("list by a shared transaction, %d at a time", limit+1), list, nil,
			func(s subject) string {
				return fmt.Sprintf("/v1/documents?chain=eip155:1&transaction=%s&limit=%d", s.shared, limit+1)
			}, nil})
	}
	return out
}

// harmless are the beginnings of the routes that take none of these, each with the reason.
var harmless = map[string]string{
	"GET /v1/journal/":       "the log is public, or the whole tenant's, and says no series' part of it",
	"GET /v1/anchors":        "anchors cover all documents alike",
	"POST /v1/anchors":       "the same",
	"GET /v1/series":         "for the whole tenant only",
	"GET /v1/purposes":       "the tenant's list",
	"PUT /v1/purposes":       "the same",
	"POST /v1/attestations":  "about the store",
	"GET /v1/keys":           "about the tenant's key",
	"POST /v1/keys/":         "the same",
	"GET /v1/backups":        "about the whole log",
	"POST /v1/backups":       "the same",
	"GET /v1/version":        "public",
	"GET /problems/":         "public",
	"GET /v1/principals":     "about principals",
	"POST /v1/principals":    "the same",
	"PUT /v1/principals/":    "the same",
	"DELETE /v1/principals/": "the same",
	"GET /v1/whoami":         "about the caller",
	"POST /v1/claims":        "about principals",
	"GET /v1/grants":         "about principals",
	"POST /v1/grants":        "the same",
	"POST /v1/founding":      "the same",
	"DELETE /v1/founding":    "the same",
	"GET /v1/time":           "about the machine's clock",
	"POST /v1/time/":         "the same",
}

// TestOtherSeriesIsUnknown asks for a document of another series, and for one that there is not, on every route: the
// answers have the same status, headers and body, and cost as many events, calls of the key service and of the store.
func TestOtherSeriesIsUnknown(t *testing.T) {
	t.Parallel()
	tried := attempts()
	for _, route := range gateway.Routes() {
		name := route.Method + " " + route.Path
		is := func(a attempt) bool { return a.route == name }
		begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if !slices.ContainsFunc(tried, is) && !slices.ContainsFunc(slices.Collect(maps.Keys(harmless)), begins) {
			t.Errorf("%s: try whether it tells documents of other series from none, or say why it cannot", name)
		}
	}
	w := newSeriesRig(t)
	for caller, grants := range map[string][]access.Grant{
		"depositor":            {{Role: access.Depositor, Series: "mine"}},
		"reader":               {{Role: access.ReaderRole, Series: "mine"}},
		"depositor and reader": {{Role: access.Depositor, Series: "mine"}, {Role: access.ReaderRole, Series: "mine"}},
	} {
		for _, a := range tried {
			theirs, none := w.subjects()
			got, want := w.try(a, theirs, w.principal(grants...)), w.try(a, none, w.principal(grants...))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s: the answer about no document (-) and about another series' (+) differ:\n%s", caller,
					a.name, diff)
			}
		}
	}
}

// seriesRig is a rig whose tenant has two series, of which its callers may see one, and that counts what it does.
type seriesRig struct {
	*rig
	keyCalls atomic.Int64
	n        int
}

func newSeriesRig(t *testing.T) *seriesRig {
	w := &seriesRig{rig: newRig(t)}
	w.keys.watch(func() { w.keyCalls.Add(1) })
	for _, code := range []string{"mine", "theirs"} {
		if _, err := retention.CreateSeries(t.Context(), w.door, w.who, retention.NewSeries{Code: code}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// subjects are a new document of the other series and one that there is not, which differ in nothing else.
func (w *seriesRig) subjects() (theirs, none subject) {
	w.n++
	name := func(s string) string { return fmt.Sprintf("%s-%d", s, w.n) }
	theirs = subject{content: name("content"), external: name("taken"), key: name("taken"), transaction: name("taken"),
		shared: name("shared-taken")}
	none = subject{content: theirs.content, external: name("free"), key: name("free"), transaction: name("free"),
		shared: name("shared-free")}
	ref := func(transaction string) func(*http.Request) {
		return with("Muniment-Ledger-Ref", "eip155:1 "+transaction)
	}
	mine := func(transaction string) {
		w.deposit([]byte("mine"), with("Muniment-Series", "mine"), ref(transaction))
	}
	mine(theirs.shared)
	mine(none.shared)
	done := w.deposit([]byte(theirs.content), with("Muniment-Series", "theirs"), ref(theirs.transaction),
		ref(theirs.shared), with("Muniment-External-Id", theirs.external), with("Idempotency-Key", theirs.key))
	mine(theirs.shared)
	mine(none.shared)
	last := w.deposit([]byte(theirs.content), with("Muniment-Series", "theirs"), ref(theirs.shared))
	theirs.id, theirs.index, none.index = done.ID, last.Receipt.Index, last.Receipt.Index
	id, err := journal.NewID(time.Now(), strings.NewReader(strings.Repeat(theirs.content, 4)))
	if err != nil {
		w.t.Fatal(err)
	}
	none.id = id.String()
	return theirs, none
}

// outcome is what can be seen of a request, without what differs between any two.
type outcome struct {
	Status                        int
	Problem, Body                 string
	Headers                       map[string]string
	Events, KeyCalls, ObjectCalls int64
}

func (w *seriesRig) try(a attempt, s subject, token string) outcome {
	w.t.Helper()
	var body io.Reader
	if a.body != nil {
		body = strings.NewReader(a.body(s))
	}
	change := []func(*http.Request){with("Authorization", ""), with("Authorization", "Bearer "+token)}
	for name, value := range a.with {
		change = append(change, with(name, value(s)))
	}
	method, _, _ := strings.Cut(a.route, " ")
	events, keyCalls, objectCalls := w.journal.Size(), w.keyCalls.Load(), w.objects.calls.Load()
	answer := w.do(method, a.path(s), body, change...)
	out := outcome{
		Status: answer.status, Problem: answer.problem(), Body: plain(string(answer.body)),
		Headers: map[string]string{},
		Events:  int64(w.journal.Size() - events), KeyCalls: w.keyCalls.Load() - keyCalls,
		ObjectCalls: w.objects.calls.Load() - objectCalls,
	}
	for name, values := range answer.header {
		if name != "Date" && name != "Content-Length" { // which indexes and proofs lengthen; the body tells as much
			out.Headers[name] = plain(strings.Join(values, "\n"))
		}
	}
	return out
}

// differing is what differs between any two answers: what the request said itself, ids, times, hashes and numbers.
var differing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(taken|free|shared-taken|shared-free)-\d+`), "NAME"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`[0-9A-Za-z+/_-]{22,}={0,2}`), "HASH"},
	{regexp.MustCompile(`\d+`), "N"},
	{regexp.MustCompile(`"HASH"(,"HASH")+`), `"HASH"`},
}

func plain(s string) string {
	for _, d := range differing {
		s = d.pattern.ReplaceAllString(s, d.with)
	}
	return s
}

// TestSeriesAreToldApart: the comparison sees a difference where there is one, with a caller who may see both series.
func TestSeriesAreToldApart(t *testing.T) {
	t.Parallel()
	w := newSeriesRig(t)
	tells := map[string]bool{
		"deposit under an external id, in the other series": true, "put into the other series": true,
		"find": true, "find in the other series": true, "list by transaction": true, "describe": true, "read": true,
		"read a range": true, "head": true, "evidence": true, "history": true, "verify": true,
		"deposit with an idempotency key": true, "create the other series": true,
	}
	for _, a := range attempts() {
		theirs, none := w.subjects()
		if tells[a.name] && cmp.Equal(w.try(a, theirs, w.token), w.try(a, none, w.token)) {
			t.Errorf("%s: no difference is seen", a.name)
		}
		delete(tells, a.name)
	}
	for name := range tells {
		t.Errorf("%s: there is no such attempt", name)
	}
}
