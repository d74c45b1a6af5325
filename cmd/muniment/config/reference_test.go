package config_test

import (
	"encoding"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/cmd/muniment/config"
)

var update = flag.Bool("update", false, "write the configuration reference of the operator's guide anew")

// guide is the operator's guide. The reference in it stands between two comments.
const (
	guide = "../README.md"
	begin = "<!-- configuration: written by go test ./cmd/muniment/config -update -->\n"
	end   = "<!-- end of configuration -->\n"
)

// TestReference: the guide has every key with its variable, its default and the comment on its field.
func TestReference(t *testing.T) {
	raw, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), begin)
	got, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s lacks the comments between which the reference stands", guide)
	}
	want := reference(t)
	if *update {
		if err := os.WriteFile(guide, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the reference is not that of the struct; write it with "+
			"go test ./cmd/muniment/config -update (-want +got):\n%s", diff)
	}
}

// reference is the table of all keys.
func reference(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	out.WriteString("| key | variable | default | what |\n|---|---|---|---|\n")
	docs := fieldDocs(t)
	defaults := config.Default()
	rows := 0
	var walk func(v reflect.Value, prefix string)
	walk = func(v reflect.Value, prefix string) {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			key := prefix + field.Tag.Get("yaml")
			_, text := v.Field(i).Addr().Interface().(encoding.TextUnmarshaler)
			if field.Type.Kind() == reflect.Struct && !text {
				walk(v.Field(i), key+".")
				continue
			}
			rows++
			what := explain(docs[v.Type().Name()+"."+field.Name], field.Name)
			variable := config.Prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
			fmt.Fprintf(&out, "| `%s` | `%s` | %s | %s |\n", key, variable, standard(v.Field(i)), what)
		}
	}
	walk(reflect.ValueOf(&defaults).Elem(), "")
	if rows != len(config.Variables()) {
		t.Errorf("%d keys found, and there are %d variables", rows, len(config.Variables()))
	}
	return out.String()
}

// standard is a default as it is written in the file.
func standard(v reflect.Value) string {
	if text := fmt.Sprint(v.Interface()); v.Kind() != reflect.Slice && text != "" {
		return "`" + text + "`"
	}
	return "none"
}

// explain makes a table's cell of a field's comment.
func explain(doc, name string) string {
	text := strings.TrimPrefix(strings.Join(strings.Fields(doc), " "), name+" ")
	for _, verb := range []string{"is ", "are "} {
		text = strings.TrimPrefix(text, verb)
	}
	return strings.TrimSuffix(strings.ReplaceAll(text, "|", `\|`), ".")
}

// fieldDocs are the comments of all fields, by "Struct.Field".
func fieldDocs(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					docs[spec.Name.Name+"."+name.Name] = f.Doc.Text()
				}
			}
			return true
		})
	}
	return docs
}

// TestEveryFieldIsDocumented: with a comment that begins with its name, and a name for the file.
func TestEveryFieldIsDocumented(t *testing.T) {
	docs := fieldDocs(t)
	fields := 0
	var walk func(s reflect.Type)
	walk = func(s reflect.Type) {
		for i := range s.NumField() {
			f := s.Field(i)
			fields++
			if doc := docs[s.Name()+"."+f.Name]; !strings.HasPrefix(doc, f.Name+" ") {
				t.Errorf("%s.%s: no comment that begins with its name", s.Name(), f.Name)
			}
			if f.Tag.Get("yaml") == "" {
				t.Errorf("%s.%s: no name for the file", s.Name(), f.Name)
			}
			if f.Type.Kind() == reflect.Struct {
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[config.Config]())
	if fields < 50 {
		t.Errorf("only %d fields found", fields)
	}
}
