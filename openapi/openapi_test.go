package openapi_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"muniment/anchor/processtest"
	"muniment/openapi"
	"muniment/openapi/openapitest"
)

func load(t *testing.T) *openapitest.Contract {
	t.Helper()
	contract, err := openapitest.Load()
	if err != nil {
		t.Fatal(err)
	}
	return contract
}

// TestEveryCallIsDescribed holds the contract to its own standard: names, descriptions, and every problem that any call
// of its kind can answer with.
func TestEveryCallIsDescribed(t *testing.T) {
	t.Parallel()
	contract := load(t)
	ids := map[string]bool{}
	for _, op := range contract.Operations() {
		name := op.Method + " " + op.Path
		if op.ID == "" || ids[op.ID] {
			t.Errorf("%s: operationId %q is empty or taken", name, op.ID)
		}
		ids[op.ID] = true
		for _, field := range []string{"summary", "description"} {
			if op.Text(field) == "" {
				t.Errorf("%s: no %s", name, field)
			}
		}
		statuses := fmt.Sprint(op.Statuses())
		always := []string{"400", "429", "500"} // unknown parameters; too many requests; faults of ours
		if !op.Public {
			always = append(always, "401", "503")
		}
		for _, status := range always {
			if !strings.Contains(statuses, status) {
				t.Errorf("%s: cannot answer %s, and every call of its kind can", name, status)
			}
		}
		if op.Public && strings.Contains(statuses, "401") {
			t.Errorf("%s: needs no credential and can answer 401", name)
		}
		for _, p := range contract.Parameters(op) {
			if p.Name == "" || p.Description == "" {
				t.Errorf("%s: parameter %q has no description", name, p.Name)
			}
			if text, ok := p.Example.(string); ok && p.Schema["type"] == "string" {
				if err := contract.Validate(p.Schema, text); err != nil {
					t.Errorf("%s: the example of %s: %v", name, p.Name, err)
				}
			}
		}
	}
	if len(ids) < 16 {
		t.Errorf("the contract has %d calls only", len(ids))
	}
}

// TestExamplesFit validates every example against its schema, and finds references that lead nowhere.
func TestExamplesFit(t *testing.T) {
	t.Parallel()
	contract := load(t)
	var root any
	if err := yaml.Unmarshal([]byte(openapi.Contract()), &root); err != nil {
		t.Fatal(err)
	}
	seen := 0
	var walk func(where string, at any)
	walk = func(where string, at any) {
		switch node := at.(type) {
		case []any:
			for i, element := range node {
				walk(fmt.Sprintf("%s/%d", where, i), element)
			}
		case map[string]any:
			if ref, ok := node["$ref"].(string); ok && follow(root, ref) == nil {
				t.Errorf("%s: %s leads nowhere", where, ref)
			}
			for _, example := range examples(root, node) {
				seen++
				if err := contract.Validate(node["schema"], example); err != nil {
					t.Errorf("%s: its example: %v", where, err)
				}
			}
			for name, child := range node {
				if name != "value" && name != "example" {
					walk(where+"/"+name, child)
				}
			}
		}
	}
	walk("", root)
	if seen < 15 {
		t.Errorf("only %d examples were checked", seen)
	}
}

// examples are those of a media type, as encoding/json would decode them.
func examples(root any, media map[string]any) []any {
	if _, ok := media["schema"]; !ok || media["name"] != nil {
		return nil
	}
	var out []any
	if example, ok := media["example"]; ok {
		out = append(out, viaJSON(example))
	}
	named, _ := media["examples"].(map[string]any)
	for _, one := range named {
		ref, _ := one.(map[string]any)["$ref"].(string)
		found, _ := follow(root, ref).(map[string]any)
		out = append(out, viaJSON(found["value"]))
	}
	return out
}

func viaJSON(v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		return err
	}
	return out
}

func follow(root any, ref string) any {
	at := root
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := at.(map[string]any)
		at = m[name]
	}
	return at
}

// TestGeneratedCodeIsCurrent generates the code again, with the pinned generator of the tools module, and compares.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	t.Parallel()
	tool := []string{"tool", "-modfile=tools/go.mod", "oapi-codegen"}
	if out, err := exec.Command("go", append(tool, "-version")...).CombinedOutput(); err != nil {
		processtest.Missing(t, "the generator cannot be built here",
			fmt.Sprintf("it needs the modules of tools/go.mod: %v\n%s", err, out))
	}
	for config, generated := range map[string]string{"models.yaml": "models.gen.go",
		"client.yaml": "client/client.gen.go"} {
		fresh := filepath.Join(t.TempDir(), "fresh.go")
		out, err := exec.Command("go", append(tool, "-config", config, "-o", fresh, "openapi.yaml")...).CombinedOutput()
		if err != nil {
			t.Fatalf("generating by %s: %v\n%s", config, err, out)
		}
		want, err := os.ReadFile(fresh)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(generated)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not what openapi.yaml and %s give: run go generate ./openapi", generated, config)
		}
	}
}
