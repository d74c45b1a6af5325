package gateway_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/gateway"
	"muniment/gateway/problem"
	"muniment/openapi/openapitest"
)

// TestRoutesAreTheContract compares the server's routes with the contract, both ways: methods, paths, whether they need
// a credential, and parameters.
func TestRoutesAreTheContract(t *testing.T) {
	t.Parallel()
	contract, err := openapitest.Load()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, op := range contract.Operations() {
		var query, headers []string
		for _, p := range contract.Parameters(op) {
			switch {
			case p.In == "query":
				query = append(query, p.Name)
			case p.In == "header" && strings.HasPrefix(p.Name, "Muniment-"):
				headers = append(headers, p.Name)
			}
		}
		want = append(want, describe(op.Method, op.Path, op.Public, query, headers))
	}
	var got []string
	for _, route := range gateway.Routes() {
		got = append(got, describe(route.Method, template(route.Path), route.Public, route.Query, route.Headers))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the contract (-) and the routes (+) differ:\n%s", diff)
	}
}

func describe(method, path string, public bool, query, headers []string) string {
	slices.Sort(query)
	slices.Sort(headers)
	return fmt.Sprintf("%s %s public=%v %v %v", method, path, public, query, headers)
}

// template turns Echo's notation into OpenAPI's.
func template(path string) string {
	switch path {
	case "/v1/documents/by-external-id/*":
		return "/v1/documents/by-external-id/{external_id}"
	case "/v1/journal/tile/*":
		return "/v1/journal/tile/{tile}"
	}
	elements := strings.Split(path, "/")
	for i, e := range elements {
		if name, ok := strings.CutPrefix(e, ":"); ok {
			elements[i] = "{" + name + "}"
		}
	}
	return strings.Join(elements, "/")
}

// TestUnknownParameters sends every call one that it does not have, and holds the refusal against the contract.
func TestUnknownParameters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	calls := 0
	for _, op := range r.contract.Operations() {
		path := op.Path
		for _, p := range r.contract.Parameters(op) {
			example, _ := p.Example.(string)
			if p.In == "path" && example == "" {
				example, _ = p.Schema["example"].(string)
			}
			path = strings.ReplaceAll(path, "{"+p.Name+"}", example)
		}
		for _, a := range []answer{
			r.do(op.Method, path+"?unheard-of=1", nil), r.do(op.Method, path, nil, with("Muniment-Unheard-Of", "1")),
		} {
			refused := a.problem() == "unknown-parameter"
			if op.Method == http.MethodHead { // which has no body
				refused = a.status == http.StatusBadRequest &&
					a.header.Get("Content-Type") == "application/problem+json"
			}
			if !refused {
				t.Errorf("%s: %d %s", op.ID, a.status, a.body)
			}
		}
		calls++
	}
	if calls != len(gateway.Routes()) {
		t.Errorf("%d calls of %d", calls, len(gateway.Routes()))
	}
}

// TestEveryProblemIsExplained fetches the type of each problem, and checks that its status is one that some call may
// give.
func TestEveryProblemIsExplained(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	seen := map[string]bool{}
	for _, kind := range problem.Kinds() {
		code := kind.Code
		if seen[code] {
			t.Errorf("%s is there twice", code)
		}
		seen[code] = true
		if a := r.do(http.MethodGet, "/problems/"+code, nil, with("Authorization", "")); a.status != http.StatusOK {
			t.Errorf("%s: %d", code, a.status)
		}
	}
	if a := r.do(http.MethodGet, "/problems/none", nil); a.problem() != "not-found" {
		t.Errorf("an unknown problem gives %d %s", a.status, a.body)
	}
}
