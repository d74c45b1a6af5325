// Package openapitest checks in tests that what is served is what openapi.yaml promises. It knows as much of OpenAPI
// 3.1 and JSON Schema as that file uses, and says so when it meets more.
package openapitest

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"muniment/openapi"
)

// Contract is the parsed contract.
type Contract struct {
	root map[string]any
}

// Operation is one call.
type Operation struct {
	Method string // upper case
	Path   string // with its templates: "/v1/documents/{id}"
	ID     string
	Public bool // needs no credential
	spec   map[string]any
	shared []any // the path's parameters
}

// Parameter is one parameter of an operation.
type Parameter struct {
	Name, In, Description string
	Schema                map[string]any
	Example               any
}

// Load gives the contract that is built in. It is parsed once, since that takes longer than most tests, and only read
// afterwards.
func Load() (*Contract, error) { return load() }

var load = sync.OnceValues(func() (*Contract, error) {
	c := &Contract{}
	if err := yaml.Unmarshal([]byte(openapi.Contract()), &c.root); err != nil {
		return nil, fmt.Errorf("parsing openapi.yaml: %w", err)
	}
	return c, nil
})

// Operations lists all calls, sorted by path and method.
func (c *Contract) Operations() []Operation {
	var out []Operation
	for path, item := range object(c.root["paths"]) {
		for _, method := range []string{"get", "put", "post", "delete", "head", "patch"} {
			spec, ok := object(item)[method]
			if !ok {
				continue
			}
			op := Operation{Method: strings.ToUpper(method), Path: path, spec: object(spec)}
			op.shared, _ = object(item)["parameters"].([]any)
			op.ID, _ = op.spec["operationId"].(string)
			security, given := op.spec["security"].([]any)
			op.Public = given && len(security) == 0
			out = append(out, op)
		}
	}
	slices.SortFunc(out, func(a, b Operation) int { return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method) })
	return out
}

// Text is a text field of the operation: "summary", "description".
func (o Operation) Text(field string) string {
	text, _ := o.spec[field].(string)
	return text
}

// Parameters are the operation's, the path's included.
func (c *Contract) Parameters(o Operation) []Parameter {
	own, _ := o.spec["parameters"].([]any)
	var out []Parameter
	for _, raw := range slices.Concat(o.shared, own) {
		p := c.resolve(raw)
		one := Parameter{Schema: c.resolve(p["schema"]), Example: p["example"]}
		one.Name, _ = p["name"].(string)
		one.In, _ = p["in"].(string)
		one.Description, _ = p["description"].(string)
		out = append(out, one)
	}
	return out
}

// Statuses are the operation's answers.
func (o Operation) Statuses() []int {
	var out []int
	for code := range object(o.spec["responses"]) {
		n, _ := strconv.Atoi(code)
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// Match finds the operation that a request is for. A template stands for the rest of the path only when it is the last
// element.
func (c *Contract) Match(method, path string) (Operation, bool) {
	var best Operation
	for _, op := range c.Operations() {
		if op.Method == method && matches(op.Path, path) && len(op.Path) > len(best.Path) {
			best = op
		}
	}
	return best, best.Path != ""
}

func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	for i, element := range want {
		if i >= len(got) {
			return false
		}
		if strings.HasPrefix(element, "{") {
			if i == len(want)-1 && slices.Contains([]string{"{tile}", "{external_id}"}, element) {
				return true
			}
			continue
		}
		if element != got[i] {
			return false
		}
	}
	return len(want) == len(got)
}

// CheckResponse says whether an answer is one that the contract promises for the operation.
func (c *Contract) CheckResponse(o Operation, status int, header http.Header, body []byte) error {
	raw, ok := object(o.spec["responses"])[strconv.Itoa(status)]
	if !ok {
		return fmt.Errorf("%s may not answer %d", o.ID, status)
	}
	content := object(c.resolve(raw)["content"])
	if len(content) == 0 || o.Method == http.MethodHead {
		return nil
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("%s %d has no media type: %w", o.ID, status, err)
	}
	media, ok := content[kind]
	if !ok {
		if _, any := content["*/*"]; any {
			return nil
		}
		return fmt.Errorf("%s %d may not be %s", o.ID, status, kind)
	}
	if !strings.HasSuffix(kind, "json") {
		return nil
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("%s %d is not JSON: %w", o.ID, status, err)
	}
	if err := c.Validate(object(media)["schema"], value); err != nil {
		return fmt.Errorf("%s %d: %w", o.ID, status, err)
	}
	return nil
}

// resolve follows a reference, if there is one.
func (c *Contract) resolve(v any) map[string]any {
	m := object(v)
	ref, ok := m["$ref"].(string)
	if !ok {
		return m
	}
	var at any = c.root
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		at = object(at)[name]
	}
	return c.resolve(at)
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}
