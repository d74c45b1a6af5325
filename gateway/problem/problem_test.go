package problem_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"slices"
	"testing"
	"time"

	"muniment/gateway/problem"
	"muniment/vault/invalid"
	"muniment/vault/keys"
)

// TestKindsAreComplete: every kind that is declared can be looked up by its code, which no other has.
func TestKindsAreComplete(t *testing.T) {
	t.Parallel()
	declared := 0
	for _, path := range []string{"client_errors.go", "server_errors.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				declared += len(spec.Names)
			}
			return true
		})
	}
	var codes []string
	for _, k := range problem.Kinds() {
		if k.Code == "" || k.Title == "" || k.Explanation == "" || http.StatusText(k.Status) == "" {
			t.Errorf("it is not whole: %+v", k)
		}
		codes = append(codes, k.Code)
	}
	slices.Sort(codes)
	if once := slices.Compact(slices.Clone(codes)); len(once) != declared || len(codes) != declared {
		t.Errorf("%d kinds are declared, %d are listed, %d have a code of their own", declared, len(codes), len(once))
	}
}

// TestProblem: what a client is told of an error, and what stays in the log.
func TestProblem(t *testing.T) {
	t.Parallel()
	p := problem.Of(fmt.Errorf("wrapping a key: %w", keys.ErrUnavailable))
	if out := p.JSON("id"); out.Type != "/problems/key-service-unavailable" || out.Status != 503 || !out.Retry ||
		out.RequestID != "id" || *out.Detail != problem.KeysUnavailable.Explanation || p.RetryAfter != 5*time.Second {
		t.Errorf("%+v, again after %v", out, p.RetryAfter)
	}
	if !errors.Is(p, keys.ErrUnavailable) || p.Error() != "key-service-unavailable: "+
		"wrapping a key: "+keys.ErrUnavailable.Error() {
		t.Errorf("the log says %v", p)
	}
	if out := problem.Of(errors.New("canary")).JSON(""); out.Type != "/problems/internal" || *out.Detail == "canary" {
		t.Errorf("an unknown error: %+v", out)
	}
	field := fmt.Errorf("depositing: %w", &invalid.Field{Name: "title", Reason: "is too long"})
	if out := problem.Of(field).JSON(""); *out.Detail != "title is too long" {
		t.Errorf("a field: %+v", out)
	}
	ready := problem.New(problem.DispositionRequired, "why").With("Allow", "GET")
	if got := problem.Of(fmt.Errorf("deleting: %w", ready)); got != ready || *got.JSON("").Detail != "why" {
		t.Errorf("a problem that is one already: %+v", got)
	}
}
